//! Whatever models say, whatever fails, and wherever a crash cuts it off: no call is without its result,
//! neither in the log nor in what any model is asked.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use std::collections::HashSet;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use handoffs::agent::{
    Agent, Given, HandoffStyle, History, Message, Model, ModelError, Reply, Request, Said,
    ToolCall, schemars, tool,
};
use handoffs::async_trait;
use handoffs::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde::{Deserialize, Serialize};

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Talk {
    #[state(messages)]
    messages: Log<Message>,
}

#[derive(Outcome, Debug)]
enum Any {
    Next,
    With {
        n: u32,
    },
    #[outcome(answer)]
    Done(String),
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = a)]
struct Pair {
    #[route(Any::Next | Any::With { .. } => b(limit = 3, else = end), Any::Done(_) => end)]
    #[retry(times = 3, backoff = "0s")]
    #[on_error(then = b)]
    a: Agent<Talk, Any>,
    #[route(Any::Next | Any::With { .. } => a(limit = 2, else = end), Any::Done(_) => end)]
    #[retry(times = 2, backoff = "0s")]
    b: Agent<Talk, Any>,
}

/// What a model does on a turn.
#[derive(Clone, Debug)]
enum Raving {
    Says {
        text: String,
        /// By place: an id, a name and arguments.
        calls: Vec<(usize, usize, usize)>,
    },
    Fails,
}

const IDS: [&str; 5] = ["", "1", "2", "1", "call_1"];
const NAMES: [&str; 8] = [
    "f",
    "fails",
    "transfer_to_next",
    "transfer_to_with",
    "transfer",
    "transfer_to_x",
    "handoff",
    "",
];
const ARGUMENTS: [&str; 10] = [
    "{}",
    "",
    "{",
    "[]",
    r#"{"n":1}"#,
    r#"{"n":"1"}"#,
    r#"{"to":"next"}"#,
    r#"{"to":"with","with":{"n":1}}"#,
    r#"{"to":"nobody"}"#,
    r#"{"to":"next","with":{"n":1}}"#,
];

fn raving() -> impl Strategy<Value = Raving> {
    let call = (0..IDS.len(), 0..NAMES.len(), 0..ARGUMENTS.len());
    let calls = prop::collection::vec(call, 0..5);
    let says = ("[ a-z\"{}\u{0}é]{0,4}", calls);
    prop_oneof![
        7 => says.prop_map(|(text, calls)| Raving::Says { text, calls }),
        1 => Just(Raving::Fails),
    ]
}

/// A model that raves, and looks at what it is asked.
#[derive(Clone, Debug)]
struct Madness {
    ravings: Vec<Raving>,
    style: HandoffStyle,
    turns: Arc<AtomicUsize>,
    /// Whether it was asked what no provider takes.
    wrong: Arc<AtomicBool>,
}

#[async_trait]
impl Model for Madness {
    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        // A panic here would be one more error of the node, from which the run leads on.
        if catch_unwind(|| check_request(request)).is_err() {
            self.wrong.store(true, Ordering::Relaxed);
        }
        let at = self.turns.fetch_add(1, Ordering::Relaxed);
        match &self.ravings[at % self.ravings.len()] {
            Raving::Fails => Err(ModelError::busy(None)),
            Raving::Says { text, calls } => {
                said(text);
                let calls = calls.iter().map(|(id, name, arguments)| {
                    ToolCall::new(IDS[*id], NAMES[*name], ARGUMENTS[*arguments])
                });
                Ok(calls.fold(Reply::text(&**text), Reply::call))
            }
        }
    }

    fn handoff_style(&self) -> HandoffStyle {
        self.style
    }
}

/// Checks what each provider checks: behind a turn with calls stand their results and nothing else, in
/// their order; no id comes twice; and no turn is empty.
fn check_request(request: &Request) {
    let mut ids = HashSet::new();
    let mut open = Vec::new().into_iter();
    for said in &request.messages {
        match said {
            Said::Result { id, .. } => {
                assert_eq!(
                    open.next(),
                    Some(id),
                    "a result without its call: {request:?}"
                );
            }
            Said::Assistant { text, calls, .. } => {
                let is_empty = text.trim().is_empty() && calls.is_empty();
                assert!(!is_empty, "an empty turn: {request:?}");
                assert_eq!(open.next(), None, "a call without its result: {request:?}");
                for call in calls {
                    assert!(!call.id.is_empty() && ids.insert(&call.id), "{request:?}");
                }
                let expected: Vec<_> = calls.iter().map(|call| &call.id).collect();
                open = expected.into_iter();
            }
            _ => assert_eq!(open.next(), None, "a call without its result: {request:?}"),
        }
    }
    assert_eq!(open.next(), None, "a call without its result: {request:?}");
    let mut names: Vec<_> = request.tools.iter().map(|tool| &tool.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), request.tools.len(), "{request:?}");
}

