//! Handoffs that a person approves before they are made.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::fmt;
use std::slice::from_ref;
use std::sync::Arc;

use async_trait::async_trait;
use common::{
    Clock, Counting, Place, Tally, Yielding, chain, complete, cut_off_anywhere, drain, dropped_at,
    lines,
};
use futures::StreamExt;
use futures::future::join;
use handoffs::prelude::*;
use handoffs::{
    AgentGraph, Approval, Durability, GraphBuilder, Inner, Journal, JournalError, Layer, NodeError,
    On, Policy, Record, Recorded, RunError, Runnable, Thread, ThreadId, To,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Ticket {
    refund: u32,
    said: Log<String>,
    #[state(progress)]
    rounds: u32,
}

fn refund(amount: u32) -> Ticket {
    Ticket {
        refund: amount,
        ..Ticket::default()
    }
}

fn said(ticket: &Ticket) -> Vec<&str> {
    ticket.said.iter().map(String::as_str).collect()
}

/// A node that says something, and counts how often it does.
#[derive(Clone)]
struct Say(&'static str, Tally);

#[node(Ticket)]
impl Say {
    fn run(&self, said: &mut Log<String>) {
        self.1.count(self.0);
        said.push(self.0.to_owned());
    }
}

// ---- A refund over 100 needs a person's approval; if nobody gives it in 48 hours, it is escalated.

#[derive(Outcome)]
enum Judged {
    Due,
    NotDue,
}

#[derive(Clone)]
struct Judge(Tally);

#[node(Ticket)]
impl Judge {
    fn run(&self, refund: &u32, said: &mut Log<String>) -> Judged {
        self.0.count("judge");
        said.push("judged".to_owned());
        if *refund == 0 {
            Judged::NotDue
        } else {
            Judged::Due
        }
    }
}

/// Says why somebody else has to decide.
#[node(Ticket)]
fn escalate(said: &mut Log<String>, cx: &mut Context<'_>) {
    said.push(format!("escalated: {}", cx.refusal().unwrap_or("unknown")));
}

fn is_large(ticket: &Ticket) -> bool {
    ticket.refund > 100
}

/// What a person is shown.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Refund {
    amount: u32,
    /// To see that the question is asked of the state behind the node.
    said: usize,
}

fn large_refund(ticket: &Ticket) -> Refund {
    Refund {
        amount: ticket.refund,
        said: ticket.said.len(),
    }
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge)]
struct Desk {
    #[route(
        Judged::Due if is_large => pay(approve = large_refund, else = escalate),
        Judged::Due => pay,
        Judged::NotDue => end,
    )]
    #[timeout(answer = "48h")]
    judge: Judge,
    #[route(_ => end)]
    pay: Say,
    #[route(_ => end)]
    escalate: Escalate,
}

fn desk(tally: &Tally) -> Desk {
    Desk {
        judge: Judge(tally.clone()),
        pay: Say("paid", tally.clone()),
        escalate: Escalate,
    }
}

