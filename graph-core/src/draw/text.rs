//! How wide a text is, and how it is wrapped.

/// Returns how many columns a text takes in a terminal, and in a picture with letters of one width.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Returns the columns of a letter: none if it changes the one before, two if it is wide.
fn width(letter: char) -> usize {
    match u32::from(letter) {
        0x0300..=0x036F | 0x200B..=0x200F | 0x20D0..=0x20FF | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// Breaks a text into lines of at most so many columns, at blanks where there are some.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        if !line.is_empty() && columns(&line) + 1 + columns(word) > most {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        while columns(word) > most {
            let end = end_of(word, most);
            line.push_str(&word[..end]);
            word = &word[end..];
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Returns where a text longer than so many columns is broken: after one letter at least.
fn end_of(text: &str, most: usize) -> usize {
    let mut taken = 0;
    let mut end = 0;
    for (at, letter) in text.char_indices() {
        taken += width(letter);
        if taken > most && at > 0 {
            break;
        }
        end = at + letter.len_utf8();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_at_blanks_or_else_anywhere() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("", 3), [""]);
        assert_eq!(wrapped("日本", 1), ["日", "本"]);
    }

    #[test]
    fn a_wide_letter_takes_two_columns() {
        assert_eq!(columns("日本é"), 5);
    }
}