/// Checks what the log says was done.
fn check_log(talk: &Talk) {
    for message in &talk.messages {
        let Message::Agent(turn) = message else {
            continue;
        };
        let made = |given: &Given| matches!(given, Given::Handoff(_));
        let made = turn.calls.iter().filter(|call| made(&call.given)).count();
        let has_passed = turn.calls.iter().any(|call| call.given == Given::Passed);
        assert!(made <= 1 && (made == 1 || !has_passed), "{turn:?}");
        for call in &turn.calls {
            assert!(!call.id.is_empty(), "{turn:?}");
            match &call.given {
                Given::Result(text) => assert_eq!((&*call.tool, &**text), ("f", "done")),
                Given::Error(_) => {}
                // It is kept as what it was meant to be, however it was called.
                Given::Handoff(to) => assert_eq!(call.tool, format!("transfer_to_{to}")),
                Given::Passed => assert!(call.tool.starts_with("transfer_to_"), "{turn:?}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Case {
    models: [Madness; 2],
    histories: [usize; 2],
    most: u32,
    crash: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let model = || {
        let styles = prop_oneof![Just(HandoffStyle::ToolEach), Just(HandoffStyle::OneTool)];
        (prop::collection::vec(raving(), 1..8), styles).prop_map(|(ravings, style)| Madness {
            ravings,
            style,
            turns: Arc::default(),
            wrong: Arc::default(),
        })
    };
    let models = [model(), model()];
    (models, [0..4_usize, 0..4], 0..6_u32, 0..40_u64).prop_map(
        |(models, histories, most, crash)| Case {
            models,
            histories,
            most,
            crash,
        },
    )
}

impl Case {
    fn graph(&self) -> Pair {
        #[derive(Deserialize, schemars::JsonSchema)]
        struct Nothing {}

        let agent = |at: usize| {
            let works = tool("f", "", async |_: Nothing| Ok::<_, std::io::Error>("done"));
            let fails = tool("fails", "", async |_: Nothing| {
                Err::<String, _>(std::io::Error::other("it failed"))
            });
            let history = match self.histories[at] {
                0 => History::full(),
                1 => History::none(),
                2 => History::last(3),
                _ => History::full().without_tools(),
            };
            Agent::new(self.models[at].clone())
                .tool(works)
                .tool(fails)
                .history(history)
                .max_mistakes(self.most)
                .max_turns(4)
        };
        Pair {
            a: agent(0),
            b: agent(1),
        }
    }

    async fn check(&self) {
        let asked = Talk {
            messages: Log::from(vec![Message::user("help")]),
        };
        let store = Memory::default();
        let down = common::Stopping::after(store.clone(), self.crash, true);
        let runtime = Runtime::new(self.graph()).journal(down);
        let died = runtime.thread("t").run_once(asked.clone()).await;
        self.look(died.map(|run| run.finished().unwrap()));
        let thread = Runtime::new(self.graph()).journal(store).thread("t");
        let again = thread.run_once(asked).await;
        self.look(again.map(|run| run.finished().unwrap()));
        for entry in thread.history().await.unwrap() {
            check_log(&thread.state_at(entry.seq).await.unwrap());
        }
        // It goes on as a conversation does: with a word of the user's.
        let mut talk = thread.state().await.unwrap();
        talk.messages.push(Message::user("and now?"));
        self.look(thread.run(talk).await.map(|run| run.finished().unwrap()));
    }

    fn look(&self, talk: Result<Talk, RunError>) {
        match talk {
            Ok(talk) => check_log(&talk),
            Err(error @ RunError::Panicked { .. }) => panic!("{error}"),
            // A bound was passed, or the crash; nobody knows of a tool what became of it.
            Err(_) => {}
        }
        for model in &self.models {
            assert!(!model.wrong.load(Ordering::Relaxed), "see above");
        }
    }
}

fn config() -> ProptestConfig {
    let regressions = "tests/agent_transcripts.proptest-regressions";
    let regressions = FileFailurePersistence::Direct(regressions);
    ProptestConfig {
        cases: 96,
        failure_persistence: Some(Box::new(regressions)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_call_is_ever_without_its_result(case in case()) {
        let tokio = tokio::runtime::Builder::new_current_thread();
        let tokio = { tokio }.enable_time().start_paused(true).build().unwrap();
        tokio.block_on(case.check());
    }
}