async fn a_refund_over_100_waits_for_approval_and_is_escalated_after_48_hours(at: &impl Place) {
    let (clock, tally) = (Clock::default(), Tally::default());
    let runtime = Runtime::new(desk(&tally))
        .journal(at.open().await)
        .clock(clock.tells());

    // A small one needs nobody.
    let run = runtime.thread("small").run(refund(12)).await.unwrap();
    assert_eq!(said(&run.finished().unwrap()), ["judged", "paid"]);

    // A large one waits, and is paid when a person says so.
    let thread = runtime.thread("approved");
    let ask = thread.run(refund(120)).await.unwrap().paused().unwrap();
    assert_eq!((&*ask.node, ask.key.as_str()), ("judge", "approve"));
    let shown = Refund {
        amount: 120,
        said: 1,
    };
    assert_eq!(ask.question.to::<Refund>().unwrap(), shown);
    assert_eq!(ask.expires_ms, Some(clock.now_ms() + 48 * 60 * 60 * 1000));
    assert_eq!(thread.status().await.unwrap(), Status::Paused(ask.clone()));
    assert_eq!(thread.asks().await.unwrap(), from_ref(&ask));
    assert_eq!(said(&thread.state().await.unwrap()), ["judged"]);
    clock.hours(47);
    let run = thread.resume(ask.id, Approval::Approved).await.unwrap();
    assert_eq!(said(&run.finished().unwrap()), ["judged", "paid"]);
    assert_eq!(
        lines(&thread.history().await.unwrap()),
        [
            "started",
            r#"judge: Judged::Due if is_large => pay, if approved: {"amount":120,"said":1}"#,
            "Approved => pay",
            "pay: _ => end",
        ]
    );

    // Refused, it goes to somebody else, who reads why.
    let thread = runtime.thread("refused");
    let ask = thread.run(refund(130)).await.unwrap().paused().unwrap();
    let no = Approval::refused("he had one last week");
    let run = thread.resume(ask.id, no).await.unwrap();
    let escalated = "escalated: he had one last week";
    assert_eq!(said(&run.finished().unwrap()), ["judged", escalated]);

    // Nobody answers.
    let thread = runtime.thread("forgotten");
    let ask = thread.run(refund(140)).await.unwrap().paused().unwrap();
    clock.hours(47);
    let open = thread.recover().await.unwrap().paused().unwrap();
    assert_eq!(open, ask, "there is an hour left");
    clock.hours(1);
    let error = thread.resume(ask.id, Approval::Approved).await.unwrap_err();
    let RunError::NotAsked { node, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(node.as_deref(), Some("judge"));
    let text = error.to_string();
    assert!(
        text.contains("expired") && text.contains("`recover`"),
        "{text}"
    );
    let run = thread.recover().await.unwrap();
    let escalated = "escalated: nobody answered in time";
    assert_eq!(said(&run.finished().unwrap()), ["judged", escalated]);
    assert_eq!(
        lines(&thread.history().await.unwrap())[2..],
        ["expired => escalate", "escalate: _ => end"]
    );
    let error = thread.resume(ask.id, Approval::Approved).await.unwrap_err();
    assert!(error.to_string().contains("it has expired"), "{error}");

    assert_eq!(
        (tally.of("judge"), tally.of("paid")),
        (4, 2),
        "nothing twice"
    );
}

#[test]
fn a_route_shows_that_it_is_approved() {
    let edge = Desk::after_judge(&refund(120), &Judged::Due);
    let route = Route::to(DeskNode::Pay)
        .approve("large_refund")
        .or_else(DeskNode::Escalate);
    assert_eq!(edge, route);
    assert_eq!(
        edge.to_string(),
        "pay(approve = large_refund, else = escalate)"
    );
    assert!(format!("{edge:?}").contains("large_refund"));
    assert_ne!(Desk::after_judge(&refund(12), &Judged::Due), edge);
    assert_eq!(Desk::MAX_HANDOFFS, 1, "whatever way it takes");
    let drawn = <Desk as AgentGraph>::topology().dot().to_string();
    assert!(
        drawn.contains(r#"label="Judged::Due\nif is_large\napprove = large_refund""#),
        "{drawn}"
    );
}

async fn the_decision_comes_from_another_machine(at: &impl Place) {
    let tally = Tally::default();
    let here = Runtime::new(desk(&tally)).journal(at.open().await);
    let ask = here.thread("t").run(refund(120)).await.unwrap();
    drop(here);
    let there = Runtime::new(desk(&tally)).journal(at.open().await);
    let ask = ask.paused().unwrap();
    let run = there.thread("t").resume(ask.id, Approval::Approved).await;
    assert_eq!(said(&run.unwrap().finished().unwrap()), ["judged", "paid"]);
    assert_eq!(tally.of("judge"), 1, "it had concluded there");
}

async fn a_decision_is_taken_once_and_one_of_a_wrong_type_leaves_all_as_it_was(at: &impl Place) {
    let journal = Counting::of(at.open().await);
    let thread = Runtime::new(desk(&Tally::default()))
        .journal(journal.clone())
        .thread("t");
    let ask = thread.run(refund(120)).await.unwrap().paused().unwrap();
    let appends = journal.appends();
    let error = thread.resume(ask.id, "yes").await.unwrap_err();
    assert!(
        matches!(&error, RunError::WrongAnswer { ask: id, node, .. }
            if *id == ask.id && node == "judge"),
        "{error:?}"
    );
    assert!(
        chain(&error).contains("unknown variant `yes`"),
        "{}",
        chain(&error)
    );
    assert_eq!(journal.appends(), appends);
    assert_eq!(thread.status().await.unwrap(), Status::Paused(ask.clone()));
    let error = thread.run(refund(1)).await.unwrap_err();
    assert!(matches!(error, RunError::Waiting { .. }), "{error}");

    let _ = thread.resume(ask.id, Approval::Approved).await.unwrap();
    let history = thread.history().await.unwrap().len();
    let error = thread.resume(ask.id, Approval::Approved).await.unwrap_err();
    assert!(error.to_string().contains("answered before"), "{error}");
    assert_eq!(thread.history().await.unwrap().len(), history);
}

#[tokio::test]
async fn what_happens_is_told() {
    let runtime = Runtime::new(desk(&Tally::default())).journal(Memory::default());
    let thread = runtime.thread("t");
    let (mut steps, mut last) = (Vec::new(), None);
    let mut events = thread.stream(refund(120));
    while let Some(event) = events.next().await {
        if let Ok(Event::Stepped { to, approval, .. }) = &event {
            steps.push((*to, approval.clone()));
        }
        last = Some(event.unwrap());
    }
    let Some(Event::Paused(ask)) = last else {
        panic!("{last:?}");
    };
    assert_eq!(steps, [(Target::Node(DeskNode::Pay), Some(ask.clone()))]);
    let mut decisions = Vec::new();
    let mut events = thread
        .resume_stream(ask.id, Approval::refused("no"))
        .unwrap();
    while let Some(event) = events.next().await {
        if let Event::Decided {
            node, approval, to, ..
        } = event.unwrap()
        {
            decisions.push((node, approval, to));
        }
    }
    let refused = Approval::refused("no");
    let to = Target::Node(DeskNode::Escalate);
    assert_eq!(decisions, [(DeskNode::Judge, refused, to)]);
}

#[tokio::test]
async fn without_a_journal_there_is_nowhere_to_wait() {
    let error = Runtime::new(desk(&Tally::default()))
        .thread("t")
        .run(refund(120))
        .await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, RunError::NoJournal { node, .. } if node == "judge"),
        "{error:?}"
    );
}

