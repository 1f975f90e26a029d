//! How a run waits for a person, and goes on with the answer.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex};

use common::{Counting, chain, drain, lines, path, timeless};
use futures::future::{Either, select};
use handoffs::prelude::*;
use handoffs::{AskId, NodeError, RunError};
use serde::{Deserialize, Serialize};

// ---- A person between two nodes.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Letter {
    lines: Log<String>,
    approved: Option<bool>,
    #[state(progress)]
    drafts: u32,
}

/// A node that notes each time it is executed, besides what it writes to the state.
#[derive(Clone, Default)]
struct Draft(Arc<Mutex<u32>>);

#[node(Letter)]
impl Draft {
    fn run(&self, lines: &mut Log<String>) {
        *self.0.lock().unwrap() += 1;
        lines.push("draft".to_owned());
    }
}

#[node(Letter)]
fn send(lines: &mut Log<String>) {
    lines.push("sent".to_owned());
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Shown {
    last: Option<String>,
}

impl From<&Letter> for Shown {
    fn from(letter: &Letter) -> Self {
        Self {
            last: letter.lines.last().cloned(),
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Verdict {
    Send,
    /// Once more, and nothing has to have happened.
    Again,
    /// An answer that the node behind it chokes on.
    Choke,
}

#[derive(Outcome)]
enum Judged {
    Fine,
    Again,
}

#[node(Letter)]
impl Verdict {
    fn run(&self, approved: &mut Option<bool>) -> Result<Judged, &'static str> {
        match self {
            Self::Send => {
                *approved = Some(true);
                Ok(Judged::Fine)
            }
            Self::Again => Ok(Judged::Again),
            Self::Choke => Err("the letter is illegible"),
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Letter, start = draft)]
struct Mail {
    #[route(_ => person)]
    draft: Draft,
    #[route(
        Judged::Fine => send,
        Judged::Again => draft(limit = 9, else = send),
    )]
    person: Human<Shown, Verdict>,
    #[route(_ => end)]
    send: Send,
}

fn mail(draft: Draft) -> Mail {
    Mail {
        draft,
        person: Human::new(),
        send: Send,
    }
}

fn said(letter: &Letter) -> Vec<&str> {
    letter.lines.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn a_run_pauses_before_the_person_and_goes_on_with_the_answer() {
    let draft = Draft::default();
    let thread = Runtime::new(mail(draft.clone()))
        .journal(Memory::default())
        .thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    assert_eq!(ask.node, "person");
    let shown = Shown {
        last: Some("draft".to_owned()),
    };
    assert_eq!(ask.question.to::<Shown>().unwrap(), shown);
    assert_eq!(
        thread.status().await.unwrap(),
        Status::Paused(ask.clone()),
        "the status tells the same question"
    );
    assert_eq!(said(&thread.state().await.unwrap()), ["draft"]);

    let run = thread.resume(ask.id, Verdict::Send).await.unwrap();
    let letter = run.finished().unwrap();
    assert_eq!(said(&letter), ["draft", "sent"]);
    assert_eq!(letter.approved, Some(true));
    assert_eq!(*draft.0.lock().unwrap(), 1, "nothing runs twice");
    assert_eq!(
        lines(&thread.history().await.unwrap()),
        [
            "started",
            "draft: _ => person",
            r#"person asks {"last":"draft"}"#,
            r#"answered "Send""#,
            "person: Judged::Fine => send",
            "send: _ => end",
        ]
    );
}

#[tokio::test]
async fn the_question_is_answered_on_another_machine() {
    let disk = Memory::default();
    let here = Runtime::new(mail(Draft::default())).journal(disk.clone());
    let ask = here.thread("t").run(Letter::default()).await.unwrap();
    drop(here);

    let draft = Draft::default();
    let there = Runtime::new(mail(draft.clone())).journal(disk);
    assert_eq!(there.threads().await.unwrap(), ["t".into()]);
    let thread = there.thread("t");
    let run = thread.resume(ask.paused().unwrap().id, Verdict::Send).await;
    assert_eq!(said(&run.unwrap().finished().unwrap()), ["draft", "sent"]);
    assert_eq!(*draft.0.lock().unwrap(), 0, "the draft was written there");
}

#[tokio::test]
async fn a_run_with_a_pause_streams_what_it_does() {
    let runtime = Runtime::new(mail(Draft::default())).journal(Memory::default());
    let streamed = runtime.thread("streamed");
    let (steps, last) = drain(streamed.stream(Letter::default())).await;
    assert_eq!(steps, ["draft: _ => person"]);
    let Some(Ok(Event::Paused(ask))) = last else {
        panic!("{last:?}");
    };
    let resumed = streamed.resume_stream(ask.id, Verdict::Send).unwrap();
    let (steps, last) = drain(resumed).await;
    assert_eq!(steps, ["person: Judged::Fine => send", "send: _ => end"]);
    assert!(matches!(last, Some(Ok(Event::Finished(_)))));

    let ran = runtime.thread("ran");
    let ask = ran.run(Letter::default()).await.unwrap().paused().unwrap();
    let _ = ran.resume(ask.id, Verdict::Send).await.unwrap();
    assert_eq!(
        timeless(&streamed.history().await.unwrap()),
        timeless(&ran.history().await.unwrap())
    );
}

#[tokio::test]
async fn an_answer_that_does_not_fit_leaves_the_question_open() {
    let journal = Counting::<Memory>::default();
    let thread = Runtime::new(mail(Draft::default()))
        .journal(journal.clone())
        .thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    let appends = journal.appends();

    let error = thread.resume(ask.id, "Perhaps").await.unwrap_err();
    let RunError::WrongAnswer { node, ask: id, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((node.as_str(), *id), ("person", ask.id));
    let text = chain(&error);
    for part in ["`t`", "`person`", "stays open", "another answer", "Perhaps"] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    assert_eq!(journal.appends(), appends, "nothing was written");
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Paused(open) if open.id == ask.id
    ));
    let _ = thread.resume(ask.id, Verdict::Send).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_json_has_no_word_for_is_refused_before_anything_is_read() {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(Memory::default())
        .thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    let error = thread.resume(ask.id, f64::NAN).await.unwrap_err();
    assert!(matches!(error, RunError::Encode { .. }), "{error:?}");
    // Which node asked, only the journal knows.
    assert_eq!(error.node(), None);
    let text = error.to_string();
    let said = "the answer to question 3 of thread `t` cannot be kept in the journal";
    assert!(
        text.starts_with(said) && text.contains("finite numbers"),
        "{text}"
    );
    let _ = thread.resume(ask.id, Verdict::Send).await.unwrap();
}

#[tokio::test]
async fn a_question_is_answered_once() {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(Memory::default())
        .thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    let _ = thread.resume(ask.id, Verdict::Send).await.unwrap();
    let length = thread.history().await.unwrap().len();
    let error = thread.resume(ask.id, Verdict::Send).await.unwrap_err();
    assert!(matches!(error, RunError::NotAsked { .. }), "{error}");
    assert_eq!(error.node(), None, "the run is over");
    assert_eq!(
        error.to_string(),
        "question 3 of thread `t` is not open: it was answered before; \
         `status` tells which one is, if any"
    );
    assert_eq!(thread.history().await.unwrap().len(), length);
}

#[tokio::test]
async fn of_two_answers_at_once_one_counts() {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(Memory::default())
        .thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    let resume = || thread.resume(ask.id, Verdict::Send);
    let answers = futures::future::join_all([resume(), resume(), resume()]).await;
    let counted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(counted, 1, "{answers:?}");
    for error in answers.into_iter().filter_map(Result::err) {
        assert!(
            error.is_conflict() || matches!(error, RunError::NotAsked { .. }),
            "{error:?}"
        );
    }
    let letter = thread.state().await.unwrap();
    assert_eq!(said(&letter), ["draft", "sent"]);
}

#[tokio::test]
async fn a_question_that_was_never_asked_cannot_be_answered() {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(Memory::default())
        .thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let open = ask.paused().unwrap().id;
    let unknown: AskId = "77".parse().unwrap();
    let error = thread.resume(unknown, Verdict::Send).await.unwrap_err();
    assert!(matches!(error, RunError::NotAsked { .. }), "{error}");
    assert_eq!(error.node(), Some("person"));
    let text = error.to_string();
    for part in ["77", "`t`", "`person`", "has not asked it", "`status`"] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    let _ = thread.resume(open, Verdict::Send).await.unwrap();
}

#[tokio::test]
async fn a_thread_that_waits_is_not_run_and_recovered_to_its_question() {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(Memory::default())
        .thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    let error = thread.run(Letter::default()).await.unwrap_err();
    assert!(
        matches!(&error, RunError::Waiting { ask: open, node, .. }
            if *open == ask.id && node == "person"),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.contains("`t`") && text.contains("resume"), "{text}");

    let open = thread.recover().await.unwrap().paused().unwrap();
    assert_eq!(open.id, ask.id);
    assert_eq!(thread.history().await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_answer_opens_an_edge_that_only_lacked_progress() {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(Memory::default())
        .thread("t");
    let mut ask = thread.run(Letter::default()).await.unwrap();
    // `drafts`, the progress, never changes. Yet each answer is news from outside.
    for _ in 0..4 {
        let id = ask.paused().unwrap().id;
        ask = thread.resume(id, Verdict::Again).await.unwrap();
    }
    let history = thread.history().await.unwrap();
    assert_eq!(path(&history)[..4], ["draft", "person", "draft", "person"]);
    assert!(lines(&history).iter().all(|line| !line.contains(" as ")));
}

#[tokio::test]
async fn limits_hold_across_pauses() {
    let draft = Draft::default();
    let runtime = Runtime::new(mail(draft.clone())).journal(Memory::default());
    let thread = runtime.thread("t");
    let mut run = thread.run(Letter::default()).await.unwrap();
    let mut answers = 0;
    while let Run::Paused(ask) = run {
        answers += 1;
        // Each time as if on another machine.
        run = runtime
            .thread("t")
            .resume(ask.id, Verdict::Again)
            .await
            .unwrap();
    }
    assert_eq!((answers, *draft.0.lock().unwrap()), (10, 10));
    let history = lines(&thread.history().await.unwrap());
    assert!(
        history.contains(&"person: Judged::Again => send, as its limit is used up".to_owned()),
        "{history:?}"
    );
}

#[tokio::test]
async fn an_answer_on_which_the_node_fails_is_kept_for_the_next_try() {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(Memory::default())
        .thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    let error = thread.resume(ask.id, Verdict::Choke).await.unwrap_err();
    assert!(chain(&error).contains("illegible"), "{error}");
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: MailNode::Person,
            ..
        }
    ));
    // The answer fits, so it is not asked for again: the node fails on it again.
    let error = thread.recover().await.unwrap_err();
    assert!(chain(&error).contains("illegible"), "{error}");
    assert_eq!(said(&thread.state().await.unwrap()), ["draft"]);
}

// ---- Questions in the middle of a node.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Form {
    name: Option<String>,
    age: Option<u32>,
}

/// The error of a node that wraps those of others, as most programs have one.
#[derive(Debug)]
struct Wrapped(NodeError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the interview failed")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<NodeError> for Wrapped {
    fn from(error: NodeError) -> Self {
        Self(error)
    }
}

#[derive(Clone, Default)]
struct Interview {
    begun: Arc<Mutex<Vec<String>>>,
}

#[node(Form)]
impl Interview {
    async fn run(
        &self,
        mut name: Out<'_, String>,
        mut age: Out<'_, u32>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        self.begun.lock().unwrap().push(cx.idempotency_key());
        name.set(cx.ask("name", "What is your name?").await?);
        let question = format!("How old is {}?", name.get().unwrap());
        age.set(cx.ask("age", &question).await?);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Form, start = interview)]
struct Office {
    #[route(_ => end)]
    interview: Interview,
}

#[tokio::test]
async fn a_node_asks_twice_and_what_was_answered_is_not_asked_again() {
    let interview = Interview::default();
    let disk = Memory::default();
    let office = || {
        let graph = Office {
            interview: interview.clone(),
        };
        Runtime::new(graph).journal(disk.clone()).thread("t")
    };
    let first = office().run(Form::default()).await.unwrap();
    let first = first.paused().unwrap();
    assert_eq!((first.key.as_str(), &*first.node), ("name", "interview"));
    // Until the node returns, the state is as before it.
    assert_eq!(office().state().await.unwrap(), Form::default());

    let second = office().resume(first.id, "Ada").await.unwrap();
    let second = second.paused().unwrap();
    assert_eq!(second.key, "age");
    assert_eq!(second.question.to::<String>().unwrap(), "How old is Ada?");
    assert_ne!(first.id, second.id);
    assert_eq!(office().state().await.unwrap(), Form::default());

    let error = office().resume(first.id, "Bob").await.unwrap_err();
    assert!(matches!(error, RunError::NotAsked { .. }), "{error}");
    let error = office().resume(second.id, "old").await.unwrap_err();
    assert!(matches!(error, RunError::WrongAnswer { .. }), "{error}");

    let form = office().resume(second.id, 36).await.unwrap();
    let ada = Form {
        name: Some("Ada".to_owned()),
        age: Some(36),
    };
    assert_eq!(form.finished().unwrap(), ada);
    assert_eq!(
        lines(&office().history().await.unwrap()),
        [
            "started",
            r#"interview asks "What is your name?""#,
            r#"answered "Ada""#,
            r#"interview asks "How old is Ada?""#,
            "answered 36",
            "interview: _ => end",
        ]
    );
    let begun = interview.begun.lock().unwrap().clone();
    assert_eq!(begun.len(), 4, "once for each answer, and a wrong one");
    assert!(
        begun.iter().all(|key| *key == begun[0]),
        "one step, one key: {begun:?}"
    );
}

#[tokio::test]
async fn another_run_of_the_thread_asks_anew() {
    let graph = Office {
        interview: Interview::default(),
    };
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let mut form = Form::default();
    for name in ["Ada", "Bob"] {
        let ask = thread.run(form).await.unwrap().paused().unwrap();
        let ask = thread.resume(ask.id, name).await.unwrap().paused().unwrap();
        assert_eq!(
            ask.question.to::<String>().unwrap(),
            format!("How old is {name}?")
        );
        form = thread.resume(ask.id, 36).await.unwrap().finished().unwrap();
        assert_eq!(form.name.as_deref(), Some(name));
    }
}

/// How a node may take an answer that does not fit.
#[derive(Clone, Copy, Debug)]
enum Style {
    Wraps,
    Unwraps,
}

#[node(Form)]
impl Style {
    async fn run(&self, mut age: Out<'_, u32>, cx: &mut Context<'_>) -> Result<(), Wrapped> {
        let answer = cx.ask("age", "How old are you?").await;
        age.set(match self {
            Self::Wraps => answer?,
            Self::Unwraps => answer.unwrap(),
        });
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Form, start = interview)]
struct Counter {
    #[route(_ => end)]
    interview: Style,
}

#[tokio::test]
async fn a_wrong_answer_stays_one_whatever_the_node_makes_of_it() {
    for interview in [Style::Wraps, Style::Unwraps] {
        let runtime = Runtime::new(Counter { interview }).journal(Memory::default());
        let thread = runtime.thread("t");
        let ask = thread.run(Form::default()).await.unwrap();
        let ask = ask.paused().unwrap();
        let error = thread.resume(ask.id, "old").await.unwrap_err();
        assert!(
            matches!(error, RunError::WrongAnswer { .. }),
            "{interview:?}: {error:?}"
        );
        let text = chain(&error);
        assert!(text.contains("expected u32"), "{interview:?}: {text}");
        assert!(
            !text.contains("recover"),
            "a new answer helps, and no new try: {text}"
        );
        let form = thread.resume(ask.id, 36).await.unwrap().finished().unwrap();
        assert_eq!(form.age, Some(36));
    }
}

/// Puts a question, and goes on without waiting for the answer.
#[node(Form)]
async fn impatient(mut name: Out<'_, String>, cx: &mut Context<'_>) {
    let ask = std::pin::pin!(cx.ask::<_, String>("name", "What is your name?"));
    name.set(match select(ask, ready(())).await {
        Either::Left((answer, _)) => answer.unwrap_or_default(),
        Either::Right(..) => "nobody".to_owned(),
    });
}

#[node(Form)]
async fn pensive(mut age: Out<'_, u32>) {
    tokio::task::yield_now().await;
    age.set(0);
}

#[derive(AgentGraph)]
#[graph(state = Form, start = impatient)]
struct Hurry {
    #[route(_ => pensive)]
    impatient: Impatient,
    #[route(_ => end)]
    pensive: Pensive,
}

#[tokio::test]
async fn a_question_that_its_node_did_not_wait_for_is_not_asked_in_the_name_of_another() {
    let graph = Hurry {
        impatient: Impatient,
        pensive: Pensive,
    };
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let form = thread.run(Form::default()).await.unwrap();
    let form = form.finished().expect("nobody waits");
    assert_eq!((form.name.as_deref(), form.age), (Some("nobody"), Some(0)));
}

#[tokio::test]
async fn a_node_that_asks_without_a_journal_fails_and_says_so() {
    let graph = Office {
        interview: Interview::default(),
    };
    let error = Runtime::new(graph).thread("t").run(Form::default()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, RunError::NoJournal { .. }), "{error:?}");
    assert!(error.to_string().contains("`interview`"), "{error}");
}
