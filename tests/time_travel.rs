//! A thread as it was, other ways on from there, and what is done to it from outside.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use common::{Place, Tally, chain, lines, path};
use handoffs::prelude::*;
use handoffs::{
    Approval, Durability, Entry, Hash, Head, Journal, JournalError, NodeError, Record, Recorded,
    RunError, Runnable, Thread, ThreadId, copy_thread,
};

// ---- Nodes that count how often they are executed.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Trip {
    said: Log<String>,
    laps: u32,
    note: Option<String>,
}

fn said(trip: &Trip) -> Vec<&str> {
    trip.said.iter().map(String::as_str).collect()
}

/// What the nodes of a test share: how often each was executed, and which of them fail.
#[derive(Clone, Debug, Default)]
struct Desk {
    tally: Tally,
    broken: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Desk {
    fn breaks(self, node: &'static str) -> Self {
        self.broken.lock().unwrap().insert(node);
        self
    }

    fn mend(&self) {
        self.broken.lock().unwrap().clear();
    }

    fn visit(&self, cx: &Context<'_>) -> Result<String, NodeError> {
        self.tally.count(cx.node());
        if self.broken.lock().unwrap().contains(cx.node()) {
            return Err(NodeError::new(io::Error::other("out of order")));
        }
        Ok(cx.node().to_owned())
    }

    fn calls(&self, nodes: &[(&str, u32)]) {
        let calls = nodes
            .iter()
            .map(|(node, calls)| ((*node).to_owned(), *calls));
        assert_eq!(self.tally.all(), calls.collect::<BTreeMap<_, _>>());
    }
}

/// Says its name.
struct Say(Desk);

#[node(Trip)]
impl Say {
    fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        said.push(self.0.visit(cx)?);
        Ok(())
    }
}

/// Asks twice, and says both answers.
struct Interview(Desk);

#[node(Trip)]
impl Interview {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        self.0.visit(cx)?;
        let first: String = cx.ask("i1", "Where to?").await?;
        self.0.tally.count("between");
        let second: String = cx.ask("i2", "And back?").await?;
        said.push(format!("i1:{first}"));
        said.push(format!("i2:{second}"));
        Ok(())
    }
}

/// Asks once.
struct Ask(Desk);

#[node(Trip)]
impl Ask {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let name = self.0.visit(cx)?;
        let answer: String = cx.ask("go", &format!("{name}?")).await?;
        said.push(format!("{name}:{answer}"));
        Ok(())
    }
}

// ---- The graphs.

#[derive(AgentGraph)]
#[graph(state = Trip, start = a)]
struct Row {
    #[route(_ => b)]
    a: Say,
    #[route(_ => c)]
    b: Say,
    #[route(_ => end)]
    c: Say,
}

fn row(desk: &Desk) -> Row {
    let say = || Say(desk.clone());
    Row {
        a: say(),
        b: say(),
        c: say(),
    }
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = a)]
struct Talk {
    #[route(_ => person)]
    a: Say,
    #[route(_ => b)]
    person: Interview,
    #[route(_ => end)]
    b: Say,
}

fn talk(desk: &Desk) -> Talk {
    Talk {
        a: Say(desk.clone()),
        person: Interview(desk.clone()),
        b: Say(desk.clone()),
    }
}

/// A branch of two asks.
#[derive(AgentGraph)]
#[graph(state = Trip, start = fan)]
struct Fork {
    #[route(_ => all(left, right) join both)]
    fan: Say,
    #[route(_ => both)]
    left: Say,
    #[route(_ => both)]
    right: Ask,
    #[route(_ => end)]
    both: Say,
}

fn forked(desk: &Desk) -> Fork {
    let say = || Say(desk.clone());
    Fork {
        fan: say(),
        left: say(),
        right: Ask(desk.clone()),
        both: say(),
    }
}

/// A graph within asks.
#[derive(AgentGraph)]
#[graph(state = Trip, start = first)]
struct Within {
    #[route(_ => trip)]
    first: Say,
    #[route(_ => last)]
    trip: Talk,
    #[route(_ => end)]
    last: Say,
}

fn within(desk: &Desk) -> Within {
    Within {
        first: Say(desk.clone()),
        trip: talk(desk),
        last: Say(desk.clone()),
    }
}

#[derive(Outcome)]
enum Lap {
    More,
    Done,
}

/// Hands over if somebody approves it.
#[derive(AgentGraph)]
#[graph(state = Trip, start = a)]
struct Approved {
    #[route(_ => b(approve = far, else = c))]
    a: Say,
    #[route(_ => c)]
    b: Say,
    #[route(_ => end)]
    c: Say,
}

fn far(trip: &Trip) -> usize {
    trip.said.len()
}

fn approved(desk: &Desk) -> Approved {
    let say = || Say(desk.clone());
    Approved {
        a: say(),
        b: say(),
        c: say(),
    }
}

/// Goes round until it has done so six times.
struct Round(Desk);

#[node(Trip)]
impl Round {
    fn run(&self, laps: &mut u32, cx: &mut Context<'_>) -> Result<Lap, NodeError> {
        self.0.visit(cx)?;
        *laps += 1;
        Ok(if *laps < 6 { Lap::More } else { Lap::Done })
    }
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = round)]
struct Loop {
    #[route(Lap::More => round(limit = 100), Lap::Done => end)]
    round: Round,
}

/// Goes round as long as there is a reason.
struct Wait(Desk);

