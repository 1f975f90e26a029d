//! Whatever a run does, and after whichever append it is cut off: recovered, it is as if nothing had been.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use std::sync::{Arc, Mutex};

use common::{Counting, Stopping, timeless};
use handoffs::prelude::*;
use handoffs::{Approval, Journal, NodeError, RunError, Thread};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde::{Deserialize, Serialize};
use serde_json::Value;

// ---- A graph whose nodes do what a script in the state says.

/// What the node that is due does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    /// Which of its outcomes it concludes.
    turn: usize,
    /// Whether it makes progress.
    gains: bool,
    /// What it says.
    says: Vec<String>,
    /// How many questions it asks within, if it is one that may.
    asks: u32,
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Play {
    script: Vec<Line>,
    at: usize,
    said: Log<String>,
    #[state(progress)]
    gained: u32,
    note: Option<String>,
}

impl Line {
    /// Takes the line that is due; at the end of the script, there is one that leads out.
    fn next(script: &[Line], at: &mut usize) -> Self {
        let line = script.get(*at).cloned();
        *at += 1;
        line.unwrap_or(Self {
            turn: 0,
            gains: true,
            says: Vec::new(),
            asks: 0,
        })
    }

    fn play(&self, said: &mut Log<String>, gained: &mut u32) {
        said.extend(self.says.iter().cloned());
        *gained += u32::from(self.gains);
    }
}

#[derive(Outcome)]
enum FromHub {
    Close,
    Left { because: String },
    Right,
    Person,
    Stay,
}

#[derive(Outcome)]
enum FromLeft {
    Hub,
    Close(u32),
}

#[derive(Outcome)]
enum FromRight {
    Hub,
    Left,
}

/// Where the nodes write down that they were executed, outside of the state.
#[derive(Clone, Debug, Default)]
struct Executed(Arc<Mutex<Vec<String>>>);

impl Executed {
    fn note(&self, cx: &Context<'_>) {
        self.0.lock().unwrap().push(cx.idempotency_key());
    }

    /// Returns the steps, each once however often it was begun in a row.
    fn steps(&self) -> Vec<String> {
        let mut steps = self.0.lock().unwrap().clone();
        steps.dedup();
        steps
    }
}

struct Hub(Executed);

#[node(Play)]
impl Hub {
    async fn run(
        &self,
        script: &Vec<Line>,
        at: &mut usize,
        said: &mut Log<String>,
        gained: &mut u32,
        note: &mut Option<String>,
        cx: &mut Context<'_>,
    ) -> FromHub {
        self.0.note(cx);
        let line = Line::next(script, at);
        line.play(said, gained);
        *note = line.says.first().cloned();
        match line.turn % 12 {
            0 => FromHub::Close,
            1..4 => FromHub::Left {
                because: format!("line {at}"),
            },
            4..7 => FromHub::Right,
            7..10 => FromHub::Person,
            _ => FromHub::Stay,
        }
    }
}

struct Left(Executed);

#[node(Play)]
impl Left {
    async fn run(
        &self,
        script: &Vec<Line>,
        at: &mut usize,
        said: &mut Log<String>,
        gained: &mut u32,
        cx: &mut Context<'_>,
    ) -> Result<FromLeft, NodeError> {
        self.0.note(cx);
        let line = Line::next(script, at);
        for question in 0..line.asks {
            let answer: String = cx.ask(&question.to_string(), &(*at, question)).await?;
            said.push(answer);
        }
        line.play(said, gained);
        Ok(match line.turn % 6 {
            0 => FromLeft::Close(*gained),
            _ => FromLeft::Hub,
        })
    }
}

struct Right(Executed);

#[node(Play)]
impl Right {
    fn run(
        &self,
        script: &Vec<Line>,
        at: &mut usize,
        said: &mut Log<String>,
        gained: &mut u32,
        cx: &mut Context<'_>,
    ) -> FromRight {
        self.0.note(cx);
        let line = Line::next(script, at);
        line.play(said, gained);
        if line.turn.is_multiple_of(2) {
            FromRight::Left
        } else {
            FromRight::Hub
        }
    }
}

#[derive(Serialize)]
struct Prompt(usize);

impl From<&Play> for Prompt {
    fn from(play: &Play) -> Self {
        Self(play.at)
    }
}

#[derive(Deserialize)]
struct Reply(String);

#[node(Play)]
impl Reply {
    fn run(&self, said: &mut Log<String>) {
        said.push(self.0.clone());
    }
}

#[node(Play)]
fn closing(said: &mut Log<String>) {
    said.push("closed".to_owned());
}

fn what_was_said(play: &Play) -> usize {
    play.said.len()
}

fn is_long(play: &Play) -> bool {
    play.said.len() > 4
}

#[derive(AgentGraph)]
#[graph(state = Play, start = hub)]
struct Stage {
    #[route(
        FromHub::Close => closing,
        FromHub::Left { .. } if is_long => right,
        FromHub::Left { .. } => left,
        FromHub::Right => right(approve = what_was_said, else = left),
        FromHub::Person => person(limit = 3, else = closing),
        FromHub::Stay => hub(limit = 3),
    )]
    hub: Hub,
    #[route(
        FromLeft::Hub => hub(limit = 6, else = closing),
        FromLeft::Close(_) => closing,
    )]
    left: Left,
    #[route(
        FromRight::Hub => hub(limit = 5, approve = what_was_said, else = closing),
        FromRight::Left => left,
    )]
    right: Right,
    #[route(_ => hub(limit = 4, else = closing))]
    person: Human<Prompt, Reply>,
    #[route(_ => end)]
    closing: Closing,
}

