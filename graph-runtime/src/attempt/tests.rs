//! What ends an attempt.

use std::future::{pending, ready};
use std::panic::panic_any;
use std::sync::atomic::AtomicBool;

use tokio::time::sleep;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn hard(after: Duration) -> Policy {
    Policy::new().timeout(after)
}

fn idle(after: Duration) -> Policy {
    Policy::new().idle(after)
}

/// Makes an attempt of which the work is given its pulse, and returns how long it took.
async fn attempt<T>(
    policy: &Policy,
    work: impl AsyncFnOnce(Pulse) -> T,
) -> (Result<T, Broken>, Duration) {
    let pulse = Pulse::of(policy, &Pulse::default());
    let since = Instant::now();
    let ended = guarded(policy, &pulse, work(pulse.clone())).await;
    (ended, since.elapsed())
}

fn timeout<T>(kind: TimeoutKind, after: Duration) -> Result<T, Broken> {
    Err(Broken::Timeout { kind, after })
}

#[test]
fn what_is_not_asked_for_needs_no_timer() {
    let without_timers = tokio::runtime::Builder::new_current_thread().build();
    let plain = Policy::new().retry(crate::Retry::default()).cache(MS);
    let ended = without_timers.unwrap().block_on(guarded(
        &plain,
        &Pulse::of(&plain, &Pulse::default()),
        ready(7),
    ));
    assert_eq!(ended, Ok(7));
    assert!(Pulse::of(&plain, &Pulse::default()).0.is_none());
    Pulse::of(&plain, &Pulse::default()).beat();
}

