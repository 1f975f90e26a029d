//! In memory, what nobody has read yet is kept as it was handed in. Whoever reads it sees no difference.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use handoffs::{Durability, Hash, JournalError, NodeError, Record, ThreadId, Usage};
use proptest::prelude::*;

use super::common::Counting;
use super::*;

// ---- A graph that goes wherever its script says.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Errand {
    /// What is left to do, a letter a step.
    script: String,
    log: Log<String>,
    /// To be idle twice is no progress.
    #[state(progress)]
    steps: u64,
    note: Option<String>,
    /// What the branches of a fork make of it.
    found: BTreeSet<u64>,
}

impl Errand {
    fn new(script: &str) -> Self {
        Self {
            script: script.to_owned(),
            ..Self::default()
        }
    }
}

#[derive(Outcome)]
enum Next {
    Again,
    Idle,
    Say(String),
    Ask,
    Fail,
    Pay,
    Nap,
    Split,
    Visit,
    Approve,
    Done,
}

#[node(Errand)]
async fn lead(
    script: &mut String,
    log: &mut Log<String>,
    steps: &mut u64,
    note: &mut Option<String>,
) -> Next {
    let Some(letter) = script.pop() else {
        return Next::Done;
    };
    *steps += u64::from(letter != 'i');
    match letter {
        'n' => *note = None,
        'v' => *note = Some("null\n".to_owned()),
        _ => {}
    }
    for _ in 0..*steps % 3 {
        log.push(format!("{letter} {steps}"));
    }
    match letter {
        'i' => Next::Idle,
        's' => Next::Say(format!("\"{steps}\"")),
        'q' => Next::Ask,
        'f' => Next::Fail,
        'p' => Next::Pay,
        't' => Next::Nap,
        'x' => Next::Split,
        'g' => Next::Visit,
        'a' => Next::Approve,
        _ => Next::Again,
    }
}

#[node(Errand)]
async fn rest(log: &mut Log<String>) {
    log.push("rested".to_owned());
}

/// Hears what was said, and empties the log at times.
#[node(Errand)]
async fn hear(log: &mut Log<String>, steps: &u64) {
    if steps.is_multiple_of(4) {
        *log = Log::new();
    }
    log.push("heard".to_owned());
}

#[node(Errand)]
async fn ask(log: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
    let said: String = cx.ask("what", "What now?").await?;
    log.push(said);
    Ok(())
}

#[node(Errand)]
async fn fail(log: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
    cx.used(Usage::calls(1));
    log.push("lost".to_owned());
    Err(NodeError::new("no luck"))
}

#[node(Errand)]
async fn comfort(note: &mut Option<String>, cx: &mut Context<'_>) {
    *note = cx.failure().map(|failure| failure.error.clone());
}

/// Pays once, and says what that used.
#[node(Errand)]
async fn pay(steps: &mut u64, cx: &mut Context<'_>) -> Result<(), NodeError> {
    let paid = async || Ok::<_, NodeError>(3_u64);
    *steps += cx.once("pay", paid).await?;
    if steps.is_multiple_of(2) {
        cx.used(Usage::tokens(10, 2));
    }
    Ok(())
}

#[node(Errand)]
async fn nap() {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
}

fn three(errand: &Errand) -> Vec<u64> {
    (0..3).map(|item| item + errand.steps).collect()
}

#[node(Errand)]
async fn split() {}

#[node(Errand)]
async fn look(item: u64, found: &mut BTreeSet<u64>, log: &mut Log<String>) {
    found.insert(item);
    log.push(format!("found {item}"));
}

#[node(Errand)]
async fn gather(found: &mut BTreeSet<u64>, steps: &mut u64) {
    *steps += std::mem::take(found).iter().sum::<u64>();
}

/// A graph within.
#[derive(AgentGraph)]
#[graph(state = Errand, start = knock)]
struct Visit {
    #[route(_ => enter)]
    knock: Rest,
    #[route(_ => end)]
    enter: Rest,
}

fn steps(errand: &Errand) -> u64 {
    errand.steps
}

