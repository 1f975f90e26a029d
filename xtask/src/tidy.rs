//! House rules that no lint knows. A rule gathers all that breaks it and reports it in one go.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::steps::{cargo_command, root};

#[test]
fn the_core_knows_no_runtime() {
    let mut tree = packages("-p handoffs-core -e normal");
    tree.retain(|package| ["tokio", "serde_json"].contains(&name(package)));
    assert_none("graph-core depends on", tree);
}

#[test]
fn without_default_features_we_are_light() {
    let tree = packages("-p handoffs --no-default-features -e normal,build");
    assert!(tree.len() <= 45, "{} packages: {tree:#?}", tree.len());
}

#[test]
fn there_is_one_syn() {
    for features in ["--no-default-features", "--all-features"] {
        let tree = packages(&format!("-p handoffs {features} -e normal,build"));
        let syns = tree.iter().filter(|package| name(package) == "syn").count();
        assert_eq!(syns, 1, "one syn is promised, {features}: {tree:#?}");
    }
}

#[test]
fn petgraph_stays_in_topology_and_check() {
    let needle = format!("{}::", "petgraph");
    let homes = ["graph-core/src/topology", "graph-core/src/check"];
    let mut strays = lines_of_code();
    strays
        .retain(|line| line.contains(&needle) && !homes.iter().any(|home| line.starts_with(home)));
    assert_none("petgraph outside of topology and check", strays);
}

#[test]
fn nothing_is_left_to_do_in_code() {
    let forbidden = ["dbg", "todo", "unimplemented"].map(|name| format!("{name}!"));
    let mut left = lines_of_code();
    left.retain(|line| forbidden.iter().any(|call| has_word(line, call)));
    assert_none("left in the code", left);
}

#[test]
fn each_refused_case_says_what_it_expects() {
    let cases = |extension: &str| -> BTreeSet<String> {
        let files = files(extension).into_iter().map(|(path, _)| path);
        let refused = files.filter(|path| path.starts_with("tests/ui/fail/"));
        refused.map(|path| path.replace(extension, "")).collect()
    };
    let odd = &cases(".rs") ^ &cases(".stderr");
    assert_none(
        "a case without .stderr (`cargo xtask bless`), or the reverse",
        odd,
    );
}

#[test]
fn the_changelog_has_the_version() {
    let heading = concat!("## ", env!("CARGO_PKG_VERSION"));
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    let found = changelog
        .lines()
        .any(|line| line.split(" (").next() == Some(heading));
    assert!(found, "CHANGELOG.md lacks `{heading}`");
}

/// The macros emit calls into hidden items of core and runtime, so no two versions may mix. What is not
/// published, and a crate's own path among what its tests need, is never fetched by a version.
#[test]
fn our_crates_pin_each_other() {
    let pin = concat!("version = \"=", env!("CARGO_PKG_VERSION"), "\"");
    let mut published = files("Cargo.toml");
    published.retain(|(_, text)| !text.contains("publish = false"));
    let mut loose = lines(published);
    loose.retain(|line| line.contains('{') && line.contains("path = ") && !line.contains(pin));
    loose.retain(|line| !line.contains("path = \".\""));
    assert_none("path dependencies without a pin", loose);
}

/// `check` relies on it where not all crates can have all of their features.
#[test]
fn full_is_all_features() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let (_, features) = manifest.split_once("[features]\n").expect("features");
    let (features, _) = features.split_once("\n[").expect("a section after it");
    let (_, full) = features.split_once("\nfull = [").expect("full");
    let missing = features.lines().filter_map(|line| {
        let (name, _) = line.split_once(" = [")?;
        let is_named = ["default", "full"].contains(&name) || full.contains(&format!("{name:?}"));
        (!is_named).then_some(name)
    });
    assert_none("not in `full`", missing);
}

/// Blank lines, comments and tests do not count: reasons and examples are free.
#[test]
fn files_stay_short() {
    let mut long = files(".rs");
    long.retain(|(path, _)| {
        path.starts_with("graph-") && path.contains("/src/") && !path.contains("/tests")
    });
    let counted = long
        .into_iter()
        .map(|(path, text)| (code_without_tests(&text), path));
    let long = counted.filter(|(count, _)| *count > 450);
    assert_none(
        "over 450 lines of code; which noun wants to leave?",
        long.map(|(count, path)| format!("{path}: {count}")),
    );
}

#[test]
fn both_licences_are_here() {
    let mut missing = vec!["LICENSE-MIT", "LICENSE-APACHE"];
    missing.retain(|name| !root().join(name).is_file());
    assert_none("missing", missing);
}

#[track_caller]
fn assert_none(rule: &str, found: impl IntoIterator<Item = impl Into<String>>) {
    let found: Vec<String> = found.into_iter().map(Into::into).collect();
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// The packages of a dependency tree on this host, as `name version`, each once.
fn packages(tree: &str) -> BTreeSet<String> {
    let mut command = cargo_command("tree --locked --prefix none --format {p}");
    let output = command
        .args(tree.split_whitespace())
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).expect("names are ASCII");
    let words = lines
        .lines()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>());
    words.map(|words| words.join(" ")).collect()
}

fn name(package: &str) -> &str {
    package.split(' ').next().unwrap_or_default()
}

/// Whether `word` is in `line` and not the tail of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let inside_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(inside_name))
}

/// `mod tests { … }` closes a file in this house, so what follows its `#[cfg(test)]` is tests.
fn code_without_tests(text: &str) -> usize {
    let code = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    code.lines().filter(|line| is_code(line)).count()
}

fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}

/// Every line of Rust here that is not a comment, as `path:number: line`.
fn lines_of_code() -> Vec<String> {
    let mut files = files(".rs");
    for (_, text) in &mut files {
        *text = text
            .lines()
            .map(|line| if is_code(line) { line } else { "" })
            .collect::<Vec<_>>()
            .join("\n");
    }
    lines(files)
}

fn lines(files: Vec<(String, String)>) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, text) in files {
        let numbered = (1..).zip(text.lines());
        lines.extend(numbered.map(|(number, line)| format!("{path}:{number}: {}", line.trim())));
    }
    lines
}

/// The files of the repository whose name ends so: path from the root, and text.
fn files(end: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(root(), end, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, end: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let relative = path
            .strip_prefix(root())
            .expect("inside")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with(".git") {
                collect(&path, end, found);
            }
        } else if relative.ends_with(end) {
            let text = fs::read_to_string(&path).expect("text");
            found.push((relative, text));
        }
    }
}
