//! Which rule counts, how often, and how long it waits.

use std::io;
use std::num::ParseIntError;

use super::*;
use crate::error::RunError;
use crate::node_error::Kind;

const NONE: Duration = Duration::ZERO;
const MS: Duration = Duration::from_millis(1);

fn no_key() -> NodeError {
    NodeError::new(io::Error::other("no such key"))
}

fn no_value() -> NodeError {
    NodeError::new("x".parse::<i32>().unwrap_err())
}

fn is_key(error: &io::Error) -> bool {
    error.to_string().contains("key")
}

fn is_returned(error: &NodeError) -> bool {
    error.to_string().contains("returned")
}

fn is_value(_: &ParseIntError) -> bool {
    true
}

type Fail = fn() -> NodeError;

/// Fails with these errors one after the other, and returns the numbers of the attempts and the waits.
fn attempts(policy: &Policy, errors: &[Fail]) -> (Vec<u32>, Vec<Duration>) {
    let (mut attempts, mut waits) = (vec![1], Vec::new());
    let mut used = vec![0; policy.retries().len()];
    for error in errors {
        let Some((rule, wait)) = policy.retry_for(&error(), &used, "seed") else {
            break;
        };
        used[rule] += 1;
        waits.push(wait);
        attempts.push(attempts[attempts.len() - 1] + 1);
    }
    (attempts, waits)
}

#[test]
fn one_rule_gives_three_attempts_and_waits_twice_as_long_each_time() {
    // LangGraph's test_graph_with_single_retry_policy.
    let retry = Retry::times(3).backoff(10 * MS).jitter(false);
    let (attempts, waits) = attempts(&Policy::new().retry(retry), &[no_value, no_value]);
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(waits, [10 * MS, 20 * MS]);
}

#[test]
fn of_several_rules_the_first_that_fits_counts() {
    // LangGraph's test_graph_with_multiple_retry_policies.
    let policy = Policy::new()
        .retry(Retry::times(2).on(|error| fits(is_value, error)))
        .retry(Retry::times(3).on(|error| fits(is_key, error)));
    assert_eq!(attempts(&policy, &[no_value as Fail; 9]).0.len(), 2);
    assert_eq!(attempts(&policy, &[no_key as Fail; 9]).0.len(), 3);

    // Each rule has a budget of its own, and waits by how often it was used itself.
    let policy = Policy::new()
        .retry(
            Retry::times(2)
                .backoff(MS)
                .jitter(false)
                .on(|error| fits(is_value, error)),
        )
        .retry(
            Retry::times(3)
                .backoff(5 * MS)
                .jitter(false)
                .on(|error| fits(is_key, error)),
        );
    let (attempts, waits) = attempts(&policy, &[no_key, no_value, no_key, no_value]);
    assert_eq!(attempts, [1, 2, 3, 4]);
    assert_eq!(waits, [5 * MS, MS, 10 * MS]);
}

#[test]
fn a_rule_that_fits_and_is_used_up_does_not_pass_on_to_the_next() {
    let policy = Policy::new()
        .retry(Retry::times(2).on(|error| fits(is_key, error)))
        .retry(Retry::times(9));
    assert_eq!(policy.retry_for(&no_key(), &[1], ""), None);
    assert!(policy.retry_for(&no_value(), &[1], "").is_some());
}

#[test]
fn one_attempt_or_none_is_no_retry() {
    assert_eq!(Policy::new().retry_for(&no_key(), &[], ""), None);
    for times in [0, 1] {
        let retry = Retry::times(times);
        assert_eq!(retry.attempts(), 1);
        assert_eq!(
            Policy::new().retry(retry).retry_for(&no_key(), &[], ""),
            None
        );
    }
    let most = Policy::new().retry(Retry::times(u32::MAX));
    assert!(most.retry_for(&no_key(), &[u32::MAX - 2], "").is_some());
    for used in [u32::MAX - 1, u32::MAX] {
        assert_eq!(most.retry_for(&no_key(), &[used], ""), None);
    }
}

#[test]
fn a_predicate_is_for_its_type_of_error_alone() {
    assert!(fits(is_key, &no_key()));
    assert!(!fits(is_key, &no_value()));
    assert!(!fits(is_key, &NodeError::new(io::Error::other("no money"))));
    assert!(fits(is_value, &no_value()));
    // For the error as the runtime sees it, whatever it is.
    assert!(fits(is_returned, &no_key()));
    assert!(fits(is_returned, &NodeError::new("a text")));
}

