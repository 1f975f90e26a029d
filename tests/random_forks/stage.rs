//! A run, cut off wherever it was told to be and taken up again, and its journal beside the oracle.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use handoffs::prelude::*;
use handoffs::{
    Ask, Chronicle, Entry, Journal, JournalError, Masked, NodeError, Record, Recorded, RunError,
    Thread, ThreadId, overview,
};
use serde_json::Value;
use tokio::sync::Notify;

use crate::graph::{Chance, Data, Executed, Name, Play, VERSIONS, unversioned};
use crate::oracle::{Expected, Plain, Way, answer, line};
use crate::shape::{Laid, Trouble};
use handoffs::Durability;
use handoffs::Layer;

/// How a journal goes down.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// The append fails, and nothing is written.
    Cut,
    /// The append fails, and is written.
    Kept,
    /// The append never ends, and nothing is written.
    Lost,
    /// The append never ends, and is written.
    Silent,
    /// The append succeeds, and then the run is dropped.
    Sealed,
}

impl Mode {
    pub(crate) const ALL: [Self; 5] = [
        Self::Cut,
        Self::Kept,
        Self::Lost,
        Self::Silent,
        Self::Sealed,
    ];

    const fn writes(self) -> bool {
        !matches!(self, Self::Cut | Self::Lost)
    }
}

/// At which append a journal goes down, and how; it is handed on from run to run until then.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) mode: Mode,
    pub(crate) left: Mutex<u64>,
    down: Mutex<bool>,
    told: Notify,
}

impl Fault {
    pub(crate) fn after(appends: u64, mode: Mode) -> Arc<Self> {
        Arc::new(Self {
            mode,
            left: Mutex::new(appends),
            down: Mutex::new(false),
            told: Notify::new(),
        })
    }

    pub(crate) fn is_down(&self) -> bool {
        *self.down.lock().unwrap()
    }
}

/// A slow journal, which may go down.
#[derive(Debug)]
struct Faulty<J> {
    kept: J,
    fault: Option<Arc<Fault>>,
    chance: Arc<Chance>,
}

#[async_trait]
impl<J: Journal> Layer for Faulty<J> {
    type Within = J;

    fn within(&self) -> &J {
        &self.kept
    }

    async fn append(
        &self,
        thread: &ThreadId,
        head: u64,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), JournalError> {
        self.chance.pause().await;
        let Some(fault) = &self.fault else {
            return self.kept.append(thread, head, records, durability).await;
        };
        let is_last = {
            let mut left = fault.left.lock().unwrap();
            let is_last = *left == 0;
            *left = left.saturating_sub(1);
            is_last
        };
        if !is_last {
            return self.kept.append(thread, head, records, durability).await;
        }
        let is_first = !std::mem::replace(&mut *fault.down.lock().unwrap(), true);
        if is_first && fault.mode.writes() {
            self.kept.append(thread, head, records, durability).await?;
        }
        match fault.mode {
            Mode::Cut | Mode::Kept => Err(JournalError::store("memory", "append to", "power cut")),
            Mode::Lost | Mode::Silent | Mode::Sealed => {
                fault.told.notify_one();
                if is_first && matches!(fault.mode, Mode::Sealed) {
                    return Ok(());
                }
                std::future::pending().await
            }
        }
    }
}

/// What a journal says, path by path.
#[derive(Debug, Default)]
struct Told {
    lines: BTreeMap<Way, Vec<String>>,
    /// The keys of the steps that it holds.
    saved: Vec<String>,
}

/// A path of a journal.
#[derive(Default)]
struct Track {
    way: Way,
    arrived: u64,
    forks: usize,
    /// How many attempts at the node that is due have failed.
    attempts: u32,
}

