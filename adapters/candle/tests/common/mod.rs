//! Where the models are.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::env;
use std::path::PathBuf;

/// Returns the path of a model, or `None` with a word about it, so that a test can pass over.
#[allow(clippy::print_stderr, reason = "who runs the tests should know")]
fn model(name: &str) -> Option<PathBuf> {
    let Some(folder) = env::var_os("HANDOFFS_MODELS") else {
        eprintln!(
            "skipped: HANDOFFS_MODELS names no folder with models (`fetch-models DIR` makes one)"
        );
        return None;
    };
    Some(PathBuf::from(folder).join(name))
}

pub(crate) fn smol() -> Option<PathBuf> {
    model("SmolLM2-135M-Instruct.Q4_1.gguf")
}

pub(crate) fn mini() -> Option<PathBuf> {
    model("all-MiniLM-L6-v2")
}
