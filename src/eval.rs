//! How often a node hands over to whom it should: labelled cases, and the figures that come of them.
//!
//! A case is a state and the node to which it should lead. [`Eval`] lets a node of a graph work on each,
//! for real, and looks where its route leads; the [`Report`] tells who was taken for whom. In about ten
//! lines:
//!
//! ```
//! use handoffs::eval::{Case, Eval, read_csv};
//! use handoffs::prelude::*;
//! use serde::Deserialize;
//! # #[derive(State, Clone)]
//! # struct Ticket { question: String }
//! # #[derive(Outcome)]
//! # enum Triaged { Billing, Cards }
//! # #[node(Ticket)]
//! # async fn triage(question: &str) -> Triaged {
//! #     if question.contains("charged") { Triaged::Billing } else { Triaged::Cards }
//! # }
//! # #[node(Ticket)]
//! # async fn work() {}
//! # #[derive(AgentGraph)]
//! # #[graph(state = Ticket, start = triage)]
//! # struct Desk {
//! #     #[route(Triaged::Billing => billing, Triaged::Cards => cards)] triage: Triage,
//! #     #[route(_ => end)] billing: Work,
//! #     #[route(_ => end)] cards: Work,
//! # }
//!
//! #[derive(Deserialize)]
//! struct Row {
//!     text: String,
//!     desk: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), handoffs::eval::EvalError> {
//! # let folder = tempfile::tempdir().unwrap();
//! # std::env::set_current_dir(&folder).unwrap();
//! # std::fs::write("dev.csv", "text,desk\nI was charged twice,billing\nwhere is it,cards\n").unwrap();
//! # let desk = Desk { triage: Triage, billing: Work, cards: Work };
//! let cases = read_csv("dev.csv", |row: Row| {
//!     Case::new(Ticket { question: row.text.clone() }, row.desk).named(row.text)
//! })?;
//! let report = Eval::new(&desk, "triage")?.at_once(16).show_progress().run(cases).await?;
//! println!("{report}");
//! report.assert_accuracy(0.9);
//! # Ok(())
//! # }
//! ```
//!
//! A case that says what the node concluded ([`Case::concluding`]) judges the route alone, without the node.
//! A report that was kept ([`Report::save`]) is what the next one is compared with ([`Report::against`]),
//! case by case.

mod baseline;
mod case;
mod error;
mod report;
mod states;
mod text;

use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;

pub use baseline::{Comparison, Moved};
pub use case::{Case, IntoCase, Place, read_csv, read_jsonl, read_states};
pub use error::EvalError;
pub use report::{Confusion, Judged, Report, Score};
pub use text::Markdown;

use crate::__private::chain;
use crate::bar::Bar;
use crate::testing::Trial;
use crate::{NodeTimes, Runnable, Usage};

/// How many examples a report shows of each kind of error, unless it is told otherwise.
const EXAMPLES: usize = 3;

/// A node of a graph, to be judged by where its route leads.
///
/// The node works as in a run, with its timeouts, its retries and its effects, which are real: see
/// [`Trial`]. Where it fails, the case counts as one that did not lead where it should, and is told apart.
pub struct Eval<'g, G: Runnable> {
    trial: Trial<'g, G>,
    at_once: usize,
    examples: usize,
    shows: bool,
}

impl<'g, G: Runnable> Eval<'g, G> {
    /// Takes a node of a graph, by its name.
    ///
    /// # Errors
    ///
    /// Fails if the graph has no such node, and names the nearest.
    pub fn new(graph: &'g G, node: impl AsRef<str>) -> Result<Self, EvalError> {
        Ok(Self {
            trial: Trial::of(graph, node)?,
            at_once: 8,
            examples: EXAMPLES,
            shows: false,
        })
    }

    /// Lets so many cases be under way at once; without it, 8. They are polled by one task, so they overlap
    /// where the node waits.
    pub fn at_once(self, cases: usize) -> Self {
        Self {
            at_once: cases.max(1),
            ..self
        }
    }

    /// Shows so many examples of each kind of error in the report; without it, 3.
    pub fn examples(self, examples: usize) -> Self {
        Self { examples, ..self }
    }

    /// Shows a bar on stderr, if that is a terminal.
    pub fn show_progress(self) -> Self {
        Self {
            shows: true,
            ..self
        }
    }

