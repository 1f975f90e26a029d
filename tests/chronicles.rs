//! A thread as its journal tells of it, without its graph, and answers that are laid down in it.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(unused_must_use, reason = "a run is made for what it leaves behind")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt};
use handoffs::prelude::*;
use handoffs::{
    Approval, AskId, Chronicle, Durability, Hash, Journal, JournalError, Json, Layer, NodeError,
    Record, Recorded, RunError, Status as Stands, Summary, Thread, ThreadId, async_trait, inbox,
    overview, submit,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

// ---- A graph with graphs within: one of the same state, one of another.

#[derive(State, Serialize, Clone, Debug, Default)]
struct Case {
    name: String,
    said: Log<String>,
    sum: Option<u32>,
}

#[derive(State, Serialize, Deserialize, Clone, Debug, Default)]
struct Sheet {
    said: Log<String>,
    rows: u32,
}

#[node(Case)]
async fn note(name: &str, said: &mut Log<String>) {
    said.push(format!("of {name}"));
}

struct Clerk;

#[node(Case)]
impl Clerk {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let answer: String = cx.ask("what", "what is it?").await?;
        if answer == "fail" {
            return Err(NodeError::new("as told"));
        }
        said.push(answer);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = note)]
struct Inner {
    #[route(_ => clerk)]
    note: Note,
    #[route(_ => end)]
    clerk: Clerk,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = note)]
struct Notes {
    #[route(_ => end)]
    note: Note,
}

#[node(Sheet)]
async fn fill(said: &mut Log<String>, rows: &mut u32) {
    said.push("not the case's".to_owned());
    *rows += 3;
}

#[derive(AgentGraph)]
#[graph(state = Sheet, start = fill)]
struct Count {
    #[route(_ => end)]
    fill: Fill,
}

fn sheet(_: &Case) -> Sheet {
    Sheet::default()
}

#[node(Case)]
async fn total(sheet: Sheet, sum: &mut Option<u32>) {
    *sum = Some(sheet.rows);
}

fn may_end(case: &Case) -> String {
    format!("is {} done?", case.name)
}

#[derive(AgentGraph)]
#[graph(state = Case, start = inner)]
struct Outer {
    #[route(_ => count)]
    inner: Inner,
    #[route(_ => both)]
    #[subgraph(enter = sheet, leave = total)]
    count: Count,
    #[route(_ => all(left, right) join last)]
    both: Note,
    #[route(_ => last)]
    left: Clerk,
    #[route(_ => last)]
    right: Clerk,
    #[route(_ => done(approve = may_end, else = refused))]
    last: Note,
    #[route(_ => end)]
    done: Note,
    #[route(_ => end)]
    refused: Note,
}

fn outer() -> Outer {
    Outer {
        inner: Inner {
            note: Note,
            clerk: Clerk,
        },
        count: Count { fill: Fill },
        both: Note,
        left: Clerk,
        right: Clerk,
        last: Note,
        done: Note,
        refused: Note,
    }
}

async fn summary(journal: &dyn Journal, thread: &ThreadId) -> Summary {
    let chronicle = Chronicle::read(journal, thread).await.unwrap().unwrap();
    chronicle.summary().unwrap()
}

fn state(summary: &Summary) -> Value {
    let fields = summary.state.iter();
    fields
        .map(|(name, value)| (name.clone(), value.to::<Value>().unwrap()))
        .collect()
}

async fn open(journal: &dyn Journal) -> Vec<(AskId, Option<Json>)> {
    let waiting: Vec<_> = inbox(journal, None).try_collect().await.unwrap();
    let asks = waiting.into_iter().flat_map(|thread| thread.asks);
    asks.map(|ask| (ask.id, ask.submitted)).collect()
}

fn text(text: &str) -> Json {
    Json::of(text).unwrap()
}

async fn begun(journal: &Memory) -> Thread<Outer, Memory> {
    let case = Case {
        name: "ada".to_owned(),
        ..Case::default()
    };
    let thread = Runtime::new(outer()).journal(journal.clone()).thread("t");
    thread.run(case).await.unwrap().paused().unwrap();
    thread
}

/// Lays answers down and recovers, and returns what is asked next.
async fn answered(journal: &Memory, thread: &Thread<Outer, Memory>, said: Json) -> Option<AskId> {
    let (ask, _) = open(journal).await[0].clone();
    submit(journal, thread.id(), ask, Some(said), None)
        .await
        .unwrap();
    thread.recover().await.unwrap().paused().map(|ask| ask.id)
}

