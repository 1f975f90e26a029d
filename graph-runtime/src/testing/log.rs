//! What happened in a run, one line a turn.

mod of_entry;
mod of_event;
mod order;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt;
use handoffs_core::Edge;

use crate::error::RunError;
use crate::event::{Event, EventStream};
use crate::execute::Runnable;
use crate::journal::{AskId, Entry};
use crate::run::Run;

/// What happened in a run, one line a turn: the same on every machine, and in every order in which the
/// branches of a fork may have been at work.
///
/// It is made of a run's events, or of a thread's journal, which tells of more: of answers, and of the
/// runs before. The lines of a branch stand together behind the step that forked, and begin with the
/// places of the branches that they are in.
///
/// ```
/// use handoffs_runtime::{Keep, RunLog, Runnable, Thread};
///
/// async fn a_wrong_desk_hands_back<G: Runnable, J: Keep>(thread: &Thread<G, J>, ticket: G::State) {
///     let log = RunLog::of(thread.stream(ticket)).await;
///     log.expect_handoff("billing").expect_handoff("triage");
///     log.never_hands_off_to("human");
///     assert_eq!(
///         log.lines(),
///         [
///             "triage: Triaged::Billing => billing",
///             "billing: Billed::WrongDesk => triage",
///             "triage: Triaged::Access => end",
///         ]
///     );
/// }
/// ```
///
/// Its text is the lines, each with a line break behind it, for a snapshot such as `expect![[..]]`.
#[derive(Clone, Debug)]
pub struct RunLog {
    turns: Arc<[Turn]>,
    /// What comes before was looked at already.
    from: usize,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    line: String,
    hop: Hop,
    pub(super) taken: Option<Taken>,
}

/// From which node the run went on, if it did, and to which.
#[derive(Clone, Debug, Default)]
struct Hop {
    from: Option<String>,
    to: Vec<String>,
}

impl Hop {
    fn new<T: Into<String>>(from: impl Into<String>, to: impl IntoIterator<Item = T>) -> Self {
        Self {
            from: Some(from.into()),
            to: to.into_iter().map(Into::into).collect(),
        }
    }

    fn leads_to(&self, node: &str) -> bool {
        self.to.iter().any(|to| to == node)
    }
}

/// The way on which a run went on.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) home: Home,
    pub(super) edge: Along,
    pub(super) is_else: bool,
}

/// The graph of an edge, as far as it is known.
#[derive(Clone, Debug)]
pub(super) enum Home {
    /// The graph that ran, or one within, by the nodes that lead there.
    Path(Vec<String>),
    /// A graph within, by its name.
    Graph(String),
}

/// An edge of the graph, as far as it is known.
#[derive(Clone, Debug)]
pub(super) enum Along {
    /// This one, with names in the place of nodes.
    Edge(Box<Edge<String>>),
    /// The one at this place, which leaves this node.
    Place(u16, String),
    /// The one that leaves this node, waited for an approval, and led there, or to the end.
    Approved(String, Option<String>),
}

/// An edge whose handoff waits for an approval.
struct Waiting {
    ask: AskId,
    node: String,
    taken: Taken,
}

impl RunLog {
    /// Reads a run's events to the last, which advances the run to its end or to a question.
    pub async fn of<G: Runnable>(events: EventStream<G>) -> Self {
        Self::and_run(events).await.0
    }

    /// Reads a run's events to the last, and returns how the run came out as well.
    ///
    /// ```
    /// use handoffs_runtime::{Keep, RunError, RunLog, Runnable, Thread};
    ///
    /// async fn logged<G: Runnable, J: Keep>(
    ///     thread: &Thread<G, J>,
    ///     state: G::State,
    /// ) -> Result<Option<G::State>, RunError> {
    ///     let (log, run) = RunLog::and_run(thread.stream(state)).await;
    ///     println!("{log}");
    ///     Ok(run?.finished())
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the stream has given its last event before.
    pub async fn and_run<G: Runnable>(
        mut events: EventStream<G>,
    ) -> (Self, Result<Run<G::State>, RunError>) {
        let mut told = order::Told::default();
        let mut waiting = Vec::new();
        while let Some(event) = events.next().await {
            let run = match event {
                Ok(Event::Finished(state)) => Ok(Run::Finished(state)),
                Ok(Event::Paused(ask)) => Ok(Run::Paused(ask)),
                Ok(event) => {
                    of_event::tell(event, &mut waiting, &mut told);
                    continue;
                }
                Err(error) => Err(error),
            };
            of_event::tell_last(&run, &mut told);
            return (Self::from(told), run);
        }
        panic!("the stream of events has none left");
    }

    /// Reads a thread's journal, as [`Thread::history`](crate::Thread::history) returns it.
    ///
    /// ```
    /// use handoffs_runtime::{Journal, RunError, RunLog, Runnable, Thread};
    ///
    /// async fn begins_anew<G: Runnable, J: Journal>(thread: &Thread<G, J>) -> Result<(), RunError> {
    ///     let log = RunLog::of_history(&thread.history().await?);
    ///     assert_eq!(log.lines()[0], "started");
    ///     Ok(())
    /// }
    /// ```
    pub fn of_history(entries: &[Entry]) -> Self {
        let mut told = order::Told::default();
        of_entry::tell(entries, &mut told);
        Self::from(told)
    }

    /// Returns the lines.
    pub fn lines(&self) -> Vec<&str> {
        self.rest().iter().map(|turn| turn.line.as_str()).collect()
    }

