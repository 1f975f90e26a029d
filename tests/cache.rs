//! Results that are used again: what a hit does, what is none, and that no cache ends a run.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Place, Tally, chain, drain, lines, writes};
use futures::StreamExt;
use handoffs::prelude::*;
use handoffs::{Cache, CacheError, CacheKey, Entry, MemoryCache, Recorded, Runnable, async_trait};
use serde::{Deserialize, Serialize};

// ---- A node whose answer depends on two fields, and routes that depend on a third.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Desk {
    question: String,
    language: u8,
    answer: Option<String>,
    notes: Log<String>,
    urgent: bool,
}

#[derive(Outcome, Debug)]
enum Answered {
    Sure { score: f64, why: Vec<String> },
    Unsure,
}

struct Reply(Tally);

#[node(Desk)]
impl Reply {
    async fn run(
        &self,
        question: &String,
        language: &u8,
        mut answer: Out<'_, String>,
        notes: &mut Log<String>,
    ) -> Result<Answered, io::Error> {
        let before = self.0.count(format!("{question}/{language}"));
        notes.push(format!("{question} in {language}"));
        answer.set(format!("{question}!"));
        match question.as_str() {
            "broken" if before == 0 => Err(io::Error::other("no connection")),
            "hm" => Ok(Answered::Unsure),
            _ => Ok(Answered::Sure {
                score: 0.1,
                why: vec!["é\u{0}".to_owned()],
            }),
        }
    }
}

struct Note(&'static str);

#[node(Desk)]
impl Note {
    fn run(&self, notes: &mut Log<String>) {
        notes.push(self.0.to_owned());
    }
}

fn key(desk: &Desk) -> (String, u8) {
    (desk.question.clone(), desk.language)
}

fn is_urgent(desk: &Desk) -> bool {
    desk.urgent && desk.answer.as_deref() != Some("panic!") || {
        assert!(desk.answer.as_deref() != Some("panic!"), "guard");
        false
    }
}

#[derive(AgentGraph)]
#[graph(state = Desk, start = begin)]
struct Answers {
    #[route(_ => reply)]
    begin: Note,
    #[route(
        Answered::Sure { .. } if is_urgent => urgent,
        Answered::Sure { .. } => done,
        Answered::Unsure => clerk,
    )]
    #[cache(key = key, ttl = "1h")]
    #[on_error(then = clerk)]
    reply: Reply,
    #[route(_ => end)]
    urgent: Note,
    #[route(_ => end)]
    done: Note,
    #[route(_ => end)]
    clerk: Note,
}

fn answers(tally: &Tally) -> Answers {
    Answers {
        begin: Note("begin"),
        reply: Reply(tally.clone()),
        urgent: Note("urgent"),
        done: Note("done"),
        clerk: Note("clerk"),
    }
}

fn question(text: &str) -> Desk {
    Desk {
        question: text.to_owned(),
        ..Desk::default()
    }
}

fn notes(desk: &Desk) -> Vec<&str> {
    desk.notes.iter().map(String::as_str).collect()
}

/// Returns whether each step was a hit.
fn hits(history: &[Entry]) -> Vec<bool> {
    let hit = |entry: &Entry| match &entry.event {
        Recorded::Stepped { cached, .. } => Some(*cached),
        _ => None,
    };
    history.iter().filter_map(hit).collect()
}

/// Returns the writes and what was concluded, step by step.
fn steps(history: &[Entry]) -> Vec<(Vec<String>, String)> {
    let step = |entry: &Entry| match &entry.event {
        Recorded::Stepped { outcome, .. } => Some((writes(entry), format!("{outcome:?}"))),
        _ => None,
    };
    history.iter().filter_map(step).collect()
}

async fn run<G: Runnable, J: handoffs::Keep>(
    runtime: &Runtime<G, J>,
    thread: &str,
    state: G::State,
) -> G::State {
    let run = runtime.thread(thread).run(state).await;
    run.unwrap().finished().unwrap()
}