fn told(history: &[Entry]) -> Told {
    let mut told = Told::default();
    let mut tracks = HashMap::from([(String::new(), Track::default())]);
    // The path that forked at an entry, and how often it had forked before.
    let mut forks: HashMap<u64, (Way, usize)> = HashMap::new();
    for entry in history {
        let branch = entry.branch.to_string();
        let track = tracks.entry(branch.clone()).or_insert_with(|| {
            let turn = branch
                .rsplit('/')
                .next()
                .and_then(|turn| turn.split_once('.'))
                .unwrap();
            let (fork, index): (u64, usize) = (turn.0.parse().unwrap(), turn.1.parse().unwrap());
            let (mut way, ordinal) = forks[&fork].clone();
            way.push((ordinal, index));
            Track {
                way,
                arrived: fork,
                ..Track::default()
            }
        });
        let slash = if branch.is_empty() { "" } else { "/" };
        let key = |node: &str| {
            let node = unversioned(node);
            format!("t/{branch}{slash}{}/{node}", track.arrived + 1)
        };
        let why = |masked: &Option<Masked>| match masked {
            None => "",
            Some(Masked::Limit) => ", its limit used up",
            Some(_) => ", without progress",
        };
        let text = match &entry.event {
            Recorded::Stepped {
                node,
                edge,
                masked,
                to,
                fork,
                ..
            } => {
                told.saved.push(key(node));
                let to = to
                    .as_deref()
                    .unwrap_or(if fork.is_some() { "branches" } else { "end" });
                let branches = fork.as_ref().map(|fork| fork.branches as usize);
                if branches.is_some() {
                    forks.insert(entry.seq, (track.way.clone(), track.forks));
                    track.forks += 1;
                }
                let (node, to) = (unversioned(node), unversioned(to));
                line(node, (*edge).into(), why(masked), to, branches)
            }
            Recorded::Caught {
                failure,
                edge,
                masked,
                to,
                ..
            } => {
                told.saved.push(key(&failure.node));
                assert_eq!(
                    failure.attempts,
                    track.attempts + 1,
                    "attempts at {}",
                    failure.node
                );
                let masked = format!(", failed {} times{}", failure.attempts, why(masked));
                line(
                    unversioned(&failure.node),
                    (*edge).into(),
                    &masked,
                    unversioned(to.as_deref().unwrap_or("end")),
                    None,
                )
            }
            Recorded::Joined { to, .. } => format!("joined at {}", unversioned(to)),
            Recorded::Started { .. } => {
                track.arrived = entry.seq;
                continue;
            }
            Recorded::Attempted { .. } => {
                track.attempts += 1;
                continue;
            }
            _ => continue,
        };
        (track.arrived, track.attempts) = (entry.seq, 0);
        told.lines.entry(track.way.clone()).or_default().push(text);
    }
    told
}

/// A run of a graph, and what it must come to.
pub(crate) struct Stage {
    pub(crate) laid: Arc<Laid>,
    pub(crate) start: Plain,
    pub(crate) watch: bool,
    pub(crate) expected: Arc<Expected>,
    /// Whether the graph is another version each time that the run is taken up.
    pub(crate) changes: bool,
    /// Whether the thread is trimmed whenever it is at rest, so that nothing but the snapshot tells what
    /// its entries add up to.
    pub(crate) trims: bool,
}

/// What a thread has told, also before it was trimmed.
#[derive(Default)]
struct Archive(Mutex<Vec<Entry>>);

impl Archive {
    async fn history<J: Journal>(&self, thread: &Thread<Play, J>) -> Vec<Entry> {
        let kept = thread.history().await.unwrap();
        let mut all = self.0.lock().unwrap();
        if let Some(first) = kept.first() {
            all.truncate(usize::try_from(first.seq).unwrap() - 1);
        }
        all.extend(kept);
        assert!(all.iter().zip(1..).all(|(entry, seq)| entry.seq == seq));
        all.clone()
    }
}

/// Writes down where a thread stands, with the nodes' names of the first version.
fn plain(status: &Status<Vec<String>>) -> String {
    let text = format!("{status:?}");
    let parts = text.split('~').enumerate();
    // Behind the sign stands the digit of the version.
    let parts = parts.map(|(place, part)| part.get(usize::from(place > 0)..).unwrap_or_default());
    parts.collect()
}

