//! What the derive writes, as it runs: items, ends, graphs in graphs, and errors that lead back.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::atomic::{AtomicU32, Ordering};

use handoffs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    topics: Vec<String>,
    facts: Log<String>,
    count: u32,
}

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Small {
    text: String,
    rounds: u32,
}

#[derive(Outcome, Debug, PartialEq)]
enum Verdict {
    Long { rounds: u32 },
    Short,
}

#[derive(Outcome)]
enum Grown {
    Done,
    More,
}

#[node(Small)]
async fn grow(text: &mut String, rounds: &mut u32) -> Grown {
    *rounds += 1;
    text.push('!');
    if text.len() > 6 {
        Grown::Done
    } else {
        Grown::More
    }
}

fn is_first(small: &Small) -> bool {
    small.rounds == 1
}

#[derive(AgentGraph)]
#[graph(state = Small, start = grow, outcome = Verdict)]
struct Grower {
    #[route(
        Grown::Done if is_first => end(Verdict::Long { rounds: 1 }),
        Grown::Done => end(Verdict::Long { rounds: 2 }),
        Grown::More => grow(limit = 2, else = end(Verdict::Short)),
    )]
    grow: Grow,
}

fn topics(ticket: &Ticket) -> Vec<String> {
    ticket.topics.clone()
}

fn enter(ticket: &Ticket) -> Small {
    Small {
        text: ticket.facts.last().cloned().unwrap_or_default(),
        rounds: 0,
    }
}

#[node(Ticket)]
async fn leave(small: Small, facts: &mut Log<String>) {
    facts.push(small.text);
}

#[node(Ticket)]
async fn plan() {}

#[node(Ticket)]
async fn begin(topic: String, facts: &mut Log<String>) {
    facts.push(topic);
}

#[node(Ticket)]
async fn short(facts: &mut Log<String>) {
    facts.push("short".to_owned());
}

#[node(Ticket)]
async fn count(facts: &Log<String>, count: &mut u32) {
    *count = u32::try_from(facts.len()).unwrap_or(u32::MAX);
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct Desk {
    #[route(_ => each(topics) begin join count)]
    plan: Plan,
    #[route(_ => grower)]
    begin: Begin,
    // Behind the graph, which was left with another item, the worker has its own again.
    #[route(
        Verdict::Long { rounds: 1 } => count,
        Verdict::Long { .. } => begin(limit = 1, else = count),
        Verdict::Short => short,
    )]
    #[subgraph(enter = enter, leave = leave)]
    grower: Grower,
    #[route(_ => count)]
    short: Short,
    #[route(_ => end)]
    count: Count,
}

fn desk() -> Desk {
    Desk {
        plan: Plan,
        begin: Begin,
        grower: Grower { grow: Grow },
        short: Short,
        count: Count,
    }
}

#[tokio::test]
async fn each_item_goes_through_a_graph_of_another_state_and_is_still_at_hand_behind_it() {
    let ticket = || Ticket {
        topics: ["insects", "wasps", "a"].map(str::to_owned).to_vec(),
        ..Ticket::default()
    };
    let expected = [
        "insects", "insects!", "wasps", "wasps!!", "wasps", "wasps!!", "a", "a!!!", "short",
    ];
    let without = Runtime::new(desk())
        .thread("t")
        .run(ticket())
        .await
        .unwrap();
    let with = Runtime::new(desk()).journal(Memory::default());
    let with = with.thread("t").run(ticket()).await.unwrap();
    for run in [without, with] {
        let Run::Finished(ticket) = run else {
            panic!("paused")
        };
        assert_eq!(ticket.facts.iter().collect::<Vec<_>>(), expected);
        assert_eq!(ticket.count, 9);
    }
}

struct Flaky {
    left: AtomicU32,
}

#[node(Ticket)]
impl Flaky {
    async fn run(&self, count: &mut u32) -> Result<(), std::io::Error> {
        *count += 100;
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Ok(());
        }
        self.left.store(left - 1, Ordering::Relaxed);
        Err(std::io::Error::other("no connection"))
    }
}

#[node(Ticket)]
async fn note(facts: &mut Log<String>, cx: &mut Context<'_>) {
    let why = cx
        .failure()
        .map(|failure| failure.node.clone().into_owned());
    facts.push(format!("noted {}", why.unwrap_or_default()));
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = one)]
struct Backward {
    #[route(_ => flaky)]
    one: Note,
    #[route(_ => end)]
    #[on_error(then = back(limit = 2, else = last))]
    flaky: Flaky,
    #[route(_ => end)]
    last: Note,
}

async fn backward(failures: u32) -> Ticket {
    let graph = Backward {
        one: Note,
        flaky: Flaky {
            left: AtomicU32::new(failures),
        },
        last: Note,
    };
    let run = Runtime::new(graph).thread("t").run(Ticket::default()).await;
    let Run::Finished(ticket) = run.unwrap() else {
        panic!("paused")
    };
    ticket
}

#[tokio::test]
async fn an_error_leads_back_as_often_as_the_limit_says() {
    let facts = |ticket: &Ticket| ticket.facts.iter().cloned().collect::<Vec<_>>();
    let ticket = backward(2).await;
    assert_eq!(facts(&ticket), ["noted ", "noted flaky", "noted flaky"]);
    assert_eq!(ticket.count, 100);
    let ticket = backward(9).await;
    assert_eq!(
        facts(&ticket),
        ["noted ", "noted flaky", "noted flaky", "noted flaky"]
    );
    assert_eq!(ticket.count, 0);
}

#[test]
fn a_drawing_that_is_stale_is_told_by_what_the_change_means() {
    use handoffs::testing::{assert_dot, assert_mermaid, assert_svg};

    if std::env::var_os("HANDOFFS_BLESS").is_some() {
        // What is wrong here would be mended.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let graph = Grower::topology();
    let (dot, page) = (folder.path().join("a.dot"), folder.path().join("a.md"));
    let (diagram, svg) = (folder.path().join("a.mmd"), folder.path().join("a.svg"));
    std::fs::write(&dot, graph.dot().to_string()).unwrap();
    std::fs::write(&diagram, graph.mermaid().to_string()).unwrap();
    std::fs::write(&svg, graph.svg().to_string().replace('\n', "\r\n")).unwrap();
    std::fs::write(
        &page,
        format!("# Page\n\n```mermaid\n{}```\n\nMore.\n", graph.mermaid()),
    )
    .unwrap();
    assert_dot::<Grower>(&dot);
    assert_mermaid::<Grower>(&page);
    assert_mermaid::<Grower>(&diagram);
    assert_svg::<Grower>(&svg);

    let mut before = handoffs::Topology::new("Grower");
    for (_, node) in graph.nodes() {
        before.node(node.clone());
    }
    before.start(graph.start_node().unwrap());
    std::fs::write(&dot, before.dot().to_string()).unwrap();
    let stale = std::panic::catch_unwind(|| assert_dot::<Grower>(&dot)).unwrap_err();
    let told = stale.downcast_ref::<String>().unwrap();
    assert!(told.contains("\n+ grow -> end on `"), "{told}");
    std::fs::write(&page, "# Page\n\n```mermaid\nflowchart TD\n```\n").unwrap();
    assert!(std::panic::catch_unwind(|| assert_mermaid::<Grower>(&page)).is_err());
}
