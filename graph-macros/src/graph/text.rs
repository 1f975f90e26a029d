//! Patterns and guards as text: what stands in drawings, and in what a graph is known by.
//!
//! The compiler's own text of tokens may be spaced otherwise by its next version, and a journal must
//! not take the graph for another then. So the spaces here depend on the tokens alone.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Returns tokens as a person would write them.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    write(tokens.to_token_stream(), &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    // Whether the last token wants the next one close by.
    let mut clings = true;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                let of_a_name = group.delimiter() == Delimiter::Parenthesis
                    && text.ends_with(|last: char| last.is_alphanumeric() || last == '_');
                if !clings && !of_a_name {
                    text.push(' ');
                }
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
                clings = false;
            }
            TokenTree::Punct(punct) => {
                let mut operator = String::from(punct.as_char());
                let mut spacing = punct.spacing();
                while spacing == Spacing::Joint {
                    let Some(TokenTree::Punct(next)) = tokens.peek() else {
                        break;
                    };
                    operator.push(next.as_char());
                    spacing = next.spacing();
                    tokens.next();
                }
                let before = matches!(operator.as_str(), "::" | ":" | "," | "..=" | "?");
                if !clings && !before {
                    text.push(' ');
                }
                text.push_str(&operator);
                clings = matches!(operator.as_str(), "::" | "&" | "-" | "..=" | "!" | "'");
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                if !clings {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
                clings = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_read_as_they_are_written() {
        for pattern in [
            "_",
            "Triaged::Billing { .. }",
            "Triaged::Billing { reason, sure: 1..=5 }",
            "Billed::Done | Billed::Paid(_, ..)",
            "crate::desk::Billed::Paid(Some(amount))",
            "other @ (Billed::Done | Billed::Paid(-1))",
            "&Known { name: \"Ada\" }",
            "Triaged::r#Type",
            "()",
        ] {
            let tokens: TokenStream = pattern.parse().unwrap();
            assert_eq!(text(&tokens), pattern);
        }
    }

    #[test]
    fn how_the_tokens_were_spaced_makes_no_difference() {
        let wide: TokenStream = "Triaged :: Billing{ .. }|Triaged ::  Access"
            .parse()
            .unwrap();
        assert_eq!(text(&wide), "Triaged::Billing { .. } | Triaged::Access");
    }
}