#[node(Trip)]
impl Wait {
    fn run(&self, note: &Option<String>, cx: &mut Context<'_>) -> Result<Lap, NodeError> {
        self.0.visit(cx)?;
        Ok(if note.as_deref() == Some("go") {
            Lap::Done
        } else {
            Lap::More
        })
    }
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = wait)]
struct Waiting {
    #[route(Lap::More => ask(limit = 100, else = stuck), Lap::Done => end)]
    wait: Wait,
    #[route(_ => wait)]
    ask: Pass,
    #[route(_ => end)]
    stuck: Say,
}

/// Fails if it is told to, and changes nothing.
struct Pass(Desk);

#[node(Trip)]
impl Pass {
    fn run(&self, cx: &mut Context<'_>) -> Result<(), NodeError> {
        self.0.visit(cx).map(drop)
    }
}

// ---- What the tests look at.

async fn thread<G: Runnable, P: Place>(graph: G, at: &P) -> Thread<G, P::Journal> {
    Runtime::new(graph).journal(at.open().await).thread("t")
}

/// Returns the number of the entry that is this line.
async fn entry<G: Runnable, J: Journal>(thread: &Thread<G, J>, line: &str) -> u64 {
    let history = thread.history().await.unwrap();
    let place = lines(&history).iter().position(|other| other == line);
    let place = place.unwrap_or_else(|| panic!("no `{line}` in {:#?}", lines(&history)));
    history[place].seq
}

async fn records(at: &impl Place, thread: &str) -> Vec<Record> {
    at.open().await.read(&thread.into(), 0).await.unwrap()
}

fn finished(run: Run<Trip>) -> Trip {
    match run {
        Run::Finished(trip) => trip,
        Run::Paused(ask) => panic!("it asks {ask:?}"),
    }
}

fn paused(run: Run<Trip>) -> handoffs::Ask {
    match run {
        Run::Paused(ask) => ask,
        Run::Finished(trip) => panic!("it is finished: {trip:?}"),
    }
}

// ---- As it was.