async fn a_hit_writes_and_routes_as_the_node_did_and_is_told_by_journal_and_events(
    at: &impl Place,
) {
    for (text, path) in [("why", "done"), ("hm", "clerk")] {
        let tally = Tally::default();
        let runtime = Runtime::new(answers(&tally)).journal(at.open().await);
        let (first, second) = (format!("{text} 1"), format!("{text} 2"));
        let one = run(&runtime, &first, question(text)).await;
        assert_eq!(notes(&one), ["begin", &format!("{text} in 0"), path]);
        let longer = Desk {
            notes: Log::from(vec!["earlier".to_owned()]),
            ..question(text)
        };
        let thread = runtime.thread(second.clone());
        let mut stream = thread.stream(longer);
        let (mut told, mut last) = (Vec::new(), None);
        while let Some(event) = stream.next().await {
            let event = event.unwrap();
            match &event {
                Event::Stepped {
                    node,
                    cached,
                    outcome,
                    ..
                } => told.push((node.to_string(), *cached, outcome.variant.clone())),
                Event::Finished(state) => last = Some(state.clone()),
                _ => {}
            }
        }
        let two = last.unwrap();
        assert_eq!(tally.of(&format!("{text}/0")), 1, "not executed again");
        assert_eq!(
            notes(&two),
            ["earlier", "begin", &format!("{text} in 0"), path]
        );
        assert_eq!(two.answer, one.answer);
        assert_eq!((told[1].0.as_str(), told[1].1), ("reply", true));
        assert!(!told[0].1 && !told[2].1);

        let history = thread.history().await.unwrap();
        let before = runtime.thread(first).history().await.unwrap();
        assert_eq!(hits(&before), [false, false, false]);
        assert_eq!(hits(&history), [false, true, false]);
        assert_eq!(steps(&history), steps(&before));
        assert_eq!(lines(&history), lines(&before));

        // What was a hit is in the journal: nobody asks the cache again.
        let again = Runtime::new(answers(&tally)).journal(at.open().await);
        let again = again.thread(second);
        assert_eq!(again.state().await.unwrap(), two);
        assert_eq!(again.recover().await.unwrap().finished(), Some(two));
        assert_eq!(tally.of(&format!("{text}/0")), 1);
    }
}

async fn another_key_is_another_result(at: &impl Place) {
    let tally = Tally::default();
    let runtime = Runtime::new(answers(&tally)).journal(at.open().await);
    for (number, (text, language)) in [("a", 0), ("a", 1), ("b", 1), ("a", 1), ("b", 1), ("", 0)]
        .into_iter()
        .enumerate()
    {
        let desk = Desk {
            language,
            ..question(text)
        };
        let desk = run(&runtime, &format!("t{number}"), desk).await;
        assert_eq!(desk.answer, Some(format!("{text}!")));
        assert_eq!(notes(&desk)[1], format!("{text} in {language}"));
    }
    let counts: BTreeMap<_, _> = [("/0", 1), ("a/0", 1), ("a/1", 1), ("b/1", 1)]
        .map(|(name, count)| (name.to_owned(), count))
        .into();
    assert_eq!(tally.all(), counts);
}

async fn an_error_is_not_kept(at: &impl Place) {
    let tally = Tally::default();
    let runtime = Runtime::new(answers(&tally)).journal(at.open().await);
    for (thread, path) in [
        ("a", &["begin", "clerk"][..]),
        ("b", &["begin", "broken in 0", "done"]),
    ] {
        let desk = run(&runtime, thread, question("broken")).await;
        assert_eq!(notes(&desk), path);
    }
    let desk = run(&runtime, "c", question("broken")).await;
    assert_eq!(notes(&desk), ["begin", "broken in 0", "done"]);
    assert_eq!(tally.of("broken/0"), 2);
}

async fn a_guard_behind_a_hit_looks_at_the_state_as_it_is(at: &impl Place) {
    let tally = Tally::default();
    let runtime = Runtime::new(answers(&tally)).journal(at.open().await);
    for (number, urgent) in [false, true, false, true].into_iter().enumerate() {
        let desk = Desk {
            urgent,
            ..question("why")
        };
        let desk = run(&runtime, &format!("t{number}"), desk).await;
        let path = if urgent { "urgent" } else { "done" };
        assert_eq!(notes(&desk), ["begin", "why in 0", path]);
        let history = runtime
            .thread(format!("t{number}"))
            .history()
            .await
            .unwrap();
        assert_eq!(hits(&history), [false, number > 0, false]);
    }
    assert_eq!(tally.of("why/0"), 1);
}