#[derive(AgentGraph)]
#[graph(state = Errand, start = lead)]
struct Errands {
    #[route(
        Next::Again => lead(limit = 1_000, else = end),
        Next::Idle => rest,
        Next::Say(_) => hear,
        Next::Ask => ask,
        Next::Fail => fail,
        Next::Pay => pay,
        Next::Nap => nap,
        Next::Split => split,
        Next::Visit => visit,
        Next::Approve => rest(approve = steps, else = hear),
        Next::Done => end,
    )]
    lead: Lead,
    #[route(_ => lead(limit = 500, else = hear))]
    rest: Rest,
    #[route(_ => lead(limit = 1_000, else = end))]
    hear: Hear,
    #[route(_ => lead(limit = 1_000, else = end))]
    ask: Ask,
    #[route(_ => lead(limit = 1_000, else = end))]
    #[retry(times = 1, backoff = "1s", jitter = false)]
    #[on_error(then = comfort)]
    fail: Fail,
    #[route(_ => lead(limit = 1_000, else = end))]
    comfort: Comfort,
    #[route(_ => lead(limit = 1_000, else = end))]
    pay: Pay,
    #[route(_ => lead(limit = 1_000, else = end))]
    nap: Nap,
    #[route(_ => each(three) look join gather)]
    split: Split,
    #[route(_ => gather)]
    look: Look,
    #[route(_ => lead(limit = 1_000, else = end))]
    gather: Gather,
    #[route(_ => lead(limit = 1_000, else = end))]
    visit: Visit,
}

fn errands() -> Errands {
    Errands {
        lead: Lead,
        rest: Rest,
        hear: Hear,
        ask: Ask,
        fail: Fail,
        comfort: Comfort,
        pay: Pay,
        nap: Nap,
        split: Split,
        look: Look,
        gather: Gather,
        visit: Visit {
            knock: Rest,
            enter: Rest,
        },
    }
}

/// A journal in memory that is given records, as all that stand around another one are.
fn behind() -> Counting<Memory> {
    Counting::default()
}

/// Runs an errand to its end, and returns what a journal then has of it.
async fn records(journal: Arc<dyn Journal>, script: &str, level: Durability) -> Vec<Record> {
    let clock = || SystemTime::UNIX_EPOCH + Duration::from_mins(1);
    let runtime = Runtime::new(errands())
        .journal(journal.clone())
        .durability(level)
        .clock(clock);
    let thread = runtime.thread("t").by("a test");
    let mut run = thread.run(Errand::new(script)).await.unwrap();
    while let Run::Paused(asked) = run {
        run = if asked.key == "approve" {
            let approval = handoffs::Approval::Approved;
            thread.resume(asked.id, approval).await.unwrap()
        } else {
            thread.resume(asked.id, "go on").await.unwrap()
        };
    }
    let head = thread.verify(None).await.unwrap();
    let records = Journal::read(&journal, thread.id(), 0).await.unwrap();
    assert_eq!(head.seq, records.len() as u64);
    records
}

fn texts(records: &[Record]) -> Vec<&str> {
    let bodies = records.iter().map(|record| &*record.body);
    bodies.map(|body| str::from_utf8(body).unwrap()).collect()
}

fn paused<T>(work: impl Future<Output = T>) -> T {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    tokio.block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn it_reads_as_in_any_other_journal(script in "[rrriinvsqfptxga]{0,40}") {
        for level in [Durability::Sync, Durability::Step, Durability::Exit] {
            let bare = paused(records(Arc::new(Memory::default()), &script, level));
            let behind = paused(records(Arc::new(behind()), &script, level));
            prop_assert_eq!(texts(&bare), texts(&behind));
            prop_assert_eq!(bare, behind);
        }
    }
}

#[tokio::test]
async fn a_run_of_more_handoffs_than_a_turn_has_is_kept_whole() {
    let script = "rn".repeat(60) + &"is".repeat(30) + &"r".repeat(60);
    let bare = records(Arc::new(Memory::default()), &script, Durability::Sync).await;
    assert!(bare.len() > 300, "{}", bare.len());
    let behind = records(Arc::new(behind()), &script, Durability::Sync).await;
    assert_eq!(bare.len(), behind.len());
}

// ---- While a run is at work.

/// Reads its own thread, or spoils it for the run.
#[derive(Clone, Debug)]
struct Meddler {
    journal: Memory,
    spoils: Option<Spoil>,
    seen: Arc<Mutex<Vec<usize>>>,
}

#[derive(Clone, Copy, Debug)]
enum Spoil {
    Append,
    Delete,
    DeleteAndBegin,
}

