//! A derived graph, and the same one built: shape, bounds, journals.

use std::time::Duration;

use handoffs::prelude::*;
use handoffs::{AgentGraph, BuiltGraph, Entry, GraphBuilder, On, Policy, Retry, Runnable, To};
use serde::{Deserialize, Serialize};

use crate::common::timeless;

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Ticket {
    notes: Log<String>,
    account: Option<String>,
    questions: Vec<String>,
    rounds: u32,
    fails: bool,
}

#[derive(Outcome)]
enum Triaged {
    /// About money.
    Billing {
        reason: String,
    },
    #[outcome(gives(account))]
    Access,
    Unclear,
}

#[node(Ticket)]
fn triage(rounds: &mut u32, account: &mut Option<String>, notes: &mut Log<String>) -> Triaged {
    notes.push(format!("triage {rounds}"));
    *rounds += 1;
    match *rounds {
        1 | 2 => Triaged::Billing {
            reason: "double charge".to_owned(),
        },
        3 => Triaged::Unclear,
        _ => {
            *account = Some("Ada".to_owned());
            Triaged::Access
        }
    }
}

#[derive(Outcome)]
enum Billed {
    Done,
    WrongDesk,
}

#[node(Ticket)]
fn billing(notes: &mut Log<String>, fails: &bool) -> Result<Billed, std::fmt::Error> {
    if *fails {
        return Err(std::fmt::Error);
    }
    notes.push("billing".to_owned());
    Ok(if notes.len() > 6 {
        Billed::Done
    } else {
        Billed::WrongDesk
    })
}

#[node(Ticket)]
fn plan(questions: &mut Vec<String>) {
    *questions = vec!["who".to_owned(), "when".to_owned()];
}

#[node(Ticket)]
fn research(question: String, notes: &mut Log<String>) {
    notes.push(question + "?");
}

#[node(Ticket)]
fn left(notes: &mut Log<String>) {
    notes.push("left".to_owned());
}

#[node(Ticket)]
fn right(notes: &mut Log<String>) {
    notes.push("right".to_owned());
}

#[node(Ticket)]
fn meet(notes: &mut Log<String>) {
    notes.push("meet".to_owned());
}

#[node(Ticket)]
fn close(notes: &mut Log<String>) {
    notes.push("close".to_owned());
}

#[node(Ticket)]
fn greet(account: &String, notes: &mut Log<String>) {
    notes.push(format!("Dear {account}"));
}

#[derive(Serialize)]
struct Question(u32);

impl From<&Ticket> for Question {
    fn from(ticket: &Ticket) -> Self {
        Self(ticket.rounds)
    }
}

#[derive(Deserialize)]
struct Answer(String);

#[node(Ticket)]
impl Answer {
    async fn run(&self, notes: &mut Log<String>) {
        notes.push(self.0.clone());
    }
}

fn is_new(ticket: &Ticket) -> bool {
    ticket.account.is_none()
}

fn questions(ticket: &Ticket) -> Vec<String> {
    ticket.questions.clone()
}

fn rounds(ticket: &Ticket) -> u32 {
    ticket.rounds
}

/// A graph within: it meets, and closes.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = meet)]
struct Meeting {
    #[route(_ => close)]
    meet: Meet,
    #[route(_ => end)]
    close: Close,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct SupportDesk {
    /// Reads what came in.
    #[route(
        Triaged::Billing { .. } if is_new => billing,
        Triaged::Billing { .. } | Triaged::Access => greet(limit = 3, missing = plan, else = human),
        Triaged::Unclear => human,
    )]
    triage: Triage,
    #[route(
        Billed::Done => greet(missing = plan),
        Billed::WrongDesk => triage(limit = 2, else = human),
    )]
    #[retry(times = 2, backoff = "1ms", jitter = false)]
    #[on_error(then = back(limit = 1, else = human))]
    billing: Billing,
    #[route(_ => triage(limit = 1, else = end))]
    #[on_error(then = back(limit = 1, else = end))]
    human: Human<Question, Answer>,
    #[route(_ => plan)]
    greet: Greet,
    #[route(_ => each(questions) research join fork(concurrency = 2))]
    #[cache(key = rounds, ttl = "1h")]
    plan: Plan,
    #[route(_ => fork)]
    research: Research,
    #[route(_ => all(left, right) join meeting)]
    fork: Close,
    #[route(_ => meeting)]
    left: Left,
    #[route(_ => meeting)]
    right: Right,
    #[route(_ => end)]
    meeting: Meeting,
}

fn derived() -> SupportDesk {
    SupportDesk {
        triage: Triage,
        billing: Billing,
        human: Human::new(),
        greet: Greet,
        plan: Plan,
        research: Research,
        fork: Close,
        left: Left,
        right: Right,
        meeting: Meeting {
            meet: Meet,
            close: Close,
        },
    }
}

