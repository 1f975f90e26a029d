//! docs/peers.md: what was measured, of what versions, and what could not be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{CASES, Figure, Measured, Peer, ROUNDS};
use crate::steps::root;

pub(super) fn markdown(
    peers: &[&Peer],
    programs: &BTreeMap<&str, Result<Vec<PathBuf>, String>>,
    best: &BTreeMap<(usize, usize), Measured>,
) -> String {
    let mut text = format!(
        "# Beside other frameworks\n\n\
         `cargo xtask peers` wrote this on {}: {}, {}. Each case in a process of its own, the programs in turn, the best of \
         {ROUNDS} rounds. In brackets, how many times what ours takes, derived. What nodes do is the same everywhere \
         (`benches/peers/common/src/lib.rs`); graphs are compiled before the clock starts, but for the last row.\n\n",
        first_line("date", &["+%F"]),
        processor(),
        first_line("rustc", &["--version"]),
    );
    text += "| |";
    for peer in peers {
        let _ = write!(text, " {} |", peer.name);
    }
    text += "\n|---|";
    text += &"---:|".repeat(peers.len());
    text.push('\n');
    let reference = peers.iter().position(|peer| peer.way == "derived");
    for (row, case) in CASES.iter().enumerate() {
        let _ = write!(text, "| {} |", case.title);
        let ours = reference.and_then(|column| best.get(&(row, column))?.as_ref().ok().copied());
        for column in 0..peers.len() {
            let cell = match best.get(&(row, column)) {
                Some(Ok(figure)) => cell(
                    *figure,
                    case.figure,
                    ours.filter(|_| Some(column) != reference),
                ),
                _ => "–".to_owned(),
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text += "\n## Versions and settings\n\n";
    for peer in peers {
        let _ = writeln!(
            text,
            "- **{}** {}: {}.",
            peer.name,
            version(peer, programs),
            peer.settings
        );
    }
    text += "\nAll on a runtime of one thread, the runs at once on one of two.\n\n## What is not in the table\n\n";
    for (column, peer) in peers.iter().enumerate() {
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (row, case) in CASES.iter().enumerate() {
            if let Some(Err(reason)) = best.get(&(row, column)) {
                reasons.entry(reason).or_default().push(case.title);
            }
        }
        for (reason, cases) in reasons {
            let _ = writeln!(text, "- **{}**, {}: {reason}.", peer.name, cases.join("; "));
        }
    }
    text
}

fn cell(figure: f64, of: Figure, ours: Option<f64>) -> String {
    let text = match of {
        Figure::Kept | Figure::KeptEach => bytes(figure),
        _ => time(figure),
    };
    match ours {
        Some(ours) if ours > 0.0 => format!("{text} ({}x)", short(figure / ours)),
        _ => text,
    }
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{} ns", short(ns)),
        ns if ns < 1e6 => format!("{} µs", short(ns / 1e3)),
        ns => format!("{} ms", short(ns / 1e6)),
    }
}

fn bytes(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 1e6 => format!("{} KB", short(bytes / 1024.0)),
        bytes => format!("{} MB", short(bytes / (1024.0 * 1024.0))),
    }
}

/// Two digits and more, as the figures are no better.
fn short(figure: f64) -> String {
    match figure {
        figure if figure < 1.0 => format!("{figure:.2}"),
        figure if figure < 10.0 => format!("{figure:.1}"),
        figure => {
            let digits = format!("{figure:.0}");
            let groups = digits.as_bytes().rchunks(3).rev();
            let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
            groups.join(",")
        }
    }
}

/// The version that was built, of the lock file beside the program.
fn version(peer: &Peer, programs: &BTreeMap<&str, Result<Vec<PathBuf>, String>>) -> String {
    if peer.package == "handoffs" {
        return env!("CARGO_PKG_VERSION").to_owned();
    }
    let home = root().join("benches/peers").join(peer.folder);
    if let Ok(pins) = fs::read_to_string(home.join("requirements.txt")) {
        let python = programs
            .get(peer.folder)
            .and_then(|program| program.as_ref().ok()?.first());
        let python = python.map(|python| first_line(&python.to_string_lossy(), &["--version"]));
        return format!(
            "({}; {})",
            pins.trim().replace('\n', ", "),
            python.unwrap_or_default()
        );
    }
    let lock = fs::read_to_string(home.join("Cargo.lock")).unwrap_or_default();
    let name = format!("name = \"{}\"", peer.package);
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines
        .nth(1)
        .and_then(|line| line.split('"').nth(1))
        .unwrap_or("?");
    match peer.folder {
        "ours" => format!("({} {version})", peer.package),
        _ => version.to_owned(),
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split(": ").nth(1))
        .collect();
    format!(
        "{} cores of {}",
        models.len(),
        models.first().unwrap_or(&"an unknown processor")
    )
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::{bytes, short, time};

    #[test]
    fn figures_have_the_digits_that_they_deserve() {
        assert_eq!(short(0.456), "0.46");
        assert_eq!(short(9.96), "10.0");
        assert_eq!(short(1_234_567.0), "1,234,567");
        assert_eq!(time(28.8), "29 ns");
        assert_eq!(time(2_800.0), "2.8 µs");
        assert_eq!(bytes(4096.0), "4.0 KB");
    }
}