#[test]
fn a_predicate_finds_the_error_of_a_node_in_a_graph_in_a_graph() {
    let within = |source: Box<dyn std::error::Error + Send + Sync>| RunError::Node {
        thread: "t".into(),
        node: "n".to_owned(),
        recoverable: false,
        source,
    };
    let inner = within(Box::new(io::Error::new(io::ErrorKind::NotFound, "no key")));
    let outer = within(Box::new(inner));
    let Err(key) = "key".parse::<i32>() else {
        panic!("it is no number")
    };
    let other = within(Box::new(key));
    assert!(fits(
        is_not_found,
        &NodeError::of(Kind::Within(Box::new(outer)))
    ));
    assert!(!fits(
        is_not_found,
        &NodeError::of(Kind::Within(Box::new(other)))
    ));
}

fn is_not_found(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

#[test]
fn no_wait_is_longer_than_its_bound_and_none_overflows() {
    let odd = Duration::new(3, 999_999_999);
    let times = [
        NONE,
        Duration::from_nanos(1),
        MS,
        odd,
        Duration::from_secs(u64::MAX),
        Duration::MAX,
    ];
    let used = (0..=130).chain([1 << 16, 1 << 31, u32::MAX - 1, u32::MAX]);
    for used in used {
        for backoff in times {
            for cap in times {
                let retry = Retry::times(u32::MAX).backoff(backoff).cap(cap);
                let bound = retry.bound(used);
                let exact = backoff.checked_mul(2u32.checked_pow(used).unwrap_or(u32::MAX));
                let at_least = exact.unwrap_or(Duration::MAX).min(cap);
                if used < 32 {
                    assert_eq!(bound, at_least, "{retry:?} {used}");
                }
                assert!(at_least <= bound && bound <= cap, "{retry:?} {used}");
                assert!(backoff > NONE || bound == NONE, "{retry:?} {used}");
                assert!(retry.delay(used, "seed") <= bound, "{retry:?} {used}");
                assert_eq!(retry.jitter(false).delay(used, "seed"), bound);
            }
        }
    }
    // 2^64 nanoseconds are 585 years: a tiny backoff gets there as well.
    let tiny = Retry::times(99)
        .backoff(Duration::from_nanos(1))
        .cap(Duration::MAX);
    assert_eq!(tiny.bound(64).as_nanos(), 1 << 64);
}

#[test]
fn jitter_is_the_same_for_the_same_seed_and_spread_over_the_whole_bound() {
    let retry = Retry::times(9).backoff(8_000 * MS);
    assert_eq!(retry.delay(0, "a/1"), retry.delay(0, "a/1"));
    assert_ne!(retry.delay(0, "a/1"), retry.delay(0, "a/2"));
    // The bound is 10 s from the second on, so only the number of the attempt differs here.
    assert_eq!(retry.bound(1), retry.bound(2));
    assert_ne!(retry.delay(1, "a/1"), retry.delay(2, "a/1"));

    let mut eighths = [0; 8];
    for run in 0..8_000 {
        let wait = retry.delay(0, &format!("customer-42/{run}/answer"));
        eighths[usize::try_from(wait.as_secs()).unwrap()] += 1;
    }
    assert!(
        eighths.iter().all(|n| (850..1150).contains(n)),
        "{eighths:?}"
    );
}

#[test]
fn a_policy_says_what_it_was_told() {
    let plain = Policy::new();
    assert!(plain.is_plain() && Policy::default().is_plain());
    let asked = [
        plain.clone().retry(Retry::default()),
        plain.clone().timeout(MS),
        plain.clone().idle(MS),
        plain.clone().cache(MS),
    ];
    assert!(asked.iter().all(|policy| !policy.is_plain()));
    assert_eq!(asked[0].retries()[0].attempts(), 3);
    assert_eq!(asked[1].hard_timeout(), Some(MS));
    assert_eq!(asked[2].idle_timeout(), Some(MS));
    assert_eq!(asked[3].cache_ttl(), Some(MS));
    assert_eq!(
        format!("{:?}", Retry::default().on(|_| true)),
        "Retry { times: 3, backoff: 200ms, cap: 10s, jitter: true, on: Some(\"..\") }"
    );
}
