//! What came of the cases, in figures.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::EvalError;
use crate::{NodeTimes, Usage};

/// What came of the cases: each of them, and the figures that follow.
///
/// Its text is a table of what was expected and what came out, and one of precision and recall by target,
/// with examples of where the node erred; [`markdown`](Self::markdown) and [`json`](Self::json) are
/// others. It is the same in whatever order the cases were done.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) graph: String,
    pub(super) node: String,
    /// All places to which the node can lead, in the order of declaration.
    pub(super) ways: Vec<String>,
    /// The nodes in the order of declaration, and what else was expected or came out.
    pub(super) targets: Vec<String>,
    pub(super) cases: Vec<Judged>,
    pub(super) usage: Usage,
    pub(super) times: NodeTimes,
    pub(super) examples: usize,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Judged {
    /// The case's name; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its place among the cases, from 1.
    pub number: u64,
    /// Its line in the file that it was read from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where it should lead.
    pub expected: String,
    /// Where it led; none if the node failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// The variant that the node concluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why the node failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Judged {
    /// Returns whether the case led where it should.
    pub fn is_right(&self) -> bool {
        self.got.as_ref() == Some(&self.expected)
    }
}

/// How a target fared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// The node, `end`, or a fork.
    pub target: String,
    /// How many cases should have led there.
    pub expected: usize,
    /// How many did lead there, rightly or not.
    pub got: usize,
    /// How many did, and should have.
    pub right: usize,
    /// The share of those that led there which should have; none if none did.
    pub precision: Option<f64>,
    /// The share of those that should have led there which did; none if there are none. A node that failed
    /// did not.
    pub recall: Option<f64>,
    /// The harmonic mean of both; none where neither is.
    pub f1: Option<f64>,
}

/// Cases that should have led to one target and led to another, or failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Confusion<'a> {
    /// Where they should have led.
    pub expected: &'a str,
    /// Where they led; none if the node failed.
    pub got: Option<&'a str>,
    /// The cases, in their order.
    pub cases: Vec<&'a Judged>,
}

impl Report {
    /// Returns what came of each case, in the order of the cases.
    pub fn cases(&self) -> &[Judged] {
        &self.cases
    }

    /// Returns the name of the node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Returns how many cases led where they should.
    pub fn right(&self) -> usize {
        self.cases.iter().filter(|case| case.is_right()).count()
    }

    /// Returns how many cases have no target, as the node failed.
    pub fn failed(&self) -> usize {
        let failed = self.cases.iter().filter(|case| case.got.is_none());
        failed.count()
    }

    /// Returns the share of all cases that led where they should. A failed one did not.
    pub fn accuracy(&self) -> f64 {
        share(self.right(), self.cases.len()).unwrap_or(0.0)
    }

    /// Returns the bounds between which the accuracy lies on cases of this kind, with a confidence of 95 %:
    /// the score interval of E. B. Wilson, *Probable Inference, the Law of Succession, and Statistical
    /// Inference*, Journal of the American Statistical Association 22 (1927), pages 209–212. It holds
    /// also for few cases, and for an accuracy near 1.
    ///
    /// Two reports whose intervals overlap may differ by chance.
    pub fn interval(&self) -> (f64, f64) {
        wilson(self.right(), self.cases.len())
    }

    /// Returns what the node used, over all cases.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Returns how long the node took. No other figure depends on it.
    pub fn times(&self) -> &NodeTimes {
        &self.times
    }

    /// Returns how each target fared that was expected or came out, in the order of declaration.
    pub fn scores(&self) -> Vec<Score> {
        let of = |target: &String| {
            let leads = |case: &&Judged| case.got.as_ref() == Some(target);
            let expected = self.cases.iter().filter(|case| case.expected == *target);
            let expected = expected.count();
            let got = self.cases.iter().filter(leads).count();
            let right = self.cases.iter().filter(leads);
            let right = right.filter(|case| case.is_right()).count();
            Score {
                target: target.clone(),
                expected,
                got,
                right,
                precision: share(right, got),
                recall: share(right, expected),
                f1: share(2 * right, expected + got),
            }
        };
        let scores = self.targets.iter().map(of);
        scores
            .filter(|score| score.expected + score.got > 0)
            .collect()
    }

