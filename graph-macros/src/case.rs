//! From the case of a field to that of a type, and back.

use proc_macro2::Ident;
use syn::ext::IdentExt;

/// Turns `wrong_desk` into `WrongDesk`, with the span of the original.
pub(crate) fn camel(ident: &Ident) -> Ident {
    let name: String = ident
        .unraw()
        .to_string()
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .into_iter()
                .flat_map(char::to_uppercase)
                .chain(letters)
        })
        .collect();
    let name = if name.starts_with(|first: char| first.is_ascii_digit()) || name.is_empty() {
        format!("_{name}")
    } else {
        name
    };
    // `Self` is the one type-cased keyword that no raw identifier can be.
    let name = if name == "Self" {
        "Self_".to_owned()
    } else {
        name
    };
    Ident::new(&name, ident.span())
}

/// Turns `WrongDesk` into `wrong_desk` and `HTTPError` into `http_error`.
pub(crate) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after_lower = at > 0 && !letters[at - 1].is_uppercase() && letters[at - 1] != '_';
        let before_lower = at > 0
            && letters[at - 1].is_uppercase()
            && letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_their_case_word_by_word() {
        let camel =
            |name: &str| camel(&Ident::new(name, proc_macro2::Span::call_site())).to_string();
        assert_eq!(camel("triage"), "Triage");
        assert_eq!(camel("wrong_desk_2"), "WrongDesk2");
        assert_eq!(camel("_2nd"), "_2nd");
        assert_eq!(snake("WrongDesk"), "wrong_desk");
        assert_eq!(snake("HTTPError"), "http_error");
        assert_eq!(snake("Level2Support"), "level2_support");
        assert_eq!(snake("Already_snake"), "already_snake");
    }
}