#[node(Parcel)]
impl Meddler {
    async fn run(&self, weight: &mut u32, cx: &mut Context<'_>) -> Result<(), JournalError> {
        *weight += 1;
        let thread = cx.thread();
        let records = self.journal.read(thread, 0).await?;
        self.seen.lock().unwrap().push(records.len());
        let (Some(spoils), 3) = (self.spoils, *weight) else {
            return Ok(());
        };
        let last = records.len() as u64;
        let record = |seq| Record::new(seq, Hash::of(b"{}"), b"{}".to_vec());
        if matches!(spoils, Spoil::Append) {
            (self.journal)
                .append(thread, last, vec![record(last + 1)], Durability::Sync)
                .await?;
            return Ok(());
        }
        self.journal.delete(thread, None).await?;
        if matches!(spoils, Spoil::DeleteAndBegin) {
            let others = (1..=last).map(record).collect();
            (self.journal)
                .append(thread, 0, others, Durability::Sync)
                .await?;
        }
        Ok(())
    }
}

fn is_light(parcel: &Parcel) -> bool {
    parcel.weight < 6
}

#[derive(AgentGraph)]
#[graph(state = Parcel, start = meddle)]
struct Meddling {
    #[route(_ if is_light => again, _ => end)]
    meddle: Meddler,
    #[route(_ if is_light => meddle(limit = 10, else = end), _ => end)]
    again: Meddler,
}

async fn meddled(spoils: Option<Spoil>) -> (Memory, Result<Run<Parcel>, RunError>, Vec<usize>) {
    let meddler = Meddler {
        journal: Memory::default(),
        spoils,
        seen: Arc::default(),
    };
    let graph = Meddling {
        meddle: meddler.clone(),
        again: meddler.clone(),
    };
    let runtime = Runtime::new(graph).journal(meddler.journal.clone());
    let run = runtime.thread("t").run(Parcel::default()).await;
    let seen = meddler.seen.lock().unwrap().clone();
    (meddler.journal, run, seen)
}

#[tokio::test]
async fn a_node_that_reads_its_own_thread_sees_each_step_before_it() {
    let (journal, run, seen) = meddled(None).await;
    assert_eq!(run.unwrap().finished().unwrap().weight, 6);
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
    assert_eq!(journal.read(&"t".into(), 0).await.unwrap().len(), 7);
}

#[tokio::test]
async fn whoever_has_written_meanwhile_stops_the_run_and_loses_nothing() {
    for spoils in [Spoil::Append, Spoil::Delete, Spoil::DeleteAndBegin] {
        let (journal, run, seen) = meddled(Some(spoils)).await;
        assert!(run.is_err_and(|error| error.is_conflict()), "{spoils:?}");
        assert_eq!(seen, [1, 2, 3], "{spoils:?}: no node after that");
        let left = journal.read(&"t".into(), 0).await.unwrap();
        let expected = match spoils {
            Spoil::Append => 4,
            Spoil::Delete => 0,
            Spoil::DeleteAndBegin => 3,
        };
        assert_eq!(left.len(), expected, "{spoils:?}");
        let foreign = left.last().is_none_or(|last| last.body == b"{}");
        assert!(foreign, "{spoils:?}");
    }
}

#[tokio::test]
async fn a_run_that_is_dropped_between_two_steps_is_taken_up_where_it_was() {
    let gate = Gate::closed();
    let journal = Memory::default();
    let runtime = Runtime::new(post(&gate)).journal(journal.clone());
    let thread = runtime.thread("t");
    {
        let run = std::pin::pin!(thread.run(Parcel::default()));
        let reached = std::pin::pin!(gate.reached.notified());
        let first = futures::future::select(run, reached).await;
        assert!(matches!(first, futures::future::Either::Right(_)));
    }
    let history = thread.history().await.unwrap();
    assert_eq!(lines(&history), PATH[..2]);
    thread.recover().await.unwrap().finished().unwrap();
    let history = thread.history().await.unwrap();
    assert_eq!(lines(&history), PATH);
    let heads: Vec<(ThreadId, Record)> = journal.heads(None, 9).await.unwrap();
    assert_eq!(heads.len(), 1);
    let (_, last) = &heads[0];
    let read: Result<Vec<Record>, JournalError> = journal.read(thread.id(), 3).await;
    assert_eq!(read.unwrap(), std::slice::from_ref(last));
}