// ---- Loops.

/// Goes round, with progress or without.
struct Go {
    progress: bool,
}

#[node(Ticket)]
impl Go {
    fn run(&self, rounds: &mut u32) {
        *rounds += u32::from(self.progress);
    }
}

fn round(ticket: &Ticket) -> u32 {
    ticket.rounds
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = hub)]
struct Rounds {
    #[route(_ => work(limit = 2, approve = round, else = over))]
    hub: Go,
    #[route(_ => hub)]
    work: Say,
    #[route(_ => end)]
    over: Say,
}

fn rounds(progress: bool) -> Rounds {
    Rounds {
        hub: Go { progress },
        work: Say("worked", Tally::default()),
        over: Say("over", Tally::default()),
    }
}

/// Says these to what is asked, one after the other, and returns the state and how many were asked for.
async fn decide<G: Runnable, J: Journal>(
    thread: &Thread<G, J>,
    state: G::State,
    decisions: &[Approval],
) -> (G::State, usize) {
    let mut run = thread.run(state).await.unwrap();
    let mut asked = 0;
    loop {
        match run {
            Run::Finished(state) => return (state, asked),
            Run::Paused(ask) => {
                let decision = decisions.get(asked).expect("a question too many");
                run = thread.resume(ask.id, decision.clone()).await.unwrap();
                asked += 1;
            }
        }
    }
}

async fn once_its_limit_is_used_up_an_edge_does_not_ask(at: &impl Place) {
    let runtime = Runtime::new(rounds(true)).journal(at.open().await);
    let thread = runtime.thread("t");
    let yes = [Approval::Approved, Approval::Approved];
    let (ticket, asked) = decide(&thread, Ticket::default(), &yes).await;
    assert_eq!(said(&ticket), ["worked", "worked", "over"]);
    assert_eq!(asked, 2);
    let history = lines(&thread.history().await.unwrap());
    let last = "hub: _ => over, as its limit is used up".to_owned();
    assert!(history.contains(&last), "{history:#?}");
    assert_eq!(Rounds::MAX_HANDOFFS, 6, "as without approval");
}

async fn a_handoff_that_was_refused_does_not_count_as_taken(at: &impl Place) {
    let runtime = Runtime::new(rounds(true)).journal(at.open().await);
    let thread = runtime.thread("t");
    let no = [Approval::Approved, Approval::refused("no")];
    let (ticket, asked) = decide(&thread, Ticket::default(), &no).await;
    assert_eq!((said(&ticket), asked), (vec!["worked", "over"], 2));
    // Another run of the thread has limits of its own.
    let yes = [Approval::Approved, Approval::Approved];
    let (ticket, asked) = decide(&thread, Ticket::default(), &yes).await;
    assert_eq!(
        (said(&ticket), asked),
        (vec!["worked", "worked", "over"], 2)
    );
}

