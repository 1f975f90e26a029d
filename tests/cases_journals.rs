//! The cases on recovery, questions and what is done once, on every journal at every level of durability;
//! COMPATIBILITY.md says which is which. Those on siblings that ask are in `cases_forks`.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::slice::from_ref;

use common::{Counting, Place, Tally, chain, path};
use handoffs::prelude::*;
use handoffs::{CancellationToken, Durability, Journal, NodeError, RunError, Thread};

/// Returns how many appends there were at this level, of which each but `exit` writes each entry by itself.
fn appends(level: Durability, entries: u64, at_exit: u64) -> u64 {
    match level {
        Durability::Exit => at_exit,
        _ => entries,
    }
}

// ---- B25: a node that fails until the state is another.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Attempts {
    steps: Log<String>,
    attempt: u32,
}

#[node(Attempts)]
fn begin(steps: &mut Log<String>) {
    steps.push("start".to_owned());
}

#[node(Attempts)]
fn node1(steps: &mut Log<String>, attempt: &u32) -> Result<(), &'static str> {
    if *attempt == 1 {
        return Err("Simulated failure");
    }
    steps.push("node1".to_owned());
    Ok(())
}

#[node(Attempts)]
fn node2(steps: &mut Log<String>) {
    steps.push("node2".to_owned());
}

#[derive(AgentGraph)]
#[graph(state = Attempts, start = begin)]
struct Recovery {
    #[route(_ => node1)]
    begin: Begin,
    #[route(_ => node2)]
    node1: Node1,
    #[route(_ => end)]
    node2: Node2,
}

fn recovery<J: Journal>(journal: J, level: Durability) -> Thread<Recovery, J> {
    let graph = Recovery {
        begin: Begin,
        node1: Node1,
        node2: Node2,
    };
    let runtime = Runtime::new(graph).journal(journal);
    runtime.durability(level).thread("t")
}

fn attempt(attempt: u32) -> Attempts {
    Attempts {
        attempt,
        ..Attempts::default()
    }
}

async fn fails_at_node1(thread: &Thread<Recovery, impl Journal>) {
    let error = thread.run(attempt(1)).await.unwrap_err();
    assert!(chain(&error).contains("Simulated failure"), "{error:?}");
    let state = thread.state().await.unwrap();
    assert_eq!(state.steps, ["start"]);
    assert_eq!(state.attempt, 1);
    let status = thread.status().await.unwrap();
    let Status::Failed { node, error, .. } = status else {
        panic!("{status:?}");
    };
    assert_eq!(node, RecoveryNode::Node1);
    assert!(error.contains("Simulated failure"), "{error}");
}

/// B25: what was done before the failure is not done again.
async fn b25_a_run_that_failed_goes_on_from_the_failed_node(at: &impl Place, level: Durability) {
    let journal = Counting::of(at.open().await);
    fails_at_node1(&recovery(journal.clone(), level)).await;
    // The start, the first step and the failure.
    assert_eq!(journal.appends(), appends(level, 3, 1));

    let journal = Counting::of(at.open().await);
    let thread = recovery(journal.clone(), level);
    let edit = |state: &mut Attempts| state.attempt = 2;
    let _ = thread.edit("the second attempt", edit).await.unwrap();
    let state = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(state.steps, ["start", "node1", "node2"]);
    assert_eq!(state.attempt, 2);
    // The edit is an append of its own.
    assert_eq!(journal.appends(), appends(level, 3, 2));
    let history = thread.history().await.unwrap();
    assert_eq!(path(&history), ["begin", "node1", "node2"]);
    assert_eq!(history.len(), 6);
}