async fn a_guard_that_panics_behind_a_hit_is_a_failure_of_the_node(at: &impl Place) {
    let tally = Tally::default();
    let cache = MemoryCache::default();
    let runtime = Runtime::new(answers(&tally))
        .journal(at.open().await)
        .cache(cache.clone());
    let fine = Desk {
        urgent: true,
        ..question("panic")
    };
    // Kept before the route is known, so it is there the next time.
    for thread in ["a", "b"] {
        let desk = run(&runtime, thread, fine.clone()).await;
        assert_eq!(notes(&desk), ["begin", "clerk"]);
    }
}

#[tokio::test]
async fn without_a_journal_results_are_used_again_between_threads_and_clones() {
    let tally = Tally::default();
    let runtime = Runtime::new(answers(&tally));
    let one = run(&runtime, "a", question("why")).await;
    let two = run(&runtime.clone(), "b", question("why")).await;
    let three = run(&runtime, "a", question("why")).await;
    assert!(one == two && one == three);
    let (steps, _) = drain(runtime.thread("c").stream(question("why"))).await;
    assert_eq!(steps.len(), 3);
    assert_eq!(tally.of("why/0"), 1);
    // Another runtime has its own memory.
    let _ = run(&Runtime::new(answers(&tally)), "a", question("why")).await;
    assert_eq!(tally.of("why/0"), 2);
}

async fn runtimes_can_share_a_cache_and_clear_it(at: &impl Place) {
    let tally = Tally::default();
    let cache = MemoryCache::default();
    let runtime = async || {
        Runtime::new(answers(&tally))
            .journal(at.open().await)
            .cache(cache.clone())
    };
    let one = run(&runtime().await, "a", question("why")).await;
    let two = run(&runtime().await, "b", question("why")).await;
    assert_eq!(one, two);
    assert_eq!(tally.of("why/0"), 1);
    cache.clear("Answers", Some("begin")).await.unwrap();
    let _ = run(&runtime().await, "c", question("why")).await;
    assert_eq!(tally.of("why/0"), 1);
    cache.clear("Answers", Some("reply")).await.unwrap();
    let _ = run(&runtime().await, "d", question("why")).await;
    assert_eq!(tally.of("why/0"), 2);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_cache_in_a_file_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let tally = Tally::default();
    let mut states = Vec::new();
    for thread in ["a", "b", "c"] {
        let cache = handoffs::SqliteCache::open(folder.path().join("cache.db")).await;
        let journal = Sqlite::open(folder.path().join("journal.db")).await;
        let runtime = Runtime::new(answers(&tally))
            .cache(cache.unwrap())
            .journal(journal.unwrap());
        states.push(run(&runtime, thread, question("why")).await);
    }
    assert!(states[0] == states[1] && states[0] == states[2]);
    assert_eq!(tally.of("why/0"), 1);
}

// ---- Caches that forget, fail and lie.

/// A result, and when it is over.
type Kept = (Vec<u8>, u64);

/// A cache with a clock of its own, which notes what it is asked.
#[derive(Clone, Debug, Default)]
struct Ticking {
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
    now: Arc<AtomicU64>,
    puts: Arc<Mutex<Vec<(String, Duration)>>>,
}

fn name(key: &CacheKey) -> String {
    format!("{}/{}/{}", key.graph(), key.node(), key.key())
}

#[async_trait]
impl Cache for Ticking {
    async fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
        let kept = self.kept.lock().unwrap();
        let found = kept.get(&name(key)).cloned();
        let found = found.filter(|(_, over)| *over > self.now.load(Ordering::Relaxed));
        Ok(found.map(|(value, _)| value))
    }

    async fn put(&self, key: &CacheKey, value: Vec<u8>, ttl: Duration) -> Result<(), CacheError> {
        let over = self
            .now
            .load(Ordering::Relaxed)
            .saturating_add(ttl.as_secs());
        self.kept.lock().unwrap().insert(name(key), (value, over));
        self.puts.lock().unwrap().push((name(key), ttl));
        Ok(())
    }

    async fn clear(&self, _: &str, _: Option<&str>) -> Result<(), CacheError> {
        self.kept.lock().unwrap().clear();
        Ok(())
    }
}