async fn nobody_is_asked_again_if_nothing_has_happened_since_the_last_time(at: &impl Place) {
    let runtime = Runtime::new(rounds(false)).journal(at.open().await);
    let thread = runtime.thread("t");
    let (ticket, asked) = decide(&thread, Ticket::default(), &[Approval::Approved]).await;
    assert_eq!((said(&ticket), asked), (vec!["worked", "over"], 1));
    let history = lines(&thread.history().await.unwrap());
    assert!(
        history
            .iter()
            .any(|line| line.contains("nothing has changed")),
        "{history:#?}"
    );
}

// ---- Several at once, in the branches of a fork.

/// A node that asks by itself.
struct Curious;

#[node(Ticket)]
impl Curious {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let answer: String = cx.ask("name", "What is your name?").await?;
        said.push(format!("hello {answer}"));
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct Fork {
    #[route(_ => all(left, middle, right) join close)]
    plan: Say,
    #[route(_ => sent(approve = large_refund, else = kept))]
    #[timeout(answer = "1h")]
    left: Say,
    #[route(_ => close)]
    sent: Say,
    #[route(_ => close)]
    kept: Escalate,
    #[route(_ => close)]
    middle: Curious,
    /// Its `else`, and where it leads, is the join and a node before it.
    #[route(_ => close(approve = round, else = kept))]
    right: Say,
    #[route(_ => end)]
    close: Say,
}

fn fork(tally: &Tally) -> Fork {
    let say = |what| Say(what, tally.clone());
    Fork {
        plan: say("planned"),
        left: say("left"),
        sent: say("sent"),
        kept: Escalate,
        middle: Curious,
        right: say("right"),
        close: say("closed"),
    }
}

async fn several_are_open_at_once_and_answered_in_any_order(at: &impl Place) {
    let clock = Clock::default();
    let runtime = Runtime::new(fork(&Tally::default()))
        .journal(at.open().await)
        .clock(clock.tells());
    for (name, order) in [
        ("0", [0, 1, 2]),
        ("1", [2, 1, 0]),
        ("2", [1, 2, 0]),
        ("3", [2, 0, 1]),
    ] {
        let thread = runtime.thread(name);
        let first = thread.run(refund(7)).await.unwrap().paused().unwrap();
        let asks = thread.asks().await.unwrap();
        let nodes: Vec<_> = asks.iter().map(|ask| ask.node.to_string()).collect();
        assert_eq!(nodes, ["left", "middle", "right"]);
        assert_eq!(first, asks[0]);
        let mut last = None;
        for (answered, place) in order.into_iter().enumerate() {
            let ask = &asks[place];
            let run = match place {
                0 => thread.resume(ask.id, Approval::Approved).await,
                1 => thread.resume(ask.id, "Ada").await,
                _ => thread.resume(ask.id, Approval::refused("no")).await,
            };
            let open = thread.asks().await.unwrap().len();
            assert_eq!(open, 2 - answered);
            let again = thread.resume(ask.id, Approval::Approved).await.unwrap_err();
            assert!(matches!(again, RunError::NotAsked { .. }), "{again}");
            last = Some(run.unwrap());
        }
        let ticket = last.unwrap().finished().unwrap();
        let all = [
            "planned",
            "left",
            "sent",
            "hello Ada",
            "right",
            "escalated: no",
            "closed",
        ];
        assert_eq!(said(&ticket), all, "{name}: in the written order");
    }
}

async fn one_of_several_expires_while_the_others_stay_open(at: &impl Place) {
    let clock = Clock::default();
    let runtime = Runtime::new(fork(&Tally::default()))
        .journal(at.open().await)
        .clock(clock.tells());
    let thread = runtime.thread("t");
    let _ = thread.run(refund(7)).await.unwrap();
    let asks = thread.asks().await.unwrap();
    clock.hours(2);
    // To answer another one is enough.
    let run = thread.resume(asks[2].id, Approval::Approved).await.unwrap();
    assert_eq!(run.paused().unwrap().id, asks[1].id);
    assert_eq!(thread.asks().await.unwrap(), asks[1..2]);
    let run = thread.resume(asks[1].id, "Ada").await.unwrap();
    let late = "escalated: nobody answered in time";
    let all = ["planned", "left", late, "hello Ada", "right", "closed"];
    assert_eq!(said(&run.finished().unwrap()), all);
}

// ---- In a graph within.

#[derive(AgentGraph)]
#[graph(state = Ticket, start = desk)]
struct House {
    #[route(_ => after)]
    desk: Desk,
    #[route(_ => end)]
    after: Say,
}

/// Another state.
#[derive(State, Clone, Debug, Default, PartialEq)]
struct Day {
    tickets: Log<String>,
}

fn open(_: &Day) -> Ticket {
    refund(500)
}

#[node(Day)]
fn close(ticket: Ticket, tickets: &mut Log<String>) {
    tickets.push(said(&ticket).join(", "));
}

#[derive(AgentGraph)]
#[graph(state = Day, start = desk)]
struct Office {
    #[route(_ => end)]
    #[subgraph(enter = open, leave = close)]
    desk: Desk,
}

async fn a_handoff_in_a_graph_within_is_approved_and_its_state_is_that_of_the_node(
    at: &impl Place,
) {
    let tally = Tally::default();
    let house = House {
        desk: desk(&tally),
        after: Say("after", tally.clone()),
    };
    let runtime = Runtime::new(house).journal(at.open().await);
    for (name, decision, then) in [
        ("yes", Approval::Approved, "paid"),
        ("no", Approval::refused("no"), "escalated: no"),
    ] {
        let thread = runtime.thread(name);
        let ask = thread.run(refund(120)).await.unwrap().paused().unwrap();
        assert_eq!(thread.asks().await.unwrap(), from_ref(&ask));
        let run = thread.resume(ask.id, decision).await.unwrap();
        assert_eq!(said(&run.finished().unwrap()), ["judged", then, "after"]);
    }
    assert_eq!((tally.of("judge"), tally.of("paid")), (2, 1));
}

async fn a_handoff_in_a_graph_over_another_state_is_approved_or_expires(at: &impl Place) {
    let clock = Clock::default();
    let office = Office {
        desk: desk(&Tally::default()),
    };
    let runtime = Runtime::new(office)
        .journal(at.open().await)
        .clock(clock.tells());
    let thread = runtime.thread("yes");
    let ask = thread.run(Day::default()).await.unwrap().paused().unwrap();
    assert_eq!(thread.status().await.unwrap(), Status::Paused(ask.clone()));
    let run = thread.resume(ask.id, Approval::Approved).await.unwrap();
    assert_eq!(run.finished().unwrap().tickets[0], "judged, paid");

    let thread = runtime.thread("late");
    let _ = thread.run(Day::default()).await.unwrap();
    clock.hours(49);
    let day = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(day.tickets[0], "judged, escalated: nobody answered in time");
}

#[tokio::test]
async fn what_is_decided_in_a_graph_within_is_told() {
    let house = House {
        desk: desk(&Tally::default()),
        after: Say("after", Tally::default()),
    };
    let runtime = Runtime::new(house).journal(Memory::default());
    let thread = runtime.thread("t");
    let ask = thread.run(refund(120)).await.unwrap().paused().unwrap();
    let mut events = thread.resume_stream(ask.id, Approval::Approved).unwrap();
    let mut decided = 0;
    while let Some(event) = events.next().await {
        if let Event::Within {
            event: Inner::Decided { node, to, .. },
            ..
        } = event.unwrap()
        {
            assert_eq!((&*node, to.as_deref()), ("judge", Some("pay")));
            decided += 1;
        }
    }
    assert_eq!(decided, 1);
}

// ---- Cut off anywhere.

/// Refuses what the right branch asks, and approves all else.
fn sensible(ask: &Ask) -> Option<serde_json::Value> {
    let answer = match &*ask.node {
        "right" => serde_json::to_value(Approval::refused("no")),
        "middle" => serde_json::to_value("Ada"),
        _ => serde_json::to_value(Approval::Approved),
    };
    answer.ok()
}

#[tokio::test]
async fn a_run_cut_off_at_any_append_comes_out_as_the_undisturbed_one() {
    cut_off_anywhere(desk, refund(120), &sensible).await;
    cut_off_anywhere(|_| rounds(true), refund(1), &sensible).await;
    cut_off_anywhere(fork, refund(1), &sensible).await;
    let silent = |ask: &Ask| sensible(ask).filter(|_| ask.node != "left" && ask.node != "judge");
    cut_off_anywhere(fork, refund(1), &silent).await;
    cut_off_anywhere(desk, refund(120), &silent).await;
    let house = |tally: &Tally| House {
        desk: desk(tally),
        after: Say("after", tally.clone()),
    };
    cut_off_anywhere(&house, refund(120), &sensible).await;
    cut_off_anywhere(&house, refund(120), &silent).await;
    let office = |tally: &Tally| Office { desk: desk(tally) };
    cut_off_anywhere(&office, Day::default(), &sensible).await;
    cut_off_anywhere(&office, Day::default(), &silent).await;
}

async fn a_decision_that_is_dropped_at_any_poll_is_taken_or_still_open(at: &impl Place) {
    let tally = Tally::default();
    let runtime = Runtime::new(desk(&tally)).journal(Yielding(at.open().await));
    let mut cases = 0;
    for polls in 0.. {
        let thread = runtime.thread(format!("poll {polls}"));
        let ask = thread.run(refund(120)).await.unwrap().paused().unwrap();
        let done = dropped_at(polls, thread.resume(ask.id, Approval::Approved)).await;
        let ticket = complete(&thread, refund(120), &sensible, || ()).await;
        let ticket = ticket.unwrap_or_else(|error| panic!("{polls}: {}", chain(&error)));
        assert_eq!(said(&ticket), ["judged", "paid"], "{polls}");
        let decisions = thread.history().await.unwrap();
        let decisions = decisions
            .iter()
            .filter(|entry| matches!(entry.event, Recorded::Decided { .. }));
        assert_eq!(decisions.count(), 1, "{polls}");
        cases += 1;
        if done.is_some() {
            break;
        }
    }
    assert!(cases > 4, "{cases}");
}

// ---- What waits is kept, wherever it is kept.

/// Forgets what led to the questions that are open, and goes on by the snapshot alone.
async fn forgets_and_goes_on<G>(at: &impl Place, graph: impl Fn() -> G, state: G::State)
where
    G: Runnable<State: PartialEq + fmt::Debug>,
{
    let runtime = Runtime::new(graph()).journal(at.open().await);
    let whole = complete(&runtime.thread("whole"), state.clone(), &sensible, || ()).await;
    let whole = whole.unwrap();
    let thread = runtime.thread("trimmed");
    let mut run = thread.run(state).await.unwrap();
    let mut asked = 0;
    while let Run::Paused(ask) = run {
        let asks = thread.asks().await.unwrap();
        thread.trim(1).await.unwrap();
        assert_eq!(thread.history().await.unwrap().len(), 1);
        let thread = Runtime::new(graph())
            .journal(at.open().await)
            .thread("trimmed");
        assert_eq!(thread.asks().await.unwrap(), asks);
        assert_eq!(thread.status().await.unwrap(), Status::Paused(ask.clone()));
        run = thread.resume(ask.id, sensible(&ask)).await.unwrap();
        asked += 1;
    }
    assert_eq!(run.finished().unwrap(), whole);
    assert!(asked > 0);
}

async fn what_waits_survives_that_all_before_it_is_trimmed(at: &impl Place) {
    let tally = Tally::default();
    forgets_and_goes_on(at, || desk(&tally), refund(120)).await;
}

async fn what_waits_in_branches_survives_that_all_before_it_is_trimmed(at: &impl Place) {
    let tally = Tally::default();
    forgets_and_goes_on(at, || fork(&tally), refund(1)).await;
}

async fn what_waits_in_a_graph_within_survives_that_all_before_it_is_trimmed(at: &impl Place) {
    let tally = Tally::default();
    let office = || Office { desk: desk(&tally) };
    forgets_and_goes_on(at, office, Day::default()).await;
}

async fn a_run_that_waits_is_given_up(at: &impl Place) {
    let runtime = Runtime::new(desk(&Tally::default())).journal(at.open().await);
    let thread = runtime.thread("t");
    let ask = thread.run(refund(120)).await.unwrap().paused().unwrap();
    thread.abandon("the customer left").await.unwrap();
    assert_eq!(thread.asks().await.unwrap(), []);
    let error = thread.resume(ask.id, Approval::Approved).await.unwrap_err();
    assert!(matches!(error, RunError::NotAsked { .. }), "{error:?}");
    let run = thread.run(refund(12)).await.unwrap();
    assert_eq!(said(&run.finished().unwrap()), ["judged", "paid"]);
}

// ---- Two at once.

/// A journal whose appends wait until they are let through, and say so.
#[derive(Clone, Debug)]
struct Gated<J> {
    kept: J,
    gate: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl<J> Gated<J> {
    fn new(kept: J) -> Self {
        Self {
            kept,
            gate: Arc::new(Semaphore::new(0)),
            waiting: Arc::new(Semaphore::new(0)),
        }
    }

    /// Waits for so many appends to wait.
    async fn waits(&self, appends: u32) {
        self.waiting.acquire_many(appends).await.unwrap().forget();
    }

    fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

#[async_trait]
impl<J: Journal> Layer for Gated<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.kept
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        self.waiting.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.kept.append(thread, head, records, durability).await
    }
}

async fn of_one_who_answers_and_one_who_finds_the_time_to_be_over_one_is_told_of_a_conflict(
    at: &impl Place,
) {
    for (name, answer_is_first) in [("answer", true), ("time", false)] {
        let clock = Clock::default();
        let (one, other) = (Gated::new(at.open().await), Gated::new(at.open().await));
        let worker = |journal: &Gated<_>| {
            Runtime::new(desk(&Tally::default()))
                .journal(journal.clone())
                .clock(clock.tells())
                .thread(name)
        };
        let (answers, expires) = (worker(&one), worker(&other));
        one.gate.add_permits(2);
        let ask = answers.run(refund(120)).await.unwrap().paused().unwrap();
        one.waits(2).await;

        // Each has read before the other writes, and whoever is done lets the other one through.
        let answer = async {
            let answer = answers.resume(ask.id, Approval::Approved).await;
            other.open();
            answer
        };
        let late = async {
            one.waits(1).await;
            clock.hours(49);
            let late = expires.recover().await;
            one.open();
            late
        };
        let first = async {
            other.waits(1).await;
            if answer_is_first {
                one.open();
            } else {
                other.open();
            }
        };
        let (answer, (late, ())) = join(answer, join(late, first)).await;
        let (won, lost, end) = if answer_is_first {
            (answer, late, "paid")
        } else {
            (late, answer, "escalated: nobody answered in time")
        };
        let ticket = won.unwrap().finished().unwrap();
        assert_eq!(said(&ticket), ["judged", end]);
        let lost = lost.unwrap_err();
        assert!(lost.is_conflict(), "{lost:?}");
        assert_eq!(answers.state().await.unwrap(), ticket);
    }
}

// ---- Questions that cannot be asked.

fn no_number(_: &Ticket) -> f64 {
    f64::NAN
}

fn panics(ticket: &Ticket) -> u32 {
    assert!(ticket.refund == 0, "no such account");
    ticket.refund
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = judge)]
struct Broken {
    #[route(
        Judged::Due if is_large => pay(approve = panics, else = end),
        _ => pay(approve = no_number, else = end),
    )]
    judge: Judge,
    #[route(_ => end)]
    pay: Say,
}