/// B25: a new input begins anew, and a thread that was deleted has never been.
async fn b25_a_new_input_begins_anew_and_a_deleted_thread_is_gone(
    at: &impl Place,
    level: Durability,
) {
    let journal = Counting::of(at.open().await);
    let thread = recovery(journal.clone(), level);
    fails_at_node1(&thread).await;
    let run = thread.run(attempt(2)).await.unwrap();
    assert_eq!(run.finished().unwrap().steps, ["start", "node1", "node2"]);
    // Two checkpoints, as there: one at the failure and one at the end.
    assert_eq!(journal.appends(), appends(level, 7, 2));

    let kept = at.open().await;
    kept.delete(thread.id(), None).await.unwrap();
    for thread in [thread, recovery(Counting::of(kept), level)] {
        assert_eq!(thread.status().await.unwrap(), Status::New);
        assert_eq!(thread.history().await.unwrap().len(), 0);
        let error = thread.state().await.unwrap_err();
        assert!(matches!(error, RunError::UnknownThread { .. }), "{error}");
    }
}

// ---- B27: a run that stops behind every step, of which none changes anything.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Nothing {}

/// Has the run drained as soon as it has begun to work.
struct Idle(CancellationToken);

#[node(Nothing)]
impl Idle {
    async fn run(&self) {
        self.0.cancel();
    }
}

#[derive(AgentGraph)]
#[graph(state = Nothing, start = first)]
struct ThreeSteps {
    #[route(_ => second)]
    first: Idle,
    #[route(_ => third)]
    second: Idle,
    #[route(_ => end)]
    third: Idle,
}

/// B27.
async fn b27_a_run_that_is_stopped_behind_each_step_goes_on_with_the_next(
    at: &impl Place,
    level: Durability,
) {
    use ThreeStepsNode::{Second, Third};

    let journal = Counting::of(at.open().await);
    let thread = || {
        let drain = CancellationToken::new();
        let idle = || Idle(drain.clone());
        let graph = ThreeSteps {
            first: idle(),
            second: idle(),
            third: idle(),
        };
        let runtime = Runtime::new(graph).journal(journal.clone());
        runtime.durability(level).drain_on(drain).thread("t")
    };
    let stopped = [Status::Unfinished(Second), Status::Unfinished(Third)];
    for (calls, next) in (1..).zip(stopped) {
        let error = thread().run_once(Nothing {}).await.unwrap_err();
        assert!(matches!(error, RunError::Drained { .. }), "{error:?}");
        assert_eq!(thread().status().await.unwrap(), next);
        assert_eq!(thread().history().await.unwrap().len(), calls + 1);
        let calls = calls as u64;
        assert_eq!(journal.appends(), appends(level, calls + 1, calls));
    }
    let run = thread().run_once(Nothing {}).await.unwrap();
    assert_eq!(run.finished(), Some(Nothing {}));
    assert_eq!(thread().status().await.unwrap(), Status::Finished);
    assert_eq!(thread().history().await.unwrap().len(), 4);
    assert_eq!(journal.appends(), appends(level, 4, 3));
}

// ---- B33: two questions in one node, and the state that is changed between.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Text {
    my_key: String,
    steps: Log<String>,
    age: Option<u32>,
}

#[node(Text)]
async fn asks_twice(my_key: &mut String, cx: &mut Context<'_>) -> Result<(), NodeError> {
    let first: String = cx.ask("first", &Value { value: 1 }).await?;
    let second: String = cx.ask("second", &Value { value: 2 }).await?;
    my_key.extend([first, " ".to_owned(), second]);
    Ok(())
}

#[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
struct Value {
    value: u32,
}

#[derive(AgentGraph)]
#[graph(state = Text, start = node)]
struct Twice {
    #[route(_ => end)]
    node: AsksTwice,
}