async fn the_state_is_told_as_it_was_after_each_entry(at: &impl Place) {
    let row = thread(row(&Desk::default()), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    row.edit("more", |trip| trip.laps = 7).await.unwrap();
    let mut then = Vec::new();
    for seq in 1..=5 {
        let trip = row.state_at(seq).await.unwrap();
        then.push((said(&trip).join(" "), trip.laps));
    }
    let expected = [("", 0), ("a", 0), ("a b", 0), ("a b c", 0), ("a b c", 7)];
    let expected = expected.map(|(said, laps)| (said.to_owned(), laps));
    assert_eq!(then, expected);
    assert_eq!(row.state_at(5).await.unwrap(), row.state().await.unwrap());
}

async fn while_branches_are_under_way_the_state_is_that_with_which_they_began(at: &impl Place) {
    let fork = thread(forked(&Desk::default()), at).await;
    let ask = paused(fork.run(Trip::default()).await.unwrap());
    finished(fork.resume(ask.id, "yes").await.unwrap());
    let forked = entry(&fork, "fan: _ => 2 branches").await;
    let joined = entry(&fork, "joined at both").await;
    for seq in forked..joined {
        assert_eq!(said(&fork.state_at(seq).await.unwrap()), ["fan"], "{seq}");
    }
    let trip = fork.state_at(joined).await.unwrap();
    assert_eq!(said(&trip), ["fan", "left", "right:yes"]);
}

async fn an_entry_that_is_not_there_is_refused(at: &impl Place) {
    let row = thread(row(&Desk::default()), at).await;
    for error in [
        row.state_at(1).await.map(drop),
        row.fork(1, "u").await.map(drop),
        row.replay(1, "u").await.map(drop),
        row.edit("none", |_| ()).await.map(drop),
        row.abandon("none").await,
    ] {
        let error = error.unwrap_err();
        assert!(matches!(error, RunError::UnknownThread { .. }), "{error}");
    }
    finished(row.run(Trip::default()).await.unwrap());
    for seq in [0, 5, u64::MAX] {
        for error in [
            row.state_at(seq).await.map(drop),
            row.fork(seq, "u").await.map(drop),
        ] {
            let error = error.unwrap_err();
            let RunError::NoEntry {
                seq: named, last, ..
            } = error
            else {
                panic!("{error}");
            };
            assert_eq!((named, last), (seq, 4));
        }
    }
    assert_eq!(records(at, "u").await, []);
}

// ---- Replays and forks.

async fn a_replay_runs_what_came_after_the_entry_and_nothing_else(at: &impl Place) {
    let desk = Desk::default();
    let row = thread(row(&desk), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    desk.tally.clear();
    let before_b = entry(&row, "a: _ => b").await;
    let trip = finished(row.replay(before_b, "u").await.unwrap());
    assert_eq!(said(&trip), ["a", "b", "c"]);
    desk.calls(&[("b", 1), ("c", 1)]);
    assert_eq!(path(&row.history().await.unwrap()), ["a", "b", "c"]);

    desk.tally.clear();
    let trip = finished(row.replay(4, "v").await.unwrap());
    assert_eq!(said(&trip), ["a", "b", "c"]);
    desk.calls(&[]);

    let trip = finished(row.replay(1, "w").await.unwrap());
    assert_eq!(said(&trip), ["a", "b", "c"]);
    desk.calls(&[("a", 1), ("b", 1), ("c", 1)]);
}

async fn a_fork_goes_on_from_an_edited_state_and_forks_do_not_see_each_other(at: &impl Place) {
    let desk = Desk::default();
    let row = thread(row(&desk), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    let kept = records(at, "t").await;
    let before_b = entry(&row, "a: _ => b").await;
    let mut ends = Vec::new();
    for (id, word) in [("u", "x"), ("v", "y")] {
        let fork = row.fork(before_b, id).await.unwrap();
        assert_eq!(fork.id().as_str(), id);
        let edited = fork.edit("what if", |trip| trip.said.push(word.to_owned()));
        assert_eq!(said(&edited.await.unwrap()), ["a", word]);
        let trip = finished(fork.recover().await.unwrap());
        ends.push(said(&trip).join(" "));
    }
    assert_eq!(ends, ["a x b c", "a y b c"]);
    assert_eq!(said(&row.state().await.unwrap()), ["a", "b", "c"]);
    assert_eq!(records(at, "t").await, kept, "byte for byte");
    desk.calls(&[("a", 1), ("b", 3), ("c", 3)]);
}

async fn behind_a_join_only_what_follows_it_runs_from_what_was_edited(at: &impl Place) {
    let desk = Desk::default();
    let fork = thread(forked(&desk), at).await;
    let ask = paused(fork.run(Trip::default()).await.unwrap());
    finished(fork.resume(ask.id, "yes").await.unwrap());
    desk.tally.clear();
    let joined = entry(&fork, "joined at both").await;
    let again = fork.fork(joined, "u").await.unwrap();
    let edited = again.edit("one more", |trip| trip.said.push("doc5".to_owned()));
    edited.await.unwrap();
    let trip = finished(again.recover().await.unwrap());
    assert_eq!(said(&trip), ["fan", "left", "right:yes", "doc5", "both"]);
    desk.calls(&[("both", 1)]);
}

async fn a_fork_says_from_where_it_is_and_is_a_thread_as_any_other(at: &impl Place) {
    let row = thread(row(&Desk::default()), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    let fork = row.fork(3, "u").await.unwrap();
    assert_eq!(fork.status().await.unwrap(), Status::Unfinished(RowNode::C));
    let history = fork.history().await.unwrap();
    let Recorded::Copied { from, head, .. } = &history[3].event else {
        panic!("{:?}", history[3]);
    };
    assert_eq!(from.as_str(), "t");
    row.verify(*head).await.unwrap();
    assert_eq!(head.seq, 3);
    let end = fork.verify(None).await.unwrap();
    assert_eq!(end.seq, 4);

    let again = fork.fork(end.seq, "v").await.unwrap();
    finished(again.recover().await.unwrap());
    again.verify(None).await.unwrap();
    assert_eq!(path(&again.history().await.unwrap()), ["a", "b", "c"]);
    finished(again.run(Trip::default()).await.unwrap());
}

async fn a_fork_takes_no_name_that_is_taken(at: &impl Place) {
    let desk = Desk::default();
    let row = thread(row(&desk), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    row.fork(2, "u").await.unwrap();
    let kept = records(at, "u").await;
    for id in ["u", "t"] {
        let error = row.fork(2, id).await.map(drop).unwrap_err();
        assert!(
            matches!(&error, RunError::Exists { thread, .. } if thread.as_str() == id),
            "{error}"
        );
        assert!(row.replay(2, id).await.is_err());
    }
    assert_eq!(records(at, "u").await, kept);
    desk.calls(&[("a", 1), ("b", 1), ("c", 1)]);
}

async fn a_replay_from_before_a_question_asks_it_again(at: &impl Place) {
    let desk = Desk::default();
    let talk = thread(talk(&desk), at).await;
    let first = paused(talk.run(Trip::default()).await.unwrap());
    let second = paused(talk.resume(first.id, "Rome").await.unwrap());
    finished(talk.resume(second.id, "never").await.unwrap());
    desk.calls(&[("a", 1), ("person", 3), ("between", 2), ("b", 1)]);

    let before = entry(&talk, "a: _ => person").await;
    let ask = paused(talk.replay(before, "u").await.unwrap());
    assert_eq!((&*ask.key, ask.question.as_str()), ("i1", "\"Where to?\""));
    desk.calls(&[("a", 1), ("person", 4), ("between", 2), ("b", 1)]);
}

async fn a_fork_between_two_questions_asks_only_the_second_again(at: &impl Place) {
    let desk = Desk::default();
    let talk = thread(talk(&desk), at).await;
    let first = paused(talk.run(Trip::default()).await.unwrap());
    let second = paused(talk.resume(first.id, "ans1").await.unwrap());
    finished(talk.resume(second.id, "ans2").await.unwrap());
    let answered = entry(&talk, "answered \"ans1\"").await;

    desk.tally.clear();
    let fork = talk.fork(answered, "u").await.unwrap();
    let again = paused(fork.recover().await.unwrap());
    assert_eq!(&*again.key, "i2");
    let trip = finished(fork.resume(again.id, "new_b").await.unwrap());
    assert_eq!(said(&trip), ["a", "i1:ans1", "i2:new_b", "b"]);
    desk.calls(&[("person", 2), ("between", 2), ("b", 1)]);

    // At the question itself, it is open under its number.
    let fork = talk.fork(second.id.get(), "v").await.unwrap();
    assert_eq!(fork.status().await.unwrap(), Status::Paused(second.clone()));
    let trip = finished(fork.resume(second.id, "later").await.unwrap());
    assert_eq!(said(&trip), ["a", "i1:ans1", "i2:later", "b"]);
    let trip = talk.state().await.unwrap();
    assert_eq!(said(&trip), ["a", "i1:ans1", "i2:ans2", "b"]);
}

async fn a_handoff_that_was_approved_can_be_refused_in_a_fork(at: &impl Place) {
    let desk = Desk::default();
    let approved = thread(approved(&desk), at).await;
    let ask = paused(approved.run(Trip::default()).await.unwrap());
    let edited = approved.edit("while we wait", |trip| trip.laps = 7).await;
    assert_eq!(edited.unwrap().laps, 7);
    let run = approved.resume(ask.id, Approval::Approved).await.unwrap();
    assert_eq!(said(&finished(run)), ["a", "b", "c"]);

    let fork = approved.fork(ask.id.get(), "u").await.unwrap();
    assert_eq!(fork.asks().await.unwrap(), std::slice::from_ref(&ask));
    let refused = Approval::Refused("too far".to_owned());
    let trip = finished(fork.resume(ask.id, refused).await.unwrap());
    assert_eq!((said(&trip), trip.laps), (vec!["a", "c"], 0));
    desk.calls(&[("a", 1), ("b", 1), ("c", 2)]);

    let fork = approved.fork(ask.id.get() + 1, "v").await.unwrap();
    fork.abandon("not now").await.unwrap();
    assert_eq!(fork.asks().await.unwrap(), []);
    let error = fork.resume(ask.id, Approval::Approved).await.unwrap_err();
    assert!(matches!(error, RunError::NotAsked { .. }), "{error}");
    let trip = fork.state().await.unwrap();
    assert_eq!((said(&trip), trip.laps), (vec!["a"], 7));
}

async fn forks_from_every_entry_of_a_loop_run_the_rest_of_it(at: &impl Place) {
    let desk = Desk::default();
    let round = Loop {
        round: Round(desk.clone()),
    };
    let round = thread(round, at).await;
    finished(round.run(Trip::default()).await.unwrap());
    desk.calls(&[("round", 6)]);
    for (seq, left) in (1..=7).zip((0..=6).rev()) {
        desk.tally.clear();
        let id = format!("u{seq}");
        let trip = finished(round.replay(seq, &id).await.unwrap());
        assert_eq!(trip.laps, 6, "from {seq}");
        assert_eq!(desk.tally.of("round"), left, "from {seq}");

        // And with a lap taken back, one more.
        desk.tally.clear();
        let fork = round.fork(seq, format!("v{seq}")).await.unwrap();
        fork.edit("once more", |trip| trip.laps = trip.laps.saturating_sub(1))
            .await
            .unwrap();
        let trip = finished(fork.recover().await.unwrap());
        if seq == 7 {
            assert_eq!((trip.laps, desk.tally.of("round")), (5, 0), "it is over");
        } else {
            let more = u32::from(seq > 1);
            assert_eq!((trip.laps, desk.tally.of("round")), (6, left + more));
        }
    }
}

async fn each_prefix_of_a_thread_is_one(at: &impl Place) {
    let fork = Runtime::new(forked(&Desk::default())).journal(at.open().await);
    each_prefix(&fork).await;
}

async fn so_is_each_prefix_where_a_graph_is_within(at: &impl Place) {
    let within = Runtime::new(within(&Desk::default())).journal(at.open().await);
    each_prefix(&within).await;
}

async fn each_prefix<G, J>(runtime: &Runtime<G, J>)
where
    G: Runnable<State = Trip>,
    J: Journal,
{
    let whole = runtime.thread("t");
    let run = whole.run(Trip::default()).await.unwrap();
    let end = to_the_end(&whole, run).await;
    let head = whole.verify(None).await.unwrap().seq;
    for seq in 1..=head {
        let fork = whole.fork(seq, format!("u{seq}")).await.unwrap();
        let then = fork.state().await.unwrap();
        assert_eq!(then, whole.state_at(seq).await.unwrap(), "at {seq}");
        let run = fork.recover().await.unwrap();
        assert_eq!(to_the_end(&fork, run).await, end, "from {seq}");
        fork.verify(None).await.unwrap();
    }
}

/// Answers all questions with yes.
async fn to_the_end<G, J>(thread: &Thread<G, J>, mut run: Run<Trip>) -> Trip
where
    G: Runnable<State = Trip>,
    J: Journal,
{
    loop {
        match run {
            Run::Finished(trip) => return trip,
            Run::Paused(ask) => run = thread.resume(ask.id, "yes").await.unwrap(),
        }
    }
}

// ---- Edits.

async fn an_edit_is_an_entry_that_says_what_was_changed_and_why(at: &impl Place) {
    let row = thread(row(&Desk::default()), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    let kept = records(at, "t").await;
    let edited = row.edit("a typo", |trip| {
        trip.said.push("and d".to_owned());
        trip.note = Some("updated".to_owned());
    });
    edited.await.unwrap();
    let edited = row.edit("and another", |trip| trip.said = Log::default());
    edited.await.unwrap();

    let now = records(at, "t").await;
    assert_eq!(now[..kept.len()], kept, "what was written stays");
    let history = row.history().await.unwrap();
    let edits = history.iter().filter_map(edit_of).collect::<Vec<_>>();
    assert_eq!(
        edits,
        [
            r#"a typo: {"said":{"append":["and d"]},"note":{"set":"updated"}}"#,
            r#"and another: {"said":{"set":[]}}"#,
        ]
    );
    let trip = row.state().await.unwrap();
    assert_eq!(
        (said(&trip), trip.note.as_deref()),
        (vec![], Some("updated"))
    );
    assert_eq!(row.status().await.unwrap(), Status::Finished);
    row.verify(None).await.unwrap();
}

fn edit_of(entry: &Entry) -> Option<String> {
    match &entry.event {
        Recorded::Edited { writes, why, .. } => {
            Some(format!("{why}: {}", serde_json::to_string(writes).unwrap()))
        }
        _ => None,
    }
}

async fn a_failed_run_goes_on_from_what_was_mended(at: &impl Place) {
    let desk = Desk::default().breaks("b");
    let row = thread(row(&desk), at).await;
    row.run(Trip::default()).await.unwrap_err();
    row.edit("mended", |trip| trip.said.push("x".to_owned()))
        .await
        .unwrap();
    let status = row.status().await.unwrap();
    assert!(matches!(status, Status::Failed { .. }), "{status:?}");
    desk.mend();
    let trip = finished(row.recover().await.unwrap());
    assert_eq!(said(&trip), ["a", "x", "b", "c"]);
    assert_eq!(row.state().await.unwrap(), trip);
}

async fn a_question_stays_open_while_the_state_is_edited(at: &impl Place) {
    let desk = Desk::default();
    let talk = thread(talk(&desk), at).await;
    let first = paused(talk.run(Trip::default()).await.unwrap());
    talk.edit("while we wait", |trip| trip.said.push("x".to_owned()))
        .await
        .unwrap();
    assert_eq!(talk.status().await.unwrap(), Status::Paused(first.clone()));
    let second = paused(talk.resume(first.id, "1").await.unwrap());
    talk.edit("and again", |trip| trip.said.push("y".to_owned()))
        .await
        .unwrap();
    let trip = finished(talk.resume(second.id, "2").await.unwrap());
    assert_eq!(said(&trip), ["a", "x", "y", "i1:1", "i2:2", "b"]);
    assert_eq!(talk.state().await.unwrap(), trip);
}

async fn an_edit_is_news_to_a_loop(at: &impl Place) {
    // The node in the middle fails at its second visit, so that the run stands in the middle of a loop.
    for edited in [false, true] {
        let desk = Desk::default();
        let waiting = Waiting {
            wait: Wait(desk.clone()),
            ask: Pass(desk.clone()),
            stuck: Say(desk.clone()),
        };
        let id = format!("t{edited}");
        let runtime = Runtime::new(waiting).journal(at.open().await);
        let waiting = runtime.thread(&id);
        let desk = desk.breaks("ask");
        waiting.run(Trip::default()).await.unwrap_err();
        desk.mend();
        if edited {
            // Nothing has changed, but somebody has looked at it.
            waiting.edit("go on", |_| ()).await.unwrap();
        }
        finished(waiting.recover().await.unwrap());
        let went = path(&waiting.history().await.unwrap()).join(" ");
        let expected = if edited {
            "wait ask wait ask wait stuck"
        } else {
            "wait ask wait stuck"
        };
        assert_eq!(went, expected);
        assert_eq!(waiting.state().await.unwrap().said.len(), 1);
    }
}

async fn of_a_thread_that_is_over_the_next_run_differs_from_what_was_edited(at: &impl Place) {
    let row = thread(row(&Desk::default()), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    row.edit("cleared", |trip| *trip = Trip::default())
        .await
        .unwrap();
    assert_eq!(row.state().await.unwrap(), Trip::default());
    let trip = finished(row.run(Trip::default()).await.unwrap());
    assert_eq!(said(&trip), ["a", "b", "c"]);
    assert_eq!(row.state().await.unwrap(), trip);
}

async fn nobody_edits_what_branches_or_a_graph_within_are_at_work_on(at: &impl Place) {
    let fork = thread(forked(&Desk::default()), at).await;
    let ask = paused(fork.run(Trip::default()).await.unwrap());
    let error = fork.edit("now", |trip| trip.laps = 1).await.unwrap_err();
    assert!(matches!(error, RunError::NotEditable { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "thread `t` cannot be edited at node `fan`: the branches that it forked into have not joined; \
         let the run go on until that is over, or abandon it"
    );
    finished(fork.resume(ask.id, "yes").await.unwrap());
    fork.edit("now", |trip| trip.laps = 1).await.unwrap();

    let desk = Desk::default().breaks("first");
    let runtime = Runtime::new(within(&desk)).journal(at.open().await);
    let within = runtime.thread("u");
    within.run(Trip::default()).await.unwrap_err();
    within
        .edit("before it", |trip| trip.laps = 1)
        .await
        .unwrap();
    desk.mend();
    let ask = paused(within.recover().await.unwrap());
    let error = within.edit("now", |trip| trip.laps = 2).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "thread `u` cannot be edited at node `trip`: the graph that it is has begun; \
         let the run go on until that is over, or abandon it"
    );
    let ask = paused(within.resume(ask.id, "1").await.unwrap());
    let trip = finished(within.resume(ask.id, "2").await.unwrap());
    assert_eq!(trip.laps, 1);
}

async fn who_does_it_is_written_down_and_how_many_questions_are_open(at: &impl Place) {
    let talk = thread(talk(&Desk::default()), at).await.by("ada");
    let ask = paused(talk.run(Trip::default()).await.unwrap());
    talk.edit("why not", |trip| trip.laps = 1).await.unwrap();
    let fork = talk.fork(ask.id.get(), "u").await.unwrap();
    fork.abandon("no reason").await.unwrap();
    paused(fork.run(Trip::default()).await.unwrap());
    let told = |entry: &Entry| (entry.by.as_deref() == Some("ada"), entry.open);
    let history = talk.history().await.unwrap();
    let open: Vec<_> = history.iter().map(told).collect();
    assert_eq!(open, [(true, 0), (true, 0), (true, 1), (true, 1)]);
    // Three were copied; then it was said so, given up, and run again.
    let history = fork.history().await.unwrap();
    let open: Vec<_> = history[3..].iter().map(told).collect();
    let expected = [(true, 1), (true, 0), (true, 0), (true, 0), (true, 1)];
    assert_eq!(open, expected);
}

async fn of_two_who_edit_at_once_one_loses_and_nothing_is_lost(at: &impl Place) {
    let row = thread(row(&Desk::default()), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    let second = row.clone();
    let first = row.edit("slow", |trip| trip.laps += 1);
    let second = second.edit("fast", |trip| trip.laps += 10);
    let (one, other) = futures::future::join(first, second).await;
    let laps = row.state().await.unwrap().laps;
    match (one, other) {
        (Ok(_), Ok(_)) => assert_eq!(laps, 11, "one after the other"),
        (Ok(_), Err(lost)) => assert!(lost.is_conflict() && laps == 1, "{lost}"),
        (Err(lost), Ok(_)) => assert!(lost.is_conflict() && laps == 10, "{lost}"),
        (Err(one), Err(other)) => panic!("{one}, {other}"),
    }
}

async fn a_run_that_is_edited_while_it_is_at_work_stops_with_a_conflict(at: &impl Place) {
    let desk = Desk::default();
    let talk = thread(talk(&desk), at).await;
    let ask = paused(talk.run(Trip::default()).await.unwrap());
    // The one reads the thread, then the other edits it.
    let mut events = talk.resume_stream(ask.id, "Rome").unwrap();
    let entered = futures::StreamExt::next(&mut events)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(entered, Event::Entered { .. }));
    talk.edit("meanwhile", |trip| trip.laps = 3).await.unwrap();
    let (_, last) = common::drain(events).await;
    let error = last.unwrap().map(drop).unwrap_err();
    assert!(error.is_conflict(), "{error}");
    let trip = talk.state().await.unwrap();
    assert_eq!(trip.laps, 3);
    assert_eq!(talk.asks().await.unwrap(), [ask]);
}

async fn a_graph_within_that_only_a_snapshot_tells_of_has_begun(at: &impl Place) {
    let within = thread(within(&Desk::default()), at).await;
    let ask = paused(within.run(Trip::default()).await.unwrap());
    let head = within.verify(None).await.unwrap();
    let base = within.trim(1).await.unwrap();
    assert_eq!(base.seq, head.seq - 1);
    let error = within.edit("now", |trip| trip.laps = 2).await.unwrap_err();
    assert!(matches!(error, RunError::NotEditable { .. }), "{error}");
    let ask = paused(within.resume(ask.id, "1").await.unwrap());
    let trip = finished(within.resume(ask.id, "2").await.unwrap());
    assert_eq!(said(&trip), ["first", "a", "i1:1", "i2:2", "b", "last"]);
    within.edit("over", |trip| trip.laps = 2).await.unwrap();
    assert_eq!(within.state().await.unwrap().laps, 2);
}

async fn what_was_trimmed_is_gone_and_what_came_after_is_told(at: &impl Place) {
    let row = thread(row(&Desk::default()), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    row.trim(2).await.unwrap();
    for word in ["x", "y"] {
        row.edit("more", |trip| trip.said.push(word.to_owned()))
            .await
            .unwrap();
    }
    for seq in [1, 2] {
        let error = row.state_at(seq).await.unwrap_err();
        assert!(matches!(error, RunError::Trimmed { .. }), "{error}");
    }
    assert_eq!(said(&row.state_at(3).await.unwrap()), ["a", "b"]);
    assert_eq!(said(&row.state_at(4).await.unwrap()), ["a", "b", "c"]);
    assert_eq!(said(&row.state_at(5).await.unwrap()), ["a", "b", "c", "x"]);
    assert_eq!(row.state_at(6).await.unwrap(), row.state().await.unwrap());
    // Again, and with less of it.
    row.trim(3).await.unwrap();
    assert!(row.state_at(3).await.is_err());
    assert_eq!(said(&row.state_at(4).await.unwrap()), ["a", "b", "c"]);
    row.trim(u64::MAX).await.unwrap();
    assert_eq!(said(&row.state_at(4).await.unwrap()), ["a", "b", "c"]);
    for seq in [1, 4, 6] {
        let error = row.fork(seq, "u").await.map(drop).unwrap_err();
        assert!(matches!(error, RunError::Trimmed { .. }), "{error}");
    }
    let error = row.reroute().await.unwrap_err();
    assert!(matches!(error, RunError::Trimmed { .. }), "{error}");
    row.abandon("it is over").await.unwrap();
    finished(row.run(Trip::default()).await.unwrap());
}

// ---- Runs that are given up.

async fn an_abandoned_run_is_over_and_its_questions_are_closed(at: &impl Place) {
    let desk = Desk::default();
    let talk = thread(talk(&desk), at).await;
    let ask = paused(talk.run(Trip::default()).await.unwrap());
    talk.abandon("nobody is there").await.unwrap();
    let Status::Abandoned { why, .. } = talk.status().await.unwrap() else {
        panic!("{:?}", talk.status().await);
    };
    assert_eq!(why, "nobody is there");
    assert_eq!(talk.asks().await.unwrap(), []);
    let error = talk.resume(ask.id, "late").await.unwrap_err();
    assert!(
        matches!(&error, RunError::NotAsked { reason, .. } if *reason == "the run was abandoned"),
        "{error}"
    );
    for gone in [talk.recover().await, talk.run_once(Trip::default()).await] {
        let error = gone.unwrap_err();
        assert!(matches!(error, RunError::Abandoned { .. }), "{error}");
        assert!(chain(&error).contains("nobody is there"));
    }
    assert_eq!(said(&talk.state().await.unwrap()), ["a"]);

    // Once more is once too many, and no error.
    let kept = records(at, "t").await;
    talk.abandon("again").await.unwrap();
    assert_eq!(records(at, "t").await, kept);

    let ask = paused(talk.run(Trip::default()).await.unwrap());
    let ask = paused(talk.resume(ask.id, "Rome").await.unwrap());
    let trip = finished(talk.resume(ask.id, "never").await.unwrap());
    assert_eq!(said(&trip), ["a", "i1:Rome", "i2:never", "b"]);
    let kept = records(at, "t").await;
    talk.abandon("it is over").await.unwrap();
    assert_eq!(records(at, "t").await, kept);
}

async fn a_run_can_be_abandoned_whatever_it_is_at(at: &impl Place) {
    let desk = Desk::default();
    let fork = thread(forked(&desk), at).await;
    paused(fork.run(Trip::default()).await.unwrap());
    fork.abandon("in a fork").await.unwrap();
    assert_eq!(said(&fork.state().await.unwrap()), ["fan"]);
    assert_eq!(fork.asks().await.unwrap(), []);
    fork.edit("over", |trip| trip.laps = 1).await.unwrap();
    let ask = paused(fork.run(Trip::default()).await.unwrap());
    let trip = finished(fork.resume(ask.id, "yes").await.unwrap());
    assert_eq!(said(&trip), ["fan", "left", "right:yes", "both"]);
    assert_eq!(fork.state().await.unwrap(), trip);

    let runtime = Runtime::new(within(&desk)).journal(at.open().await);
    let within = runtime.thread("u");
    paused(within.run(Trip::default()).await.unwrap());
    within.abandon("in a graph within").await.unwrap();
    assert_eq!(said(&within.state().await.unwrap()), ["first"]);
    assert_eq!(within.asks().await.unwrap(), []);
    let ask = paused(within.run(Trip::default()).await.unwrap());
    let ask = paused(within.resume(ask.id, "1").await.unwrap());
    let trip = finished(within.resume(ask.id, "2").await.unwrap());
    assert_eq!(within.state().await.unwrap(), trip);

    let runtime = Runtime::new(row(&desk)).journal(at.open().await);
    let row = runtime.thread("v");
    let desk = desk.breaks("b");
    row.run(Trip::default()).await.unwrap_err();
    row.abandon("after a failure").await.unwrap();
    let status = row.status().await.unwrap();
    assert!(matches!(status, Status::Abandoned { .. }), "{status:?}");
    desk.mend();
    let replayed = row.replay(2, "w").await.unwrap();
    assert_eq!(said(&finished(replayed)), ["a", "b", "c"]);
    let fork = row.fork(4, "x").await.unwrap();
    let error = fork.recover().await.unwrap_err();
    assert!(matches!(error, RunError::Abandoned { .. }), "{error}");
}

// ---- Copies of whole threads.

async fn a_copy_says_what_the_thread_says_through_any_layer(at: &impl Place) {
    copies(at.open().await).await;
    #[cfg(feature = "zstd")]
    copies(handoffs::Compressed::new(at.open().await).threshold(0)).await;
    #[cfg(feature = "seal")]
    {
        use handoffs::{ChaCha, SealKey, Sealed};
        let key = || ChaCha::new(SealKey::new("2026", &[7; 32]));
        copies(Sealed::new(at.open().await, key())).await;
        #[cfg(feature = "zstd")]
        copies(handoffs::Compressed::new(Sealed::new(
            at.open().await,
            key(),
        )))
        .await;
    }
}

async fn copies<J: Journal + Clone>(journal: J) {
    // Whatever else is kept in this place is out of the way.
    let names = ["t", "u", "v"].map(|name| ThreadId::new(format!("{name} {journal:?}")));
    let [t, u, v] = &names;
    let fork = Runtime::new(forked(&Desk::default()))
        .journal(journal.clone())
        .thread(t);
    let ask = paused(fork.run(Trip::default()).await.unwrap());
    let head = copy_thread(&journal, t, u).await.unwrap();
    let copy = Runtime::new(forked(&Desk::default()))
        .journal(journal.clone())
        .thread(u);
    assert_eq!(copy.verify(None).await.unwrap(), head);
    let asked = copy.asks().await.unwrap();
    assert_eq!(asked, std::slice::from_ref(&ask));
    let trip = finished(copy.resume(ask.id, "yes").await.unwrap());
    assert_eq!(said(&trip), ["fan", "left", "right:yes", "both"]);
    assert_eq!(fork.asks().await.unwrap(), asked);

    let again = copy_thread(&journal, t, u).await.unwrap_err();
    assert!(again.is_conflict(), "{again}");
    let trip = fork.replay(2, v).await.unwrap();
    assert_eq!(paused(trip).question, ask.question);
}

async fn a_copy_keeps_each_entry_byte_for_byte_but_for_the_link(at: &impl Place) {
    let journal = at.open().await;
    let (t, u) = (ThreadId::new("t"), ThreadId::new("u"));
    // As a later version may write it, with what this one does not know.
    let mut tail = Hash::of(b"t");
    let mut written = Vec::new();
    for seq in 1..=3 {
        let body = format!(
            "{{ \"new\":[1.50,{{\"prev\":0}}],\"prev\":\"{tail}\",\"seq\":{seq},\
             \"graph\":\"Later#1\",\"open\":{seq},\"event\":{{\"unheard_of\":{{\"n\":1e999}}}}}}"
        );
        tail = Hash::of(body.as_bytes());
        written.push(Record::new(seq, tail, body.into_bytes()));
    }
    let (safe, end) = (Durability::Sync, Head::new(3, tail));
    journal.append(&t, 0, written.clone(), safe).await.unwrap();
    let head = copy_thread(&journal, &t, &u).await.unwrap();
    let copied = journal.read(&u, 0).await.unwrap();
    assert_eq!((head.seq, copied.len()), (4, 4));
    let mut tail = Hash::of(b"u");
    for (old, new) in written.iter().zip(&copied) {
        let (old, new) = (text(old), text(new));
        let before = old.find("\"prev\":\"").unwrap() + 8;
        let expected = format!("{}{tail}{}", &old[..before], &old[before + 64..]);
        assert_eq!(new, expected);
        tail = Hash::of(new.as_bytes());
    }
    let told: Entry = serde_json::from_slice(&copied[3].body).unwrap();
    assert_eq!(
        (told.graph.to_string(), told.open),
        ("Later#1".to_owned(), 3)
    );
    assert!(
        matches!(&told.event, Recorded::Copied { from, head, .. } if *from == t && *head == end),
        "{told:?}"
    );
    assert_eq!(journal.read(&t, 0).await.unwrap(), written);
}

fn text(record: &Record) -> String {
    String::from_utf8(record.body.clone()).unwrap()
}

async fn a_thread_that_is_damaged_is_not_copied(at: &impl Place) {
    let journal = at.open().await;
    let row = thread(row(&Desk::default()), at).await;
    finished(row.run(Trip::default()).await.unwrap());
    let mut records = journal.read(&"t".into(), 0).await.unwrap();
    let body = text(&records[1]).replace("\"a\"", "\"z\"").into_bytes();
    records[1] = Record::new(2, Hash::of(&body), body);
    journal
        .append(&"u".into(), 0, records, Durability::Sync)
        .await
        .unwrap();
    let error = copy_thread(&journal, &"u".into(), &"v".into())
        .await
        .unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    assert_eq!(journal.read(&"v".into(), 0).await.unwrap(), []);
    let nothing = copy_thread(&journal, &"nobody".into(), &"v".into())
        .await
        .unwrap();
    assert_eq!(nothing, Head::new(0, Hash::of(b"v")));
}

on_every_journal! {
    the_state_is_told_as_it_was_after_each_entry
    while_branches_are_under_way_the_state_is_that_with_which_they_began
    an_entry_that_is_not_there_is_refused
    a_replay_runs_what_came_after_the_entry_and_nothing_else
    a_fork_goes_on_from_an_edited_state_and_forks_do_not_see_each_other
    behind_a_join_only_what_follows_it_runs_from_what_was_edited
    a_fork_says_from_where_it_is_and_is_a_thread_as_any_other
    a_fork_takes_no_name_that_is_taken
    a_replay_from_before_a_question_asks_it_again
    a_fork_between_two_questions_asks_only_the_second_again
    a_handoff_that_was_approved_can_be_refused_in_a_fork
    forks_from_every_entry_of_a_loop_run_the_rest_of_it
    each_prefix_of_a_thread_is_one
    so_is_each_prefix_where_a_graph_is_within
    an_edit_is_an_entry_that_says_what_was_changed_and_why
    a_failed_run_goes_on_from_what_was_mended
    a_question_stays_open_while_the_state_is_edited
    an_edit_is_news_to_a_loop
    of_a_thread_that_is_over_the_next_run_differs_from_what_was_edited
    nobody_edits_what_branches_or_a_graph_within_are_at_work_on
    who_does_it_is_written_down_and_how_many_questions_are_open
    of_two_who_edit_at_once_one_loses_and_nothing_is_lost
    a_run_that_is_edited_while_it_is_at_work_stops_with_a_conflict
    a_graph_within_that_only_a_snapshot_tells_of_has_begun
    what_was_trimmed_is_gone_and_what_came_after_is_told
    an_abandoned_run_is_over_and_its_questions_are_closed
    a_run_can_be_abandoned_whatever_it_is_at
    a_copy_says_what_the_thread_says_through_any_layer
    a_copy_keeps_each_entry_byte_for_byte_but_for_the_link
    a_thread_that_is_damaged_is_not_copied
}