async fn a_result_whose_time_is_over_is_made_again(at: &impl Place) {
    let (tally, cache) = (Tally::default(), Ticking::default());
    let runtime = Runtime::new(answers(&tally))
        .journal(at.open().await)
        .cache(cache.clone());
    for (number, (now, calls)) in [(0, 1), (3599, 1), (3600, 2), (7199, 2), (7200, 3)]
        .into_iter()
        .enumerate()
    {
        cache.now.store(now, Ordering::Relaxed);
        let _ = run(&runtime, &format!("t{number}"), question("why")).await;
        assert_eq!(tally.of("why/0"), calls, "at {now}");
    }
    let puts = cache.puts.lock().unwrap();
    let hour = Duration::from_hours(1);
    let put = ("Answers/reply/[\"why\",0]".to_owned(), hour);
    assert_eq!(*puts, [put.clone(), put.clone(), put]);
}

/// In which way a cache is broken.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Fails,
    Panics,
    PanicsLater,
    Garbles(&'static [u8]),
}

#[async_trait]
impl Cache for Broken {
    async fn get(&self, _: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
        match self {
            Self::Fails => Err(CacheError::store("gone", "read", "no connection")),
            Self::Panics => panic!("the cache is broken"),
            Self::PanicsLater => {
                tokio::task::yield_now().await;
                panic!("the cache is broken")
            }
            Self::Garbles(bytes) => Ok(Some(bytes.to_vec())),
        }
    }

    async fn put(&self, key: &CacheKey, _: Vec<u8>, _: Duration) -> Result<(), CacheError> {
        self.get(key).await.map(drop)
    }

    async fn clear(&self, _: &str, _: Option<&str>) -> Result<(), CacheError> {
        Ok(())
    }
}

