//! `cargo xtask counts`: how many instructions our work takes beside the same by hand, counted by valgrind.
//!
//! Instructions do not depend on what else the machine does, so a ratio of them is a gate that times are not. Each
//! case of `benches/counts` is run twice, once twice as long; the difference is the work without all that comes
//! before it. `benches/counts/expected.txt` holds the ratios; one that has grown by more than [`TOLERANCE`] fails, and
//! one that has shrunk as much asks for a new file, which `cargo xtask counts bless` writes.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::steps::{cargo_command, root, target};

/// What an entry with other times in it, or another hash of a name, may change: up to 4 % was seen.
const TOLERANCE: f64 = 0.08;

/// The file that is committed.
const EXPECTED: &str = "benches/counts/expected.txt";

struct Count {
    case: String,
    floor: f64,
    ours: f64,
}

/// Counts, and returns what is wrong, if anything is.
pub(crate) fn run(bless: bool) -> Result<(), String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed");
        return Ok(());
    }
    let built = cargo_command("build --release -q -p handoffs-counts").status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("handoffs-counts does not build".to_owned());
    }
    let counts = cases()?.into_iter().map(count);
    let counts: Vec<Count> = counts.collect::<Result<_, _>>()?;
    let expected = fs::read_to_string(root().join(EXPECTED)).unwrap_or_default();
    if bless {
        let text = file(&counts);
        return fs::write(root().join(EXPECTED), text).map_err(|error| error.to_string());
    }
    compare(&counts, &expected)
}

fn program(words: &[&str], valgrind: &[&str]) -> Result<(String, String), String> {
    let program = target().join("release").join("handoffs-counts");
    let mut command = match valgrind {
        [] => Command::new(&program),
        [name, options @ ..] => {
            let mut command = Command::new(name);
            command.args(options).arg(&program);
            command
        }
    };
    let output = command
        .args(words)
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, log) = (text(&output.stdout), text(&output.stderr));
    if output.status.success() {
        Ok((out, log))
    } else {
        Err(format!("{words:?} failed: {log}"))
    }
}

fn cases() -> Result<Vec<String>, String> {
    let (names, _) = program(&[], &[])?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// Counts what a case takes each time, and its floor.
fn count(case: String) -> Result<Count, String> {
    // Runs are longer than steps, and 1,000 entries longer than both.
    let times = match case.rsplit(", ").next() {
        Some("a run") => 50,
        Some("a resume") => 4,
        _ => 1_000,
    };
    let [floor, ours] = ["floor", "ours"].map(|way| -> Result<f64, String> {
        let (short, long) = (
            instructions(&case, way, times)?,
            instructions(&case, way, 2 * times)?,
        );
        Ok(number(long.saturating_sub(short)) / f64::from(times))
    });
    let (floor, ours) = (floor?, ours?);
    println!(
        "{case:<40} {floor:>10.1} {ours:>10.1} {:>7.2}x",
        ours / floor
    );
    Ok(Count { case, floor, ours })
}

/// All of them are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "a count of instructions")]
fn number(count: u64) -> f64 {
    count as f64
}

fn instructions(case: &str, way: &str, times: u32) -> Result<u64, String> {
    let callgrind = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ];
    let (_, log) = program(&[case, way, &times.to_string()], &callgrind)?;
    let collected = log
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    let count = collected.and_then(|count| count.trim().parse().ok());
    count.ok_or_else(|| format!("valgrind says something else: {log}"))
}

fn file(counts: &[Count]) -> String {
    let mut text = "# case: instructions of ours beside those of its floor. `cargo xtask counts bless` writes it.\n".to_owned();
    for Count { case, floor, ours } in counts {
        let _ = writeln!(text, "{case}: {:.3}", ours / floor);
    }
    text
}

fn compare(counts: &[Count], expected: &str) -> Result<(), String> {
    let mut wrong = String::new();
    for Count { case, floor, ours } in counts {
        let line = expected
            .lines()
            .find_map(|line| line.strip_prefix(case.as_str())?.strip_prefix(": "));
        let ratio = ours / floor;
        let _ = match line.and_then(|number| number.parse::<f64>().ok()) {
            None => writeln!(wrong, "{case}: {ratio:.3} is not in {EXPECTED}"),
            Some(was) if ratio > was * (1.0 + TOLERANCE) => {
                writeln!(wrong, "{case}: {ratio:.3}, and was {was}")
            }
            Some(was) if ratio < was * (1.0 - TOLERANCE) => {
                writeln!(
                    wrong,
                    "{case}: {ratio:.3}, better than {was}: `cargo xtask counts bless`"
                )
            }
            Some(_) => Ok(()),
        };
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::{Count, compare, file};

    fn counted(ours: f64) -> Vec<Count> {
        let case = "a step".to_owned();
        vec![Count {
            case,
            floor: 100.0,
            ours,
        }]
    }

    #[test]
    fn what_has_grown_fails_and_so_does_what_is_not_expected() {
        let expected = file(&counted(200.0));
        assert_eq!(compare(&counted(214.0), &expected), Ok(()));
        assert!(compare(&counted(218.0), &expected).is_err());
        assert!(compare(&counted(182.0), &expected).is_err());
        assert!(compare(&counted(200.0), "").is_err());
    }
}