/// B33. An answer always names its question, so there is no second way to give it.
async fn b33_a_node_asks_twice_and_sees_what_was_changed_between(
    at: &impl Place,
    level: Durability,
) {
    let open = async || {
        let runtime = Runtime::new(Twice { node: AsksTwice }).journal(at.open().await);
        runtime.durability(level).thread("1")
    };
    let text = Text {
        my_key: "DE".to_owned(),
        ..Text::default()
    };
    let first = open().await.run(text).await.unwrap().paused().unwrap();
    assert_eq!(first.question.to::<Value>().unwrap(), Value { value: 1 });

    let thread = open().await;
    let edit = |text: &mut Text| text.my_key.push_str(" foofoo ");
    let text = thread.edit("with the answer", edit).await.unwrap();
    assert_eq!(text.my_key, "DE foofoo ");
    let second = thread.resume(first.id, "answer 1").await.unwrap();
    let second = second.paused().unwrap();
    assert_eq!(second.question.to::<Value>().unwrap(), Value { value: 2 });
    assert_eq!(open().await.state().await.unwrap().my_key, "DE foofoo ");

    let thread = open().await;
    let error = thread.resume(first.id, "answer 1").await.unwrap_err();
    assert!(matches!(error, RunError::NotAsked { .. }), "{error:?}");
    let text = thread.resume(second.id, "answer 2").await.unwrap();
    assert_eq!(
        text.finished().unwrap().my_key,
        "DE foofoo answer 1 answer 2"
    );
}

// ---- B34: a node that asks until the answer is a good one.

#[node(Text)]
async fn ask_age(mut age: Out<'_, u32>, cx: &mut Context<'_>) -> Result<(), NodeError> {
    let mut question = "How old are you?";
    for attempt in 1.. {
        let answer: String = cx.ask(&attempt.to_string(), question).await?;
        match answer.parse() {
            Ok(years) if years >= 18 => {
                age.set(years);
                break;
            }
            _ => question = "invalid response",
        }
    }
    Ok(())
}

#[derive(AgentGraph)]
#[graph(state = Text, start = node)]
struct Ages {
    #[route(_ => end)]
    node: AskAge,
}

/// B34.
async fn b34_a_node_asks_again_until_the_answer_is_good(at: &impl Place, level: Durability) {
    let open = async || {
        let runtime = Runtime::new(Ages { node: AskAge }).journal(at.open().await);
        runtime.durability(level).thread("1")
    };
    let mut run = open().await.run(Text::default()).await.unwrap();
    for (question, answer) in [
        ("How old are you?", "13"),
        ("invalid response", "15"),
        ("invalid response", "19"),
    ] {
        let ask = run.paused().unwrap();
        assert_eq!(ask.question.to::<String>().unwrap(), question);
        assert_eq!(open().await.state().await.unwrap().age, None);
        run = open().await.resume(ask.id, answer).await.unwrap();
    }
    assert_eq!(run.finished().unwrap().age, Some(19));
}

// ---- B35: the state is as before a node until that returns.

#[node(Text)]
async fn two_steps(steps: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
    steps.push(cx.ask("1", "first").await?);
    steps.push(cx.ask("2", "second").await?);
    Ok(())
}

#[derive(AgentGraph)]
#[graph(state = Text, start = node)]
struct Double {
    #[route(_ => end)]
    node: TwoSteps,
}

/// B35.
async fn b35_until_a_node_returns_the_state_is_as_before_it(at: &impl Place, level: Durability) {
    let open = async || {
        let runtime = Runtime::new(Double { node: TwoSteps }).journal(at.open().await);
        runtime.durability(level).thread("1")
    };
    let mut run = open().await.run(Text::default()).await.unwrap();
    for answer in ["step1", "step2"] {
        let ask = run.paused().unwrap();
        assert_eq!(open().await.state().await.unwrap(), Text::default());
        run = open().await.resume(ask.id, answer).await.unwrap();
    }
    assert_eq!(run.finished().unwrap().steps, ["step1", "step2"]);
    let state = open().await.state().await.unwrap();
    assert_eq!(state.steps, ["step1", "step2"]);
}

// ---- B39: a question that some inputs lead to, and a run that is given up at it.

#[node(Text)]
async fn may_ask(my_key: &mut String, cx: &mut Context<'_>) -> Result<(), NodeError> {
    if my_key.starts_with("DE") {
        let answer: String = cx.ask("why", "Just because...").await?;
        my_key.push_str(&answer);
    } else {
        my_key.push_str(" all good");
    }
    Ok(())
}

