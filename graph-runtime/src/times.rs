//! Where the time goes: how long nodes took, over many runs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

use crate::journal::{BranchId, Entry, Recorded};

/// How long nodes took, over many visits.
///
/// Its text is a table, the node that took longest first.
///
/// ```
/// use std::time::Duration;
///
/// use handoffs_runtime::NodeTimes;
///
/// let mut times = NodeTimes::default();
/// for millis in [20, 30, 150] {
///     times.add("triage", Duration::from_millis(millis));
/// }
/// times.add("billing", Duration::from_millis(800));
///
/// let slowest = &times.nodes()[0];
/// assert_eq!((slowest.node.as_str(), slowest.visits), ("billing", 1));
/// assert_eq!(times.nodes()[1].p50, Duration::from_millis(30));
/// ```
#[derive(Clone, Debug, Default)]
pub struct NodeTimes(BTreeMap<String, Vec<Duration>>);

/// How long a node took.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodeTime {
    /// The node's name.
    pub node: String,
    /// How often it concluded.
    pub visits: usize,
    /// How long that took in all.
    pub total: Duration,
    /// What half of the visits did not exceed.
    pub p50: Duration,
    /// What 95 of 100 visits did not exceed.
    pub p95: Duration,
    /// The part of the time of all nodes that was this one's; 0 if none took any.
    pub share: f64,
}

impl NodeTimes {
    /// Adds a visit.
    pub fn add(&mut self, node: impl Into<String>, took: Duration) {
        self.0.entry(node.into()).or_default().push(took);
    }

    /// Adds the visits of a thread, as [`Thread::history`](crate::Thread::history) tells of them, each with
    /// its last attempt, to the millisecond. Results out of a cache are no visits, and what happened in a
    /// graph within is the time of the node that it is.
    pub fn add_history(&mut self, entries: &[Entry]) {
        let mut forks = Forks::default();
        for entry in entries {
            let is_within = forks.is_within(&entry.branch);
            let Recorded::Stepped {
                node,
                fork,
                cached,
                took_ms,
                ..
            } = &entry.event
            else {
                continue;
            };
            if fork.is_some() {
                forks.note(entry);
            }
            if !is_within && !cached {
                self.add(&**node, Duration::from_millis(*took_ms));
            }
        }
    }

    /// Adds the visits that others have counted.
    pub fn merge(&mut self, other: &Self) {
        for (node, times) in &other.0 {
            self.0.entry(node.clone()).or_default().extend(times);
        }
    }

    /// Returns how long each node took, the one that took longest first.
    pub fn nodes(&self) -> Vec<NodeTime> {
        let all: Duration = self.0.values().flatten().sum();
        let time = |(node, times): (&String, &Vec<Duration>)| {
            let mut times = times.clone();
            times.sort_unstable();
            let total: Duration = times.iter().sum();
            NodeTime {
                node: node.clone(),
                visits: times.len(),
                total,
                p50: percentile(&times, 50),
                p95: percentile(&times, 95),
                share: if all.is_zero() {
                    0.0
                } else {
                    total.as_secs_f64() / all.as_secs_f64()
                },
            }
        };
        let mut nodes: Vec<_> = self.0.iter().map(time).collect();
        nodes.sort_by_key(|time| Reverse(time.total));
        nodes
    }
}

/// The smallest of the times, which are sorted, that so many of 100 do not exceed: the nearest rank.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or_default()
}

impl fmt::Display for NodeTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes();
        let names = nodes.iter().map(|time| time.node.chars().count());
        let width = names.max().unwrap_or(0).max("node".len());
        let (node, visits, total, share) = ("node", "visits", "total", "share");
        writeln!(
            f,
            "{node:<width$}  {visits:>7}  {total:>9}  {share:>7}  {:>9}  {:>9}",
            "p50", "p95"
        )?;
        nodes.iter().try_for_each(|time| {
            let [total, p50, p95] = [time.total, time.p50, time.p95].map(rounded);
            writeln!(
                f,
                "{:<width$}  {:>7}  {total:>9}  {:>5.1} %  {p50:>9}  {p95:>9}",
                time.node,
                time.visits,
                time.share * 100.0,
            )
        })
    }
}

/// A time with three digits, more or less, in the unit that fits.
fn rounded(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 120.0 {
        format!("{:.1} min", seconds / 60.0)
    } else if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else if seconds >= 0.001 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{:.1} µs", seconds * 1e6)
    }
}

/// The steps of a thread that forked, by which a branch is told from the path of a graph within.
#[derive(Debug, Default)]
pub(crate) struct Forks(HashSet<(BranchId, u64)>);

impl Forks {
    /// Takes in a step that forked.
    pub(crate) fn note(&mut self, entry: &Entry) {
        self.0.insert((entry.branch.clone(), entry.seq));
    }

    /// Returns whether a path is one of a graph within: it leaves its parent where that did not fork.
    pub(crate) fn is_within(&self, branch: &BranchId) -> bool {
        let mut path = Some(branch.clone());
        while let Some(branch) = path {
            path = branch.parent();
            if let (Some(parent), Some(after)) = (&path, branch.after())
                && !self.0.contains(&(parent.clone(), after))
            {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<_> = (1..=20).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(10));
        assert_eq!(percentile(&times, 95), Duration::from_millis(19));
        assert_eq!(percentile(&times[..1], 95), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn the_table_lines_up() {
        let mut times = NodeTimes::default();
        times.add("triage", Duration::from_micros(40));
        times.add("billing", Duration::from_millis(1_200));
        times.add("billing", Duration::from_mins(10));
        let expected = "\
node      visits      total    share        p50        p95
billing        2   10.0 min  100.0 %     1.20 s   10.0 min
triage         1    40.0 µs    0.0 %    40.0 µs    40.0 µs
";
        assert_eq!(times.to_string(), expected);
        assert_eq!(
            NodeTimes::default().to_string(),
            "node   visits      total    share        p50        p95\n"
        );
    }
}
