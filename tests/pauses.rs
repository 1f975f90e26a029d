//! How a run waits for a person, and goes on with the answer.
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
use std::future::ready;
use std::sync::{Arc, Mutex};

use common::{
    Clock, Counting, Place, Tally, chain, cut_off_anywhere, drain, lines, path, timeless,
};
use futures::future::{Either, select};
use handoffs::prelude::*;
use handoffs::{AskId, NodeError, RunError, TimeoutKind};
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

async fn a_run_pauses_before_the_person_and_goes_on_with_the_answer(at: &impl Place) {
    let draft = Draft::default();
    let thread = Runtime::new(mail(draft.clone()))
        .journal(at.open().await)
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

async fn the_question_is_answered_on_another_machine(at: &impl Place) {
    let here = Runtime::new(mail(Draft::default())).journal(at.open().await);
    let ask = here.thread("t").run(Letter::default()).await.unwrap();
    drop(here);

    let draft = Draft::default();
    let there = Runtime::new(mail(draft.clone())).journal(at.open().await);
    assert_eq!(there.threads().await.unwrap(), ["t".into()]);
    let thread = there.thread("t");
    let run = thread.resume(ask.paused().unwrap().id, Verdict::Send).await;
    assert_eq!(said(&run.unwrap().finished().unwrap()), ["draft", "sent"]);
    assert_eq!(*draft.0.lock().unwrap(), 0, "the draft was written there");
}

async fn a_run_with_a_pause_streams_what_it_does(at: &impl Place) {
    let runtime = Runtime::new(mail(Draft::default())).journal(at.open().await);
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

async fn an_answer_that_does_not_fit_leaves_the_question_open(at: &impl Place) {
    let journal = Counting::of(at.open().await);
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

async fn an_answer_that_json_has_no_word_for_is_refused_before_anything_is_read(at: &impl Place) {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(at.open().await)
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

async fn a_question_is_answered_once(at: &impl Place) {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(at.open().await)
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

async fn of_two_answers_at_once_one_counts(at: &impl Place) {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(at.open().await)
        .thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    let resume = || thread.resume(ask.id, Verdict::Send);
    let answers = futures::future::join_all(vec![resume(), resume(), resume()]).await;
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

async fn a_question_that_was_never_asked_cannot_be_answered(at: &impl Place) {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(at.open().await)
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

async fn a_thread_that_waits_is_not_run_and_recovered_to_its_question(at: &impl Place) {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(at.open().await)
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

async fn an_answer_opens_an_edge_that_only_lacked_progress(at: &impl Place) {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(at.open().await)
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

async fn limits_hold_across_pauses(at: &impl Place) {
    let draft = Draft::default();
    let runtime = Runtime::new(mail(draft.clone())).journal(at.open().await);
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

async fn an_answer_on_which_the_node_fails_is_kept_for_the_next_try(at: &impl Place) {
    let thread = Runtime::new(mail(Draft::default()))
        .journal(at.open().await)
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

async fn a_node_asks_twice_and_what_was_answered_is_not_asked_again(at: &impl Place) {
    let interview = Interview::default();
    let disk = at.open().await;
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

async fn another_run_of_the_thread_asks_anew(at: &impl Place) {
    let graph = Office {
        interview: Interview::default(),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
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

/// Fails each time that it is resumed, before it reads what was answered.
#[derive(Clone, Default)]
struct Nervous(Tally);

#[node(Form)]
impl Nervous {
    async fn run(&self, mut age: Out<'_, u32>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        if matches!(self.0.count("nervous"), 1 | 3) {
            return Err(NodeError::new(std::fmt::Error));
        }
        age.set(cx.ask("age", "How old are you?").await?);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Form, start = interview)]
struct Retried {
    #[route(_ => end)]
    #[retry(times = 3, backoff = "0ms")]
    interview: Nervous,
}

#[derive(AgentGraph)]
#[graph(state = Form, start = interview)]
struct Unretried {
    #[route(_ => end)]
    interview: Nervous,
}

async fn a_wrong_answer_that_was_written_unread_is_asked_for_anew(at: &impl Place) {
    let interview = Nervous::default();
    let runtime = Runtime::new(Retried { interview }).journal(at.open().await);
    let thread = runtime.thread("t");
    let first = thread.run(Form::default()).await.unwrap().paused().unwrap();
    // It is written with the attempt that failed, and the next one cannot read it.
    let second = thread.resume(first.id, "old").await.unwrap();
    let second = second.paused().unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(
        (&second.key, &second.question),
        (&first.key, &first.question)
    );
    assert_eq!(thread.asks().await.unwrap(), std::slice::from_ref(&second));
    // The right one is read, and kept, also over an attempt that fails.
    let form = thread.resume(second.id, 36).await.unwrap();
    assert_eq!(form.finished().unwrap().age, Some(36));
}

async fn a_wrong_answer_on_which_nobody_failed_is_asked_for_anew_by_recover(at: &impl Place) {
    let interview = Nervous::default();
    let runtime = Runtime::new(Unretried { interview }).journal(at.open().await);
    let thread = runtime.thread("t");
    let first = thread.run(Form::default()).await.unwrap().paused().unwrap();
    thread.resume(first.id, "old").await.unwrap_err();
    let second = thread.recover().await.unwrap().paused().unwrap();
    assert_ne!(second.id, first.id);
    thread.resume(second.id, 36).await.unwrap_err();
    let form = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(form.age, Some(36));
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

async fn a_wrong_answer_stays_one_whatever_the_node_makes_of_it(at: &impl Place) {
    for interview in [Style::Wraps, Style::Unwraps] {
        let runtime = Runtime::new(Counter { interview }).journal(at.open().await);
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

async fn a_question_that_its_node_did_not_wait_for_is_not_asked_in_the_name_of_another(
    at: &impl Place,
) {
    let graph = Hurry {
        impatient: Impatient,
        pensive: Pensive,
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
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

// ---- Nobody answers in time.

#[node(Letter)]
fn shelve(lines: &mut Log<String>, cx: &mut Context<'_>) {
    let failure = cx.failure().expect("the run came along an error edge");
    let (node, attempts) = (&failure.node, failure.attempts);
    lines.push(format!("{node}, {attempts}: {}", failure.error));
}

#[derive(AgentGraph)]
#[graph(state = Letter, start = draft)]
struct Timely {
    #[route(_ => person)]
    draft: Draft,
    #[route(_ => send)]
    #[timeout("30s", answer = "2d")]
    #[on_error(then = shelve)]
    person: Human<Shown, Verdict>,
    #[route(_ => end)]
    send: Send,
    #[route(_ => end)]
    shelve: Shelve,
}

fn timely() -> Timely {
    Timely {
        draft: Draft::default(),
        person: Human::new(),
        send: Send,
        shelve: Shelve,
    }
}

const LATE: &str = "nobody answered the node within 172800s";

async fn a_question_that_nobody_answers_in_time_is_a_failure_of_its_node(at: &impl Place) {
    let clock = Clock::default();
    let journal = Counting::of(at.open().await);
    let runtime = Runtime::new(timely())
        .journal(journal.clone())
        .clock(clock.tells());
    let thread = runtime.thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    let until = clock.now_ms() + 2 * 24 * 60 * 60 * 1000;
    assert_eq!(ask.expires_ms, Some(until));

    clock.seconds(2 * 24 * 60 * 60 - 1);
    let open = thread.recover().await.unwrap().paused().unwrap();
    assert_eq!(open, ask, "there is a second left");
    clock.seconds(1);
    let appends = journal.appends();
    let error = thread.resume(ask.id, Verdict::Send).await.unwrap_err();
    assert!(
        matches!(&error, RunError::NotAsked { node: Some(node), .. } if node == "person"),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "question 3 of thread `t`, which stands at node `person`, is not open: it has expired, and \
         `recover` goes on without an answer; `status` tells which one is, if any"
    );
    assert_eq!(journal.appends(), appends, "nothing was written");
    assert_eq!(thread.status().await.unwrap(), Status::Paused(ask.clone()));

    let letter = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(said(&letter), ["draft", &format!("person, 1: {LATE}")]);
    let history = thread.history().await.unwrap();
    assert_eq!(
        lines(&history),
        [
            "started",
            "draft: _ => person",
            r#"person asks {"last":"draft"}"#,
            "expired",
            "person failed => shelve",
            "shelve: _ => end",
        ]
    );
    assert_eq!(journal.appends(), appends + 2, "together with what follows");
    let dates: Vec<_> = history.iter().map(|entry| entry.at_ms).collect();
    assert_eq!(dates[3..], [until; 3], "by the same clock");
    let error = thread.resume(ask.id, Verdict::Send).await.unwrap_err();
    assert!(error.to_string().contains("it has expired"), "{error}");
}

async fn an_answer_in_time_is_one_however_long_the_run_then_takes(at: &impl Place) {
    let clock = Clock::default();
    let runtime = Runtime::new(timely())
        .journal(at.open().await)
        .clock(clock.tells());
    let thread = runtime.thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let ask = ask.paused().unwrap();
    clock.hours(47);
    let error = thread.resume(ask.id, "Perhaps").await.unwrap_err();
    assert!(matches!(error, RunError::WrongAnswer { .. }), "{error:?}");
    let run = thread.resume(ask.id, Verdict::Send).await.unwrap();
    clock.hours(2);
    assert_eq!(said(&run.finished().unwrap()), ["draft", "sent"]);
    let run = thread.run_once(Letter::default()).await.unwrap();
    assert_eq!(said(&run.finished().unwrap()), ["draft", "sent"]);
}

#[derive(AgentGraph)]
#[graph(state = Form, start = interview)]
struct Impatience {
    #[route(_ => end)]
    #[timeout(answer = "1h")]
    interview: Interview,
}

async fn without_an_error_edge_the_run_fails_and_recovered_it_asks_again(at: &impl Place) {
    let clock = Clock::default();
    let graph = Impatience {
        interview: Interview::default(),
    };
    let runtime = Runtime::new(graph)
        .journal(at.open().await)
        .clock(clock.tells());
    let thread = runtime.thread("t");
    let first = thread.run(Form::default()).await.unwrap().paused().unwrap();
    let second = thread.resume(first.id, "Ada").await.unwrap();
    let second = second.paused().unwrap();
    clock.hours(1);
    let error = thread.recover().await.unwrap_err();
    let RunError::TimedOut { kind, after, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*kind, TimeoutKind::Answer);
    assert_eq!(after.as_secs(), 60 * 60);
    let text = error.to_string();
    for part in ["`interview`", "got no answer within 3600s", "`recover`"] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    assert!(matches!(
        thread.status().await.unwrap(),
        Status::Failed {
            node: ImpatienceNode::Interview,
            ..
        }
    ));
    assert_eq!(thread.asks().await.unwrap(), []);

    // What was answered is not asked again.
    let third = thread.recover().await.unwrap().paused().unwrap();
    assert_eq!(
        (third.key.as_str(), third.question.as_str()),
        ("age", second.question.as_str())
    );
    assert_ne!(third.id, second.id);
    assert_eq!(third.expires_ms, Some(clock.now_ms() + 60 * 60 * 1000));
    let run = thread.resume(third.id, 36).await.unwrap();
    assert_eq!(run.finished().unwrap().age, Some(36));
}

fn is_timeout(error: &NodeError) -> bool {
    error.timeout() == Some(TimeoutKind::Answer)
}

#[derive(AgentGraph)]
#[graph(state = Letter, start = draft)]
struct Patient {
    #[route(_ => person)]
    draft: Draft,
    #[route(_ => send)]
    #[timeout(answer = "1h")]
    #[retry(times = 2, backoff = "0s", on = is_timeout)]
    #[on_error(then = shelve)]
    person: Human<Shown, Verdict>,
    #[route(_ => end)]
    send: Send,
    #[route(_ => end)]
    shelve: Shelve,
}

fn patient() -> Patient {
    Patient {
        draft: Draft::default(),
        person: Human::new(),
        send: Send,
        shelve: Shelve,
    }
}

async fn a_retry_asks_again(at: &impl Place) {
    let clock = Clock::default();
    let runtime = Runtime::new(patient())
        .journal(at.open().await)
        .clock(clock.tells());
    for (name, answers, last) in [
        ("answered", true, "sent".to_owned()),
        (
            "forgotten",
            false,
            "person, 2: nobody answered the node within 3600s".to_owned(),
        ),
    ] {
        let thread = runtime.thread(name);
        let first = thread.run(Letter::default()).await.unwrap();
        let first = first.paused().unwrap();
        clock.hours(1);
        let second = thread.recover().await.unwrap().paused().unwrap();
        assert_ne!(first.id, second.id);
        assert_eq!(first.question, second.question);
        assert_eq!(second.expires_ms, Some(clock.now_ms() + 60 * 60 * 1000));
        assert_eq!(
            lines(&thread.history().await.unwrap())[3..],
            [
                "expired",
                "person is tried again",
                r#"person asks {"last":"draft"}"#
            ]
        );
        let run = if answers {
            thread.resume(second.id, Verdict::Send).await.unwrap()
        } else {
            clock.hours(1);
            thread.recover().await.unwrap()
        };
        assert_eq!(said(&run.finished().unwrap()), ["draft", &last]);
    }
}

#[derive(AgentGraph)]
#[graph(state = Letter, start = draft)]
struct Reminder {
    #[route(_ => person)]
    draft: Draft,
    #[route(_ => send)]
    #[timeout(answer = "1h")]
    #[on_error(then = back(limit = 2, else = shelve))]
    person: Human<Shown, Verdict>,
    #[route(_ => end)]
    send: Send,
    #[route(_ => end)]
    shelve: Shelve,
}

async fn time_that_is_over_is_news_from_outside(at: &impl Place) {
    let clock = Clock::default();
    let draft = Draft::default();
    let graph = Reminder {
        draft: draft.clone(),
        person: Human::new(),
        send: Send,
        shelve: Shelve,
    };
    let runtime = Runtime::new(graph)
        .journal(at.open().await)
        .clock(clock.tells());
    let thread = runtime.thread("t");
    // `drafts`, the progress, never changes.
    let mut run = thread.run(Letter::default()).await.unwrap();
    for _ in 0..2 {
        let _ = run.paused().unwrap();
        clock.hours(1);
        run = thread.recover().await.unwrap();
    }
    let _ = run.paused().unwrap();
    assert_eq!(*draft.0.lock().unwrap(), 3);
    clock.hours(1);
    let run = thread.recover().await.unwrap();
    assert_eq!(run.finished().unwrap().lines.len(), 4, "shelved at last");
}

/// A graph in a graph: the time that the one around allows holds where the one within says nothing.
#[derive(AgentGraph)]
#[graph(state = Letter, start = mail)]
struct Around {
    #[route(_ => end)]
    #[timeout(answer = "3h")]
    #[on_error(then = shelve)]
    mail: Mail,
    #[route(_ => timely)]
    shelve: Shelve,
    #[route(_ => end)]
    #[timeout(answer = "3h")]
    timely: Timely,
}

async fn the_time_that_is_allowed_to_a_graph_holds_for_its_nodes(at: &impl Place) {
    let clock = Clock::default();
    let graph = Around {
        mail: mail(Draft::default()),
        shelve: Shelve,
        timely: timely(),
    };
    let runtime = Runtime::new(graph)
        .journal(at.open().await)
        .clock(clock.tells());
    let thread = runtime.thread("t");
    let ask = thread.run(Letter::default()).await.unwrap();
    let hours = |ask: &Ask| (ask.expires_ms.unwrap() - clock.now_ms()) / (60 * 60 * 1000);
    assert_eq!(hours(&ask.paused().unwrap()), 3);
    clock.hours(3);
    let ask = thread.recover().await.unwrap().paused().unwrap();
    assert_eq!(hours(&ask), 48, "that of its own node is nearer");
    clock.hours(48);
    let letter = thread.recover().await.unwrap().finished().unwrap();
    let within = "mail, 1: node `person` of thread `t` got no answer within 10800s";
    let [first, draft, second] = &*said(&letter) else {
        panic!("{letter:?}");
    };
    assert!(first.starts_with(within), "{first}");
    assert_eq!((*draft, *second), ("draft", &*format!("person, 1: {LATE}")));
}

#[derive(AgentGraph)]
#[graph(state = Form, start = begin)]
struct Both {
    #[route(_ => all(name, age) join over)]
    begin: Pensive,
    #[route(_ => over)]
    #[timeout(answer = "1h")]
    name: AskName,
    #[route(_ => over)]
    age: Style,
    #[route(_ => end)]
    over: Over,
}

#[node(Form)]
async fn ask_name(mut name: Out<'_, String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
    name.set(cx.ask("name", "What is your name?").await?);
    Ok(())
}

#[node(Form)]
fn over() {}

async fn a_branch_whose_question_expires_fails_the_run_and_leaves_the_other_question_open(
    at: &impl Place,
) {
    let clock = Clock::default();
    let graph = Both {
        begin: Pensive,
        name: AskName,
        age: Style::Wraps,
        over: Over,
    };
    let runtime = Runtime::new(graph)
        .journal(at.open().await)
        .clock(clock.tells());
    let thread = runtime.thread("t");
    let _ = thread.run(Form::default()).await.unwrap();
    let asks = thread.asks().await.unwrap();
    clock.hours(1);
    let error = thread.recover().await.unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error:?}");
    assert_eq!(thread.asks().await.unwrap(), asks[1..]);
    let name = thread.resume(asks[1].id, 36).await.unwrap();
    let name = name.paused().unwrap();
    assert_eq!(name.key, "name");
    let form = thread.resume(name.id, "Ada").await.unwrap();
    let form = form.finished().unwrap();
    assert_eq!((form.name.as_deref(), form.age), (Some("Ada"), Some(36)));
}

#[tokio::test]
async fn a_run_in_which_nobody_answers_is_cut_off_at_any_append() {
    let nobody = |_: &Ask| None;
    cut_off_anywhere(|_| timely(), Letter::default(), &nobody).await;
    cut_off_anywhere(|_| patient(), Letter::default(), &nobody).await;
    let around = |_: &Tally| Around {
        mail: mail(Draft::default()),
        shelve: Shelve,
        timely: timely(),
    };
    cut_off_anywhere(around, Letter::default(), &nobody).await;
}

on_every_journal! {
    a_wrong_answer_that_was_written_unread_is_asked_for_anew
    a_wrong_answer_on_which_nobody_failed_is_asked_for_anew_by_recover
    a_run_pauses_before_the_person_and_goes_on_with_the_answer
    the_question_is_answered_on_another_machine
    a_run_with_a_pause_streams_what_it_does
    an_answer_that_does_not_fit_leaves_the_question_open
    an_answer_that_json_has_no_word_for_is_refused_before_anything_is_read
    a_question_is_answered_once
    of_two_answers_at_once_one_counts
    a_question_that_was_never_asked_cannot_be_answered
    a_thread_that_waits_is_not_run_and_recovered_to_its_question
    an_answer_opens_an_edge_that_only_lacked_progress
    limits_hold_across_pauses
    an_answer_on_which_the_node_fails_is_kept_for_the_next_try
    a_node_asks_twice_and_what_was_answered_is_not_asked_again
    another_run_of_the_thread_asks_anew
    a_wrong_answer_stays_one_whatever_the_node_makes_of_it
    a_question_that_its_node_did_not_wait_for_is_not_asked_in_the_name_of_another
    a_question_that_nobody_answers_in_time_is_a_failure_of_its_node
    an_answer_in_time_is_one_however_long_the_run_then_takes
    without_an_error_edge_the_run_fails_and_recovered_it_asks_again
    a_retry_asks_again
    time_that_is_over_is_news_from_outside
    the_time_that_is_allowed_to_a_graph_holds_for_its_nodes
    a_branch_whose_question_expires_fails_the_run_and_leaves_the_other_question_open
}