// ---- Bringing a thread to where it cannot go on.

/// How a thread stands at last.
#[derive(Debug, PartialEq)]
enum Ending {
    Finished(Play),
    Stopped(StageNode, Play),
}

/// Answers by the question alone.
fn answer(ask: &Ask) -> Value {
    let text = format!("answer to {}", ask.question);
    let answer = match (ask.key.as_str(), ask.question.to::<usize>()) {
        ("approve", Ok(said)) if said % 3 == 1 => serde_json::to_value(Approval::refused(text)),
        ("approve", _) => serde_json::to_value(Approval::Approved),
        _ => serde_json::to_value(text),
    };
    answer.unwrap()
}

/// Runs, answers and recovers until the play is over, stopped as a loop, or the journal is gone.
async fn perform<J: Journal>(thread: &Thread<Stage, J>, play: &Play) -> Result<Ending, RunError> {
    loop {
        let went = match thread.status().await? {
            Status::New => thread.run(play.clone()).await,
            Status::Unfinished(_) => thread.recover().await,
            Status::Paused(ask) => thread.resume(ask.id, answer(&ask)).await,
            Status::Failed { node, .. } => {
                return Ok(Ending::Stopped(node, thread.state().await?));
            }
            Status::Finished => return Ok(Ending::Finished(thread.state().await?)),
            other => panic!("{other:?}"),
        };
        match went {
            // A loop that was stopped shows in the status.
            Ok(_) | Err(RunError::HandoffLoop { .. }) => {}
            Err(error) => return Err(error),
        }
        if matches!(thread.status().await?, Status::New) {
            panic!("a run left nothing behind");
        }
    }
}

struct Performance<J> {
    thread: Thread<Stage, J>,
    executed: Executed,
}

impl<J: Journal + Clone> Performance<J> {
    fn new(journal: J, watch: bool, executed: &Executed) -> Self {
        let stage = Stage {
            hub: Hub(executed.clone()),
            left: Left(executed.clone()),
            right: Right(executed.clone()),
            person: Human::new(),
            closing: Closing,
        };
        let runtime = Runtime::new(stage).journal(journal).watch_loops(watch);
        Self {
            thread: runtime.thread("t"),
            executed: executed.clone(),
        }
    }

    async fn entries(&self) -> Vec<Value> {
        timeless(&self.thread.history().await.unwrap())
    }
}

async fn check_crashes(play: Play, watch: bool) {
    let counting = Counting::<Memory>::default();
    let undisturbed = Performance::new(counting.clone(), watch, &Executed::default());
    let ending = perform(&undisturbed.thread, &play).await.unwrap();
    let entries = undisturbed.entries().await;
    let steps = undisturbed.executed.steps();
    assert!(steps.len() as u64 <= Stage::MAX_HANDOFFS + 1, "{steps:?}");

    for last in 0..counting.appends() {
        for keeps_last in [false, true] {
            let case = format!("append {last}, kept: {keeps_last}");
            let disk = Memory::default();
            let executed = Executed::default();
            let stopping = Stopping::after(disk.clone(), last, keeps_last);
            let cut = Performance::new(stopping, watch, &executed);
            // A loop that is stopped as the journal goes down is told all the same.
            if let Err(error) = perform_until_cut(&cut.thread, &play).await {
                assert!(matches!(error, RunError::Journal { .. }), "{case}: {error}");
            }
            let left = cut.entries().await;
            assert!(entries.starts_with(&left), "{case}: not a beginning");
            assert!(!left.is_empty() || last == 0, "{case}: nothing is left");

            let whole = Performance::new(disk, watch, &executed);
            let recovered = perform(&whole.thread, &play).await.unwrap();
            assert_eq!(recovered, ending, "{case}");
            assert_eq!(whole.entries().await, entries, "{case}");
            assert_eq!(executed.steps(), steps, "{case}");
        }
    }
}

/// Performs until an error of the journal, or until a stopped loop could not be written down.
async fn perform_until_cut<J: Journal>(
    thread: &Thread<Stage, J>,
    play: &Play,
) -> Result<(), RunError> {
    loop {
        let went = match thread.status().await? {
            Status::New => thread.run(play.clone()).await,
            Status::Paused(ask) => thread.resume(ask.id, answer(&ask)).await,
            _ => return Ok(()),
        };
        match went {
            Ok(_) => {}
            Err(RunError::HandoffLoop { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn line() -> impl Strategy<Value = Line> {
    let says = prop::collection::vec("[a-z\"\\\\\\]]{0,3}", 0..3);
    (0..60_usize, prop::bool::weighted(0.7), says, 0..3_u32).prop_map(
        |(turn, gains, says, asks)| Line {
            turn,
            gains,
            says,
            asks,
        },
    )
}

fn play() -> impl Strategy<Value = Play> {
    prop::collection::vec(line(), 0..48).prop_map(|script| Play {
        script,
        ..Play::default()
    })
}

fn config() -> ProptestConfig {
    let regressions = FileFailurePersistence::Direct("tests/engine_crash.proptest-regressions");
    ProptestConfig {
        cases: 64,
        failure_persistence: Some(Box::new(regressions)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_run_that_is_cut_off_at_any_append_comes_out_as_the_undisturbed_one(
        play in play(),
        watch in any::<bool>(),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(check_crashes(play, watch));
    }
}
