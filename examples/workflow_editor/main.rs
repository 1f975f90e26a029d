//! A workflow that users draw in a product's own editor: a graph read from a file when the program runs.
//!
//! - `nodes.rs`: the state, and the types of nodes that the editor offers. Some are known at build time
//!   (`#[node]`); of others even the outcomes, and the fields that they need, are data (`DynNode`).
//! - `describe.rs`: the file, and how it becomes a graph; what is wrong is said with its place in the file.
//! - `main.rs`, here: the command line.
//!
//! ```text
//! cd examples/workflow_editor
//! cargo run --example workflow_editor -- mail_room.json "I want my money back for #77. Thanks."
//! cargo run --example workflow_editor -- mail_room.json dot | dot -Tsvg > mail_room.svg
//! cargo run --example workflow_editor -- broken.json --check
//! ```

mod describe;
mod nodes;

use std::fmt::Write as _;
use std::process::ExitCode;

use handoffs::prelude::*;
use handoffs::{BuiltGraph, Recorded, RunError};

use nodes::Mail;

const USAGE: &str = "usage: workflow_editor FILE (--check | dot | TEXT)\n";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, what] = &words[..] else {
        return say(&mut std::io::stderr(), USAGE, ExitCode::from(2));
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            let complaint = format!("{file}: {error}\n");
            return say(&mut std::io::stderr(), &complaint, ExitCode::FAILURE);
        }
    };
    match obey(&text, what).await {
        Ok(page) => say(&mut std::io::stdout(), &page, ExitCode::SUCCESS),
        Err(complaint) => say(&mut std::io::stderr(), &complaint, ExitCode::FAILURE),
    }
}

/// Does what is asked with a description; returns what to print, or what is wrong.
async fn obey(description: &str, what: &str) -> Result<String, String> {
    let graph = describe::graph(description)?;
    match what {
        "--check" => Ok(format!(
            "it is right: at most {} handoffs\n",
            graph.max_handoffs()
        )),
        "dot" => Ok(graph.topology().dot().to_string()),
        text => run(graph, text).await.map_err(|error| format!("{error}\n")),
    }
}

/// Runs a mail through the graph, and tells which way it went and what was answered.
async fn run(graph: BuiltGraph<Mail>, text: &str) -> Result<String, RunError> {
    let runtime = Runtime::new(graph).journal(Memory::default());
    let thread = runtime.thread("mail");
    let run = thread.run(Mail::new(text)).await?;
    let mut page = String::new();
    for entry in thread.history().await? {
        if let Recorded::Stepped {
            node, outcome, to, ..
        } = entry.event
        {
            let to = to.as_deref().unwrap_or("end");
            let _ = writeln!(page, "{node}: {} -> {to}", outcome.variant);
        }
    }
    if let Run::Finished(mail) = run {
        for line in &mail.reply {
            let _ = writeln!(page, "> {line}");
        }
    }
    Ok(page)
}

fn say(to: &mut dyn std::io::Write, text: &str, code: ExitCode) -> ExitCode {
    // Whoever reads may have gone away, and there is nobody left to tell.
    let _ = to.write_all(text.as_bytes());
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL_ROOM: &str = include_str!("mail_room.json");

    #[tokio::test]
    async fn a_mail_takes_its_way() {
        let page = obey(MAIL_ROOM, "I want my money back for #77. Thanks.")
            .await
            .unwrap();
        assert_eq!(
            page,
            "sort: Refund -> find_order\n\
             find_order: Found -> refund\n\
             refund: Done -> sign\n\
             sign: Done -> end\n\
             > We refund #77.\n\
             > Yours, the shop\n"
        );
        let page = obey(MAIL_ROOM, "Money back!").await.unwrap();
        assert!(page.contains("find_order: Missing -> ask_back\n"), "{page}");
    }

    #[tokio::test]
    async fn each_part_of_a_long_mail_is_answered_in_its_order() {
        let page = obey(MAIL_ROOM, "Do you ship? When are you open? Is it blue?")
            .await
            .unwrap();
        let replies: Vec<_> = page.lines().filter(|line| line.starts_with('>')).collect();
        assert_eq!(
            replies,
            [
                "> Do you ship: we shall find out.",
                "> When are you open: we shall find out.",
                "> Is it blue: we shall find out.",
                "> Yours, the shop",
            ]
        );
    }

    #[tokio::test]
    async fn what_is_right_is_drawn() {
        let page = obey(MAIL_ROOM, "--check").await.unwrap();
        assert_eq!(page, "it is right: at most 4 handoffs\n");
        assert!(obey(MAIL_ROOM, "dot").await.unwrap().starts_with("digraph"));
    }

    #[tokio::test]
    async fn all_mistakes_are_told_in_one_go_with_their_places() {
        let complaint = obey(include_str!("broken.json"), "--check")
            .await
            .unwrap_err();
        assert_eq!(complaint, include_str!("broken.txt"));
    }

    #[tokio::test]
    async fn nodes_that_cannot_be_made_are_told_before_anything_else() {
        let description = r#"{
            "name": "x", "start": "a", "routes": [],
            "nodes": [
                {"name": "a", "type": "repl"},
                {"name": "b", "type": "reply", "config": {"txt": "Hello"}}
            ]
        }"#;
        assert_eq!(
            obey(description, "--check").await.unwrap_err(),
            "nodes[0].type: no type of nodes is named `repl`\n  \
             help: the types are: `sort`, `find_order`, `reply`, `answer`\n\
             nodes[1].config: unknown field `txt`, expected `text`\n"
        );
        let complaint = obey("{", "--check").await.unwrap_err();
        assert!(complaint.contains("line 1 column 1"), "{complaint}");
    }
}
