//! How many tokens a text has.

/// Returns how many tokens a text has, as OpenAI's models count them since GPT-4o (`o200k_base`, by
/// [tiktoken-rs](https://docs.rs/tiktoken-rs)). Other models count in other ways, mostly by some per cent
/// more: leave room for that. Words that stand for special tokens are counted as the text that they are.
///
/// The first call takes some 0.1 s to read the vocabulary, which is part of the program.
///
/// ```
/// use handoffs::agent::History;
/// use handoffs_rig::o200k_tokens;
///
/// // As many of the newest messages as have 8,000 tokens at most.
/// let history = History::full().tokens(8_000, o200k_tokens);
/// ```
pub fn o200k_tokens(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton().count_ordinary(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_as_many_tokens_as_openai_says() {
        // The texts and figures of openai-cookbook, "How to count tokens with tiktoken".
        for (text, tokens) in [
            ("", 0),
            ("tiktoken is great!", 6),
            ("antidisestablishmentarianism", 6),
            ("2 + 2 = 4", 7),
            ("お誕生日おめでとう", 8),
        ] {
            assert_eq!(o200k_tokens(text), tokens, "{text}");
        }
    }
}
