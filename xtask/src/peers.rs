//! `cargo xtask peers`: other frameworks beside ours, on the same cases, and docs/peers.md written from it.
//!
//! Each framework is a program in `benches/peers`, a workspace of its own, so that nobody pays for it who does not
//! ask. Each case runs in a process of its own; the programs take turns, and the best of some rounds counts.

mod table;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::steps::{root, target};

/// How often each case is measured, unless told.
const ROUNDS: usize = 3;
/// How long a case may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// What is measured.
struct Peer {
    /// As the table calls it.
    name: &'static str,
    /// Its folder in `benches/peers`.
    folder: &'static str,
    /// The package whose version counts.
    package: &'static str,
    /// The last argument of the program.
    way: &'static str,
    /// How it keeps steps, of what its documentation says or its source shows.
    settings: &'static str,
}

const fn peer(
    name: &'static str,
    folder: &'static str,
    package: &'static str,
    settings: &'static str,
) -> Peer {
    let way = "";
    Peer {
        name,
        folder,
        package,
        way,
        settings,
    }
}

const DELETE_FULL: &str =
    "awaits each save; SQLite as sqlx opens it: rollback journal, `synchronous = FULL`";

const PEERS: &[Peer] = &[
    Peer {
        way: "derived",
        ..peer(
            "handoffs, derived",
            "ours",
            "handoffs",
            "level `sync`; nodes that do not wait are plain `fn`s; the count is marked as progress; SQLite: WAL, `synchronous = FULL`",
        )
    },
    Peer {
        way: "built",
        ..peer(
            "handoffs, built",
            "ours",
            "handoffs",
            "the same, a `GraphBuilder` graph",
        )
    },
    Peer {
        way: "match",
        ..peer(
            "by hand: `match`",
            "ours",
            "rusqlite",
            "what changed, as JSON, into a `Vec`; SQLite: WAL, `synchronous = FULL`",
        )
    },
    Peer {
        way: "boxed",
        ..peer("by hand: boxed futures", "ours", "tokio", "keeps nothing")
    },
    peer(
        "graph-flow",
        "graph-flow",
        "graph-flow",
        "`FlowRunner` loads, executes and saves; in memory it keeps the session itself, which is no copy, and no history",
    ),
    peer("cognis-graph", "cognis-graph", "cognis-graph", DELETE_FULL),
    peer(
        "floxide",
        "floxide",
        "floxide",
        "keeps the latest checkpoint, and no history",
    ),
    peer("adk-graph", "adk-graph", "adk-graph", DELETE_FULL),
    peer(
        "juncture",
        "juncture",
        "juncture-core",
        "durability `Sync`; SQLite as sqlx opens it: rollback journal, `synchronous = FULL`",
    ),
    peer("weavegraph", "weavegraph", "weavegraph", DELETE_FULL),
    peer(
        "LangGraph (Python)",
        "langgraph",
        "langgraph",
        "`durability=\"sync\"`; SQLite: WAL, `synchronous = FULL`",
    ),
];

/// What a case is called on the command line and in the table.
struct Case {
    title: &'static str,
    name: &'static str,
    n: u64,
    store: &'static str,
    figure: Figure,
}

/// What of a program's answer is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// Time divided by the number.
    Each,
    Whole,
    /// Memory, or the file if there is one.
    Kept,
    KeptEach,
    Cold,
}

const fn case(title: &'static str, name: &'static str, n: u64, store: &'static str) -> Case {
    let figure = Figure::Each;
    Case {
        title,
        name,
        n,
        store,
        figure,
    }
}

