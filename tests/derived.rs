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

// ---- Who may find something missing.

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Claim {
    account: Option<String>,
    refund: Option<u32>,
    is_urgent: bool,
    notes: Log<String>,
}

#[derive(Outcome, Serialize, Deserialize)]
enum Triaged {
    Refund,
    Other,
}

#[node(Claim)]
async fn triage(notes: &mut Log<String>) -> Triaged {
    notes.push("triage".to_owned());
    if notes.len() > 8 {
        Triaged::Other
    } else {
        Triaged::Refund
    }
}

/// Needs two fields, of which nobody before it has to set any.
#[node(Claim)]
async fn pay(account: &String, refund: &u32, notes: &mut Log<String>) -> Triaged {
    notes.push(format!("pay {refund} to {account}"));
    Triaged::Refund
}

#[derive(Serialize)]
struct Which(Log<String>);

impl From<&Claim> for Which {
    fn from(claim: &Claim) -> Self {
        Self(claim.notes.clone())
    }
}

#[derive(Serialize, Deserialize)]
struct Account(Option<String>);

#[node(Claim)]
impl Account {
    async fn run(&self, account: &mut Option<String>) {
        account.clone_from(&self.0);
    }
}

#[node(Claim)]
async fn hurry(notes: &mut Log<String>) {
    notes.push("hurry".to_owned());
}

fn is_urgent(claim: &Claim) -> bool {
    claim.is_urgent
}

#[derive(AgentGraph)]
#[graph(state = Claim, start = triage)]
struct Payments {
    #[route(
        Triaged::Refund if is_urgent => pay(missing = hurry),
        Triaged::Refund => pay(limit = 2, missing = ask, else = end),
        Triaged::Other => end,
    )]
    triage: Triage,
    #[route(_ => end)]
    pay: Pay,
    #[route(_ => triage(limit = 2, else = end))]
    ask: Human<Which, Account>,
    #[route(_ => end)]
    hurry: Hurry,
}

const fn payments() -> Payments {
    Payments {
        triage: Triage,
        pay: Pay,
        ask: Human::new(),
        hurry: Hurry,
    }
}

fn claim(account: Option<&str>, refund: Option<u32>) -> Claim {
    Claim {
        account: account.map(str::to_owned),
        refund,
        ..Claim::default()
    }
}

#[test]
fn an_edge_leads_elsewhere_if_one_of_the_fields_that_its_node_needs_is_missing() {
    use handoffs::testing::assert_route;

    let after = |claim: &Claim| Payments::after_triage(claim, &Triaged::Refund);
    let whole = claim(Some("Ada"), Some(12));
    assert_route!(after(&whole) => pay(limit = 2, else = end));
    assert_route!(after(&claim(None, Some(12))) => ask);
    assert_route!(after(&claim(Some("Ada"), None)) => ask);
    assert_route!(Payments::after_triage(&claim(None, None), &Triaged::Other) => end);
    // Its guard holds for both.
    let urgent = |claim| Claim {
        is_urgent: true,
        ..claim
    };
    assert_route!(after(&urgent(whole)) => pay);
    assert_route!(after(&urgent(claim(None, Some(12)))) => hurry);
}