async fn a_broken_cache_ends_no_run(at: &impl Place) {
    let broken = [
        Broken::Fails,
        Broken::Panics,
        Broken::PanicsLater,
        Broken::Garbles(b""),
        Broken::Garbles(b"{}"),
        Broken::Garbles(b"\xff"),
        Broken::Garbles(br#"{"version":1,"conclusion":{"variant":"No"}}"#),
        Broken::Garbles(br#"{"version":1,"conclusion":{"variant":"Sure"}}"#),
        Broken::Garbles(br#"{"version":2,"conclusion":{"variant":"Unsure"}}"#),
        Broken::Garbles(
            br#"{"version":1,"conclusion":{"variant":"Unsure"},"writes":{"no":{"set":1}}}"#,
        ),
        Broken::Garbles(
            br#"{"version":1,"conclusion":{"variant":"Unsure"},"writes":{"answer":{"set":1}}}"#,
        ),
        Broken::Garbles(
            br#"{"version":1,"conclusion":{"variant":"Unsure"},"writes":{"answer":{"append":["x"]}}}"#,
        ),
    ];
    for broken in broken {
        let tally = Tally::default();
        let runtime = Runtime::new(answers(&tally))
            .journal(at.open().await)
            .cache(broken);
        for thread in ["a", "b"] {
            let thread = format!("{broken:?} {thread}");
            let desk = run(&runtime, &thread, question("why")).await;
            assert_eq!(notes(&desk), ["begin", "why in 0", "done"], "{broken:?}");
            assert_eq!(runtime.thread(thread).state().await.unwrap(), desk);
        }
        assert_eq!(tally.of("why/0"), 2, "{broken:?}");
    }
}

/// The same graph, in versions that do not fit each other.
#[allow(
    dead_code,
    reason = "a derive within a macro of this file is not excused"
)]
mod versions {
    use super::*;

    macro_rules! version {
        ($name:ident, $type:ty, $value:expr, $variant:ident { $payload:ty, $said:expr }) => {
            pub(super) mod $name {
                use super::*;

                #[derive(State, Clone, Debug, Default, PartialEq)]
                pub(crate) struct Form {
                    pub(crate) value: $type,
                }

                #[derive(Outcome)]
                pub(crate) enum Filled {
                    $variant { said: $payload },
                }

                pub(crate) struct Fill(pub(crate) Tally);

                #[node(Form)]
                impl Fill {
                    fn run(&self, value: &mut $type) -> Filled {
                        self.0.count(stringify!($name));
                        *value = $value;
                        Filled::$variant { said: $said }
                    }
                }

                fn key(_: &Form) -> u8 {
                    0
                }

                #[derive(AgentGraph)]
                #[graph(state = Form, start = fill)]
                pub(crate) struct Office {
                    #[route(Filled::$variant { .. } => end)]
                    #[cache(key = key, ttl = "1h")]
                    pub(crate) fill: Fill,
                }

                pub(crate) async fn run(tally: &Tally, cache: &Arc<dyn Cache>) -> Form {
                    let fill = Fill(tally.clone());
                    let runtime = Runtime::new(Office { fill }).cache(Arc::clone(cache));
                    super::super::run(&runtime, "t", Form::default()).await
                }
            }
        };
    }

    version!(first, u32, 7, Done { String, "it".to_owned() });
    version!(same, u32, 8, Done { String, "it".to_owned() });
    version!(retyped, String, "7".to_owned(), Done { String, "it".to_owned() });
    version!(renamed, u32, 9, Filled { String, "it".to_owned() });
    version!(repaid, u32, 10, Done { u32, 1 });
}

#[tokio::test]
async fn a_result_that_does_not_fit_the_graph_any_more_is_made_again() {
    use versions::{first, renamed, repaid, retyped, same};
    let tally = Tally::default();
    let cache: Arc<dyn Cache> = Arc::new(Ticking::default());
    assert_eq!(first::run(&tally, &cache).await.value, 7);
    assert_eq!(same::run(&tally, &cache).await.value, 7);
    assert_eq!(retyped::run(&tally, &cache).await.value, "7");
    assert_eq!(retyped::run(&tally, &cache).await.value, "7");
    assert_eq!(renamed::run(&tally, &cache).await.value, 9);
    assert_eq!(repaid::run(&tally, &cache).await.value, 10);
    assert_eq!(first::run(&tally, &cache).await.value, 7);
    assert_eq!(same::run(&tally, &cache).await.value, 7);
    let counts: BTreeMap<_, _> = [("first", 2), ("retyped", 1), ("renamed", 1), ("repaid", 1)]
        .map(|(name, count)| (name.to_owned(), count))
        .into();
    assert_eq!(tally.all(), counts);
}

// ---- Branches, items and graphs.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Study {
    topics: Vec<String>,
    found: Log<String>,
    tags: BTreeSet<String>,
    best: BTreeSet<String>,
}

fn topics(study: &Study) -> Vec<String> {
    study.topics.clone()
}

fn always(_: &Study) -> u8 {
    0
}

struct LookUp(Tally);

#[node(Study)]
impl LookUp {
    async fn run(&self, topic: String, found: &mut Log<String>, tags: &mut BTreeSet<String>) {
        self.0.count(topic.clone());
        found.push(format!("about {topic}"));
        tags.insert(topic);
    }
}

struct Choose(Tally);

#[node(Study)]
impl Choose {
    async fn run(&self, tags: &BTreeSet<String>, mut best: Replace<'_, BTreeSet<String>>) {
        self.0.count("choose");
        best.set(tags.iter().take(1).cloned().collect());
    }
}

struct Add(Tally);

#[node(Study)]
impl Add {
    async fn run(&self, best: &mut BTreeSet<String>) {
        self.0.count("add");
        best.insert("added".to_owned());
    }
}

#[node(Study)]
fn pass() {}

#[derive(AgentGraph)]
#[graph(state = Study, start = plan)]
struct Research {
    #[route(_ => each(topics) look_up join gather)]
    plan: Pass,
    #[route(_ => gather)]
    #[cache(key = always, ttl = "1h")]
    look_up: LookUp,
    #[route(_ => all(choose, add) join done)]
    gather: Pass,
    #[route(_ => done)]
    #[cache(key = always, ttl = "1h")]
    choose: Choose,
    #[route(_ => done)]
    #[cache(key = always, ttl = "1h")]
    add: Add,
    #[route(_ => end)]
    done: Pass,
}