const CASES: &[Case] = &[
    case("loop of 1,000 handoffs, a step", "loop", 1_000, "none"),
    case("the same, kept in memory", "loop", 1_000, "memory"),
    case("the same, kept on SQLite", "loop", 1_000, "sqlite"),
    case("chain of 1,000 nodes, a step", "chain", 1_000, "none"),
    case("fan-out of 100, a worker", "fan-out", 100, "none"),
    case("fan-out of 1,000, a worker", "fan-out", 1_000, "none"),
    case(
        "loop of 1,000 with 1 MB in the state, a step",
        "big",
        1_000,
        "none",
    ),
    case(
        "loop of 100 with 1 MB, kept in memory",
        "big",
        100,
        "memory",
    ),
    case(
        "200 steps that append 2 KB each, kept in memory, a step",
        "history",
        200,
        "memory",
    ),
    Case {
        figure: Figure::Kept,
        ..case("… and the memory that it takes", "history", 200, "memory")
    },
    case("the same, kept on SQLite", "history", 200, "sqlite"),
    Case {
        figure: Figure::Kept,
        ..case("… and the size of the file", "history", 200, "sqlite")
    },
    Case {
        figure: Figure::Whole,
        ..case(
            "1,000 runs at once of ten naps of 10 ms",
            "at-once",
            1_000,
            "none",
        )
    },
    Case {
        figure: Figure::Whole,
        ..case("10,000 runs at once", "at-once", 10_000, "none")
    },
    Case {
        figure: Figure::KeptEach,
        ..case("… and the memory of a run", "at-once", 10_000, "none")
    },
    Case {
        figure: Figure::Cold,
        ..case(
            "from the start of the process to the first node",
            "cold",
            2,
            "none",
        )
    },
];

/// What came of a case: a figure in nanoseconds or bytes, or the reason why there is none.
type Measured = Result<f64, String>;

/// Builds, measures and writes docs/peers.md: with names, only those folders of `benches/peers`; with a number before
/// them, so often.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let rounds = words.first().and_then(|word| word.parse().ok());
    let folders = &words[usize::from(rounds.is_some())..];
    let rounds = rounds.unwrap_or(ROUNDS);
    let wanted = |peer: &&Peer| folders.is_empty() || folders.contains(&peer.folder);
    let peers: Vec<&Peer> = PEERS.iter().filter(wanted).collect();
    let mut programs: BTreeMap<&str, Result<Vec<PathBuf>, String>> = BTreeMap::new();
    for peer in &peers {
        programs
            .entry(peer.folder)
            .or_insert_with(|| build(peer.folder));
    }
    let mut best: BTreeMap<(usize, usize), Measured> = BTreeMap::new();
    for round in 1..=rounds {
        for (row, case) in CASES.iter().enumerate() {
            // Of one answer two figures are shown, so it is asked for once.
            if row > 0
                && (CASES[row - 1].name, CASES[row - 1].n, CASES[row - 1].store)
                    == (case.name, case.n, case.store)
            {
                continue;
            }
            for (column, peer) in peers.iter().enumerate() {
                if matches!(best.get(&(row, column)), Some(Err(_))) {
                    continue;
                }
                let answer = programs[peer.folder]
                    .clone()
                    .and_then(|program| ask(&program, case, peer.way));
                println!("{round}/{rounds} {}, {}: {answer:?}", case.title, peer.name);
                let rows = (row..CASES.len()).take_while(|at| {
                    (CASES[*at].name, CASES[*at].n, CASES[*at].store)
                        == (case.name, case.n, case.store)
                });
                for at in rows {
                    let figure = answer.clone().and_then(|answer| answer.figure(&CASES[at]));
                    keep_the_better(best.entry((at, column)), figure);
                }
            }
        }
    }
    let text = table::markdown(&peers, rounds, &programs, &best);
    let path = root().join("docs/peers.md");
    println!("\n{text}");
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn keep_the_better(
    entry: std::collections::btree_map::Entry<'_, (usize, usize), Measured>,
    figure: Measured,
) {
    entry
        .and_modify(|best| match (&mut *best, &figure) {
            (Ok(best), Ok(figure)) => *best = best.min(*figure),
            _ => best.clone_from(&figure),
        })
        .or_insert(figure);
}

// ---- Programs.

