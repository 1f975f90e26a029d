//! Words that several messages share.

use handoffs_core::nearest;

/// Lists names in backticks, separated by commas, the first few of them if there are many.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let mut names = names.into_iter();
    let shown: Vec<_> = names
        .by_ref()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Returns what an unknown name may have meant, or else the names that there are.
pub(super) fn meant<'a>(
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    kind: &str,
) -> String {
    if let Some(near) = nearest(name, names.clone()) {
        return format!("did you mean `{near}`?");
    }
    match listed(names) {
        none if none.is_empty() => format!("there are no {kind}"),
        names => format!("the {kind} are: {names}"),
    }
}
