//! The habits of this repository as commands: `cargo xtask check`, `candle`, `fix` and `bless`.
//!
//! [`steps`] says what each of them runs. `tidy` holds the house rules that no lint knows; they are
//! ordinary tests, so `cargo test` enforces them too.
#![expect(clippy::print_stdout, reason = "a command for people prints")]

mod steps;
#[cfg(test)]
mod tidy;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <word>
  check   what CI runs; writes nothing
  candle  the adapter for local models, which takes minutes to build
  fix     applies the lints that can be applied, and formats
  bless   rewrites the expected compile errors and the drawings; read the diff before you commit";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let steps = match words.join(" ").as_str() {
        "check" => steps::CHECK,
        "candle" => steps::CANDLE,
        "fix" => steps::FIX,
        "bless" => steps::BLESS,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    ExitCode::from(u8::from(!steps::run_all(steps)))
}