/// Checks that whoever has not the graph sees the thread as the one who has it.
async fn check_chronicle<J: Journal, K: Journal>(
    journal: &J,
    thread: &Thread<Play, K>,
    asks: &[Ask],
    status: &Status<Name>,
) {
    let chronicle = Chronicle::read(journal, thread.id()).await.unwrap();
    let Some(chronicle) = chronicle else {
        assert!(matches!(status, Status::New));
        return;
    };
    let summary = chronicle.summary().unwrap();
    // It may read the whole thread, so not each time.
    if chronicle.len() % 4 == 1 {
        let stands = chronicle.overview().unwrap();
        let seen: Vec<_> = overview(journal, None).try_collect().await.unwrap();
        assert_eq!(seen, std::slice::from_ref(&stands));
        let open = u32::try_from(summary.asks.len()).unwrap();
        assert_eq!((stands.open, stands.entries), (open, chronicle.len()));
        assert_eq!(plain(&stands.status), plain(&summary.status));
    }
    // The nodes go by the names that they had.
    let ids = |asks: &[Ask]| asks.iter().map(|ask| ask.id).collect::<Vec<_>>();
    assert_eq!(ids(&summary.asks), ids(asks));
    let seen: Value = summary
        .state
        .iter()
        .map(|(name, value)| (name.clone(), value.to::<Value>().unwrap()))
        .collect();
    assert_eq!(seen, thread.state().await.unwrap().json(), "{status:?}");
    match (&summary.status, status) {
        (Status::Failed { error, .. }, Status::Failed { error: known, .. }) => {
            assert_eq!(error, known);
        }
        (Status::Paused(ask), Status::Paused(known)) => assert_eq!(ask.id, known.id),
        // Which branches are at their join, only the graph knows.
        (Status::Finished, Status::Finished)
        | (Status::Unfinished(_) | Status::Paused(_), Status::Unfinished(_)) => {}
        (seen, known) => panic!("{seen:?} where it is {known:?}"),
    }
}

/// What happens to a run before it is left in peace.
#[derive(Clone, Debug, Default)]
pub(crate) enum Harm {
    #[default]
    None,
    /// The journal goes down.
    Fault(Arc<Fault>),
    /// The run is dropped after this time.
    Drop(Duration),
    /// The run has no more time than this.
    Deadline(Duration),
}

impl Stage {
    fn runtime(&self, executed: &Arc<Executed>, chance: &Arc<Chance>) -> Runtime<Play> {
        let play = Play {
            laid: Arc::clone(&self.laid),
            executed: Arc::clone(executed),
            chance: Arc::clone(chance),
            version: if self.changes {
                1 + chance.below(VERSIONS - 1)
            } else {
                0
            },
        };
        let runtime = Runtime::new(play).watch_loops(self.watch);
        match chance.below(3) {
            0 => runtime.concurrency(1 + usize::try_from(chance.below(3)).unwrap()),
            _ => runtime,
        }
    }

    /// Runs without a journal.
    pub(crate) async fn ephemeral(&self, seed: u64) {
        let (executed, chance) = (Arc::default(), Arc::new(Chance::new(seed)));
        let thread = self.runtime(&executed, &chance).thread("t");
        let ended = thread
            .run(Data::from(&self.start))
            .await
            .unwrap()
            .finished()
            .unwrap();
        assert_eq!(Plain::from(&ended), self.expected.fin, "without a journal");
        assert_eq!(
            executed.begun.lock().unwrap().len(),
            self.expected.steps,
            "without a journal"
        );
    }

