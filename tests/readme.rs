//! The README shows what the compiler says, and leads to files that are there.

use std::fs;
use std::path::Path;

/// Reads a file of the repository.
fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(&path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the first block of the README in this language.
fn block<'a>(readme: &'a str, language: &str) -> &'a str {
    let (_, from) = readme
        .split_once(&format!("```{language}\n"))
        .expect("the README has such a block");
    let (block, _) = from.split_once("```").expect("a block has an end");
    block
}

/// Puts `by` in place of `what`, which stands in the text once.
fn replace_one(text: &str, what: &str, by: &str) -> String {
    assert_eq!(text.matches(what).count(), 1, "{what:?} in\n{text}");
    text.replace(what, by)
}

#[test]
fn the_wrong_graph_is_the_right_one_with_two_mistakes() {
    let readme = text("README.md");
    let misspelt = replace_one(
        block(&readme, "rust"),
        "#[route(Triaged::Billing => billing, _ => end)]",
        "#[route(Triaged::Billing => biling, _ => end)]",
    );
    let unbounded = replace_one(
        &misspelt,
        "#[route(_ => end)]\n    billing: Billing,",
        "#[route(_ => triage)]\n    billing: Billing,",
    );
    assert_eq!(text("tests/ui/fail/readme.rs"), unbounded);
}

/// That these are the compiler's words of today is a UI test.
#[test]
fn the_errors_are_those_of_the_compiler() {
    let readme = text("README.md");
    let said = text("tests/ui/fail/readme.stderr");
    let said = said.replace("fail/readme.rs", "src/main.rs");
    assert_eq!(block(&readme, "text").trim_end(), said.trim_end());
}

/// The README is the first page on docs.rs too, where a relative link leads nowhere.
#[test]
fn links_lead_to_files_from_anywhere() {
    const OURS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");
    let readme = text("README.md");
    assert!(!readme.contains("]("), "the links stand at the end");
    let links = readme.lines().filter_map(|line| {
        let (_, link) = line.strip_prefix('[')?.split_once("]: ")?;
        Some(link)
    });
    let mut files = 0;
    for link in links {
        assert!(link.starts_with("https://"), "`{link}` is relative");
        if let Some(file) = link.strip_prefix(OURS) {
            let _ = text(file);
            files += 1;
        }
    }
    assert_eq!(files, 6);
}