    /// Asserts that the run hands over to this node, and returns what happened after it did: so a chain
    /// of these reads in the order of the run.
    ///
    /// ```
    /// use handoffs_runtime::RunLog;
    ///
    /// fn goes_back_and_forth(log: &RunLog) {
    ///     log.expect_handoff("billing").expect_handoff("triage").never_hands_off_to("billing");
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if it does not, and says what happened instead.
    #[track_caller]
    pub fn expect_handoff(&self, to: impl AsRef<str>) -> Self {
        let to = to.as_ref();
        let Some(at) = self.first(to) else {
            let behind = match self.from {
                0 => String::new(),
                turn => format!(" after turn {turn}"),
            };
            panic!(
                "no handoff to `{to}`{behind}; this happened:\n{}",
                self.told(None)
            );
        };
        Self {
            turns: Arc::clone(&self.turns),
            from: at + 1,
        }
    }

    /// Asserts that the run never hands over to this node.
    ///
    /// ```
    /// use handoffs_runtime::RunLog;
    ///
    /// fn needs_no_person(log: &RunLog) {
    ///     log.never_hands_off_to("human");
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if it does, and says at which turn.
    #[track_caller]
    pub fn never_hands_off_to(&self, node: impl AsRef<str>) {
        let node = node.as_ref();
        if let Some(at) = self.first(node) {
            let turn = at + 1;
            panic!(
                "turn {turn} hands off to `{node}`; this happened:\n{}",
                self.told(Some(at))
            );
        }
    }

    /// Asserts that the next handoff is one to this node, and returns what happened after it.
    ///
    /// ```
    /// use handoffs_runtime::RunLog;
    ///
    /// fn goes_straight_to_billing(log: &RunLog) {
    ///     log.expect_next_handoff("billing").expect_next_handoff("human");
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if it is one to another node, or if there is none, and says what happened.
    #[track_caller]
    pub fn expect_next_handoff(&self, to: impl AsRef<str>) -> Self {
        let to = to.as_ref();
        let next = self.rest().iter().position(|turn| !turn.hop.to.is_empty());
        let next = next.map(|next| self.from + next);
        if let Some(at) = next
            && !self.turns[at].hop.leads_to(to)
        {
            let (turn, other) = (at + 1, self.turns[at].hop.to.join("`, `"));
            panic!(
                "turn {turn} hands off to `{other}`, and not to `{to}`; this happened:\n{}",
                self.told(Some(at))
            );
        }
        self.expect_handoff(to)
    }

    /// Asserts that the run takes no handoffs but these, each from a node to a node.
    ///
    /// ```
    /// use handoffs_runtime::RunLog;
    ///
    /// fn stays_among_the_desks(log: &RunLog) {
    ///     log.only_hands_off([("triage", "billing"), ("billing", "triage")]);
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if it takes another, and says at which turn.
    #[track_caller]
    pub fn only_hands_off<const N: usize>(&self, allowed: [(&str, &str); N]) {
        for (at, from, to) in self.hops() {
            assert!(
                allowed.contains(&(from, to)),
                "turn {} hands off from `{from}` to `{to}`, which is not allowed; this happened:\n{}",
                at + 1,
                self.told(Some(at))
            );
        }
    }

    /// Asserts that no node hands over to one and the same other node more often than this.
    ///
    /// ```
    /// use handoffs_runtime::RunLog;
    ///
    /// fn nobody_insists(log: &RunLog) {
    ///     log.hands_off_at_most(2);
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if one does, and says at which turn it is once too often.
    #[track_caller]
    pub fn hands_off_at_most(&self, times: usize) {
        let mut seen = BTreeMap::new();
        for (at, from, to) in self.hops() {
            let count = seen.entry((from, to)).or_insert(0);
            *count += 1;
            assert!(
                *count <= times,
                "turn {} hands off from `{from}` to `{to}` for the {count}. time; this happened:\n{}",
                at + 1,
                self.told(Some(at))
            );
        }
    }

    /// Returns the handoffs, each with its turn.
    fn hops(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let turns = self.turns.iter().enumerate().skip(self.from);
        turns.flat_map(|(at, turn)| {
            let from = turn.hop.from.as_deref().into_iter();
            from.flat_map(move |from| turn.hop.to.iter().map(move |to| (at, from, to.as_str())))
        })
    }

    fn rest(&self) -> &[Turn] {
        self.turns.get(self.from..).unwrap_or_default()
    }

    /// Returns the place of the first turn that hands over to a node.
    fn first(&self, node: &str) -> Option<usize> {
        let leads = |turn: &Turn| turn.hop.leads_to(node);
        Some(self.from + self.rest().iter().position(leads)?)
    }

    /// Tells all turns with their numbers, and points at one.
    fn told(&self, at: Option<usize>) -> String {
        if self.turns.is_empty() {
            return "  nothing".to_owned();
        }
        let line = |(place, turn): (usize, &Turn)| {
            let mark = if at == Some(place) { '>' } else { ' ' };
            format!("{mark} {:>3}  {}", place + 1, turn.line)
        };
        let lines: Vec<_> = self.turns.iter().enumerate().map(line).collect();
        lines.join("\n")
    }

    /// Returns the ways that the run took, whatever was looked at already.
    pub(super) fn taken(&self) -> impl Iterator<Item = &Taken> {
        self.turns.iter().filter_map(|turn| turn.taken.as_ref())
    }
}

impl From<order::Told> for RunLog {
    fn from(told: order::Told) -> Self {
        Self {
            turns: told.in_order().into(),
            from: 0,
        }
    }
}

impl fmt::Display for RunLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rest()
            .iter()
            .try_for_each(|turn| writeln!(f, "{}", turn.line))
    }
}

impl Turn {
    /// Something that led nowhere.
    fn plain(line: String) -> Self {
        Self {
            line,
            hop: Hop::default(),
            taken: None,
        }
    }
}
