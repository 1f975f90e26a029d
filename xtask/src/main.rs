//! The habits of this repository as commands: `cargo xtask check`, `candle`, `fix`, `bless`, `counts` and `peers`.
//!
//! [`steps`] says what each of them runs. `tidy` holds the house rules that no lint knows; they are
//! ordinary tests, so `cargo test` enforces them too.
#![expect(clippy::print_stdout, reason = "a command for people prints")]

mod counts;
mod peers;
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
  bless   rewrites the expected compile errors and the drawings; read the diff before you commit
  counts  counts instructions beside those by hand, and compares the ratios with those committed;
          `counts bless` rewrites them
  peers   measures other frameworks beside ours, and writes docs/peers.md; `peers <name>..` only these";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let steps = match words[..] {
        ["check"] => steps::CHECK,
        ["candle"] => steps::CANDLE,
        ["fix"] => steps::FIX,
        ["bless"] => steps::BLESS,
        ["counts"] => return end(counts::run(false)),
        ["counts", "bless"] => return end(counts::run(true)),
        ["peers", ref names @ ..] => return end(peers::run(names)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    ExitCode::from(u8::from(!steps::run_all(steps)))
}

fn end(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::FAILURE
        }
    }
}