#[tokio::test]
async fn whoever_has_not_the_graph_sees_the_state_as_whoever_has() {
    let journal = Memory::default();
    let thread = begun(&journal).await;
    for said in ["one", "two", "three"] {
        answered(&journal, &thread, text(said)).await.unwrap();
    }
    let approved = Json::of(&Approval::Approved).unwrap();
    assert_eq!(answered(&journal, &thread, approved).await, None);
    let history = thread.history().await.unwrap();
    assert!(history.iter().any(|entry| !entry.branch.is_trunk()));
    for entry in &history {
        let chronicle = Chronicle::read(&journal, thread.id())
            .await
            .unwrap()
            .unwrap();
        let chronicle = chronicle.until(entry.seq).unwrap();
        let then = chronicle.summary().unwrap();
        let stands = chronicle.overview().unwrap();
        let told = (stands.graph, stands.status, stands.open as usize);
        assert_eq!(
            told,
            (then.graph.clone(), then.status.clone(), then.asks.len()),
            "after {entry:?}"
        );
        let known = thread.state_at(entry.seq).await.unwrap();
        let known = serde_json::to_value(known).unwrap();
        assert_eq!(state(&then), known, "after {entry:?}");
    }
    let last = summary(&journal, thread.id()).await;
    assert_eq!(last.status, Stands::Finished);
    assert_eq!(last.graph.name(), "Outer");
    assert_eq!(
        state(&last)["sum"],
        json!(3),
        "of the graph with another state"
    );
    let fields: Vec<_> = last.state.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        fields,
        ["name", "said", "sum"],
        "in the order of the struct"
    );
}

#[tokio::test]
async fn where_a_thread_stands_is_told_by_the_names_of_nodes() {
    let journal = Memory::default();
    let thread = begun(&journal).await;
    let asked = summary(&journal, thread.id()).await;
    assert!(matches!(&asked.status, Stands::Paused(ask) if ask.node == "clerk"));
    assert_eq!(asked.asks, thread.asks().await.unwrap());

    let (ask, _) = open(&journal).await[0].clone();
    thread.resume(ask, "fail").await.unwrap_err();
    let failed = summary(&journal, thread.id()).await;
    let Stands::Failed { node, error, .. } = failed.status else {
        panic!("{:?}", failed.status);
    };
    assert_eq!(node, ["inner"]);
    assert!(error.ends_with("as told"), "{error}");

    thread.abandon("enough").await.unwrap();
    let given_up = summary(&journal, thread.id()).await;
    assert!(matches!(given_up.status, Stands::Abandoned { why, .. } if why == "enough"));
    assert!(
        Chronicle::read(&journal, &"nobody".into())
            .await
            .unwrap()
            .is_none()
    );
}

/// Counts how often a thread is read.
#[derive(Debug, Default)]
struct Counting {
    within: Memory,
    reads: AtomicU64,
}

#[async_trait]
impl Layer for Counting {
    type Within = Memory;

    fn within(&self) -> &Memory {
        &self.within
    }

    async fn read(&self, thread: &ThreadId, after: u64) -> Result<Vec<Record>, JournalError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.within.read(thread, after).await
    }
}