    /// Runs, answers and recovers until the run is over, with a journal that `open` opens anew each
    /// time, and with harm done to each run as `harm` says.
    pub(crate) async fn perform<J: Journal>(
        &self,
        seed: u64,
        open: impl AsyncFn() -> J,
        mut harm: impl FnMut(&Chance) -> Harm,
    ) {
        let (executed, chance) = (Arc::default(), Arc::new(Chance::new(seed)));
        let archive = Archive::default();
        for _ in 0..10_000 {
            let harm = harm(&chance);
            let fault = match &harm {
                Harm::Fault(fault) => Some(Arc::clone(fault)),
                _ => None,
            };
            let kept = open().await;
            // In memory, what is kept as it is until somebody reads it is as good as what is written.
            let journal: Arc<dyn Journal> = if fault.is_none() && chance.below(2) == 0 {
                Arc::new(kept)
            } else {
                let chance = Arc::clone(&chance);
                Arc::new(Faulty {
                    kept,
                    fault,
                    chance,
                })
            };
            let mut runtime = self.runtime(&executed, &chance);
            if let Harm::Deadline(after) = &harm {
                runtime = runtime.deadline(*after);
            }
            let thread = runtime.journal(journal).thread("t");
            let asks = self.check(&thread, &executed, &archive).await;
            let status = thread.status().await.unwrap();
            check_chronicle(&open().await, &thread, &asks, &status).await;
            if matches!(status, Status::Finished) {
                assert!(asks.is_empty());
                let lines = told(&archive.history(&thread).await).lines;
                assert_eq!(lines, self.expected.lines);
                assert_eq!(
                    Plain::from(&thread.state().await.unwrap()),
                    self.expected.fin
                );
                let begun = executed.begun.lock().unwrap().clone();
                assert_eq!(begun.len(), self.expected.steps, "{begun:?}");
                self.check_routes(&thread).await;
                return;
            }
            executed.concluded.lock().unwrap().clear();
            let is_told = self.go(&thread, &status, &asks, &chance, &harm).await;
            if is_told {
                let saved = told(&archive.history(&thread).await).saved;
                let mut concluded = executed.concluded.lock().unwrap().clone();
                concluded.retain(|key| !saved.contains(key));
                assert!(
                    concluded.is_empty(),
                    "concluded, and not in the journal: {concluded:?}"
                );
            }
        }
        panic!("it does not come to an end");
    }

    /// Looks at a thread that is at rest, and returns what it asks.
    async fn check<J: Journal>(
        &self,
        thread: &Thread<Play, J>,
        executed: &Executed,
        archive: &Archive,
    ) -> Vec<Ask> {
        let history = archive.history(thread).await;
        if self.trims && !history.is_empty() {
            let (asks, status) = (thread.asks().await.unwrap(), thread.status().await.unwrap());
            // Of one entry or two, nothing else is left to tell.
            let kept = 1 + history.len() as u64 % 2;
            let last = history.len() as u64;
            let mut then = Vec::new();
            for seq in last.saturating_sub(kept) + 1..=last {
                then.push((seq, thread.state_at(seq).await.unwrap()));
            }
            let base = thread.trim(kept).await.unwrap();
            assert_eq!(base.seq, last.saturating_sub(kept));
            for (seq, before) in then {
                let known = thread.state_at(seq).await.unwrap();
                assert_eq!(Plain::from(&known), Plain::from(&before), "after {seq}");
            }
            assert_eq!(thread.asks().await.unwrap(), asks);
            assert_eq!(thread.status().await.unwrap(), status);
            let head = thread.verify(base).await.unwrap();
            assert_eq!(head.seq, history.len() as u64);
        }
        let told = told(&history);
        for (way, lines) in &told.lines {
            let all = self.expected.lines.get(way);
            let all = all.unwrap_or_else(|| panic!("{way:?} is no path: {lines:?}"));
            assert!(
                all.starts_with(lines),
                "{way:?}: {lines:?} is no beginning of {all:?}"
            );
        }
        let again = executed.again.lock().unwrap().clone();
        assert!(
            again.is_empty(),
            "executed although they were saved: {again:?}"
        );
        executed.saved.lock().unwrap().extend(told.saved);
        if !history.is_empty() {
            let done = told.lines.get(&Way::new()).map_or(0, Vec::len);
            let state = Plain::from(&thread.state().await.unwrap());
            assert_eq!(
                state, self.expected.trunk[done],
                "after {done} entries of the trunk"
            );
        }
        // It goes along the whole thread, so not each time.
        if history.len() % 5 == 1 && !self.trims {
            self.check_routes(thread).await;
        }
        thread.asks().await.unwrap()
    }