async fn a_question_that_cannot_be_made_ends_the_run_before_the_step_is_written(at: &impl Place) {
    let broken = || Broken {
        judge: Judge(Tally::default()),
        pay: Say("paid", Tally::default()),
    };
    let runtime = Runtime::new(broken()).journal(at.open().await);
    let thread = runtime.thread("panics");
    let error = thread.run(refund(120)).await.unwrap_err();
    assert!(
        matches!(&error, RunError::Panicked { message, .. } if message == "no such account"),
        "{error:?}"
    );
    assert_eq!(said(&thread.state().await.unwrap()), [""; 0]);
    let status = thread.status().await.unwrap();
    assert!(
        matches!(&status, Status::Failed { node, .. } if *node == BrokenNode::Judge),
        "{status:?}"
    );

    let thread = runtime.thread("cannot be kept");
    let error = thread.run(refund(12)).await.unwrap_err();
    let text = chain(&error);
    assert!(matches!(error, RunError::Encode { .. }), "{text}");
    for part in ["the question whether a handoff may be", "`judge`"] {
        assert!(text.contains(part), "{text}");
    }
}

// ---- The same graph, built.

#[tokio::test]
async fn a_built_graph_asks_the_same_and_goes_on_with_the_journal_of_a_derived_one() {
    let tally = Tally::default();
    let judge = Judge(tally.clone());
    let built = |approve: &str| {
        let pay = To::node("pay").approve(approve).or_else("escalate");
        let shown = |on: On, text: &str| on.shown(text);
        GraphBuilder::new("Desk")
            .node("judge", judge.clone())
            .node("pay", Say("paid", tally.clone()))
            .node("escalate", Escalate)
            .guard("is_large", is_large)
            .question("large_refund", large_refund)
            .start("judge")
            .route(
                "judge",
                shown(On::outcome("Due").when("is_large"), "Judged::Due"),
                pay,
            )
            .route(
                "judge",
                shown(On::outcome("Due"), "Judged::Due"),
                To::node("pay"),
            )
            .route(
                "judge",
                shown(On::outcome("NotDue"), "Judged::NotDue"),
                To::end(),
            )
            .route("pay", "_", To::end())
            .route("escalate", "_", To::end())
            .policy(
                "judge",
                Policy::new().answer(std::time::Duration::from_hours(48)),
            )
            .build()
    };
    let graph = built("large_refund").unwrap();
    assert_eq!(graph.topology(), &<Desk as AgentGraph>::topology());
    let edge = graph.after("judge", "Due", &refund(120)).unwrap();
    assert_eq!(edge.approval(), Some("large_refund"));

    let disk = Memory::default();
    let derived = Runtime::new(desk(&tally)).journal(disk.clone());
    let ask = derived.thread("t").run(refund(120)).await.unwrap();
    let thread = Runtime::new(graph).journal(disk).thread("t");
    let ask = ask.paused().unwrap();
    assert_eq!(thread.asks().await.unwrap(), from_ref(&ask));
    let run = thread.resume(ask.id, Approval::Approved).await.unwrap();
    assert_eq!(said(&run.finished().unwrap()), ["judged", "paid"]);

    let (steps, last) = drain(thread.stream(refund(120))).await;
    assert_eq!(steps, ["judge: Judged::Due if is_large => pay"]);
    let Some(Ok(Event::Paused(asked))) = last else {
        panic!("{last:?}");
    };
    assert_eq!(asked.question, ask.question);

    let error = built("large_refnd").unwrap_err().to_string();
    let text = "H011: no question is named `large_refnd`\n  help: did you mean `large_refund`?";
    assert!(error.contains(text), "{error}");
}

