//! What a drawing takes: a ring of 200 and of 500 nodes with a cross-connection at each third, as DOT, SVG and for a terminal.
//!
//! The floor of all three is to write the nodes and edges down, a line each, without any layout.

mod common;

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use handoffs::prelude::*;
use handoffs::{GraphBuilder, To, Topology};

#[derive(State, Clone, Debug, Default)]
struct Nothing {}

#[derive(Outcome)]
enum Next {
    On,
    Across,
}

#[node(Nothing)]
async fn step() -> Next {
    Next::On
}

fn topology(nodes: usize) -> Topology {
    let mut graph = GraphBuilder::new("Ring").start("n0");
    for node in 0..nodes {
        let name = format!("n{node}");
        let on = match node + 1 {
            last if last == nodes => To::node("n0").limit(10).or_end(),
            next => To::node(format!("n{next}")),
        };
        let across = match (node % 3, (node + nodes / 3) % nodes) {
            (0, across) if across > node => To::node(format!("n{across}")),
            _ => To::end(),
        };
        graph = graph
            .node(name.as_str(), Step)
            .route(name.as_str(), "On", on)
            .route(name.as_str(), "Across", across);
    }
    graph.build().expect("a graph").topology().clone()
}

type Drawing = fn(&Topology) -> String;

fn lines(topology: &Topology) -> String {
    let mut text = String::new();
    for (_, node) in topology.nodes() {
        let _ = writeln!(text, "{}", node.name);
    }
    for (index, edge) in topology.edges() {
        let _ = writeln!(text, "{} {}", index.0, edge.from.0);
    }
    text
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let sizes: &[usize] = if common::measures() {
        &[200, 500]
    } else {
        &[20]
    };
    let mut group = criterion.benchmark_group("draw");
    group.sample_size(10);
    let drawings: [(&str, Drawing); 4] = [
        ("lines", lines),
        ("DOT", |topology| topology.dot().to_string()),
        ("SVG", |topology| topology.svg().to_string()),
        ("terminal", |topology| topology.ascii().to_string()),
    ];
    for nodes in sizes {
        let topology = topology(*nodes);
        for (name, drawing) in drawings {
            group.bench_with_input(
                BenchmarkId::new(name, nodes),
                &topology,
                |bench, topology| {
                    bench.iter(|| drawing(black_box(topology)));
                },
            );
        }
        if common::measures() {
            common::head(&format!("a drawing of {nodes} nodes, in ns"));
            for (name, drawing) in &drawings[1..] {
                let best = common::best_of(
                    5,
                    || drop(black_box(lines(&topology))),
                    || drop(black_box(drawing(&topology))),
                );
                common::row(name, best, 1);
            }
        }
    }
    group.finish();
    criterion.final_summary();
}
