//! The program of an example, as a user runs it.

use std::env::consts::EXE_EXTENSION;
use std::path::PathBuf;
use std::process::Command;

/// Builds an example with the features of this test, and returns where it is.
///
/// `cargo test` builds an example that has tests of its own as tests and not as a program, and `--test`
/// builds no example at all, so cargo is asked for it here. Mostly it finds nothing to do.
pub(crate) fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    // target/debug/deps/cli-1f0c: the examples are two levels up.
    let profile = test.ancestors().nth(2).expect("a test is in `deps`");
    let target = profile.parent().expect("a profile is in the target folder");
    // With others, it would be built anew.
    let features = [
        (cfg!(feature = "agents"), "agents"),
        (cfg!(feature = "batch"), "batch"),
        (cfg!(feature = "cli"), "cli"),
        (cfg!(feature = "default"), "default"),
        (cfg!(feature = "eval"), "eval"),
        (cfg!(feature = "full"), "full"),
        (cfg!(feature = "postgres"), "postgres"),
        (cfg!(feature = "seal"), "seal"),
        (cfg!(feature = "sqlite"), "sqlite"),
        (cfg!(feature = "zstd"), "zstd"),
    ];
    let features = features.iter().filter(|(is_on, _)| *is_on);
    let features: Vec<_> = features.map(|(_, feature)| *feature).collect();
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--example", example])
        .args(["--no-default-features", "--features", &features.join(",")])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let done = build.status().expect("cargo can be started");
    assert!(done.success(), "the example `{example}` does not build");
    let program = profile.join("examples").join(example);
    let program = program.with_extension(EXE_EXTENSION);
    assert!(
        program.is_file(),
        "{} is not there: cargo has built the example elsewhere",
        program.display()
    );
    program
}