#[test]
fn what_is_no_handoff_to_a_node_is_not_built() {
    let tally = Tally::default();
    let errors = GraphBuilder::<Ticket>::new("Desk")
        .node("judge", Judge(tally.clone()))
        .node("pay", Say("paid", tally.clone()))
        .node("thank", Say("thanks", tally))
        .question("refund", large_refund)
        .question("refund", large_refund)
        .start("judge")
        .route("judge", "Due", To::node("pay").approve("refund"))
        .route("judge", "_", To::end().approve("refund").or_end())
        .route(
            "pay",
            "_",
            To::all(["thank"], "judge")
                .approve("refund")
                .limit(1)
                .or_end(),
        )
        .on_error("judge", To::node("pay").approve("refund").or_end())
        .on_error("pay", To::back().approve("refund").limit(1).or_end())
        .route("thank", "_", To::node("judge"))
        .build()
        .unwrap_err();
    let text = errors.to_string();
    assert_eq!(
        text.matches("only a handoff to a node can be approved")
            .count(),
        4,
        "{text}"
    );
    assert_eq!(
        text.matches("a refused handoff would have nowhere to go")
            .count(),
        1,
        "{text}"
    );
    assert_eq!(
        text.matches("two questions are named `refund`").count(),
        1,
        "{text}"
    );
    assert_eq!(errors.iter().count(), 6, "{text}");
}

on_every_journal! {
    a_refund_over_100_waits_for_approval_and_is_escalated_after_48_hours
    the_decision_comes_from_another_machine
    a_decision_is_taken_once_and_one_of_a_wrong_type_leaves_all_as_it_was
    once_its_limit_is_used_up_an_edge_does_not_ask
    a_handoff_that_was_refused_does_not_count_as_taken
    nobody_is_asked_again_if_nothing_has_happened_since_the_last_time
    several_are_open_at_once_and_answered_in_any_order
    one_of_several_expires_while_the_others_stay_open
    a_handoff_in_a_graph_within_is_approved_and_its_state_is_that_of_the_node
    a_handoff_in_a_graph_over_another_state_is_approved_or_expires
    a_decision_that_is_dropped_at_any_poll_is_taken_or_still_open
    what_waits_survives_that_all_before_it_is_trimmed
    what_waits_in_branches_survives_that_all_before_it_is_trimmed
    what_waits_in_a_graph_within_survives_that_all_before_it_is_trimmed
    a_run_that_waits_is_given_up
    of_one_who_answers_and_one_who_finds_the_time_to_be_over_one_is_told_of_a_conflict
    a_question_that_cannot_be_made_ends_the_run_before_the_step_is_written
}