/// Builds the program of a folder, and returns the command line that starts it, or the error.
fn build(folder: &str) -> Result<Vec<PathBuf>, String> {
    println!("building {folder}");
    let home = root().join("benches/peers").join(folder);
    let built = target().join("peers");
    if home.join("requirements.txt").is_file() {
        let venv = built.join("venv");
        let python = venv.join("bin/python");
        if !python.is_file() {
            call(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        }
        let install = ["-m", "pip", "install", "-q", "-r"];
        call(
            Command::new(&python)
                .args(install)
                .arg(home.join("requirements.txt")),
        )?;
        return Ok(vec![python, home.join("program.py")]);
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let cargo = cargo
        .args(["build", "--release", "--quiet"])
        .current_dir(&home);
    call(cargo.env("CARGO_TARGET_DIR", &built))?;
    Ok(vec![built.join("release").join(format!("peer-{folder}"))])
}

fn call(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let error = log
        .lines()
        .skip_while(|line| !line.starts_with("error"))
        .take(12);
    let error: Vec<&str> = error.collect();
    Err(format!(
        "does not build: {}",
        if error.is_empty() {
            log
        } else {
            error.join("\n")
        }
    ))
}

/// What a program has printed, and what it has left behind.
#[derive(Clone, Debug)]
struct Answer {
    values: BTreeMap<String, f64>,
    file: Option<f64>,
}

impl Answer {
    fn figure(&self, case: &Case) -> Measured {
        let value = |name: &str| {
            let value = self.values.get(name).copied();
            value.ok_or_else(|| format!("the program prints no {name}"))
        };
        let n = f64::from(u32::try_from(case.n).unwrap_or(u32::MAX));
        let kept = || match self.file {
            Some(bytes) => Ok(bytes),
            None => value("grown_kb").map(|kb| kb * 1024.0),
        };
        match case.figure {
            Figure::Each => Ok(value("ns")? / n),
            Figure::Whole => value("ns"),
            Figure::Kept => kept(),
            Figure::KeptEach => Ok(kept()? / n),
            Figure::Cold => value("cold_ns"),
        }
    }
}

/// Lets a program do a case in an empty folder.
fn ask(program: &[PathBuf], case: &Case, way: &str) -> Result<Answer, String> {
    let folder = target().join("peers").join("run");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let file = folder.join("kept.db");
    let store = match case.store {
        "sqlite" => format!("sqlite:{}", file.display()),
        other => other.to_owned(),
    };
    let born = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut command = Command::new(&program[0]);
    command
        .args(&program[1..])
        .args([case.name, &case.n.to_string(), &store, way])
        .current_dir(&folder)
        .env("PEERS_BORN", born.as_nanos().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let child = command.spawn().map_err(|error| error.to_string())?;
    let text = wait(child)?;
    let mut values = BTreeMap::new();
    for word in text.split_whitespace() {
        if let Some((name, Ok(value))) = word
            .split_once('=')
            .map(|(name, value)| (name, value.parse()))
        {
            values.insert(name.to_owned(), value);
        }
    }
    if let Some(why) = text.lines().find_map(|line| line.strip_prefix("cannot=")) {
        return Err(why.to_owned());
    }
    Ok(Answer {
        values,
        file: size(&file),
    })
}

fn wait(mut child: Child) -> Result<String, String> {
    let began = Instant::now();
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => break,
            Some(status) => return Err(format!("fails: {status}")),
            None if began.elapsed() > PATIENCE => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("takes more than {} s", PATIENCE.as_secs()));
            }
            None => sleep(Duration::from_millis(5)),
        }
    }
    let mut text = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut text)
            .map_err(|error| error.to_string())?;
    }
    Ok(text)
}

/// The bytes of a database with the files beside it.
#[expect(clippy::cast_precision_loss, reason = "a size of a file")]
fn size(file: &Path) -> Option<f64> {
    let base = fs::metadata(file).ok()?.len();
    let wal = fs::metadata(file.with_extension("db-wal")).map_or(0, |wal| wal.len());
    Some((base + wal) as f64)
}
