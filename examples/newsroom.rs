//! A newsroom: an editor hands out topics, reporters work side by side, one of them on a line that
//! breaks, and a desk reviews what they wrote until it may be printed.
//!
//! `cargo run --example newsroom -- bees wasps hornets` prints the article and who did what.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt;
use handoffs::prelude::*;
use handoffs::{Counter, Recorded};

/// What travels from desk to desk.
#[derive(State, Clone, Debug, Default)]
struct Article {
    topics: Vec<String>,
    /// Each reporter appends; at the join the notes stand in the order of the topics.
    notes: Log<String>,
    calls: Counter,
    draft: Option<String>,
    complaints: Log<String>,
}

/// The items of the fork: a branch for each.
fn topics(article: &Article) -> Vec<String> {
    article.topics.clone()
}

#[node(Article)]
async fn assign() {}

/// A line that breaks at every third call.
#[derive(Debug)]
struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the line is busy")
    }
}

impl Error for Busy {}

fn is_busy(_: &Busy) -> bool {
    true
}

#[derive(Default)]
struct Report {
    calls: AtomicU32,
}

#[node(Article)]
impl Report {
    /// The parameter by value is the item.
    async fn run(
        &self,
        topic: String,
        notes: &mut Log<String>,
        calls: &mut Counter,
    ) -> Result<(), Busy> {
        tokio::task::yield_now().await;
        if self.calls.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            return Err(Busy);
        }
        notes.push(format!("{topic} were seen"));
        *calls += 1;
        Ok(())
    }
}

#[node(Article)]
async fn write(notes: &Log<String>, complaints: &Log<String>, mut draft: Out<'_, String>) {
    let facts: Vec<_> = notes.iter().map(String::as_str).collect();
    let mark = if complaints.is_empty() { "" } else { "." };
    draft.set(format!("Yesterday {}{mark}", facts.join(", ")));
}

#[node(Article)]
async fn print(draft: &String) {
    assert!(draft.ends_with('.'), "the desk has seen it");
}

// ---- The desk is a graph of its own, which ends with a verdict.

#[derive(Outcome, Clone, Copy)]
enum Verdict {
    Printable,
    Unfinished,
}

#[derive(Outcome)]
enum Read {
    Clean,
    Sloppy,
}

#[node(Article)]
async fn proof(draft: &String) -> Read {
    if draft.ends_with('.') {
        Read::Clean
    } else {
        Read::Sloppy
    }
}

#[node(Article)]
async fn complain(complaints: &mut Log<String>) {
    complaints.push("it has no full stop".to_owned());
}

#[derive(AgentGraph)]
#[graph(state = Article, start = proof, given(draft), outcome = Verdict)]
struct Desk {
    #[route(Read::Clean => end(Verdict::Printable), Read::Sloppy => complain)]
    proof: Proof,
    #[route(_ => end(Verdict::Unfinished))]
    complain: Complain,
}

#[derive(AgentGraph)]
#[graph(state = Article, start = assign)]
struct Newsroom {
    #[route(_ => each(topics) report join write(concurrency = 8))]
    assign: Assign,
    #[route(_ => write)]
    #[retry(times = 3, backoff = "10ms", on = is_busy)]
    #[timeout("30s")]
    report: Report,
    #[route(_ => desk)]
    write: Write,
    #[route(Verdict::Printable => print, Verdict::Unfinished => write(limit = 2, else = print))]
    desk: Desk,
    #[route(_ => end)]
    print: Print,
}

fn newsroom() -> Newsroom {
    Newsroom {
        assign: Assign,
        report: Report::default(),
        write: Write,
        desk: Desk {
            proof: Proof,
            complain: Complain,
        },
        print: Print,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut topics: Vec<String> = std::env::args().skip(1).collect();
    if topics.is_empty() {
        topics = ["bees", "wasps", "hornets"].map(str::to_owned).into();
    }
    let thread = Runtime::new(newsroom())
        .journal(Memory::default())
        .thread("today");
    let mut events = thread.stream(Article {
        topics,
        ..Article::default()
    });
    while let Some(event) = events.next().await {
        match event? {
            Event::Attempted { node, error, .. } => println!("{node}: {error}, once more"),
            Event::Joined { to, .. } => println!("all are back at {to}"),
            Event::Finished(article) => {
                println!("{}", article.draft.unwrap_or_default());
            }
            _ => {}
        }
    }
    for entry in thread.history().await? {
        if let Recorded::Stepped { node, outcome, .. } = &entry.event {
            println!(
                "{:>4} {:<8} {node}: {}",
                entry.seq, entry.branch, outcome.variant
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use handoffs::{BranchId, RunError};

    use super::*;

    #[tokio::test]
    async fn the_notes_stand_in_the_order_of_the_topics_whatever_line_broke() -> Result<(), RunError>
    {
        let topics = ["ants", "bees", "crickets", "drones"].map(str::to_owned);
        let thread = Runtime::new(newsroom())
            .journal(Memory::default())
            .thread("t");
        let article = Article {
            topics: topics.into(),
            ..Article::default()
        };
        let article = thread
            .run(article)
            .await?
            .finished()
            .expect("nobody is asked");
        let seen =
            "Yesterday ants were seen, bees were seen, crickets were seen, drones were seen.";
        assert_eq!(article.draft.as_deref(), Some(seen));
        assert_eq!((article.calls.get(), article.complaints.len()), (4, 1));

        let history = thread.history().await?;
        let again = |entry: &&handoffs::Entry| matches!(entry.event, Recorded::Attempted { .. });
        assert!(history.iter().filter(again).count() > 0, "a line broke");
        let within = history.iter().filter(|entry| entry.graph.name() == "Desk");
        assert!(within.count() > 0, "the desk writes to the same journal");
        let trunk = history
            .iter()
            .filter(|entry| entry.branch == BranchId::TRUNK);
        assert!(trunk.count() > 0);
        Ok(())
    }

    #[test]
    fn an_unfinished_draft_goes_back_twice_at_most() {
        let route = Newsroom::after_desk(&Article::default(), &Verdict::Unfinished);
        let expected = Route::to(NewsroomNode::Write)
            .limit(2)
            .or_else(NewsroomNode::Print);
        assert_eq!(route, expected);
    }
}