    /// Returns the cases that did not lead where they should, those of one kind together, the most frequent
    /// kind first.
    pub fn confusions(&self) -> Vec<Confusion<'_>> {
        let place = |target: &str| self.targets.iter().position(|known| known == target);
        let mut kinds: BTreeMap<_, Confusion<'_>> = BTreeMap::new();
        for case in self.cases.iter().filter(|case| !case.is_right()) {
            let (expected, got) = (case.expected.as_str(), case.got.as_deref());
            let kind = kinds.entry((got.is_none(), place(expected), got.map(place)));
            let confusion = kind.or_insert(Confusion {
                expected,
                got,
                cases: Vec::new(),
            });
            confusion.cases.push(case);
        }
        let mut kinds: Vec<_> = kinds.into_values().collect();
        kinds.sort_by_key(|kind| usize::MAX - kind.cases.len());
        kinds
    }

    /// Returns the targets that cases expect and to which no edge of the node leads.
    pub fn unreachable(&self) -> Vec<&str> {
        let is_way = |target: &&String| !self.ways.contains(target);
        let is_expected =
            |target: &&String| self.cases.iter().any(|case| case.expected == **target);
        let targets = self.targets.iter().filter(is_way).filter(is_expected);
        targets.map(String::as_str).collect()
    }

    /// Asserts that at least this share of the cases led where they should, for a test in CI.
    ///
    /// ```
    /// use handoffs::eval::Report;
    ///
    /// fn is_good_enough(report: &Report) {
    ///     report.assert_accuracy(0.9);
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if less did, with the tables.
    #[track_caller]
    pub fn assert_accuracy(&self, least: f64) {
        let accuracy = self.accuracy();
        assert!(
            accuracy >= least,
            "`{}` leads {:.1} % of the cases where they should, and {:.1} % are the least:\n\n{self}",
            self.node,
            accuracy * 100.0,
            least * 100.0
        );
    }

    /// Returns the report as JSON: the figures, and each case. This is what is [kept](Self::save).
    pub fn json(&self) -> String {
        // Texts and numbers, of which none can fail.
        let json = serde_json::to_string_pretty(&self.written());
        json.map(|json| json + "\n").unwrap_or_default()
    }

    /// Returns what is kept of the report.
    pub(crate) fn written(&self) -> impl Serialize {
        let (low, high) = self.interval();
        Written {
            format: FORMAT,
            graph: &self.graph,
            node: &self.node,
            accuracy: self.accuracy(),
            interval: [low, high],
            right: self.right(),
            failed: self.failed(),
            usage: self.usage,
            targets: self.scores(),
            ways: &self.ways,
            cases: &self.cases,
        }
    }

    /// Keeps the report in a file, for later ones to be [compared](Self::against) with.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), EvalError> {
        let path = path.as_ref();
        std::fs::write(path, self.json()).map_err(|source| EvalError::File {
            doing: "write the report to",
            path: path.to_owned(),
            source,
        })
    }

    /// Reads a report that was [kept](Self::save).
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or holds none.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, EvalError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| EvalError::File {
            doing: "read the report in",
            path: path.to_owned(),
            source,
        })?;
        let unreadable = |problem| EvalError::Kept {
            path: path.to_owned(),
            problem,
        };
        let read: Read =
            serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if read.format != FORMAT {
            let problem = format!("it has format {}, and this is format {FORMAT}", read.format);
            return Err(unreadable(problem));
        }
        Ok(Self {
            graph: read.graph,
            node: read.node,
            ways: read.ways,
            targets: read.targets.into_iter().map(|named| named.target).collect(),
            cases: read.cases,
            usage: read.usage,
            times: NodeTimes::default(),
            examples: super::EXAMPLES,
        })
    }
}

/// The form in which reports are kept.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    graph: &'a str,
    node: &'a str,
    accuracy: f64,
    interval: [f64; 2],
    right: usize,
    failed: usize,
    usage: Usage,
    targets: Vec<Score>,
    ways: &'a [String],
    cases: &'a [Judged],
}

#[derive(Deserialize)]
struct Read {
    format: u32,
    graph: String,
    node: String,
    #[serde(default)]
    usage: Usage,
    ways: Vec<String>,
    targets: Vec<Named>,
    cases: Vec<Judged>,
}

#[derive(Deserialize)]
struct Named {
    target: String,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a file has fewer cases than that"
)]
pub(super) fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// The bounds of a share at a confidence of 95 %, by Wilson's score.
fn wilson(part: usize, of: usize) -> (f64, f64) {
    // The normal distribution has 95 % of its mass within so many deviations of its mean.
    const Z: f64 = 1.959_963_984_540_054;
    let (Some(share), Some(of)) = (share(part, of), share(of, 1).filter(|of| *of > 0.0)) else {
        return (0.0, 1.0);
    };
    let spread = Z * Z / of;
    let middle = share + spread / 2.0;
    let half = (spread * (share * (1.0 - share) + spread / 4.0)).sqrt();
    let bound = |value: f64| (value / (1.0 + spread)).clamp(0.0, 1.0);
    (bound(middle - half), bound(middle + half))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near((low, high): (f64, f64), expected: (f64, f64)) {
        let is_near = |one: f64, other: f64| (one - other).abs() < 0.000_05;
        assert!(
            is_near(low, expected.0) && is_near(high, expected.1),
            "{low} to {high}"
        );
    }

    /// The figures of R: `prop.test(x, n, correct = FALSE)$conf.int`.
    #[test]
    fn the_interval_is_wilsons() {
        near(wilson(8, 10), (0.4902, 0.9433));
        near(wilson(10, 10), (0.7225, 1.0));
        near(wilson(0, 10), (0.0, 0.2775));
        near(wilson(900, 1000), (0.87985, 0.91709));
        near(wilson(0, 0), (0.0, 1.0));
    }
}