fn research(tally: &Tally) -> Research {
    Research {
        plan: Pass,
        look_up: LookUp(tally.clone()),
        gather: Pass,
        choose: Choose(tally.clone()),
        add: Add(tally.clone()),
        done: Pass,
    }
}

fn study<const N: usize>(topics: [&str; N]) -> Study {
    Study {
        topics: topics.map(str::to_owned).to_vec(),
        ..Study::default()
    }
}

async fn in_branches_each_item_has_its_own_result_and_a_hit_merges_as_the_node_did(
    at: &impl Place,
) {
    let tally = Tally::default();
    let runtime = Runtime::new(research(&tally)).journal(at.open().await);
    let mut states = Vec::new();
    for thread in ["a", "b"] {
        let state = run(&runtime, thread, study(["bees", "wasps", "ants"])).await;
        let found: Vec<_> = state.found.iter().collect();
        assert_eq!(found, ["about bees", "about wasps", "about ants"]);
        assert_eq!(state.best, BTreeSet::from(["ants".to_owned()]), "{thread}");
        let again = Runtime::new(research(&tally)).journal(at.open().await);
        assert_eq!(again.thread(thread).state().await.unwrap(), state);
        states.push(state);
    }
    assert_eq!(states[0], states[1]);
    assert!(tally.all().values().all(|count| *count == 1), "{tally:?}");
    let _ = run(&runtime, "c", study(["bees", "flies"])).await;
    assert_eq!((tally.of("bees"), tally.of("flies")), (1, 1));
}

#[tokio::test]
async fn without_a_journal_each_item_has_its_own_result_too() {
    let tally = Tally::default();
    let runtime = Runtime::new(research(&tally));
    for thread in ["a", "b"] {
        let state = run(&runtime, thread, study(["bees", "wasps"])).await;
        let found: Vec<_> = state.found.iter().collect();
        assert_eq!(found, ["about bees", "about wasps"]);
        assert_eq!(state.best, BTreeSet::from(["bees".to_owned()]), "{thread}");
    }
    assert!(tally.all().values().all(|count| *count == 1), "{tally:?}");
}

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Small {
    text: String,
}

struct Shout(Tally);

#[node(Small)]
impl Shout {
    fn run(&self, text: &mut String) {
        self.0.count("shout");
        text.push('!');
    }
}

#[derive(AgentGraph)]
#[graph(state = Small, start = shout)]
struct Shouting {
    #[route(_ => end)]
    shout: Shout,
}

fn enter(desk: &Desk) -> Small {
    Small {
        text: desk.question.clone(),
    }
}

#[node(Desk)]
async fn leave(small: Small, notes: &mut Log<String>) {
    notes.push(small.text);
}

#[derive(AgentGraph)]
#[graph(state = Desk, start = answers)]
struct Nested {
    #[route(_ => shouting)]
    #[cache(key = key, ttl = "1h")]
    answers: Answers,
    #[route(_ => end)]
    #[subgraph(enter = enter, leave = leave)]
    #[cache(key = key, ttl = "1h")]
    shouting: Shouting,
}

async fn the_result_of_a_whole_graph_can_be_kept(at: &impl Place) {
    let tally = Tally::default();
    let open = async |cache: &MemoryCache| {
        let graph = Nested {
            answers: answers(&tally),
            shouting: Shouting {
                shout: Shout(tally.clone()),
            },
        };
        Runtime::new(graph)
            .journal(at.open().await)
            .cache(cache.clone())
    };
    let cache = MemoryCache::default();
    let one = run(&open(&cache).await, "a", question("why")).await;
    assert_eq!(notes(&one), ["begin", "why in 0", "done", "why!"]);
    let longer = Desk {
        notes: Log::from(vec!["earlier".to_owned()]),
        ..question("why")
    };
    let two = run(&open(&cache).await, "b", longer).await;
    assert_eq!(
        notes(&two),
        ["earlier", "begin", "why in 0", "done", "why!"]
    );
    assert_eq!((tally.of("why/0"), tally.of("shout")), (1, 1));
    let empty = MemoryCache::default();
    for (thread, state) in [("a", one), ("b", two)] {
        let thread = open(&empty).await.thread(thread);
        assert_eq!(thread.state().await.unwrap(), state);
        assert_eq!(thread.recover().await.unwrap().finished(), Some(state));
    }
    let history = open(&empty).await.thread("b").history().await.unwrap();
    assert_eq!(hits(&history), [true, true]);
}