#[test]
fn both_edges_are_drawn_and_counted() {
    let labels: Vec<_> = Payments::edges()
        .iter()
        .map(|edge| format!("{} {}", edge.label(), edge.route))
        .collect();
    assert_eq!(
        labels,
        [
            "Triaged::Refund if is_urgent and a field is missing hurry",
            "Triaged::Refund if is_urgent pay",
            "Triaged::Refund if a field is missing ask",
            "Triaged::Refund pay(limit = 2, else = end)",
            "Triaged::Other end",
            "_ end",
            "_ triage(limit = 2, else = end)",
            "_ end",
        ]
    );
    // Twice round by a person, and then to whoever pays.
    assert_eq!(Payments::MAX_HANDOFFS, 6);
    let dot = Payments::topology().dot().to_string();
    assert!(
        dot.contains(r#""triage" -> "ask" [label="Triaged::Refund\nif a field is missing""#),
        "{dot}"
    );
    let read = handoffs::Topology::from_dot(&dot).unwrap();
    assert_eq!(read.dot().to_string(), dot);
}

#[tokio::test]
async fn what_was_missing_is_looked_for_again_and_the_journal_says_where_it_led() {
    let journal = std::sync::Arc::new(Memory::default());
    let runtime = || Runtime::new(payments()).journal(std::sync::Arc::clone(&journal));
    let run = runtime()
        .thread("t")
        .run(claim(None, Some(12)))
        .await
        .unwrap();
    let Run::Paused(ask) = run else {
        panic!("nobody is asked");
    };
    assert_eq!(ask.node, "ask");

    // On another machine. The first answer brings nothing, so the person is asked once more.
    let Run::Paused(ask) = runtime()
        .thread("t")
        .resume(ask.id, Account(None))
        .await
        .unwrap()
    else {
        panic!("nobody is asked again");
    };
    let answer = Account(Some("Ada".to_owned()));
    let Run::Finished(paid) = runtime().thread("t").resume(ask.id, answer).await.unwrap() else {
        panic!("nobody is to be asked");
    };
    assert_eq!(
        paid.notes.iter().collect::<Vec<_>>(),
        ["triage", "triage", "triage", "pay 12 to Ada"]
    );

    // What was decided stands, and would be decided again: it is the fields that count, as they were.
    let thread = runtime().thread("t");
    let rerouted = thread.reroute().await.unwrap();
    assert!(
        rerouted.is_same() && rerouted.decisions == 6,
        "{rerouted:?}"
    );
    let history = thread.history().await.unwrap();
    let led = history.iter().filter_map(|entry| match &entry.event {
        handoffs::Recorded::Stepped { node, on, to, .. } if node == "triage" => {
            Some(format!("{on} -> {}", to.as_deref().unwrap_or("end")))
        }
        _ => None,
    });
    assert_eq!(
        led.collect::<Vec<_>>(),
        [
            "Triaged::Refund if a field is missing -> ask",
            "Triaged::Refund if a field is missing -> ask",
            "Triaged::Refund -> pay",
        ]
    );
    let Run::Paused(again) = thread.replay(2, "u").await.unwrap() else {
        panic!("a replay asks as well");
    };
    assert_eq!(again.node, "ask");
}

/// Last week's graph, which is brought all that it needs.
mod last_week {
    use super::{Account, AgentGraph, Claim, Human, Pay, Triage, Triaged, Which};

    #[derive(AgentGraph)]
    #[graph(state = Claim, start = triage, given(account, refund))]
    pub(super) struct Payments {
        #[route(Triaged::Refund => pay, Triaged::Other => end)]
        pub(super) triage: Triage,
        #[route(_ => ask)]
        pub(super) pay: Pay,
        #[route(_ => end)]
        pub(super) ask: Human<Which, Account>,
    }
}

/// Today's, which looks.
mod today {
    use super::{Account, AgentGraph, Claim, Human, Pay, Triage, Triaged, Which};

    #[derive(AgentGraph)]
    #[graph(state = Claim, start = triage)]
    pub(super) struct Payments {
        #[route(Triaged::Refund => pay(missing = ask), Triaged::Other => end)]
        pub(super) triage: Triage,
        #[route(_ => ask)]
        pub(super) pay: Pay,
        #[route(_ => end)]
        pub(super) ask: Human<Which, Account>,
    }
}

#[tokio::test]
async fn a_thread_goes_on_when_its_graph_begins_to_look_and_when_it_no_longer_does() {
    let last_week = || last_week::Payments {
        triage: Triage,
        pay: Pay,
        ask: Human::new(),
    };
    let today = || today::Payments {
        triage: Triage,
        pay: Pay,
        ask: Human::new(),
    };
    let journal = std::sync::Arc::new(Memory::default());
    let shared = || std::sync::Arc::clone(&journal);
    let whole = || claim(Some("Ada"), Some(12));

    let old = Runtime::new(last_week()).journal(shared());
    let Run::Paused(ask) = old.thread("t").run(whole()).await.unwrap() else {
        panic!("nobody is asked");
    };
    let new = Runtime::new(today()).journal(shared());
    let run = new.thread("t").resume(ask.id, Account(None)).await.unwrap();
    assert_eq!(run.finished().unwrap().notes.len(), 2);

    let Run::Paused(ask) = new.thread("u").run(whole()).await.unwrap() else {
        panic!("nobody is asked");
    };
    let old = Runtime::new(last_week()).journal(shared());
    let run = old.thread("u").resume(ask.id, Account(None)).await.unwrap();
    assert_eq!(run.finished().unwrap().notes.len(), 2);

    // What went the way that is no more does not, and is told so.
    let Run::Paused(ask) = new.thread("v").run(claim(None, Some(12))).await.unwrap() else {
        panic!("nobody is asked");
    };
    let error = old
        .thread("v")
        .resume(ask.id, Account(None))
        .await
        .unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains(
            "took the edge `Triaged::Refund if a field is missing => ask` of node `triage`"
        ),
        "{told}"
    );
}

#[test]
fn a_diff_tells_of_the_edge_that_is_there_for_what_is_missing() {
    let diff = last_week::Payments::topology().diff(&today::Payments::topology());
    assert_eq!(
        diff.to_string(),
        "Payments: 1 change\n+ triage -> ask on `Triaged::Refund if a field is missing` is new\n"
    );
}