    /// By its own edges, all leads where it led.
    async fn check_routes<J: Journal>(&self, thread: &Thread<Play, J>) {
        let rerouted = match thread.reroute().await {
            Err(RunError::Trimmed { .. }) => return,
            rerouted => rerouted.unwrap(),
        };
        assert!(rerouted.is_same(), "{rerouted:#?}");
    }

    /// Goes on with a thread until it rests, fails or comes to harm. Returns whether it came back
    /// with its journal in order, so that all that was done is to be in it.
    async fn go<J: Journal>(
        &self,
        thread: &Thread<Play, J>,
        status: &Status<<Play as handoffs::Runnable>::Node>,
        asks: &[Ask],
        chance: &Chance,
        harm: &Harm,
    ) -> bool {
        let may_recover = matches!(status, Status::Unfinished(_) | Status::Failed { .. });
        let ask = match asks {
            [] => None,
            _ if may_recover && chance.below(2) == 0 => None,
            asks => asks.get(usize::try_from(chance.below(asks.len() as u64)).unwrap()),
        };
        let streams = chance.below(3) == 0;
        let start = || Data::from(&self.start);
        let run = async {
            if !streams {
                return match (status, ask) {
                    (Status::New, _) => thread.run(start()).await,
                    (_, Some(ask)) => {
                        thread
                            .resume(ask.id, answer(ask.question.to().unwrap()))
                            .await
                    }
                    _ => thread.recover().await,
                };
            }
            let mut events = match (status, ask) {
                (Status::New, _) => thread.stream(start()),
                (_, Some(ask)) => thread
                    .resume_stream(ask.id, answer(ask.question.to().unwrap()))
                    .unwrap(),
                _ => thread.recover_stream(),
            };
            let mut last = None;
            while let Some(event) = events.next().await {
                last = Some(event);
            }
            Ok(match last.unwrap()? {
                Event::Finished(state) => Run::Finished(state),
                Event::Paused(ask) => Run::Paused(ask),
                other => panic!("{other:?} came last"),
            })
        };
        let grace = Duration::from_millis(chance.below(60)) * u32::from(chance.below(2) == 0);
        let cut = async {
            match harm {
                Harm::None | Harm::Deadline(_) => std::future::pending().await,
                Harm::Drop(after) => tokio::time::sleep(*after).await,
                Harm::Fault(fault) => {
                    fault.told.notified().await;
                    if !grace.is_zero() {
                        tokio::time::sleep(grace).await;
                    }
                }
            }
        };
        let ended = tokio::select! {
            biased;
            () = cut => return false,
            ended = run => ended,
        };
        let is_down = matches!(harm, Harm::Fault(fault) if fault.is_down());
        match ended {
            Ok(Run::Finished(state)) => assert_eq!(Plain::from(&state), self.expected.fin),
            Ok(Run::Paused(ask)) => {
                let first = thread.asks().await.unwrap().into_iter().next();
                assert_eq!(
                    first.as_ref(),
                    Some(&ask),
                    "the first of the open questions"
                );
            }
            Err(RunError::Node { source, .. }) => {
                let stumbles = self.laid.any(|act| act.trouble == Trouble::Stumbles);
                assert!(stumbles && !source.is::<NodeError>(), "{source}");
            }
            Err(RunError::Deadline { .. }) => assert!(matches!(harm, Harm::Deadline(_))),
            Err(error) => {
                let is_journal = matches!(error, RunError::Journal { .. });
                assert!(is_down && is_journal, "{error:?}");
            }
        }
        !is_down
    }
}
