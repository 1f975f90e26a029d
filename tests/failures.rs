//! Nodes that fail, hang and panic: they are tried again, stopped, and stood in for.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::io;
use std::slice::from_ref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Place, Tally, chain, lines, place};
use futures::StreamExt;
use handoffs::prelude::*;
use handoffs::{CancellationToken, Counter, Entry, NodeError, Recorded, TimeoutKind};
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

// ---- Nodes that do as they are told.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Job {
    said: Log<String>,
    sum: Counter,
    account: Option<String>,
    items: Vec<u32>,
}

/// What a node does once it has written to its copy of the state.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Returns the error of this kind, with a cause.
    Io(io::ErrorKind),
    /// Returns another error.
    Refuse,
    Panic,
    Hang,
    /// Hangs, and panics when it is dropped.
    HangAndPanic,
    Work(Duration),
    /// Gives so many heartbeats, each after that long, and hangs then.
    Beat(u32, Duration),
    Ask,
}

use Act::{Ask as AskFirst, Beat, Hang, HangAndPanic, Io, Panic, Refuse, Work as WorkFor};

const TIMED_OUT: Act = Io(io::ErrorKind::TimedOut);
const REFUSED: Act = Io(io::ErrorKind::ConnectionRefused);

#[derive(Debug)]
struct Refused(io::Error);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// What the nodes of a test share: what each is to do, and what each did.
#[derive(Clone, Default)]
struct Bench {
    acts: Arc<Mutex<BTreeMap<&'static str, VecDeque<Act>>>>,
    calls: Arc<Mutex<Vec<(String, Instant)>>>,
    dropped: Tally,
}

impl Bench {
    fn new(node: &'static str, acts: impl IntoIterator<Item = Act>) -> Self {
        Self::default().and(node, acts)
    }

    fn and(self, node: &'static str, acts: impl IntoIterator<Item = Act>) -> Self {
        let acts = acts.into_iter().collect();
        self.acts.lock().unwrap().insert(node, acts);
        self
    }

    fn next(&self, node: &str) -> Option<Act> {
        self.acts.lock().unwrap().get_mut(node)?.pop_front()
    }

    /// Returns when a node was executed.
    fn times(&self, node: &str) -> Vec<Instant> {
        let calls = self.calls.lock().unwrap();
        let calls = calls.iter().filter(|(name, _)| name == node);
        calls.map(|(_, at)| *at).collect()
    }

    /// Returns how long it was from each execution of a node to the next.
    fn waits(&self, node: &str) -> Vec<Duration> {
        let times = self.times(node);
        times.windows(2).map(|two| two[1] - two[0]).collect()
    }

    fn calls(&self, node: &str) -> usize {
        self.times(node).len()
    }
}

struct Guest<'a>(&'a Bench, &'static str, bool);

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.0.dropped.count(self.1);
        assert!(!self.2, "on the way out");
    }
}

