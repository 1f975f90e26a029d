//! What each word runs, and the one loop that runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// One call of cargo.
#[derive(Debug)]
pub(crate) struct Step {
    /// The arguments of cargo, which hold no blanks.
    line: &'static str,
    env: &'static [(&'static str, &'static str)],
    /// The cargo subcommand without which the step is skipped instead of failed.
    needs: Option<&'static str>,
}

/// What CI runs. Nothing here writes outside of the target folder.
pub(crate) const CHECK: &[Step] = &[
    cargo("fmt --all --check"),
    // Without what has a local model, which takes minutes to build: `cargo xtask candle`.
    cargo(
        "clippy --workspace --exclude handoffs-candle --all-targets --features handoffs/full -- -D warnings",
    ),
    cargo("clippy -p handoffs --no-default-features -- -D warnings"),
    // Exactly what the README tells a user to run: all crates, doctests and `tidy` are in it.
    cargo("test --all-features"),
    // The adapters, which the root's `cargo test` leaves out.
    cargo(
        "test -p handoffs-cedar -p handoffs-mcp -p handoffs-otel -p handoffs-rig -p support_desk_agents",
    ),
    // Benches in their test mode: each runs once, unoptimised, and measures nothing.
    cargo("test --bench * --all-features"),
    // How many instructions a step takes beside the same by hand. Skipped without valgrind.
    cargo("xtask counts"),
    Step {
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        ..cargo("doc --workspace --exclude handoffs-candle --no-deps --features handoffs/full")
    },
    // Not `advisories`: they need the network, and fail on a day when nothing changed here.
    Step {
        needs: Some("deny"),
        ..cargo("deny check licenses bans sources")
    },
    // Of bans, only those of our own tree: rig and cedar bring what they bring.
    Step {
        needs: Some("deny"),
        ..cargo(
            "deny --manifest-path adapters/rig/Cargo.toml --config deny.toml check licenses sources",
        )
    },
    Step {
        needs: Some("deny"),
        ..cargo(
            "deny --manifest-path adapters/cedar/Cargo.toml --config deny.toml check licenses sources",
        )
    },
];

/// What [`CHECK`] leaves out, as it takes minutes to build. Tests that need a model's weights are skipped
/// where `HANDOFFS_MODELS` names no folder that has them.
pub(crate) const CANDLE: &[Step] = &[
    cargo("clippy -p handoffs-candle --all-targets -- -D warnings"),
    Step {
        // Threads that wait for each other are slower than one, where cores are shared.
        env: &[("RAYON_NUM_THREADS", "1")],
        // With optimisation: a model without it is slower by two orders.
        ..cargo("test --release -p handoffs-candle")
    },
];

/// Lints first, as what they rewrite is not formatted.
pub(crate) const FIX: &[Step] = &[
    cargo(
        "clippy --fix --allow-dirty --allow-staged --workspace --exclude handoffs-candle --all-targets \
         --features handoffs/full",
    ),
    cargo("fmt --all"),
];

/// Models that examples load are not among what is blessed: they are trained, not expected.
pub(crate) const BLESS: &[Step] = &[
    Step {
        env: &[("TRYBUILD", "overwrite")],
        ..cargo("test -p ui")
    },
    Step {
        env: &[("HANDOFFS_BLESS", "1")],
        ..cargo("test -p handoffs --tests --no-fail-fast --all-features")
    },
    Step {
        env: &[("HANDOFFS_BLESS", "1")],
        ..cargo("test -p handoffs-core --test drawings")
    },
    Step {
        env: &[("HANDOFFS_BLESS", "1")],
        ..cargo("test -p support_desk_agents")
    },
];

/// Runs all steps, whatever becomes of each, and says whether none of them failed.
pub(crate) fn run_all(steps: &[Step]) -> bool {
    let began = Instant::now();
    let mut summary = Vec::new();
    let mut verdicts = Vec::new();
    for step in steps {
        println!("\n$ cargo {}", step.line);
        let began = Instant::now();
        let verdict = step.run();
        let seconds = began.elapsed().as_secs_f64();
        let line = format!("{verdict:>8} {seconds:>7.1} s  cargo {}", step.line);
        println!("{line}");
        summary.push(line);
        verdicts.push(verdict);
    }
    println!("\n{}", summary.join("\n"));
    println!("{:.1} s", began.elapsed().as_secs_f64());
    let count = |of: &str| verdicts.iter().filter(|verdict| **verdict == of).count();
    let (ok, failed, skipped) = (count("ok"), count(FAILED), count("skipped"));
    println!("{ok} passed, {failed} failed, {skipped} skipped");
    failed == 0
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask lies in the repository")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The cargo that runs us, so that a `+toolchain` on the command line holds for every step.
pub(crate) fn cargo_command(line: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(line.split_whitespace());
    command
}

const FAILED: &str = "FAILED";

const fn cargo(line: &'static str) -> Step {
    let (env, needs) = (&[], None);
    Step { line, env, needs }
}

impl Step {
    fn run(&self) -> &'static str {
        if self.needs.is_some_and(|name| !is_installed(name)) {
            return "skipped";
        }
        let mut command = cargo_command(self.line);
        match command.envs(self.env.iter().copied()).status() {
            Ok(status) if status.success() => "ok",
            Ok(_) => FAILED,
            Err(error) => {
                println!("cargo does not start: {error}");
                FAILED
            }
        }
    }
}

fn is_installed(name: &str) -> bool {
    let mut command = cargo_command(&format!("{name} --version"));
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let installed = quiet.status().is_ok_and(|status| status.success());
    if !installed {
        println!("cargo-{name} is not installed; `cargo install cargo-{name}` brings it");
    }
    installed
}
