//! Texts and names as DOT has them, and back.

use std::fmt::{self, Write as _};

/// The names of marks and bars, which a node cannot have; one that has it all the same is escaped.
const MARKS: [&str; 5] = ["start", "end", "all", "each", "join"];

/// A text in quotes, with what would end or change it escaped.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                // Graphviz refuses a file with a NUL, and a carriage return has no shape.
                '\0' | '\r' => {}
                _ => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}

/// Returns the text that [`Quoted`] wrote between its quotes.
pub(super) fn unquoted(text: &str) -> String {
    let mut read = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => read.push('\n'),
                Some(other) => read.push(other),
                None => read.push('\\'),
            },
            _ => read.push(letter),
        }
    }
    read
}

/// Returns a name without slashes, and not that of a mark.
pub(super) fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    let is_mark = MARKS.contains(&name);
    for (place, letter) in name.char_indices() {
        match letter {
            '%' => escaped.push_str("%25"),
            '/' => escaped.push_str("%2F"),
            // They are all made of such letters.
            _ if is_mark && place == 0 => {
                let _ = write!(escaped, "%{:02X}", u32::from(letter));
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Returns the name that was escaped, or `None` if none gives this.
pub(super) fn unescaped(id: &str) -> Option<String> {
    let mut parts = id.split('%');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        name.push(char::from(code));
        name.push_str(&part[2..]);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_quotes() {
        let quoted = |text| Quoted(text).to_string();
        assert_eq!(quoted("say \"hi\""), r#""say \"hi\"""#);
        assert_eq!(quoted(r"a\"), r#""a\\""#);
        assert_eq!(quoted("two\r\nlines"), r#""two\nlines""#);
        assert_eq!(quoted("zero\0"), r#""zero""#);
        assert_eq!(quoted("≤ ü"), "\"≤ ü\"");
    }

    #[test]
    fn a_name_comes_back() {
        for name in ["a", "a/b", "100%", "%2F", "end", "join", "ü", ""] {
            let escaped = escaped(name);
            assert!(!escaped.contains('/') && !MARKS.contains(&&*escaped));
            assert_eq!(unescaped(&escaped).as_deref(), Some(name), "{escaped}");
        }
        assert_eq!(unescaped("%"), None);
        assert_eq!(unescaped("%2ü"), None);
    }
}
