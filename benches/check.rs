//! What it costs to check a graph: at compile time by the derive, and at run time by `GraphBuilder::build`.
//!
//! `cargo bench --bench check` builds a graph of 10,000 nodes at run time. The floor reads the same routes into a table
//! by name and walks it from the start. It ends with a table of what the derive adds to `cargo check` of a crate of 10,
//! 100 and 200 nodes with three routes each: the same crate with it and without, checked in turn.

#![expect(clippy::print_stdout, reason = "a bench reports to a person")]

mod common;

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use criterion::Criterion;
use handoffs::prelude::*;
use handoffs::{BuiltGraph, GraphBuilder, To};

#[derive(State, Clone, Debug, Default)]
struct Nothing {}

#[node(Nothing)]
async fn step() {}

fn build(nodes: usize) -> BuiltGraph<Nothing> {
    let mut graph = GraphBuilder::new("Chain").start("n0");
    for node in 0..nodes {
        let to = match node + 1 {
            last if last == nodes => To::end(),
            next => To::node(format!("n{next}")),
        };
        let name = format!("n{node}");
        graph = graph
            .node(name.as_str(), Step)
            .route(name.as_str(), "_", to);
    }
    graph.build().expect("a graph")
}

/// Reads the routes into a table, and sees that each name is known and each node reached.
fn by_hand(nodes: usize) -> usize {
    let names: Vec<String> = (0..nodes).map(|node| format!("n{node}")).collect();
    let routes = (0..nodes).map(|node| format!("n{}", node + 1));
    let places: HashMap<&str, usize> = (0..)
        .zip(&names)
        .map(|(at, name)| (name.as_str(), at))
        .collect();
    let routes: Vec<Option<usize>> = routes.map(|to| places.get(to.as_str()).copied()).collect();
    let mut seen = vec![false; nodes];
    let mut at = Some(0);
    while let Some(node) = at.filter(|node| !seen[*node]) {
        seen[node] = true;
        at = routes[node];
    }
    seen.into_iter().filter(|seen| *seen).count()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let nodes = if common::measures() { 10_000 } else { 100 };
    let mut group = criterion.benchmark_group(format!("build {nodes} nodes"));
    group.sample_size(10);
    group.bench_function("table by hand", |bench| {
        bench.iter(|| by_hand(black_box(nodes)));
    });
    group.bench_function("GraphBuilder", |bench| {
        bench.iter(|| build(black_box(nodes)));
    });
    group.finish();
    criterion.final_summary();
    if common::measures() {
        common::head("a graph built, a node, in ns");
        let best = common::best_of(
            5,
            || assert_eq!(by_hand(nodes), nodes),
            || drop(black_box(build(nodes))),
        );
        common::row(&format!("{nodes} nodes"), best, nodes as u64);
        common::head("`cargo check` of a crate, in ns");
        for nodes in [10, 100, 200] {
            let [without, with] = [false, true].map(|derived| write_crate(nodes, derived));
            let best = common::best_of(5, || check(&without), || check(&with));
            common::row(&format!("{nodes} nodes, derived"), best, 1);
            println!("| the derive adds {:?}", best.1.saturating_sub(best.0));
        }
    }
}

/// Writes a crate of so many nodes, whose graph is derived or a plain struct.
fn write_crate(nodes: usize, derived: bool) -> PathBuf {
    let name = format!(
        "nodes-{nodes}-{}",
        if derived { "derived" } else { "plain" }
    );
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    fs::create_dir_all(folder.join("src")).expect("a folder");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         handoffs = {{ path = {:?}, default-features = false }}\n",
        env!("CARGO_MANIFEST_DIR")
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("a file");
    fs::write(folder.join("src/lib.rs"), source(nodes, derived)).expect("a file");
    // What it depends on is checked before the clock starts.
    check(&folder);
    folder
}

fn source(nodes: usize, derived: bool) -> String {
    let mut text = "#![allow(dead_code)]\nuse handoffs::prelude::*;\n\n\
        #[derive(State, Clone, Debug, Default)]\npub struct Work { count: u64 }\n\n\
        #[derive(Outcome)]\npub enum Next { On, Skip, Back }\n\n"
        .to_owned();
    for node in 0..nodes {
        let _ = writeln!(
            text,
            "#[node(Work)]\npub async fn step_{node}(count: &mut u64) -> Next {{ *count += 1; Next::On }}\n"
        );
    }
    if derived {
        text += "#[derive(AgentGraph)]\n#[graph(state = Work, start = n0)]\n";
    }
    text += "pub struct Graph {\n";
    for node in 0..nodes {
        let to = |at: usize| {
            if at < nodes {
                format!("n{at}")
            } else {
                "end".to_owned()
            }
        };
        if derived {
            let _ = writeln!(
                text,
                "    #[route(Next::On => {}, Next::Skip => {}, Next::Back => n{}(limit = 3, else = end))]",
                to(node + 1),
                to(node + 2),
                node.saturating_sub(1)
            );
        }
        let _ = writeln!(text, "    n{node}: Step{node},");
    }
    text + "}\n"
}

/// Checks a crate again, all of it, as if it was checked for the first time.
fn check(folder: &Path) {
    let source = folder.join("src/lib.rs");
    let text = fs::read_to_string(&source).expect("a file");
    fs::write(&source, text).expect("a file");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["check", "-q", "--offline"])
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(folder);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check");
    let status = command.env("CARGO_TARGET_DIR", target).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{} does not compile",
        folder.display()
    );
}
