//! Random graphs with forks: whatever finishes first and wherever a run is cut off, it comes to what a
//! naive interpreter says that goes through one branch after the other.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "random_forks/graph.rs"]
mod graph;
#[path = "random_forks/oracle.rs"]
mod oracle;
#[path = "random_forks/shape.rs"]
mod shape;
#[path = "random_forks/stage.rs"]
mod stage;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use handoffs::{Memory, Sqlite, check, max_handoffs};
use oracle::{Oracle, Plain};
use proptest::prelude::*;
use shape::{Laid, Shape, Trouble, shape};
use stage::{Fault, Harm, Mode, Stage};

/// Most steps of a run that is worth its time.
const STEPS: usize = 120;

/// A graph and how it is run.
#[derive(Clone)]
struct Case {
    shape: Shape,
    log: Vec<u32>,
    watch: bool,
    /// Whether no node makes any progress.
    lazy: bool,
    seed: u64,
}

/// On one line, however proptest asks: of a graph on a hundred lines nobody sees the shape.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shape,
            log,
            watch,
            lazy,
            seed,
        } = self;
        let text = format!("{shape:?}, log {log:?}, watch: {watch}, lazy: {lazy}, seed: {seed}");
        f.write_str(&text)
    }
}

fn case() -> impl Strategy<Value = Case> {
    let log = prop::collection::vec(0..100_u32, 0..4);
    let lazy = prop::bool::weighted(0.15);
    (shape(), log, any::<bool>(), lazy, any::<u64>()).prop_map(|(shape, log, watch, lazy, seed)| {
        Case {
            shape,
            log,
            watch: watch || lazy,
            lazy,
            seed,
        }
    })
}

impl Case {
    /// Lays the graph out and asks the oracle; nothing if a run would take too long.
    fn stage(&self, most: usize) -> Option<Stage> {
        let laid = Laid::of(&self.shape, self.lazy);
        let findings = check(&laid.topology);
        assert!(findings.is_empty(), "{findings:?}");
        let start = Plain {
            count: i64::try_from(self.log.len()).unwrap(),
            seen: self.log.iter().map(|item| item % 16).collect(),
            notes: self.log.iter().map(|item| (item % 8, *item)).collect(),
            high: self.log.iter().max().copied(),
            log: self.log.clone(),
            ..Plain::default()
        };
        let expected = Oracle::expect(&laid, start.clone(), self.watch, most)?;
        let most = max_handoffs(&laid.topology).unwrap();
        assert!(
            expected.handoffs <= most,
            "{} of {most} handoffs",
            expected.handoffs
        );
        Some(Stage {
            laid: Arc::new(laid),
            start,
            watch: self.watch,
            expected: Arc::new(expected),
            changes: false,
            trims: false,
        })
    }
}

/// Runs on a clock that stands still while there is anything to do.
fn paused(work: impl Future<Output = ()>) {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    tokio.block_on(work);
}

fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    // A longer run by hand is longer for all of them.
    let factor = (default.cases / 256).max(1);
    ProptestConfig {
        cases: cases * factor,
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn whichever_branch_is_first_the_result_is_that_of_one_after_the_other(case in case()) {
        if let Some(stage) = case.stage(STEPS) {
            paused(async {
                for seed in [case.seed, !case.seed] {
                    let disk = Memory::default();
                    stage.perform(seed, async || disk.clone(), |_| Harm::None).await;
                }
                if !stage.laid.any(|act| act.asks > 0 || act.trouble == Trouble::Stumbles) {
                    stage.ephemeral(case.seed).await;
                }
            });
        }
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn a_run_that_is_cut_off_at_any_append_comes_to_the_same(case in case()) {
        if let Some(stage) = case.stage(STEPS / 4) {
            paused(async {
                for appends in 0.. {
                    let mode = Mode::ALL[usize::try_from((case.seed ^ appends) % 5).unwrap()];
                    let fault = Fault::after(appends, mode);
                    let disk = Memory::default();
                    let harm = |_: &_| {
                        if fault.is_down() {
                            Harm::None
                        } else {
                            Harm::Fault(Arc::clone(&fault))
                        }
                    };
                    stage.perform(case.seed, async || disk.clone(), harm).await;
                    if !fault.is_down() {
                        break;
                    }
                }
            });
        }
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn a_thread_that_is_trimmed_wherever_it_is_cut_off_comes_to_the_same(case in case()) {
        if let Some(mut stage) = case.stage(STEPS / 4) {
            stage.trims = true;
            paused(async {
                for appends in 0.. {
                    let mode = Mode::ALL[usize::try_from((case.seed ^ appends) % 5).unwrap()];
                    let fault = Fault::after(appends, mode);
                    let disk = Memory::default();
                    let harm = |_: &_| {
                        if fault.is_down() {
                            Harm::None
                        } else {
                            Harm::Fault(Arc::clone(&fault))
                        }
                    };
                    stage.perform(case.seed, async || disk.clone(), harm).await;
                    if !fault.is_down() {
                        break;
                    }
                }
                for _ in 0..3 {
                    let disk = Memory::default();
                    stage.perform(case.seed, async || disk.clone(), harms).await;
                }
            });
        }
    }
}

/// Does harm again and again, and to every fourth run none.
fn harms(chance: &graph::Chance) -> Harm {
    let mode = Mode::ALL[usize::try_from(chance.below(5)).unwrap()];
    match chance.below(4) {
        0 => Harm::None,
        2 => Harm::Deadline(Duration::from_millis(chance.below(200))),
        1 => Harm::Drop(Duration::from_millis(chance.below(150))),
        _ => Harm::Fault(Fault::after(chance.below(8), mode)),
    }
}

proptest! {
    #![proptest_config(config(350))]

    #[test]
    fn a_run_that_is_cut_off_again_and_again_comes_to_the_same(case in case()) {
        if let Some(stage) = case.stage(STEPS) {
            paused(async {
                let disk = Memory::default();
                stage.perform(case.seed, async || disk.clone(), harms).await;
            });
        }
    }
}

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn a_run_whose_graph_is_another_version_each_time_comes_to_the_same(case in case()) {
        if let Some(mut stage) = case.stage(STEPS) {
            stage.changes = true;
            paused(async {
                let disk = Memory::default();
                stage.perform(case.seed, async || disk.clone(), harms).await;
                // And where snapshots alone tell what was.
                stage.trims = true;
                let disk = Memory::default();
                stage.perform(!case.seed, async || disk.clone(), harms).await;
            });
        }
    }
}

proptest! {
    #![proptest_config(config(10))]

    #[test]
    fn on_a_real_file_it_is_the_same(case in case()) {
        if let Some(stage) = case.stage(STEPS / 2) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("forks.db");
            paused(async {
                // The file is closed when a run is dropped, and what it had begun to write is written.
                stage.perform(case.seed, async || Sqlite::open(&path).await.unwrap(), harms).await;
            });
        }
    }
}