#[tokio::test(start_paused = true)]
async fn work_that_is_done_in_time_gives_its_result() {
    let both = hard(10 * MS).idle(5 * MS);
    for policy in [Policy::new(), hard(10 * MS), idle(10 * MS), both] {
        let (ended, took) = attempt(&policy, async |_| {
            sleep(4 * MS).await;
            "done"
        })
        .await;
        assert_eq!((ended, took), (Ok("done"), 4 * MS));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hard_timeout_comes_whatever_the_heartbeat() {
    let policy = hard(10 * MS).idle(5 * MS);
    let (ended, took) = attempt(&policy, async |pulse| {
        loop {
            sleep(MS).await;
            pulse.beat();
        }
    })
    .await;
    assert_eq!(ended, timeout::<()>(TimeoutKind::Hard, 10 * MS));
    assert!((10 * MS..=11 * MS).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_timeout_counts_from_the_last_heartbeat() {
    let (ended, took) = attempt(&idle(50 * MS), async |pulse| {
        for _ in 0..10 {
            sleep(40 * MS).await;
            pulse.beat();
        }
        pending::<()>().await;
    })
    .await;
    assert_eq!(ended, timeout(TimeoutKind::Idle, 50 * MS));
    assert!((450 * MS..=451 * MS).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn whichever_timeout_is_first_ends_the_attempt() {
    let silent = async |_| pending::<()>().await;
    for (hard_after, idle_after, kind) in [(5, 9, TimeoutKind::Hard), (9, 5, TimeoutKind::Idle)] {
        let policy = hard(hard_after * MS).idle(idle_after * MS);
        let (ended, took) = attempt(&policy, silent).await;
        assert_eq!(ended, timeout(kind, 5 * MS));
        assert!((5 * MS..=6 * MS).contains(&took), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_from_within_other_futures_and_tasks_counts() {
    let (ended, _) = attempt(&idle(10 * MS), async |pulse| {
        let nested = async {
            for _ in 0..5 {
                sleep(8 * MS).await;
                pulse.beat();
            }
        };
        tokio::join!(nested, ready(()));
        let apart = pulse.clone();
        let task = tokio::spawn(async move {
            for _ in 0..5 {
                sleep(8 * MS).await;
                apart.beat();
            }
        });
        task.await.unwrap();
        "alive"
    })
    .await;
    assert_eq!(ended, Ok("alive"));
}

#[tokio::test(start_paused = true)]
async fn the_idle_time_of_a_second_attempt_begins_anew() {
    let policy = idle(10 * MS);
    let pulse = Pulse::of(&policy, &Pulse::default());
    sleep(100 * MS).await;
    for _ in 0..3 {
        let ended = guarded(&policy, &pulse, sleep(9 * MS)).await;
        assert_eq!(ended, Ok(()));
        let ended = guarded(&policy, &pulse, sleep(12 * MS)).await;
        assert_eq!(ended, timeout(TimeoutKind::Idle, 10 * MS));
    }
}

/// How often a future was polled.
async fn polls(policy: &Policy, beat_every: Duration, beats: u32) -> u32 {
    let pulse = Pulse::of(policy, &Pulse::default());
    let mut polls = 0;
    let mut work = pin!(async {
        for _ in 0..beats {
            sleep(beat_every).await;
            pulse.beat();
        }
    });
    let counted = std::future::poll_fn(|cx| {
        polls += 1;
        work.as_mut().poll(cx)
    });
    guarded(policy, &pulse, counted).await.unwrap();
    polls
}

#[tokio::test(start_paused = true)]
async fn heartbeats_do_not_set_the_timer_anew() {
    let without = polls(&Policy::new(), MS, 1_000).await;
    let with = polls(&idle(100 * MS), MS, 1_000).await;
    // The timer fires each 100 ms, and not with each of the 1,000 beats.
    assert!(
        with <= without + 15,
        "{with} polls, {without} without a timer"
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_nothing_leaves_work_that_need_not_wait() {
    for policy in [hard(Duration::ZERO), idle(Duration::ZERO)] {
        assert_eq!(attempt(&policy, async |_| 7).await.0, Ok(7));
        let (ended, _) = attempt(&policy, async |_| sleep(MS).await).await;
        assert!(matches!(ended, Err(Broken::Timeout { .. })), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_never_comes_is_none() {
    let ages = [
        Duration::MAX,
        Duration::from_secs(u64::MAX / 2),
        Duration::from_secs(1 << 40),
    ];
    for age in ages {
        let (ended, _) = attempt(&hard(age).idle(age), async |pulse| {
            sleep(MS).await;
            pulse.beat();
            sleep(MS).await;
        })
        .await;
        assert_eq!(ended, Ok(()));
    }
}

/// With the machine's clock: one that is paused stands still while somebody has something to do.
#[tokio::test]
async fn work_that_uses_up_its_budget_is_stopped_nevertheless() {
    let (ended, took) = attempt(&hard(10 * MS), async |_| {
        let (semaphore, since) = (tokio::sync::Semaphore::new(1), Instant::now());
        // There is always one, so this gives way only where tokio says that others are to have a turn.
        while since.elapsed() < 2_000 * MS {
            drop(semaphore.acquire().await);
        }
    })
    .await;
    assert_eq!(ended, timeout(TimeoutKind::Hard, 10 * MS), "{took:?}");
}

/// Notes that it was dropped, and may panic then.
struct Guest<'a> {
    gone: &'a AtomicBool,
    panics: bool,
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        assert!(!self.panics, "on the way out");
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_is_stopped_is_dropped_even_if_it_panics_then() {
    for panics in [false, true] {
        let gone = AtomicBool::new(false);
        let guest = Guest {
            gone: &gone,
            panics,
        };
        let (ended, _) = attempt(&hard(MS), async |_| {
            let _guest = guest;
            pending::<()>().await;
        })
        .await;
        assert_eq!(ended, timeout(TimeoutKind::Hard, MS));
        assert!(gone.load(Ordering::Relaxed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_caught_at_any_poll_and_told() {
    let panicked = |text: &str| Err::<(), _>(Broken::Panicked(text.to_owned()));
    for policy in [Policy::new(), hard(MS).idle(MS)] {
        let at_once = attempt(&policy, async |_| panic!("at once")).await.0;
        assert_eq!(at_once, panicked("at once"));
        let later = attempt(&policy, async |_| {
            tokio::task::yield_now().await;
            let it = "it";
            panic!("{it} broke");
        });
        assert_eq!(later.await.0, panicked("it broke"));
        let number = attempt(&policy, async |_| panic_any(42)).await.0;
        assert_eq!(number, panicked("no message"));
    }
}

#[tokio::test]
async fn a_panic_while_the_future_is_made_is_caught_if_it_is_made_within_another() {
    fn make() -> std::future::Ready<()> {
        panic!("not even begun")
    }
    let plain = Policy::new();
    let ended = guarded(&plain, &Pulse::of(&plain, &Pulse::default()), async {
        make().await
    })
    .await;
    assert_eq!(ended, Err(Broken::Panicked("not even begun".to_owned())));
}

#[test]
fn an_attempt_can_move_between_threads() {
    fn check<T: Send>(_: T) {}
    let policy = Policy::new();
    check(guarded(
        &policy,
        &Pulse::of(&policy, &Pulse::default()),
        ready(()),
    ));
}