    /// Judges the node by these cases.
    ///
    /// # Errors
    ///
    /// Fails before any node is at work if there are no cases, or if one of them expects what is no node of
    /// the graph.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the cases that are under way.
    pub async fn run(
        &self,
        cases: impl IntoIterator<Item = Case<G::State>>,
    ) -> Result<Report, EvalError> {
        let mut cases: Vec<_> = cases.into_iter().collect();
        for (case, number) in cases.iter_mut().zip(1..) {
            case.place.number = number;
        }
        let mut targets = self.targets(&cases)?;
        let bar = Bar::new(self.shows, cases.len(), "cases");
        let mut judged: Vec<Option<Judged>> = vec![None; cases.len()];
        let (mut usage, mut times) = (Usage::default(), NodeTimes::default());
        let (mut right, mut done) = (0, 0);
        let mut under_way = stream::iter(cases.into_iter().enumerate())
            .map(|(place, case)| self.judge(place, case))
            .buffer_unordered(self.at_once);
        while let Some((place, case, took)) = under_way.next().await {
            usage += took.usage;
            if let Some(time) = took.time {
                times.add(self.trial.node(), time);
            }
            right += usize::from(case.is_right());
            done += 1;
            bar.step();
            bar.say(format!(
                "{} right",
                crate::table::percent(report::share(right, done))
            ));
            judged[place] = Some(case);
        }
        let judged: Vec<_> = judged.into_iter().flatten().collect();
        for got in judged.iter().filter_map(|case| case.got.as_ref()) {
            if !targets.contains(got) {
                targets.push(got.clone());
            }
        }
        Ok(Report {
            graph: self.trial.graph().to_owned(),
            node: self.trial.node().to_owned(),
            ways: self.trial.ways(),
            targets,
            cases: judged,
            usage,
            times,
            examples: self.examples,
        })
    }

    /// Lists what may be expected, once all that is, may be.
    fn targets(&self, cases: &[Case<G::State>]) -> Result<Vec<String>, EvalError> {
        if cases.is_empty() {
            return Err(EvalError::Empty {
                node: self.trial.node().to_owned(),
            });
        }
        let nodes: Vec<_> = self.trial.nodes().collect();
        let mut targets: Vec<_> = nodes.iter().map(|name| (*name).to_owned()).collect();
        targets.push("end".to_owned());
        for way in self.trial.ways() {
            if !targets.contains(&way) {
                targets.push(way);
            }
        }
        let known: HashSet<&str> = targets.iter().map(String::as_str).collect();
        let unknown = cases
            .iter()
            .find(|case| !known.contains(case.expected.as_str()));
        let Some(unknown) = unknown else {
            return Ok(targets);
        };
        let near = handoffs_core::nearest(&unknown.expected, known.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        let nodes: Vec<_> = nodes.iter().map(|node| format!("`{node}`")).collect();
        Err(EvalError::Target {
            place: unknown.place.clone(),
            graph: self.trial.graph().to_owned(),
            expected: unknown.expected.clone(),
            help: format!("{near}there are {} and `end`", nodes.join(", ")),
        })
    }

    async fn judge(&self, place: usize, case: Case<G::State>) -> (usize, Judged, Took) {
        let Case {
            state,
            expected,
            name,
            outcome,
            place: at,
        } = case;
        let mut took = Took::default();
        let led = if let Some(outcome) = outcome {
            let led = self.trial.route(&state, &outcome);
            led.map(|edge| (edge.route.destination(), outcome.variant))
        } else {
            let began = Instant::now();
            let tried = self.trial.visit(format!("case {}", place + 1), state).await;
            took.time = Some(began.elapsed());
            took.usage = tried.usage;
            let decided = tried.decided;
            decided.map(|led| (led.edge.route.destination(), led.outcome.variant))
        };
        let mut judged = Judged {
            name,
            number: at.number,
            line: at.line.map(|(_, line)| line),
            expected,
            got: None,
            outcome: None,
            error: None,
        };
        match led {
            Ok((to, variant)) => {
                judged.got = Some(to);
                judged.outcome = Some(variant.into_owned());
            }
            Err(error) => judged.error = Some(chain(&error)),
        }
        (place, judged, took)
    }
}

impl<G: Runnable> fmt::Debug for Eval<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eval")
            .field("trial", &self.trial)
            .field("at_once", &self.at_once)
            .finish_non_exhaustive()
    }
}

/// What a case took.
#[derive(Default)]
struct Took {
    time: Option<Duration>,
    usage: Usage,
}