// ---- Questions and failures.

struct Curious(Tally);

#[node(Desk)]
impl Curious {
    async fn run(
        &self,
        notes: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), handoffs::NodeError> {
        self.0.count("curious");
        let answer: String = cx.ask("name", "who?").await?;
        notes.push(answer);
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Desk, start = curious)]
struct Asks {
    #[route(_ => end)]
    #[cache(key = key, ttl = "1h")]
    #[retry]
    #[timeout("1m")]
    curious: Curious,
}

async fn what_a_person_has_answered_can_be_kept(at: &impl Place) {
    let tally = Tally::default();
    let runtime = Runtime::new(Asks {
        curious: Curious(tally.clone()),
    });
    let runtime = runtime.journal(at.open().await);
    let first = runtime.thread("a");
    let ask = first.run(question("x")).await.unwrap().paused().unwrap();
    let also = runtime.thread("b").run(question("x")).await.unwrap();
    let also = also.paused().unwrap();
    let error = first.resume(ask.id, 1).await.unwrap_err();
    assert!(matches!(error, RunError::WrongAnswer { .. }), "{error:?}");
    let desk = first.resume(ask.id, "Ada").await.unwrap().finished();
    assert_eq!(notes(&desk.unwrap()), ["Ada"]);
    let desk = run(&runtime, "c", question("x")).await;
    assert_eq!(notes(&desk), ["Ada"]);
    // The answer to a question that was open already is heard, whatever the cache says by now.
    let desk = runtime.thread("b").resume(also.id, "Bob").await.unwrap();
    assert_eq!(notes(&desk.finished().unwrap()), ["Bob"]);
}

fn broken_key(desk: &Desk) -> BTreeMap<(u8, u8), u8> {
    assert!(desk.question != "panic", "no key");
    BTreeMap::from([((1, 2), 3)])
}

#[derive(AgentGraph)]
#[graph(state = Desk, start = reply)]
struct Keyless {
    #[route(_ => end)]
    #[cache(key = broken_key, ttl = "1h")]
    reply: Reply,
}

async fn a_key_that_cannot_be_written_finds_nothing_and_one_that_panics_fails_the_node(
    at: &impl Place,
) {
    let tally = Tally::default();
    let runtime = Runtime::new(Keyless {
        reply: Reply(tally.clone()),
    });
    let runtime = runtime.journal(at.open().await);
    for thread in ["a", "b"] {
        let desk = run(&runtime, thread, question("why")).await;
        assert_eq!(notes(&desk), ["why in 0"]);
    }
    assert_eq!(tally.of("why/0"), 2);
    let error = runtime
        .thread("c")
        .run(question("panic"))
        .await
        .unwrap_err();
    assert!(matches!(error, RunError::Panicked { .. }), "{error:?}");
    assert!(chain(&error).contains("no key"));
    assert_eq!(tally.of("panic/0"), 0);
}

on_every_journal! {
    a_hit_writes_and_routes_as_the_node_did_and_is_told_by_journal_and_events
    another_key_is_another_result
    an_error_is_not_kept
    a_guard_behind_a_hit_looks_at_the_state_as_it_is
    a_guard_that_panics_behind_a_hit_is_a_failure_of_the_node
    runtimes_can_share_a_cache_and_clear_it
    a_result_whose_time_is_over_is_made_again
    a_broken_cache_ends_no_run
    in_branches_each_item_has_its_own_result_and_a_hit_merges_as_the_node_did
    the_result_of_a_whole_graph_can_be_kept
    what_a_person_has_answered_can_be_kept
    a_key_that_cannot_be_written_finds_nothing_and_one_that_panics_fails_the_node
}
