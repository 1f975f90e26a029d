//! What the programs of `cargo xtask peers` share: what is asked of them, the clock, and the line that they print.
//!
//! A program is called with a case, a number and a store. It prints one line of `name=value`, or says on one line
//! why it cannot do the case. What the nodes do, and of what state, is the same everywhere:
//!
//! | case        | graph                                       | a node                                            |
//! |-------------|---------------------------------------------|---------------------------------------------------|
//! | `loop N`    | `a -> b`, `b -> a` until the count is N     | counts, and writes a new short text               |
//! | `chain N`   | N nodes in a row                            | the same                                          |
//! | `fan-out N` | a start, N workers at once, a join          | worker i gives i; the join adds them up           |
//! | `big N`     | `loop N` with a text of 1 MB in the state   | counts; nobody touches the text                   |
//! | `history N` | `loop N`                                    | counts, and appends 2,048 bytes to a list         |
//! | `at-once N` | N runs at the same time of a chain of ten   | sleeps for 10 ms                                  |
//! | `cold`      | `loop 2`, from the start of the process until the first node runs                               |

use std::fs;
use std::path::PathBuf;
use std::sync::Once;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a node writes into the state.
pub const TEXT: &str = "short string";
/// How long a node of `at-once` sleeps.
pub const NAP: Duration = Duration::from_millis(10);
/// The nodes of `at-once`.
pub const NAPS: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Loop,
    Chain,
    FanOut,
    Big,
    History,
    AtOnce,
    Cold,
}

/// Where each step is kept before the next begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    None,
    Memory,
    Sqlite(PathBuf),
}

/// What a program is asked to do.
#[derive(Clone, Debug)]
pub struct Asked {
    pub case: Case,
    pub n: u64,
    pub store: Store,
    /// What follows on the command line, for programs that can do a case in several ways.
    pub way: String,
}

impl Asked {
    /// The text that stands in the state beside what nodes write.
    pub fn blob(&self) -> String {
        match self.case {
            Case::Big => "x".repeat(1 << 20),
            _ => String::new(),
        }
    }

    /// What the node appends that counted up to this: nothing but with `history`.
    pub fn page(&self, count: u64) -> Option<String> {
        (self.case == Case::History).then(|| format!("{count:08}").repeat(256))
    }

    /// Runs the case as often as its time allows, and prints the best time. What `prepare` does is not timed: graphs
    /// are compiled there, states made and files opened.
    pub async fn measure<T>(
        &self,
        mut prepare: impl AsyncFnMut() -> T,
        mut run: impl AsyncFnMut(T),
    ) {
        let alone = matches!(self.case, Case::History | Case::AtOnce | Case::Cold);
        if !alone {
            run(prepare().await).await;
        }
        let (rounds, time) = match self.store {
            _ if alone => (1, Duration::ZERO),
            Store::Sqlite(_) => (1, Duration::ZERO),
            _ => (3, Duration::from_millis(300)),
        };
        let began = Instant::now();
        let (mut best, mut done, mut grown) = (Duration::MAX, 0, 0);
        while done < rounds || began.elapsed() < time {
            let prepared = prepare().await;
            let before = memory("VmRSS:");
            let round = Instant::now();
            run(prepared).await;
            best = best.min(round.elapsed());
            grown = memory("VmHWM:").saturating_sub(before);
            done += 1;
        }
        println!(
            "ns={} n={} rounds={done} grown_kb={grown}",
            best.as_nanos(),
            self.n
        );
    }
}

/// Says how long ago this process was asked for. The first node of the case `cold` calls it.
pub fn first_node() {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        if let Some(born) = std::env::var("PEERS_BORN")
            .ok()
            .and_then(|ns| ns.parse::<u128>().ok())
        {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("a clock");
            println!("cold_ns={}", now.as_nanos().saturating_sub(born));
        }
    });
}

/// Says that a peer has no way to do a case.
pub async fn cannot(why: &str) {
    println!("cannot={why}");
}

/// A figure of `/proc/self/status`, in KB.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

/// Reads what is asked for from the command line, and does it: `at-once` on a runtime of two threads, the others on
/// one of one.
pub fn main(program: impl AsyncFnOnce(Asked)) {
    let asked = asked().unwrap_or_else(|| {
        eprintln!("usage: <case> <n> none|memory|sqlite:<file> [<way>]");
        std::process::exit(2)
    });
    let mut runtime = match asked.case {
        Case::AtOnce => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(program(asked));
}

fn asked() -> Option<Asked> {
    let mut words = std::env::args().skip(1);
    let case = match words.next()?.as_str() {
        "loop" => Case::Loop,
        "chain" => Case::Chain,
        "fan-out" => Case::FanOut,
        "big" => Case::Big,
        "history" => Case::History,
        "at-once" => Case::AtOnce,
        "cold" => Case::Cold,
        _ => return None,
    };
    let n = words.next()?.parse().ok()?;
    let store = match words.next()?.as_str() {
        "none" => Store::None,
        "memory" => Store::Memory,
        other => Store::Sqlite(other.strip_prefix("sqlite:")?.into()),
    };
    let way = words.next().unwrap_or_default();
    Some(Asked {
        case,
        n,
        store,
        way,
    })
}