fn built() -> BuiltGraph<Ticket> {
    let slow = Retry::times(2)
        .backoff(Duration::from_millis(1))
        .jitter(false);
    GraphBuilder::new("SupportDesk")
        .node("triage", Triage)
        .node("billing", Billing)
        .node("human", Human::<Question, Answer>::new())
        .node("greet", Greet)
        .node("plan", Plan)
        .worker("research", Research)
        .node("fork", Close)
        .node("left", Left)
        .node("right", Right)
        .node(
            "meeting",
            Meeting {
                meet: Meet,
                close: Close,
            },
        )
        .doc("triage", "Reads what came in.")
        .guard("is_new", is_new)
        .items("questions", questions)
        .policy("billing", Policy::new().retry(slow))
        .cache("plan", Duration::from_hours(1), rounds)
        .start("triage")
        // In another order than the nodes, which makes no difference.
        .route("meeting", "_", To::end())
        .route(
            "triage",
            On::outcome("Billing")
                .when("is_new")
                .shown("Triaged::Billing { .. }"),
            To::node("billing"),
        )
        .route(
            "triage",
            On::any_of(["Billing", "Access"]).shown("Triaged::Billing { .. } | Triaged::Access"),
            To::node("greet").limit(3).or_else("human").missing("plan"),
        )
        .route(
            "triage",
            On::outcome("Unclear").shown("Triaged::Unclear"),
            To::node("human"),
        )
        .route(
            "billing",
            On::outcome("Done").shown("Billed::Done"),
            To::node("greet").missing("plan"),
        )
        .route(
            "billing",
            On::outcome("WrongDesk").shown("Billed::WrongDesk"),
            To::node("triage").limit(2).or_else("human"),
        )
        .on_error("billing", To::back().limit(1).or_else("human"))
        .route("human", "_", To::node("triage").limit(1).or_else("end"))
        .on_error("human", To::back().limit(1).or_end())
        .route("greet", "_", To::node("plan"))
        .route(
            "plan",
            "_",
            To::each("questions", "research", "fork").concurrency(2),
        )
        .route("research", "_", To::node("fork"))
        .route("fork", "_", To::all(["left", "right"], "meeting"))
        .route("left", "_", To::node("meeting"))
        .route("right", "_", To::node("meeting"))
        .build()
        .unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_built_graph_has_the_shape_of_the_derived_one() {
    let (derived, built) = (<SupportDesk as AgentGraph>::topology(), built());
    assert_eq!(
        built.topology().dot().to_string(),
        derived.dot().to_string()
    );
    assert_eq!(*built.topology(), derived);
    assert_eq!(built.max_handoffs(), SupportDesk::MAX_HANDOFFS);
    assert_eq!(
        built.contract(),
        <SupportDesk as handoffs::Node<Ticket>>::CONTRACT
    );
}

#[test]
fn an_edge_is_tested_without_a_runtime() {
    let (desk, ticket) = (built(), Ticket::default());
    let route = desk.after("billing", "WrongDesk", &ticket).unwrap();
    let derived = SupportDesk::after_billing(&ticket, &Billed::WrongDesk);
    assert_eq!(route.to_string(), derived.to_string());
    let billing = desk.after("triage", "Billing", &ticket).unwrap();
    assert_eq!(billing.to_string(), "billing");
    // Without an account, and with one.
    let known = Ticket {
        account: Some("Ada".to_owned()),
        ..Ticket::default()
    };
    for (ticket, expected) in [
        (&ticket, "plan"),
        (&known, "greet(limit = 3, else = human)"),
    ] {
        let access = desk.after("triage", "Access", ticket).unwrap();
        assert_eq!(access.to_string(), expected);
        let derived = SupportDesk::after_triage(ticket, &Triaged::Access);
        assert_eq!(derived.to_string(), expected);
    }
    assert_eq!(desk.after("triage", "Paid", &ticket), None);
    assert_eq!(desk.after("traige", "Billing", &ticket), None);
}

/// Runs a ticket to its end, and answers the person's question if it is asked.
async fn history<G: Runnable<State = Ticket>>(graph: G, fails: bool) -> (Ticket, Vec<Entry>) {
    let runtime = Runtime::new(graph).journal(Memory::default());
    let thread = runtime.thread("t");
    let ticket = Ticket {
        fails,
        ..Ticket::default()
    };
    let mut run = thread.run(ticket).await.unwrap();
    for _ in 0..8 {
        match run {
            Run::Finished(ticket) => return (ticket, thread.history().await.unwrap()),
            Run::Paused(ask) => run = thread.resume(ask.id, "go on").await.unwrap(),
        }
    }
    panic!("it asks for ever")
}

#[tokio::test]
async fn both_write_the_same_journal() {
    for fails in [false, true] {
        let (state, entries) = history(derived(), fails).await;
        let (built_state, built_entries) = history(built(), fails).await;
        assert_eq!(built_state, state);
        assert!(entries.len() > 10, "it goes all the way: {entries:#?}");
        assert_eq!(timeless(&built_entries), timeless(&entries));
    }
}

#[tokio::test]
async fn one_goes_on_with_the_journal_of_the_other() {
    let journal = std::sync::Arc::new(Memory::default());
    let first = Runtime::new(derived()).journal(std::sync::Arc::clone(&journal));
    let mut run = first.thread("t").run(Ticket::default()).await.unwrap();
    let second = Runtime::new(built()).journal(journal);
    for _ in 0..8 {
        match run {
            Run::Finished(ticket) => {
                assert!(ticket.notes.iter().any(|note| note == "go on"));
                return;
            }
            Run::Paused(ask) => run = second.thread("t").resume(ask.id, "go on").await.unwrap(),
        }
    }
    panic!("it asks for ever")
}