#[derive(AgentGraph)]
#[graph(state = Text, start = two)]
struct Tool {
    #[route(_ => end)]
    two: MayAsk,
}

fn market(my_key: &str) -> Text {
    Text {
        my_key: my_key.to_owned(),
        ..Text::default()
    }
}

/// B39. A thread cannot be without a name; what can be missing is the journal.
async fn b39_a_question_is_open_until_the_run_is_given_up(at: &impl Place, level: Durability) {
    let without = Runtime::new(Tool { two: MayAsk });
    let error = without.thread("0").run(market("DE")).await.unwrap_err();
    assert!(chain(&error).contains("no journal"), "{}", chain(&error));

    let runtime = without.journal(at.open().await).durability(level);
    let run = runtime.thread("1").run(market("DE")).await.unwrap();
    let ask = run.paused().unwrap();
    assert_eq!(ask.question.to::<String>().unwrap(), "Just because...");
    let run = runtime.thread("2").run(market("US")).await.unwrap();
    assert_eq!(run.finished().unwrap().my_key, "US all good");

    let thread = runtime.thread("1");
    assert_eq!(thread.asks().await.unwrap(), from_ref(&ask));
    thread.abandon("nobody asks any more").await.unwrap();
    assert_eq!(thread.asks().await.unwrap(), []);
    let error = thread.resume(ask.id, " my answer").await.unwrap_err();
    assert!(matches!(error, RunError::NotAsked { .. }), "{error:?}");
    let status = thread.status().await.unwrap();
    assert!(matches!(status, Status::Abandoned { .. }), "{status:?}");
    assert_eq!(thread.state().await.unwrap(), market("DE"));
    let run = thread.run(market("US")).await.unwrap();
    assert_eq!(run.finished().unwrap().my_key, "US all good");
}

// ---- B63: what a node has had done is not done again when the question behind it is answered.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Mapped {
    given: Vec<u32>,
    mapped: Log<String>,
}

struct Mapper(Tally);

#[node(Mapped)]
impl Mapper {
    async fn run(
        &self,
        given: &Vec<u32>,
        mapped: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let mut results = Vec::new();
        for item in given {
            let effect = async || {
                self.0.count("mapper");
                Ok::<_, NodeError>(format!("{item}{item}"))
            };
            results.push(cx.once(&format!("map {item}"), effect).await?);
        }
        let answer: String = cx.ask("question", "question").await?;
        mapped.extend(results.iter().map(|result| format!("{result}{answer}")));
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Mapped, start = graph)]
struct Tasks {
    #[route(_ => end)]
    graph: Mapper,
}

/// B63.
async fn b63_what_is_done_once_is_kept_over_a_question(at: &impl Place, level: Durability) {
    let tally = Tally::default();
    let open = async || {
        let graph = Tasks {
            graph: Mapper(tally.clone()),
        };
        let runtime = Runtime::new(graph).journal(at.open().await);
        runtime.durability(level).thread("1")
    };
    let given = Mapped {
        given: vec![0, 1],
        ..Mapped::default()
    };
    let ask = open().await.run(given).await.unwrap().paused().unwrap();
    assert_eq!(tally.of("mapper"), 2);
    let run = open().await.resume(ask.id, "answer").await.unwrap();
    assert_eq!(run.finished().unwrap().mapped, ["00answer", "11answer"]);
    assert_eq!(tally.of("mapper"), 2);
}

at_every_level! {
    b25_a_run_that_failed_goes_on_from_the_failed_node
    b25_a_new_input_begins_anew_and_a_deleted_thread_is_gone
    b27_a_run_that_is_stopped_behind_each_step_goes_on_with_the_next
    b33_a_node_asks_twice_and_sees_what_was_changed_between
    b34_a_node_asks_again_until_the_answer_is_good
    b35_until_a_node_returns_the_state_is_as_before_it
    b39_a_question_is_open_until_the_run_is_given_up
    b63_what_is_done_once_is_kept_over_a_question
}