#[tokio::test]
async fn where_threads_stand_is_told_by_their_last_entries_where_they_tell() {
    let journal = Counting::default();
    let notes = Runtime::new(Notes { note: Note }).journal(journal.within.clone());
    for name in ["a", "b"] {
        notes.thread(name).run(Case::default()).await.unwrap();
    }
    let stands: Vec<_> = overview(&journal, None).try_collect().await.unwrap();
    let told: Vec<_> = stands
        .iter()
        .map(|stands| (stands.thread.as_str(), &stands.status, stands.entries))
        .collect();
    assert_eq!(
        told,
        [("a", &Stands::Finished, 2), ("b", &Stands::Finished, 2)]
    );
    assert_eq!(journal.reads.load(Ordering::Relaxed), 0);

    // Within a graph, the entries before have to tell which node of the thread's own graph it is.
    begun(&journal.within).await;
    let behind = ThreadId::from("b");
    let stands: Vec<_> = overview(&journal, Some(behind))
        .try_collect()
        .await
        .unwrap();
    let [stands] = stands.as_slice() else {
        panic!("{stands:?}");
    };
    assert_eq!((stands.graph.name(), stands.open), ("Outer", 1));
    assert!(matches!(&stands.status, Stands::Paused(ask) if ask.node == "clerk"));
    assert_eq!(journal.reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_thread_that_cannot_be_read_hides_no_other_in_the_overview() {
    let journal = Memory::default();
    let notes = Runtime::new(Notes { note: Note }).journal(journal.clone());
    for name in ["a", "c"] {
        notes.thread(name).run(Case::default()).await.unwrap();
    }
    let body = b"no entry".to_vec();
    let alien = Record::new(1, Hash::of(&body), body);
    let thread = ThreadId::from("b");
    let appended = journal.append(&thread, 0, vec![alien], Durability::Sync);
    appended.await.unwrap();
    let stands: Vec<_> = overview(&journal, None).collect().await;
    let told: Vec<_> = stands
        .iter()
        .map(|stands| match stands {
            Ok(stands) => stands.thread.as_str(),
            Err(error) => error.thread().unwrap().as_str(),
        })
        .collect();
    assert_eq!(told, ["a", "b", "c"]);
    let error = stands[1].as_ref().unwrap_err();
    assert!(error.to_string().contains("it is no entry"), "{error}");
}

#[tokio::test]
async fn of_a_trimmed_thread_the_snapshot_tells() {
    let journal = Memory::default();
    let thread = begun(&journal).await;
    answered(&journal, &thread, text("one")).await.unwrap();
    let before = summary(&journal, thread.id()).await;
    let base = thread.trim(1).await.unwrap();
    let chronicle = Chronicle::read(&journal, thread.id())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((chronicle.base(), chronicle.len()), (base, base.seq + 1));
    let after = chronicle.summary().unwrap();
    assert_eq!(state(&after), state(&before));
    assert_eq!((after.status, after.asks), (before.status, before.asks));
    let chronicle = Chronicle::read(&journal, thread.id())
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(
        chronicle.until(base.seq),
        Err(RunError::Trimmed { .. })
    ));
}

#[tokio::test]
async fn an_answer_that_is_laid_down_is_taken_by_the_next_recover() {
    let journal = Memory::default();
    let thread = begun(&journal).await;
    let (ask, none) = open(&journal).await[0].clone();
    assert_eq!(none, None);
    submit(&journal, thread.id(), ask, Some(text("one")), Some("alice"))
        .await
        .unwrap();
    assert_eq!(
        open(&journal).await,
        [(ask, Some(text("one")))],
        "open until it is taken"
    );
    assert_eq!(thread.asks().await.unwrap()[0].submitted, Some(text("one")));
    let next = thread.recover().await.unwrap().paused().unwrap();
    assert_ne!(next.id, ask);
    let history = thread.history().await.unwrap();
    let laid_down = history
        .iter()
        .find(|entry| matches!(entry.event, Recorded::Submitted { .. }));
    assert_eq!(laid_down.unwrap().by.as_deref(), Some("alice"));
    let late = submit(&journal, thread.id(), ask, Some(text("two")), None).await;
    assert!(
        matches!(
            late,
            Err(RunError::NotAsked {
                reason: "it was answered before",
                ..
            })
        ),
        "{late:?}"
    );
    thread.verify(None).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_replaced_or_taken_back() {
    let journal = Memory::default();
    let thread = begun(&journal).await;
    let (ask, _) = open(&journal).await[0].clone();
    let wrong = Some(Json::of(&7).unwrap());
    submit(&journal, thread.id(), ask, wrong.clone(), None)
        .await
        .unwrap();
    for _ in 0..2 {
        let refused = thread.recover().await;
        assert!(
            matches!(refused, Err(RunError::WrongAnswer { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        open(&journal).await,
        [(ask, wrong)],
        "it stands until it is replaced"
    );
    submit(&journal, thread.id(), ask, None, None)
        .await
        .unwrap();
    assert_eq!(open(&journal).await, [(ask, None)]);
    assert_eq!(thread.recover().await.unwrap().paused().unwrap().id, ask);
    submit(&journal, thread.id(), ask, Some(text("one")), None)
        .await
        .unwrap();
    assert_ne!(thread.recover().await.unwrap().paused().unwrap().id, ask);
}

#[tokio::test]
async fn a_resume_goes_before_what_was_laid_down() {
    let journal = Memory::default();
    let thread = begun(&journal).await;
    let (ask, _) = open(&journal).await[0].clone();
    submit(
        &journal,
        thread.id(),
        ask,
        Some(Json::of(&7).unwrap()),
        None,
    )
    .await
    .unwrap();
    thread.resume(ask, "one").await.unwrap();
    let said = thread.state().await.unwrap().said;
    assert!(said.iter().any(|said| said == "one"));
}

#[tokio::test]
async fn answers_on_two_branches_are_taken_together_also_behind_a_snapshot() {
    let journal = Memory::default();
    let thread = begun(&journal).await;
    answered(&journal, &thread, text("one")).await.unwrap();
    let asks = open(&journal).await;
    assert_eq!(asks.len(), 2);
    submit(&journal, thread.id(), asks[1].0, Some(text("three")), None)
        .await
        .unwrap();
    thread.trim(1).await.unwrap();
    assert_eq!(
        open(&journal).await[1].1,
        Some(text("three")),
        "a snapshot keeps it"
    );
    submit(&journal, thread.id(), asks[0].0, Some(text("two")), None)
        .await
        .unwrap();
    let approval = thread.recover().await.unwrap().paused().unwrap();
    assert_eq!(approval.node, "last");
    let said = thread.state().await.unwrap().said.to_vec();
    assert!(
        said.ends_with(&["two".to_owned(), "three".to_owned(), "of ada".to_owned()]),
        "{said:?}"
    );
}

#[tokio::test]
async fn whether_a_handoff_may_be_is_checked_when_the_answer_is_laid_down() {
    let journal = Memory::default();
    let thread = begun(&journal).await;
    for said in ["one", "two", "three"] {
        answered(&journal, &thread, text(said)).await.unwrap();
    }
    let (ask, _) = open(&journal).await[0].clone();
    let entries = thread.history().await.unwrap().len();
    let wrong = submit(&journal, thread.id(), ask, Some(text("yes")), None).await;
    assert!(
        matches!(wrong, Err(RunError::WrongAnswer { .. })),
        "{wrong:?}"
    );
    assert_eq!(
        thread.history().await.unwrap().len(),
        entries,
        "nothing was written"
    );
    let refused = Json::of(&Approval::refused("no")).unwrap();
    submit(&journal, thread.id(), ask, Some(refused), None)
        .await
        .unwrap();
    thread.recover().await.unwrap().finished().unwrap();
    let last = thread.history().await.unwrap().pop().unwrap();
    assert!(matches!(last.event, Recorded::Stepped { node, .. } if node == "refused"));
}

#[tokio::test]
async fn who_asks_for_nothing_is_told_so() {
    let journal = Memory::default();
    let unknown = submit(&journal, &"nobody".into(), "1".parse().unwrap(), None, None).await;
    assert!(matches!(unknown, Err(RunError::UnknownThread { .. })));
    let thread = begun(&journal).await;
    let ask = "99".parse().unwrap();
    let unknown = submit(&journal, thread.id(), ask, Some(text("one")), None).await;
    assert!(
        matches!(
            unknown,
            Err(RunError::NotAsked {
                reason: "the thread has not asked it",
                ..
            })
        ),
        "{unknown:?}"
    );
}

// ---- Time.

#[derive(AgentGraph)]
#[graph(state = Case, start = clerk)]
struct Patient {
    #[route(_ => end)]
    #[timeout(answer = "1h")]
    #[on_error(then = note)]
    clerk: Clerk,
    #[route(_ => end)]
    note: Note,
}

#[tokio::test]
async fn an_answer_in_time_is_in_time_however_late_the_program_comes() {
    let hour = Duration::from_hours(1);
    for is_in_time in [true, false] {
        let journal = Memory::default();
        let asked_at = if is_in_time {
            SystemTime::now()
        } else {
            SystemTime::now() - hour * 2
        };
        let patient = || Patient {
            clerk: Clerk,
            note: Note,
        };
        let then = Runtime::new(patient())
            .journal(journal.clone())
            .clock(move || asked_at);
        let ask = then
            .thread("t")
            .run(Case::default())
            .await
            .unwrap()
            .paused()
            .unwrap();
        let laid_down = submit(&journal, &"t".into(), ask.id, Some(text("one")), None).await;
        assert_eq!(laid_down.is_ok(), is_in_time, "{laid_down:?}");
        submit(&journal, &"t".into(), ask.id, None, None)
            .await
            .unwrap();
        if is_in_time {
            submit(&journal, &"t".into(), ask.id, Some(text("one")), None)
                .await
                .unwrap();
        }
        let later = Runtime::new(patient())
            .journal(journal.clone())
            .clock(move || asked_at + hour * 3);
        let case = later
            .thread("t")
            .recover()
            .await
            .unwrap()
            .finished()
            .unwrap();
        assert_eq!(case.said.iter().any(|said| said == "one"), is_in_time);
    }
}
