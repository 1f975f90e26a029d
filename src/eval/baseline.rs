//! What has changed since a report that was kept.

use std::collections::HashMap;

use serde::Serialize;

use super::error::EvalError;
use super::report::{Judged, Report};

/// What has changed since another report on the same node: the sums, and each case that leads elsewhere.
///
/// Cases are the same by their names, or by their lines if they have none; of equal names, the first is the
/// first. What only one of the reports has is counted, and no more.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Cases that lead where they should now.
    pub better: Vec<Moved>,
    /// Cases that do so no more.
    pub worse: Vec<Moved>,
    /// Cases that were wrong, and are wrong now in another way.
    pub otherwise: Vec<Moved>,
    /// How many cases both have.
    pub common: usize,
    /// How many of these were right.
    pub before: usize,
    /// How many of these are right now.
    pub after: usize,
    /// How many cases are new.
    pub new: usize,
    /// How many cases are not there any more.
    pub gone: usize,
    /// The cases that both have, by what is expected now.
    pub targets: Vec<Sum>,
}

/// The cases of one target, before and now.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Sum {
    /// Where the cases should lead.
    pub target: String,
    /// How many cases both reports have.
    pub cases: usize,
    /// How many were right.
    pub before: usize,
    /// How many are right now.
    pub after: usize,
}

/// A case that leads elsewhere than it did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Moved {
    /// The case's name; empty if it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its place among the cases now, from 1.
    pub number: u64,
    /// Its line now in the file that it was read from, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where it should lead.
    pub expected: String,
    /// Where it led; none if the node failed.
    pub before: Option<String>,
    /// Where it leads now; none if the node failed.
    pub after: Option<String>,
}

impl Report {
    /// Compares this report with an earlier one.
    ///
    /// ```no_run
    /// use handoffs::eval::{EvalError, Report};
    ///
    /// fn is_no_worse(report: &Report) -> Result<bool, EvalError> {
    ///     let comparison = report.against(&Report::load("base.json")?)?;
    ///     println!("{comparison}");
    ///     Ok(!comparison.is_worse())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the other is a report on another node.
    pub fn against(&self, baseline: &Self) -> Result<Comparison, EvalError> {
        if self.node != baseline.node {
            return Err(EvalError::Other {
                ours: self.node.clone(),
                theirs: baseline.node.clone(),
            });
        }
        let mut known: HashMap<_, _> = keyed(&baseline.cases).collect();
        let mut found = Comparison {
            better: Vec::new(),
            worse: Vec::new(),
            otherwise: Vec::new(),
            common: 0,
            before: 0,
            after: 0,
            new: 0,
            gone: 0,
            targets: Vec::new(),
        };
        let sum = |target: &String| Sum {
            target: target.clone(),
            cases: 0,
            before: 0,
            after: 0,
        };
        found.targets = self.targets.iter().map(sum).collect();
        for (key, case) in keyed(&self.cases) {
            match known.remove(&key) {
                Some(before) => found.count(before, case),
                None => found.new += 1,
            }
        }
        found.gone = known.len();
        found.targets.retain(|sum| sum.cases > 0);
        Ok(found)
    }
}

impl Comparison {
    /// Returns whether fewer of the common cases are right than were.
    ///
    /// Whoever wants none to be worse, whatever is better, asks whether [`worse`](Self::worse) is empty.
    pub const fn is_worse(&self) -> bool {
        self.after < self.before
    }

    fn count(&mut self, before: &Judged, case: &Judged) {
        let (was, is) = (before.is_right(), case.is_right());
        self.common += 1;
        self.before += usize::from(was);
        self.after += usize::from(is);
        let mut targets = self.targets.iter_mut();
        if let Some(sum) = targets.find(|sum| sum.target == case.expected) {
            sum.cases += 1;
            sum.before += usize::from(was);
            sum.after += usize::from(is);
        }
        let list = match (was, is) {
            (false, true) => &mut self.better,
            (true, false) => &mut self.worse,
            (false, false) if before.got != case.got => &mut self.otherwise,
            _ => return,
        };
        list.push(Moved {
            name: case.name.clone(),
            number: case.number,
            line: case.line,
            expected: case.expected.clone(),
            before: before.got.clone(),
            after: case.got.clone(),
        });
    }
}

/// The cases with what they are known by: the name, or the line, and how many of the same came before.
fn keyed(cases: &[Judged]) -> impl Iterator<Item = ((&str, u64), &Judged)> {
    let mut seen: HashMap<&str, u64> = HashMap::new();
    cases.iter().map(move |case| {
        let name = case.name.as_str();
        let nth = seen.entry(name).or_default();
        *nth += 1;
        let number = if name.is_empty() {
            case.line.unwrap_or(case.number)
        } else {
            *nth
        };
        ((name, number), case)
    })
}
