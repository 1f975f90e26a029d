//! Writes the chain of a thousand nodes, which nobody writes by hand.

use std::fmt::Write;
use std::path::Path;

const NODES: usize = 1_000;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut chain =
        "#[derive(AgentGraph)]\n#[graph(state = Work, start = n0)]\nstruct Chain {\n".to_owned();
    for node in 0..NODES {
        let next = match node + 1 {
            NODES => "end".to_owned(),
            next => format!("n{next}"),
        };
        let _ = writeln!(chain, "    #[route(_ => {next})] n{node}: Step,");
    }
    chain += "}\nfn chain() -> Chain {\n    Chain {\n";
    for node in 0..NODES {
        let _ = writeln!(chain, "        n{node}: Step,");
    }
    chain += "    }\n}\n";
    let folder = std::env::var("OUT_DIR").expect("cargo says where");
    std::fs::write(Path::new(&folder).join("chain.rs"), chain).expect("a file");
}