struct Worker(&'static str, Bench);

#[node(Job)]
impl Worker {
    async fn run(
        &self,
        said: &mut Log<String>,
        sum: &mut Counter,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let Self(name, bench) = self;
        bench
            .calls
            .lock()
            .unwrap()
            .push(((*name).to_owned(), Instant::now()));
        let act = bench.next(name);
        let _guest = Guest(bench, name, matches!(act, Some(HangAndPanic)));
        said.push((*name).to_owned());
        *sum += 1;
        match act {
            None => {}
            Some(Io(kind)) => return Err(NodeError::new(io::Error::new(kind, "no connection"))),
            Some(Refuse) => {
                return Err(NodeError::new(Refused(io::Error::other("no such account"))));
            }
            Some(Panic) => panic!("out of {name}"),
            Some(Hang | HangAndPanic) => pending().await,
            Some(WorkFor(time)) => sleep(time).await,
            Some(Beat(beats, every)) => {
                for _ in 0..beats {
                    sleep(every).await;
                    cx.heartbeat();
                }
                pending::<()>().await;
            }
            Some(AskFirst) => {
                let answer: String = cx.ask("name", "who?").await?;
                said.push(answer);
            }
        }
        Ok(())
    }
}

/// Says why it is executed.
struct Clerk(&'static str, Bench);

#[node(Job)]
impl Clerk {
    async fn run(&self, said: &mut Log<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let Self(name, bench) = self;
        bench
            .calls
            .lock()
            .unwrap()
            .push(((*name).to_owned(), Instant::now()));
        said.push(match cx.failure() {
            Some(failure) => format!(
                "{name}: {}, {}, {}",
                failure.node, failure.error, failure.attempts
            ),
            None => format!("{name}: no failure"),
        });
        match bench.next(name) {
            None => Ok(()),
            Some(_) => Err(NodeError::new("the clerk is ill")),
        }
    }
}

fn said(job: &Job) -> Vec<&str> {
    job.said.iter().map(String::as_str).collect()
}

/// Returns what happened, each branch by itself.
fn story(history: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| match &entry.event {
        Recorded::Attempted {
            node,
            rule,
            error,
            delay_ms,
            ..
        } => format!("{node} again by rule {rule} in {delay_ms} ms: {error}"),
        Recorded::Caught {
            failure,
            to,
            masked,
            ..
        } => {
            let to = to.as_deref().unwrap_or("end");
            let masked = masked.map(|why| format!(", as {why}")).unwrap_or_default();
            let (node, attempts) = (&failure.node, failure.attempts);
            format!(
                "{node} caught after {attempts}: {} => {to}{masked}",
                failure.error
            )
        }
        _ => lines(from_ref(entry)).remove(0),
    };
    let mut lines: Vec<_> = history
        .iter()
        .map(|entry| (place(&entry.branch), line(entry)))
        .collect();
    lines.sort_by(|(one, _), (other, _)| one.cmp(other));
    let lines = lines.into_iter();
    lines
        .map(|(place, line)| format!("{place}{line}"))
        .collect()
}

/// Returns the events besides steps and entries, as lines.
async fn events<G: handoffs::Runnable<State = Job>>(
    mut stream: handoffs::EventStream<G>,
) -> (Vec<String>, Option<Result<Event<G>, RunError>>) {
    let (mut lines, mut last) = (Vec::new(), None);
    while let Some(event) = stream.next().await {
        match &event {
            Ok(Event::Attempted {
                node, error, delay, ..
            }) => lines.push(format!("{node} again in {delay:?}: {error}")),
            Ok(Event::Caught {
                node, error, to, ..
            }) => lines.push(format!("{node} caught: {error} => {to}")),
            Ok(Event::Entered { node, .. }) => lines.push(format!("{node}?")),
            Ok(Event::Stepped { node, .. }) => lines.push(format!("{node}.")),
            _ => {}
        }
        last = Some(event);
    }
    (lines, last)
}

/// Runs until something happens, and no further.
async fn until<G: handoffs::Runnable>(
    mut stream: handoffs::EventStream<G>,
    mut is_it: impl FnMut(&Event<G>) -> bool,
) {
    while let Some(event) = stream.next().await {
        if is_it(&event.unwrap()) {
            return;
        }
    }
    panic!("it did not happen");
}

// ---- Retries.

#[derive(AgentGraph)]
#[graph(state = Job, start = before)]
struct Single {
    #[route(_ => work)]
    before: Worker,
    #[route(_ => after)]
    #[retry(times = 4, backoff = "100ms", cap = "300ms", jitter = false)]
    #[timeout("30s")]
    work: Worker,
    #[route(_ => end)]
    after: Worker,
}

fn single(bench: &Bench) -> Single {
    let worker = |name| Worker(name, bench.clone());
    Single {
        before: worker("before"),
        work: worker("work"),
        after: worker("after"),
    }
}

async fn a_node_is_tried_as_often_as_its_rule_says_after_waits_that_double_up_to_the_cap(
    at: &impl Place,
) {
    let bench = Bench::new("work", [TIMED_OUT, Refuse, Panic]);
    let thread = Runtime::new(single(&bench))
        .journal(at.open().await)
        .thread("t");
    let (lines, last) = events(thread.stream(Job::default())).await;
    assert_eq!(
        lines,
        [
            "before?",
            "before.",
            "work?",
            "work again in 100ms: the node returned an error: no connection",
            "work?",
            "work again in 200ms: the node returned an error: refused: no such account",
            "work?",
            "work again in 300ms: the node panicked: out of work",
            "work?",
            "work.",
            "after?",
            "after.",
        ]
    );
    let Some(Ok(Event::Finished(job))) = last else {
        panic!("{last:?}")
    };
    // What the attempts that failed wrote is gone.
    assert_eq!(said(&job), ["before", "work", "after"]);
    assert_eq!(job.sum, Counter::new(3));
    assert_eq!(bench.waits("work"), [100 * MS, 200 * MS, 300 * MS]);
    let history = thread.history().await.unwrap();
    assert_eq!(
        story(&history),
        [
            "started",
            "before: _ => work",
            "work again by rule 0 in 100 ms: the node returned an error: no connection",
            "work again by rule 0 in 200 ms: the node returned an error: refused: no such account",
            "work again by rule 0 in 300 ms: the node panicked: out of work",
            "work: _ => after",
            "after: _ => end",
        ]
    );
    assert_eq!(thread.state().await.unwrap(), job);
    let again = thread.recover().await.unwrap();
    assert_eq!(again.finished(), Some(job));
    assert_eq!(bench.calls("work"), 4);
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_and_without_listeners_it_is_tried_all_the_same() {
    let bench = Bench::new("work", [TIMED_OUT, Hang, Panic]);
    let begun = Instant::now();
    let thread = Runtime::new(single(&bench)).thread("t");
    let job = thread
        .run(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(said(&job), ["before", "work", "after"]);
    assert_eq!(job.sum, Counter::new(3));
    assert_eq!(begun.elapsed(), 30 * S + 600 * MS);
    assert_eq!(bench.dropped.of("work"), 4);
}

async fn once_the_attempts_are_used_up_the_run_fails_and_a_recover_has_them_all_again(
    at: &impl Place,
) {
    let bench = Bench::new("work", [TIMED_OUT; 4 + 3]);
    let open = async || {
        Runtime::new(single(&bench))
            .journal(at.open().await)
            .thread("t")
    };
    let thread = open().await;
    let error = thread.run(Job::default()).await.unwrap_err();
    assert!(
        matches!(&error, RunError::Node { node, .. } if node == "work"),
        "{error:?}"
    );
    assert!(chain(&error).ends_with(": no connection"), "{error}");
    assert_eq!(bench.calls("work"), 4);
    assert_eq!(said(&thread.state().await.unwrap()), ["before"]);

    let again = open().await;
    let status = again.status().await.unwrap();
    assert!(
        matches!(&status, Status::Failed { node, .. } if node.to_string() == "work"),
        "{status:?}"
    );
    let job = again.recover().await.unwrap().finished().unwrap();
    assert_eq!(bench.calls("work"), 8);
    assert_eq!(said(&job), ["before", "work", "after"]);
    assert_eq!(again.state().await.unwrap(), job);
    let last = bench.waits("work").split_off(4);
    assert_eq!(last, [100 * MS, 200 * MS, 300 * MS]);
}

async fn a_restart_while_it_waits_gives_no_attempt_twice(at: &impl Place) {
    for cuts in 1..4 {
        let bench = Bench::new("work", [TIMED_OUT; 9]);
        let name = format!("t{cuts}");
        let open = async || {
            Runtime::new(single(&bench))
                .journal(at.open().await)
                .thread(name.clone())
        };
        let is_attempted = |event: &Event<Single>| matches!(event, Event::Attempted { .. });
        until(open().await.stream(Job::default()), is_attempted).await;
        for _ in 1..cuts {
            until(open().await.recover_stream(), is_attempted).await;
        }
        assert_eq!(bench.calls("work"), cuts);
        let status = open().await.status().await.unwrap();
        assert!(!matches!(status, Status::Failed { .. }), "{status:?}");
        let error = open().await.recover().await.unwrap_err();
        assert!(matches!(error, RunError::Node { .. }), "{error:?}");
        assert_eq!(bench.calls("work"), 4, "after {cuts} restarts");
        let history = open().await.history().await.unwrap();
        let story = story(&history);
        assert!(story[4].contains("in 300 ms"), "{story:?}");
        assert!(story[5].starts_with("work failed"), "{story:?}");
    }
}

async fn a_drain_ends_the_wait_and_takes_no_attempt_away(at: &impl Place) {
    let bench = Bench::new("work", [TIMED_OUT; 3]);
    let drain = CancellationToken::new();
    let runtime = Runtime::new(single(&bench))
        .journal(at.open().await)
        .drain_on(drain.clone());
    let thread = runtime.thread("t");
    let mut stream = thread.stream(Job::default());
    let (begun, mut last) = (Instant::now(), None);
    while let Some(event) = stream.next().await {
        if matches!(event, Ok(Event::Attempted { .. })) {
            drain.cancel();
        }
        last = Some(event);
    }
    let Some(Err(RunError::Drained { node, .. })) = last else {
        panic!("{last:?}")
    };
    assert_eq!((node.as_str(), begun.elapsed()), ("work", Duration::ZERO));
    let again = Runtime::new(single(&bench)).journal(at.open().await);
    let job = again.thread("t").recover().await.unwrap().finished();
    assert_eq!(said(&job.unwrap()), ["before", "work", "after"]);
    assert_eq!(bench.calls("work"), 4);
}

#[derive(AgentGraph)]
#[graph(state = Job, start = work)]
struct Jittered {
    #[route(_ => end)]
    #[retry(times = 21, backoff = "100ms", cap = "1s")]
    work: Worker,
}

#[tokio::test(start_paused = true)]
async fn a_random_wait_is_between_nothing_and_the_bound_and_differs_from_thread_to_thread() {
    let mut first = Vec::new();
    for number in 0..10 {
        let bench = Bench::new("work", [Refuse; 20]);
        let graph = Jittered {
            work: Worker("work", bench.clone()),
        };
        let thread = Runtime::new(graph)
            .journal(Memory::default())
            .thread(format!("t{number}"));
        let job = thread
            .run(Job::default())
            .await
            .unwrap()
            .finished()
            .unwrap();
        assert_eq!(job.sum, Counter::new(1));
        let waits = bench.waits("work");
        let bounds = (0..20).map(|used| (100 * MS * 2_u32.pow(used.min(4))).min(S));
        // A timer fires at whole milliseconds.
        assert!(
            waits
                .iter()
                .zip(bounds)
                .all(|(wait, bound)| *wait <= bound + MS),
            "{waits:?}"
        );
        let long: Duration = waits[4..].iter().sum();
        assert!(long > 3 * S && long < 13 * S, "{long:?} of 16 s at most");
        first.push(waits[0]);
    }
    first.sort();
    first.dedup();
    assert!(first.len() > 5, "{first:?}");
}

fn is_transient(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

fn is_refused(error: &Refused) -> bool {
    error.0.to_string() == "no such account"
}

fn is_stopped(error: &NodeError) -> bool {
    error.timeout() == Some(TimeoutKind::Hard)
}

#[derive(AgentGraph)]
#[graph(state = Job, start = work)]
struct Several {
    #[route(_ => end)]
    #[retry(times = 2, backoff = "10ms", jitter = false, on = is_transient)]
    #[retry(times = 3, backoff = "1s", jitter = false, on = is_refused)]
    #[retry(times = 3, backoff = "1m", cap = "1h", jitter = false, on = is_stopped)]
    #[timeout("7s")]
    work: Worker,
}

async fn several(acts: &[Act], at: &impl Place) -> (Vec<Duration>, Result<Run<Job>, RunError>) {
    let bench = Bench::new("work", acts.iter().copied());
    let graph = Several {
        work: Worker("work", bench.clone()),
    };
    let runtime = Runtime::new(graph).journal(at.open().await);
    let ended = runtime
        .thread(format!("{acts:?}"))
        .run(Job::default())
        .await;
    (bench.waits("work"), ended)
}

async fn the_first_rule_that_fits_the_error_counts_and_each_has_its_own_attempts(at: &impl Place) {
    let mixed = [Refuse, TIMED_OUT, Hang, Refuse, Hang];
    let (waits, ended) = several(&mixed, at).await;
    assert_eq!(ended.unwrap().finished().unwrap().sum, Counter::new(1));
    assert_eq!(waits, [S, 10 * MS, 67 * S, 2 * S, 127 * S]);
    for (acts, attempts) in [
        (&[TIMED_OUT, TIMED_OUT][..], 2),
        (&[Refuse, Refuse, Refuse], 3),
        (&[Refuse, TIMED_OUT, Refuse, Refuse], 4),
        // None of the rules is for these.
        (&[REFUSED], 1),
        (&[Panic], 1),
        (&[TIMED_OUT, REFUSED], 2),
    ] {
        let (waits, ended) = several(acts, at).await;
        assert!(ended.is_err(), "{acts:?}");
        assert_eq!(waits.len() + 1, attempts, "{acts:?}");
    }
}

// ---- Errors that no attempt can mend.

#[derive(Outcome)]
enum Looked {
    #[outcome(gives(account))]
    Up,
}

struct Forgetful(Bench);

#[node(Job)]
impl Forgetful {
    async fn run(&self, account: &mut Option<String>) -> Looked {
        let Self(bench) = self;
        bench
            .calls
            .lock()
            .unwrap()
            .push(("work".to_owned(), Instant::now()));
        *account = None;
        Looked::Up
    }
}

#[derive(AgentGraph)]
#[graph(state = Job, start = work)]
struct Promise {
    #[route(Looked::Up => end)]
    #[retry]
    #[on_error(then = clerk)]
    work: Forgetful,
    #[route(_ => end)]
    clerk: Clerk,
}

async fn a_promise_that_is_not_kept_is_not_tried_again_and_leads_along_the_error_edge(
    at: &impl Place,
) {
    let bench = Bench::default();
    let graph = Promise {
        work: Forgetful(bench.clone()),
        clerk: Clerk("clerk", bench.clone()),
    };
    let thread = Runtime::new(graph).journal(at.open().await).thread("t");
    let job = thread
        .run(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(bench.calls("work"), 1);
    let promised =
        "clerk: work, the node promised to set `account` and returned without having done so, 1";
    assert_eq!(said(&job), [promised]);
}

// ---- Guards that panic.

fn is_long(job: &Job) -> bool {
    assert!(job.said.len() > 2, "too short");
    true
}

#[derive(AgentGraph)]
#[graph(state = Job, start = work)]
struct Guarded {
    #[route(_ if is_long => end, _ => end)]
    #[retry(times = 2)]
    #[on_error(then = clerk)]
    work: Worker,
    #[route(_ if is_long => end, _ => end)]
    #[on_error(then = back(limit = 3, else = end))]
    clerk: Clerk,
}

async fn what_a_node_wrote_whose_guard_panics_is_undone(at: &impl Place) {
    let bench = Bench::default();
    let thread = Runtime::new(Guarded {
        work: Worker("work", bench.clone()),
        clerk: Clerk("clerk", bench.clone()),
    });
    let thread = thread.journal(at.open().await).thread("t");
    let job = thread
        .run(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(job, Job::default());
    assert_eq!(thread.state().await.unwrap(), job);
    assert_eq!((bench.calls("work"), bench.calls("clerk")), (4, 2));
}

// ---- Retries in branches.

fn numbers(job: &Job) -> Vec<u32> {
    job.items.clone()
}

/// Fails as often as its item says, or on command of another.
struct Part(Bench);

#[node(Job)]
impl Part {
    async fn run(&self, number: u32, said: &mut Log<String>) -> Result<(), io::Error> {
        let name = format!("part {number}");
        let so_far = self.0.calls(&name);
        self.0
            .calls
            .lock()
            .unwrap()
            .push((name.clone(), Instant::now()));
        said.push(name);
        if so_far < number as usize {
            return Err(io::Error::other("no connection"));
        }
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Job, start = plan)]
struct Fanned {
    #[route(_ => each(numbers) part join both)]
    plan: Worker,
    #[route(_ => both)]
    #[retry(times = 3, backoff = "1s", jitter = false)]
    #[on_error(then = both)]
    part: Part,
    #[route(_ => all(one, two) join done)]
    both: Worker,
    #[route(_ => done)]
    #[retry(times = 2, backoff = "1s", jitter = false)]
    #[on_error(then = clerk)]
    one: Worker,
    #[route(_ => done)]
    clerk: Clerk,
    #[route(_ => done)]
    two: Worker,
    #[route(_ => end)]
    done: Clerk,
}

fn fanned(bench: &Bench) -> Fanned {
    let worker = |name| Worker(name, bench.clone());
    Fanned {
        plan: worker("plan"),
        part: Part(bench.clone()),
        both: worker("both"),
        one: worker("one"),
        clerk: Clerk("clerk", bench.clone()),
        two: worker("two"),
        done: Clerk("done", bench.clone()),
    }
}

async fn a_branch_that_is_tried_again_or_stood_in_for_does_not_disturb_the_others(at: &impl Place) {
    let bench = Bench::new("one", [TIMED_OUT, Panic]);
    let thread = Runtime::new(fanned(&bench))
        .journal(at.open().await)
        .thread("t");
    let job = Job {
        items: vec![2, 0, 9, 1],
        ..Job::default()
    };
    let job = thread.run(job).await.unwrap().finished().unwrap();
    let expected = [
        "plan",
        "part 2",
        "part 0",
        "part 1",
        "both",
        "clerk: one, the node panicked: out of one, 2",
        "two",
        "done: no failure",
    ];
    assert_eq!(said(&job), expected);
    let calls: Vec<_> = [0, 1, 2, 9]
        .map(|item| bench.calls(&format!("part {item}")))
        .into();
    assert_eq!(calls, [1, 2, 3, 3]);
    assert_eq!((bench.calls("one"), bench.calls("two")), (2, 1));
    let again =
        |wait| format!("again by rule 0 in {wait} ms: the node returned an error: no connection");
    assert_eq!(
        story(&thread.history().await.unwrap()),
        [
            "started",
            "plan: _ => 4 branches",
            "joined at both",
            "both: _ => 2 branches",
            "joined at done",
            "done: _ => end",
            &format!("0 part {}", again(1000)),
            &format!("0 part {}", again(2000)),
            "0 part: _ => both",
            &format!("0 one {}", again(1000)),
            "0 one caught after 2: the node panicked: out of one => clerk",
            "0 clerk: _ => done",
            "1 part: _ => both",
            "1 two: _ => done",
            &format!("2 part {}", again(1000)),
            &format!("2 part {}", again(2000)),
            "2 part caught after 3: the node returned an error: no connection => both",
            &format!("3 part {}", again(1000)),
            "3 part: _ => both",
        ]
    );
    assert_eq!(thread.state().await.unwrap(), job);
}

async fn each_branch_keeps_its_own_count_of_attempts_over_restarts(at: &impl Place) {
    let bench = Bench::default();
    let open = async || {
        Runtime::new(fanned(&bench))
            .journal(at.open().await)
            .thread("t")
    };
    let job = Job {
        items: vec![9, 9],
        ..Job::default()
    };
    let mut seen = 0;
    let both = |event: &Event<Fanned>| {
        seen += u32::from(matches!(event, Event::Attempted { .. }));
        seen == 2
    };
    until(open().await.stream(job), both).await;
    let job = open().await.recover().await.unwrap().finished().unwrap();
    let story = story(&open().await.history().await.unwrap());
    let of = |branch: &str, what: &str| {
        let start = format!("{branch} part {what}");
        story.iter().filter(|line| line.starts_with(&start)).count()
    };
    for branch in ["0", "1"] {
        assert_eq!(of(branch, "again"), 2, "{story:?}");
        assert_eq!(of(branch, "caught after 3"), 1, "{story:?}");
    }
    assert_eq!(
        said(&job),
        ["plan", "both", "one", "two", "done: no failure"]
    );
}

// ---- Timeouts.

#[derive(AgentGraph)]
#[graph(state = Job, start = work)]
struct Slow {
    #[route(_ => after)]
    #[timeout("30s", idle = "5s")]
    #[retry(times = 2, backoff = "1s", jitter = false, on = is_idle)]
    work: Worker,
    #[route(_ => end)]
    #[timeout("10ms")]
    after: Worker,
}

fn is_idle(error: &NodeError) -> bool {
    error.timeout() == Some(TimeoutKind::Idle)
}

fn slow(bench: &Bench) -> Slow {
    Slow {
        work: Worker("work", bench.clone()),
        after: Worker("after", bench.clone()),
    }
}

async fn a_node_that_hangs_is_dropped_and_the_error_says_which_timeout_ended_it(at: &impl Place) {
    for (acts, kind, after, took) in [
        (&[Beat(9, 4 * S)][..], TimeoutKind::Hard, 30 * S, 30 * S),
        (&[Hang, Hang], TimeoutKind::Idle, 5 * S, 11 * S),
        // 17 s and 13 s: each attempt has its own time.
        (
            &[Beat(3, 4 * S), Beat(2, 4 * S)],
            TimeoutKind::Idle,
            5 * S,
            31 * S,
        ),
        (
            &[HangAndPanic, HangAndPanic],
            TimeoutKind::Idle,
            5 * S,
            11 * S,
        ),
    ] {
        let bench = Bench::new("work", acts.iter().copied());
        let name = format!("{acts:?}");
        let runtime = Runtime::new(slow(&bench)).journal(at.open().await);
        let thread = runtime.thread(name.clone());
        let begun = Instant::now();
        let error = thread.run(Job::default()).await.unwrap_err();
        assert_eq!(begun.elapsed(), took, "{acts:?}");
        let RunError::TimedOut {
            node,
            kind: is,
            after: allowed,
            ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!((node.as_str(), *is, *allowed), ("work", kind, after));
        let text = error.to_string();
        let what = match kind {
            TimeoutKind::Hard => "took longer than 30s",
            _ => "gave no heartbeat for 5s",
        };
        for part in ["`work`", &name, what, "recover"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert_eq!(bench.dropped.of("work") as usize, acts.len());
        assert_eq!(thread.state().await.unwrap(), Job::default());
        let job = thread.recover().await.unwrap().finished().unwrap();
        assert_eq!(said(&job), ["work", "after"]);
    }
}

#[tokio::test(start_paused = true)]
async fn each_node_has_its_own_time_where_nobody_looks_on() {
    let acts = |first, second| {
        let bench = Bench::new("work", [WorkFor(first)]);
        bench.and("after", [WorkFor(second)])
    };
    let ok = acts(4 * S, 9 * MS);
    let run = Runtime::new(slow(&ok))
        .thread("t")
        .run(Job::default())
        .await;
    assert!(run.is_ok(), "{run:?}");
    let late = acts(4 * S, 11 * MS);
    let run = Runtime::new(slow(&late))
        .thread("t")
        .run(Job::default())
        .await;
    let Err(RunError::TimedOut { node, .. }) = run else {
        panic!("{run:?}")
    };
    assert_eq!(node, "after");
    // Nor is the time of one node that of the next, which has none.
    let bench = Bench::new("after", [WorkFor(50 * S)]);
    let thread = Runtime::new(single(&bench)).thread("t");
    let run = thread.run(Job::default()).await;
    assert!(run.is_ok(), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_stops_the_run_and_the_thread_can_be_taken_up_again() {
    // In a node, and while it waits for the next attempt.
    for (acts, after, node) in [
        (&[WorkFor(29 * S)][..], 20 * S, "work"),
        (&[TIMED_OUT], 50 * MS, "work"),
    ] {
        let bench = Bench::new("work", acts.iter().copied());
        let journal = Memory::default();
        let runtime = Runtime::new(single(&bench)).journal(journal.clone());
        let begun = Instant::now();
        let thread = runtime.deadline(after).thread("t");
        let error = thread.run(Job::default()).await.unwrap_err();
        assert_eq!(begun.elapsed(), after);
        let RunError::Deadline {
            node: at,
            after: is,
            ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!((at.as_str(), *is), (node, after));
        let status = thread.status().await.unwrap();
        assert!(matches!(status, Status::Unfinished(at) if at.to_string() == node));
        assert_eq!(bench.dropped.of("work"), 1);
        let job = thread.recover().await.unwrap().finished().unwrap();
        assert_eq!(said(&job), ["before", "work", "after"]);
        assert_eq!(bench.calls("before"), 1);
    }
}

// ---- Error edges.

#[derive(AgentGraph)]
#[graph(state = Job, start = before)]
struct Backed {
    #[route(_ => work)]
    before: Worker,
    #[route(_ => end)]
    #[retry(times = 2, backoff = "1s", jitter = false)]
    #[timeout("5s")]
    #[on_error(then = clerk)]
    work: Worker,
    #[route(_ => end)]
    clerk: Clerk,
}

fn backed(bench: &Bench) -> Backed {
    Backed {
        before: Worker("before", bench.clone()),
        work: Worker("work", bench.clone()),
        clerk: Clerk("clerk", bench.clone()),
    }
}

async fn a_node_that_has_failed_for_good_is_stood_in_for_by_one_that_knows_why(at: &impl Place) {
    for (acts, why) in [
        (
            [TIMED_OUT, Refuse],
            "the node returned an error: refused: no such account",
        ),
        ([Refuse, Panic], "the node panicked: out of work"),
        ([Panic, Hang], "the node took longer than 5s"),
        ([Hang, HangAndPanic], "the node took longer than 5s"),
    ] {
        let bench = Bench::new("work", acts);
        let thread = Runtime::new(backed(&bench))
            .journal(at.open().await)
            .thread(format!("{acts:?}"));
        let (lines, last) = events(thread.stream(Job::default())).await;
        let Some(Ok(Event::Finished(job))) = last else {
            panic!("{last:?}")
        };
        let clerk = format!("clerk: work, {why}, 2");
        assert_eq!(said(&job), ["before", &clerk]);
        assert_eq!(job.sum, Counter::new(1));
        let caught = format!("work caught: {why} => clerk");
        assert_eq!(lines[5..], [&caught, "clerk?", "clerk."]);
        let history = thread.history().await.unwrap();
        let caught = format!("work caught after 2: {why} => clerk");
        assert_eq!(story(&history)[3..], [&caught, "clerk: _ => end"]);
        assert_eq!(thread.state().await.unwrap(), job);
        assert_eq!(thread.recover().await.unwrap().finished(), Some(job));

        let bench = Bench::new("work", acts);
        let thread = Runtime::new(backed(&bench)).thread("t");
        let job = thread.run(Job::default()).await.unwrap().finished();
        assert_eq!(said(&job.unwrap()), ["before", &clerk]);
    }
}

async fn after_a_crash_the_one_that_stands_in_knows_why_too(at: &impl Place) {
    let bench = Bench::new("work", [Refuse, Refuse]);
    let open = async || {
        Runtime::new(backed(&bench))
            .journal(at.open().await)
            .thread("t")
    };
    let is_caught = |event: &Event<Backed>| matches!(event, Event::Caught { .. });
    until(open().await.stream(Job::default()), is_caught).await;
    let status = open().await.status().await.unwrap();
    assert!(matches!(status, Status::Unfinished(at) if at.to_string() == "clerk"));
    let job = open().await.recover().await.unwrap().finished().unwrap();
    let clerk = "clerk: work, the node returned an error: refused: no such account, 2";
    assert_eq!(said(&job), ["before", clerk]);
    assert_eq!((bench.calls("work"), bench.calls("clerk")), (2, 1));
}

async fn one_that_stands_in_and_fails_itself_ends_the_run_and_still_knows_why(at: &impl Place) {
    let bench = Bench::new("work", [Refuse, Refuse]).and("clerk", [Refuse]);
    let open = async || {
        Runtime::new(backed(&bench))
            .journal(at.open().await)
            .thread("t")
    };
    let error = open().await.run(Job::default()).await.unwrap_err();
    assert_eq!(error.node(), Some("clerk"));
    assert!(chain(&error).ends_with("the clerk is ill"), "{error:?}");
    let job = open().await.recover().await.unwrap().finished().unwrap();
    let clerk = "clerk: work, the node returned an error: refused: no such account, 2";
    assert_eq!(said(&job), ["before", clerk]);
    assert_eq!((bench.calls("work"), bench.calls("clerk")), (2, 2));
}

#[derive(AgentGraph)]
#[graph(state = Job, start = first)]
struct Circle {
    #[route(_ => second)]
    #[on_error(then = back(limit = 1, else = end))]
    first: Worker,
    #[route(_ => third)]
    #[on_error(then = end)]
    second: Worker,
    #[route(_ => first(limit = 1, else = last))]
    #[on_error(then = back(limit = 2, else = clerk))]
    third: Worker,
    #[route(_ => end)]
    #[on_error(then = first(limit = 1))]
    last: Worker,
    #[route(_ => end)]
    clerk: Clerk,
}

fn circle(bench: &Bench) -> Circle {
    let worker = |name| Worker(name, bench.clone());
    Circle {
        first: worker("first"),
        second: worker("second"),
        third: worker("third"),
        last: worker("last"),
        clerk: Clerk("clerk", bench.clone()),
    }
}

async fn an_error_leads_back_to_where_the_run_came_from_within_its_limit(at: &impl Place) {
    let no = "the node returned an error: no connection";
    let bench = Bench::new("third", [TIMED_OUT; 3]);
    let thread = Runtime::new(circle(&bench))
        .journal(at.open().await)
        .thread("back");
    let job = thread
        .run(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    let clerk = format!("clerk: third, {no}, 1");
    assert_eq!(said(&job), ["first", "second", "second", "second", &clerk]);
    let story = story(&thread.history().await.unwrap());
    let limit = format!("third caught after 1: {no} => clerk, as its limit is used up");
    assert_eq!(story[7], limit);
    assert_eq!(thread.recover().await.unwrap().finished(), Some(job));
}

async fn where_the_run_came_from_nowhere_a_node_fails_with_its_own_error(at: &impl Place) {
    let bench = Bench::new("first", [Refuse]);
    let thread = Runtime::new(circle(&bench))
        .journal(at.open().await)
        .thread("t");
    let error = thread.run(Job::default()).await.unwrap_err();
    assert!(matches!(&error, RunError::Node { node, .. } if node == "first"));
    assert!(chain(&error).ends_with("refused: no such account"));
    // On the way around it has come from somewhere.
    let bench = Bench::new("first", [WorkFor(MS), Refuse]);
    let thread = Runtime::new(circle(&bench))
        .journal(at.open().await)
        .thread("u");
    let job = thread
        .run(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(said(&job), ["first", "second", "third", "third", "last"]);
}

async fn an_error_can_end_the_run(at: &impl Place) {
    let bench = Bench::new("second", [Panic]);
    let thread = Runtime::new(circle(&bench))
        .journal(at.open().await)
        .thread("t");
    let (lines, last) = events(thread.stream(Job::default())).await;
    assert!(matches!(last, Some(Ok(Event::Finished(job))) if said(&job) == ["first"]));
    assert_eq!(
        lines.last().unwrap(),
        "second caught: the node panicked: out of second => end"
    );
    assert_eq!(thread.status().await.unwrap(), Status::Finished);
    let job = thread.recover().await.unwrap().finished().unwrap();
    assert_eq!(said(&job), ["first"]);
}

async fn an_error_edge_without_an_else_is_a_loop_once_its_limit_is_used_up(at: &impl Place) {
    let bench = Bench::new("last", [Refuse, Refuse, Refuse]);
    let thread = Runtime::new(circle(&bench))
        .journal(at.open().await)
        .thread("t");
    let error = thread.run(Job::default()).await.unwrap_err();
    let RunError::HandoffLoop { node, edge, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(node, "last");
    assert!(edge.contains("error => first(limit = 1)"), "{edge}");
    let status = thread.status().await.unwrap();
    assert!(matches!(status, Status::Failed { node, .. } if node.to_string() == "last"));
}

// ---- Graphs that fail.

#[derive(AgentGraph)]
#[graph(state = Job, start = one)]
struct Within {
    #[route(_ => two)]
    one: Worker,
    #[route(_ => all(left, right) join last)]
    two: Worker,
    #[route(_ => last)]
    left: Worker,
    #[route(_ => last)]
    right: Worker,
    #[route(_ => end)]
    last: Worker,
}

fn within(bench: &Bench) -> Within {
    let worker = |name| Worker(name, bench.clone());
    Within {
        one: worker("one"),
        two: worker("two"),
        left: worker("left"),
        right: worker("right"),
        last: worker("last"),
    }
}

#[derive(AgentGraph)]
#[graph(state = Job, start = before)]
struct Around {
    #[route(_ => within)]
    before: Worker,
    #[route(_ => end)]
    #[retry(times = 3, backoff = "1s", jitter = false)]
    #[on_error(then = clerk)]
    within: Within,
    #[route(_ => end)]
    clerk: Clerk,
}

fn around(bench: &Bench) -> Around {
    Around {
        before: Worker("before", bench.clone()),
        within: within(bench),
        clerk: Clerk("clerk", bench.clone()),
    }
}

/// The same with a limit to its time, and with a graph in between.
#[derive(AgentGraph)]
#[graph(state = Job, start = before)]
struct Timed {
    #[route(_ => middle)]
    before: Worker,
    #[route(_ => end)]
    #[retry(times = 3, backoff = "1s", jitter = false)]
    #[timeout("1h")]
    middle: Middle,
}

#[derive(AgentGraph)]
#[graph(state = Job, start = within)]
struct Middle {
    #[route(_ => end)]
    within: Within,
}

fn is_whole(bench: &Bench, job: &Job, node: &str, acts: &[Act]) {
    let all = ["before", "one", "two", "left", "right", "last"];
    assert_eq!(said(job), all, "{node} {acts:?}");
    assert_eq!(job.sum, Counter::new(6));
    assert_eq!(bench.calls(node), 3);
    for other in ["before", "one", "two", "last"] {
        let calls = bench.calls(other);
        assert!(
            calls == 1 || other == node,
            "{other} {calls}, {node} {acts:?}"
        );
    }
}

async fn a_graph_that_is_tried_again_goes_on_where_it_failed(at: &impl Place) {
    for (node, acts) in [
        ("one", [Refuse, Panic]),
        ("two", [Refuse, Refuse]),
        ("left", [Refuse, Refuse]),
        ("right", [Refuse, Panic]),
        ("last", [TIMED_OUT, Refuse]),
    ] {
        let bench = Bench::new(node, acts);
        let open = async || {
            Runtime::new(around(&bench))
                .journal(at.open().await)
                .thread(format!("{node} {acts:?}"))
        };
        let job = open().await.run(Job::default()).await.unwrap();
        let job = job.finished().unwrap();
        is_whole(&bench, &job, node, &acts);
        assert_eq!(open().await.state().await.unwrap(), job, "{node} {acts:?}");
        assert_eq!(open().await.recover().await.unwrap().finished(), Some(job));
    }
}

#[tokio::test(start_paused = true)]
async fn a_graph_that_is_stopped_and_tried_again_goes_on_where_it_stood() {
    for (node, acts) in [
        ("one", [Hang, Panic]),
        ("two", [Hang, HangAndPanic]),
        ("two", [Refuse, Hang]),
        ("left", [Hang, Refuse]),
        ("right", [Hang, Hang]),
        ("last", [Hang, Hang]),
    ] {
        let bench = Bench::new(node, acts);
        let journal = Memory::default();
        let open = || {
            let graph = Timed {
                before: Worker("before", bench.clone()),
                middle: Middle {
                    within: within(&bench),
                },
            };
            Runtime::new(graph).journal(journal.clone()).thread("t")
        };
        let job = open().run(Job::default()).await.unwrap();
        let job = job.finished().unwrap();
        is_whole(&bench, &job, node, &acts);
        assert_eq!(open().state().await.unwrap(), job, "{node} {acts:?}");
        assert_eq!(open().recover().await.unwrap().finished(), Some(job));
    }
}

async fn a_graph_that_has_failed_for_good_is_stood_in_for_and_leaves_nothing(at: &impl Place) {
    let bench = Bench::new("last", [Refuse; 3]);
    let open = async || {
        Runtime::new(around(&bench))
            .journal(at.open().await)
            .thread("t")
    };
    let job = open().await.run(Job::default()).await.unwrap();
    let job = job.finished().unwrap();
    let [before, clerk] = said(&job)[..] else {
        panic!("{job:?}")
    };
    assert_eq!(before, "before");
    assert!(
        clerk.starts_with("clerk: within, node `last`") && clerk.ends_with("no such account, 3"),
        "{clerk}"
    );
    assert_eq!(open().await.state().await.unwrap(), job);
    assert_eq!(open().await.recover().await.unwrap().finished(), Some(job));
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_a_graph_begins_anew_with_each_attempt() {
    let bench = Bench::new("last", [Refuse, Panic]);
    let thread = Runtime::new(around(&bench)).thread("t");
    let job = thread
        .run(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(job.sum, Counter::new(6));
    assert_eq!((bench.calls("one"), bench.calls("last")), (3, 3));
}

#[derive(AgentGraph)]
#[graph(state = Job, start = within)]
struct Idle {
    #[route(_ => end)]
    #[timeout(idle = "5s")]
    within: Fork,
}

#[derive(AgentGraph)]
#[graph(state = Job, start = within)]
struct Fork {
    #[route(_ => all(one, two) join last)]
    within: Within,
    #[route(_ => last)]
    #[timeout(idle = "5s")]
    one: Worker,
    #[route(_ => last)]
    two: Worker,
    #[route(_ => end)]
    last: Worker,
}

fn idle(bench: &Bench) -> Idle {
    let worker = |name| Worker(name, bench.clone());
    Idle {
        within: Fork {
            within: within(bench),
            one: worker("once"),
            two: worker("twice"),
            last: worker("finally"),
        },
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_graph_each_step_and_each_heartbeat_within_is_a_sign_of_life() {
    let bench = || {
        let nodes = ["one", "two", "left", "last", "twice", "finally"];
        let slow = |bench: Bench, name| bench.and(name, [WorkFor(4 * S)]);
        nodes.into_iter().fold(Bench::default(), slow)
    };
    for is_durable in [false, true] {
        for (bench, node, took) in [
            (bench(), None, 24 * S),
            // The node within has 5 s of its own.
            (
                bench().and("once", [Beat(7, 3 * S)]),
                Some("within"),
                (16 + 21 + 5) * S,
            ),
            (bench().and("right", [Hang]), Some("within"), 13 * S),
        ] {
            let begun = Instant::now();
            let runtime = Runtime::new(idle(&bench));
            let run = if is_durable {
                let runtime = runtime.journal(Memory::default());
                runtime.thread("t").run(Job::default()).await
            } else {
                runtime.thread("t").run(Job::default()).await
            };
            assert_eq!(begun.elapsed(), took, "{run:?}");
            let error = run.err();
            assert_eq!(error.as_ref().and_then(RunError::node), node, "{error:?}");
        }
    }
}

#[derive(State, Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Small {
    said: Vec<String>,
}

struct Step(&'static str, Bench);

#[node(Small)]
impl Step {
    async fn run(&self, said: &mut Vec<String>, cx: &mut Context<'_>) -> Result<(), NodeError> {
        let Self(name, bench) = self;
        let mut log = Log::new();
        let worker = Worker(name, bench.clone());
        worker.run(&mut log, &mut Counter::default(), cx).await?;
        said.extend(log.iter().cloned());
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Small, start = first)]
struct Steps {
    #[route(_ => second)]
    first: Step,
    #[route(_ => third)]
    #[retry(times = 2, backoff = "1s", jitter = false)]
    second: Step,
    #[route(_ => end)]
    third: Step,
}

fn begin(job: &Job) -> Small {
    Small {
        said: job.said.iter().cloned().collect(),
    }
}

#[node(Job)]
async fn take_over(small: Small, said: &mut Log<String>) {
    said.push(small.said.join(" "));
}

#[derive(AgentGraph)]
#[graph(state = Job, start = plan)]
struct Nests {
    #[route(_ => all(left, right) join done)]
    plan: Worker,
    #[route(_ => done)]
    #[subgraph(enter = begin, leave = take_over)]
    #[retry(times = 2, backoff = "1s", jitter = false)]
    left: Steps,
    #[route(_ => done)]
    #[subgraph(enter = begin, leave = take_over)]
    #[retry(times = 2, backoff = "1s", jitter = false)]
    #[on_error(then = clerk)]
    right: Steps,
    #[route(_ => done)]
    clerk: Clerk,
    #[route(_ => end)]
    done: Worker,
}

async fn graphs_of_another_state_are_tried_again_side_by_side_and_ask_only_once(at: &impl Place) {
    let bench = Bench::new("l2", [AskFirst, AskFirst])
        .and("l3", [TIMED_OUT])
        .and("r2", [Refuse, Panic, Refuse])
        .and("r3", [Panic]);
    let open = async || {
        let steps = |names: [&'static str; 3]| {
            let [first, second, third] = names.map(|name| Step(name, bench.clone()));
            Steps {
                first,
                second,
                third,
            }
        };
        let graph = Nests {
            plan: Worker("plan", bench.clone()),
            left: steps(["l1", "l2", "l3"]),
            right: steps(["r1", "r2", "r3"]),
            clerk: Clerk("clerk", bench.clone()),
            done: Worker("done", bench.clone()),
        };
        Runtime::new(graph).journal(at.open().await).thread("t")
    };
    let run = open().await.run(Job::default()).await.unwrap();
    let ask = run.paused().unwrap();
    assert_eq!(ask.node, "second");
    // The right one has used up its attempts: two for the second step, two more behind a retry of
    // the graph, in which the third fails.
    assert_eq!(
        (bench.calls("r1"), bench.calls("r2"), bench.calls("r3")),
        (1, 4, 1)
    );
    let job = open().await.resume(ask.id, "Ada").await.unwrap();
    let job = job.finished().unwrap();
    let said = said(&job);
    assert_eq!(
        (said[0], said[1], said[3]),
        ("plan", "plan l1 l2 Ada l3", "done")
    );
    assert!(
        said[2].starts_with("clerk: right, node `third`"),
        "{said:?}"
    );
    assert_eq!(
        (bench.calls("l1"), bench.calls("l2"), bench.calls("l3")),
        (1, 2, 2)
    );
    assert_eq!(open().await.state().await.unwrap(), job);
    assert_eq!(open().await.recover().await.unwrap().finished(), Some(job));
}

#[derive(AgentGraph)]
#[graph(state = Job, start = first)]
struct Clerks {
    #[route(_ => second)]
    first: Clerk,
    #[route(_ => end)]
    second: Clerk,
}

#[derive(AgentGraph)]
#[graph(state = Job, start = work)]
struct Office {
    #[route(_ => end)]
    #[on_error(then = clerks)]
    work: Worker,
    #[route(_ => end)]
    #[retry(times = 2)]
    clerks: Clerks,
}

async fn a_graph_that_stands_in_begins_with_a_node_that_knows_why(at: &impl Place) {
    let bench = Bench::new("work", [Refuse; 2]).and("first", [Refuse, Refuse]);
    let office = || Office {
        work: Worker("work", bench.clone()),
        clerks: Clerks {
            first: Clerk("first", bench.clone()),
            second: Clerk("second", bench.clone()),
        },
    };
    let expected = [
        "first: work, the node returned an error: refused: no such account, 1",
        "second: no failure",
    ];
    let thread = Runtime::new(office()).journal(at.open().await).thread("t");
    let error = thread.run(Job::default()).await.unwrap_err();
    assert_eq!(error.node(), Some("clerks"), "{error:?}");
    let again = Runtime::new(office()).journal(at.open().await).thread("t");
    let job = again.recover().await.unwrap().finished().unwrap();
    assert_eq!(said(&job), expected);
    let thread = Runtime::new(office()).thread("t");
    let job = thread
        .run(Job::default())
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(said(&job), expected);
}

// ---- Crashes at any moment.

/// A worker that fails, goes back within its branch, and is given up on at last.
struct Stubborn;

#[node(Job)]
impl Stubborn {
    async fn run(
        &self,
        number: u32,
        said: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), io::Error> {
        let failures = cx.failure().map_or(0, |failure| failure.attempts);
        said.push(format!("{number} after {failures}"));
        Ok(())
    }
}

struct Checks(Bench);

#[node(Job)]
impl Checks {
    async fn run(&self, said: &mut Log<String>) -> Result<(), io::Error> {
        self.0
            .calls
            .lock()
            .unwrap()
            .push(("checks".to_owned(), Instant::now()));
        let number = said
            .last()
            .and_then(|last| last.split(' ').next())
            .unwrap_or("")
            .to_owned();
        said.push("checked".to_owned());
        if number == "0" {
            Ok(())
        } else {
            Err(io::Error::other(format!("{number} is odd")))
        }
    }
}

#[derive(AgentGraph)]
#[graph(state = Job, start = plan)]
struct Crashing {
    #[route(_ => each(numbers) stubborn join within)]
    plan: Worker,
    #[route(_ => checks)]
    stubborn: Stubborn,
    #[route(_ => within)]
    #[retry(times = 3, backoff = "1s")]
    #[on_error(then = back(limit = 2, else = gives_up))]
    checks: Checks,
    #[route(_ => within)]
    gives_up: Clerk,
    #[route(_ => done)]
    #[retry(times = 9)]
    within: Within,
    #[route(_ => end)]
    #[on_error(then = clerk)]
    done: Worker,
    #[route(_ => end)]
    #[on_error(then = back(limit = 9, else = end))]
    clerk: Clerk,
}

fn crashing(bench: &Bench) -> Crashing {
    Crashing {
        plan: Worker("plan", bench.clone()),
        stubborn: Stubborn,
        checks: Checks(bench.clone()),
        gives_up: Clerk("gives_up", bench.clone()),
        within: within(bench),
        done: Worker("done", bench.clone()),
        clerk: Clerk("clerk", bench.clone()),
    }
}

async fn whenever_the_journal_goes_down_the_run_comes_to_the_same_end(at: &impl Place) {
    let bench = || {
        let bench = Bench::new("two", [Refuse; 1]);
        let bench = bench.and("right", [Refuse]).and("last", [Panic]);
        bench.and("done", [Refuse; 9])
    };
    let job = || Job {
        items: vec![0, 1, 2],
        ..Job::default()
    };
    let thread = Runtime::new(crashing(&bench()))
        .journal(at.open().await)
        .thread("whole");
    let whole = thread.run(job()).await.unwrap().finished().unwrap();
    let odd = |number| format!("gives_up: checks, the node returned an error: {number} is odd, 3");
    let expected = [
        "plan",
        "0 after 0",
        "checked",
        "1 after 0",
        "1 after 3",
        "1 after 3",
        &odd(1),
        "2 after 0",
        "2 after 3",
        "2 after 3",
        &odd(2),
        "one",
        "two",
        "left",
        "right",
        "last",
        "clerk: done, the node returned an error: refused: no such account, 1",
    ];
    assert_eq!(said(&whole), expected);
    let history = thread.history().await.unwrap();
    let appends = u64::try_from(history.len()).unwrap();
    let mut cuts = 0;
    // A file takes its time.
    let is_file = !std::any::type_name_of_val(at).contains("Memory");
    for whole_appends in (1..appends).step_by(if is_file { 9 } else { 1 }) {
        for keeps_last in [false, true] {
            let name = format!("{whole_appends} {keeps_last}");
            let bench = bench();
            let journal = common::Stopping::after(at.open().await, whole_appends, keeps_last);
            let runtime = Runtime::new(crashing(&bench)).journal(journal);
            // Entries share appends, so that there may be fewer.
            let Err(error) = runtime.thread(name.clone()).run(job()).await else {
                continue;
            };
            cuts += 1;
            assert!(matches!(error, RunError::Journal { .. }), "{error:?}");
            let again = Runtime::new(crashing(&bench)).journal(at.open().await);
            let again = again.thread(name.clone());
            let job = again.recover().await.unwrap().finished().unwrap();
            assert_eq!(job, whole, "{name}");
            assert_eq!(again.state().await.unwrap(), whole, "{name}");
            assert_eq!(again.recover().await.unwrap().finished().unwrap(), whole);
        }
    }
    assert!(cuts > 6, "{cuts}");
}

// ---- What is no failure.

#[derive(AgentGraph)]
#[graph(state = Job, start = plan)]
struct Asking {
    #[route(_ => all(one, two) join done)]
    plan: Worker,
    #[route(_ => done)]
    #[retry(times = 2)]
    #[timeout("1h")]
    #[on_error(then = clerk)]
    one: Worker,
    #[route(_ => done)]
    clerk: Clerk,
    #[route(_ => done)]
    #[on_error(then = done)]
    two: Worker,
    #[route(_ => end)]
    done: Worker,
}

fn asking(bench: &Bench) -> Asking {
    let worker = |name| Worker(name, bench.clone());
    Asking {
        plan: worker("plan"),
        one: worker("one"),
        clerk: Clerk("clerk", bench.clone()),
        two: worker("two"),
        done: worker("done"),
    }
}

async fn a_question_is_no_failure_nor_is_an_answer_that_does_not_fit(at: &impl Place) {
    let bench = Bench::new("one", [AskFirst; 4]).and("two", [Refuse]);
    let open = async || {
        Runtime::new(asking(&bench))
            .journal(at.open().await)
            .thread("t")
    };
    let run = open().await.run(Job::default()).await.unwrap();
    let ask = run.paused().unwrap();
    assert_eq!((&*ask.node, ask.key.as_str()), ("one", "name"));
    let thread = open().await;
    let before = thread.history().await.unwrap().len();
    let error = thread.resume(ask.id, 12).await.unwrap_err();
    assert!(matches!(error, RunError::WrongAnswer { .. }), "{error:?}");
    assert_eq!(thread.history().await.unwrap().len(), before);
    let status = open().await.status().await.unwrap();
    assert!(matches!(status, Status::Paused(open) if open.id == ask.id));
    let run = open().await.resume(ask.id, "Ada").await.unwrap();
    let job = run.finished().unwrap();
    assert_eq!(said(&job), ["plan", "one", "Ada", "done"]);
    assert_eq!((bench.calls("two"), bench.calls("clerk")), (1, 0));
}

async fn a_thread_that_another_worker_has_taken_is_no_failure(at: &impl Place) {
    let bench = Bench::new("work", [WorkFor(4 * S), WorkFor(S)]);
    let open = async || {
        Runtime::new(backed(&bench))
            .journal(at.open().await)
            .thread("t")
    };
    let mut slow = open().await.stream(Job::default());
    let mut last = None;
    while let Some(event) = slow.next().await {
        if matches!(&event, Ok(Event::Entered { node, .. }) if node.to_string() == "work") {
            let job = open().await.recover().await.unwrap().finished().unwrap();
            assert_eq!(said(&job), ["before", "work"]);
        }
        last = Some(event);
    }
    let Some(Err(error)) = last else {
        panic!("{last:?}")
    };
    assert!(error.is_conflict(), "{error:?}");
    assert_eq!((bench.calls("work"), bench.calls("clerk")), (2, 0));
}

async fn a_journal_that_fails_is_no_failure_of_the_node(at: &impl Place) {
    for whole in 2..5 {
        let bench = Bench::new("work", [Refuse; 2]);
        let journal = common::Stopping::after(at.open().await, whole, false);
        let thread = Runtime::new(backed(&bench)).journal(journal);
        let error = thread.thread(format!("t{whole}")).run(Job::default()).await;
        assert!(
            matches!(error, Err(RunError::Journal { .. })),
            "{whole}: {error:?}"
        );
        let thread = Runtime::new(backed(&bench)).journal(at.open().await);
        let job = thread.thread(format!("t{whole}")).recover().await.unwrap();
        let said = job.finished().unwrap().said.len();
        assert_eq!(said, 2);
    }
}

on_every_journal!(paused:
    a_node_is_tried_as_often_as_its_rule_says_after_waits_that_double_up_to_the_cap
    once_the_attempts_are_used_up_the_run_fails_and_a_recover_has_them_all_again
    a_restart_while_it_waits_gives_no_attempt_twice
    a_drain_ends_the_wait_and_takes_no_attempt_away
    the_first_rule_that_fits_the_error_counts_and_each_has_its_own_attempts
    a_promise_that_is_not_kept_is_not_tried_again_and_leads_along_the_error_edge
    what_a_node_wrote_whose_guard_panics_is_undone
    a_branch_that_is_tried_again_or_stood_in_for_does_not_disturb_the_others
    each_branch_keeps_its_own_count_of_attempts_over_restarts
    a_node_that_hangs_is_dropped_and_the_error_says_which_timeout_ended_it
    a_node_that_has_failed_for_good_is_stood_in_for_by_one_that_knows_why
    after_a_crash_the_one_that_stands_in_knows_why_too
    one_that_stands_in_and_fails_itself_ends_the_run_and_still_knows_why
    an_error_leads_back_to_where_the_run_came_from_within_its_limit
    where_the_run_came_from_nowhere_a_node_fails_with_its_own_error
    an_error_can_end_the_run
    an_error_edge_without_an_else_is_a_loop_once_its_limit_is_used_up
    a_graph_that_is_tried_again_goes_on_where_it_failed
    a_graph_that_has_failed_for_good_is_stood_in_for_and_leaves_nothing
    whenever_the_journal_goes_down_the_run_comes_to_the_same_end
    graphs_of_another_state_are_tried_again_side_by_side_and_ask_only_once
    a_graph_that_stands_in_begins_with_a_node_that_knows_why
    a_question_is_no_failure_nor_is_an_answer_that_does_not_fit
    a_thread_that_another_worker_has_taken_is_no_failure
    a_journal_that_fails_is_no_failure_of_the_node
);
