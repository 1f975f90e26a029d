//! Drawings of ten graphs of all shapes, which stand in `docs/drawings`, and of random ones.
//!
//! `HANDOFFS_BLESS=1` rewrites what stands there; `HANDOFFS_LARGE=folder` keeps the large one to be looked
//! at.

#[path = "drawings/graphs.rs"]
mod graphs;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use handoffs_core::check;

use crate::graphs::{desk_trail, examples, large};

/// Compares a file of the gallery with what it should be, or writes it.
fn keep(name: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/drawings")
        .join(name);
    if std::env::var_os("HANDOFFS_BLESS").is_some_and(|bless| bless == "1") {
        let folder = path.parent().expect("it lies in a folder");
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(&path, drawn).expect("written");
    }
    let kept = std::fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    assert!(
        kept == drawn,
        "`{}` is stale; set HANDOFFS_BLESS=1 to redraw it",
        path.display()
    );
}

#[test]
fn the_gallery_is_up_to_date() {
    let mut page = String::from(include_str!("drawings/README.md.in"));
    for example in examples() {
        let (name, graph) = (example.name, &example.graph);
        assert_eq!(check(graph), [], "{name}");
        keep(&format!("{name}.dot"), &graph.dot().to_string());
        keep(&format!("{name}.svg"), &graph.svg().to_string());
        write!(
            page,
            "\n## {}\n\n{}\n\n![{name}]({name}.svg)\n\n<details><summary>Mermaid, and for a terminal</summary>\n\n```mermaid\n{}```\n\n```text\n{}```\n\n</details>\n",
            graph.name(),
            example.about,
            graph.mermaid(),
            graph.ascii()
        )
        .unwrap();
    }
    let desk = &examples()[1].graph;
    let trail = desk_trail(desk);
    keep("desk_trail.dot", &desk.dot().trail(&trail).to_string());
    keep("desk_trail.svg", &desk.svg().trail(&trail).to_string());
    write!(
        page,
        "\n## The path of a thread\n\nWhat a thread came to is bold, with counts and times; the rest is faint.\n\n![desk with a trail](desk_trail.svg)\n\n<details><summary>Mermaid, and for a terminal</summary>\n\n```mermaid\n{}```\n\n```text\n{}```\n\n</details>\n",
        desk.mermaid().trail(&trail),
        desk.ascii().trail(&trail)
    )
    .unwrap();
    keep("README.md", &page);
}

#[test]
fn two_hundred_nodes_are_drawn_in_no_time() {
    let graph = large();
    let began = Instant::now();
    let svg = graph.svg().to_string();
    let ascii = graph.ascii().to_string();
    let took = began.elapsed();
    eprintln!("{took:?}");
    // Half a second without optimisation on the machine where this was written.
    assert!(took < Duration::from_secs(30), "{took:?}");
    for (_, node) in graph.nodes() {
        assert!(svg.contains(&format!(">{}<", node.name)) && ascii.contains(&*node.name));
    }
    if let Some(folder) = std::env::var_os("HANDOFFS_LARGE") {
        std::fs::write(Path::new(&folder).join("large.svg"), svg).unwrap();
        std::fs::write(Path::new(&folder).join("large.txt"), ascii).unwrap();
        std::fs::write(
            Path::new(&folder).join("large.dot"),
            graph.dot().to_string(),
        )
        .unwrap();
    }
}
