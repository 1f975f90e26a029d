//! What can be wrong with rules, and where.

use miette::Diagnostic;

/// Why rules cannot be used. What is wrong stands in a line each, with the line of the text that it is in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CedarError {
    /// They cannot be read.
    #[error("the rules cannot be read{0}")]
    Rules(String),
    /// Two of them have one id.
    #[error("two rules are named `{0}`: give each an `@id` of its own")]
    SameId(String),
    /// The schema cannot be read.
    #[error("the schema cannot be read{0}")]
    Schema(String),
    /// They do not fit the schema.
    #[error("the rules do not fit the schema{0}")]
    Misfit(String),
}

/// Lists what is wrong with a text, a line each.
pub(crate) fn listed<'e, D: Diagnostic + 'e>(
    text: &str,
    errors: impl IntoIterator<Item = &'e D>,
) -> String {
    let lines = errors.into_iter().map(|error| {
        let label = error.labels().and_then(|mut labels| labels.next());
        let line = label.as_ref().map(|label| {
            let before = text.bytes().take(label.offset());
            format!(
                "line {}: ",
                1 + before.filter(|byte| *byte == b'\n').count()
            )
        });
        let more = label.as_ref().and_then(|label| label.label());
        let more = more.map(|more| format!(" ({more})"));
        let help = error.help().map(|help| format!("; {help}"));
        format!(
            "\n  {}{error}{}{}",
            line.unwrap_or_default(),
            more.unwrap_or_default(),
            help.map(|help| help.replace('\n', " ")).unwrap_or_default(),
        )
    });
    lines.collect()
}
