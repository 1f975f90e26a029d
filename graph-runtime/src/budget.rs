//! What may be used up, and what is said when it is.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::journal::Used;
use crate::meter::{Meter, Visited};

/// What may be used up in one run: calls, tokens, money, time; what is not said has no bound.
///
/// It is the budget of what it is given to:
///
/// - a **run**: [`Runtime::budget`](crate::Runtime::budget);
/// - a **node**, in all its visits: [`Runtime::node_budget`](crate::Runtime::node_budget), or of an agent
#[cfg_attr(
    feature = "agents",
    doc = "  [`Agent::budget`](crate::agent::Agent::budget);"
)]
#[cfg_attr(not(feature = "agents"), doc = "  `Agent::budget`;")]
/// - an **edge**: what the node to which it leads may use in all visits to which the run comes along it,
///   [`Runtime::edge_budget`](crate::Runtime::edge_budget);
/// - a **tool**, in all its calls, of whichever agent: `agent::budgeted`.
///
/// What counts is what the journal says: so a budget holds over crashes, pauses, retries and resumed runs,
/// until another [`run`](crate::Thread::run) begins. Where a run forks, its branches share the budgets.
///
/// At 80 % the run says so, once, as an [`Event::Budget`](crate::Event::Budget) and a warning in the log.
/// A budget is looked at before an agent's model or tool is called, and not in the middle: so the last call
/// on a path may overshoot, by no more than itself. When nothing is left, no call begins any more; when
/// more was used than there was, no step does. The nodes of other branches finish their steps, everything is
/// written, and the run ends with [`RunError::Budget`](crate::RunError::Budget): with a larger budget,
/// [`recover`](crate::Thread::recover) goes on where it stood.
///
/// Calls of a model that does not say what it used are counted as calls alone; where that is so, bound the
/// calls as well.
///
/// ```
/// use std::time::Duration;
///
/// use handoffs_runtime::{Budget, Keep, Runnable, Runtime};
///
/// fn bounded<G: Runnable, J: Keep>(runtime: Runtime<G, J>) -> Runtime<G, J> {
///     let budget = Budget::new()
///         .calls(20)
///         .tokens(50_000)
///         .time(Duration::from_secs(600));
///     runtime.budget(budget)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    calls: Option<u64>,
    tokens: Option<u64>,
    cost_micros: Option<u64>,
    time: Option<Duration>,
}

impl Budget {
    /// Makes a budget without bounds.
    pub const fn new() -> Self {
        Self {
            calls: None,
            tokens: None,
            cost_micros: None,
            time: None,
        }
    }

    /// Allows so many calls of models and tools.
    pub const fn calls(mut self, calls: u64) -> Self {
        self.calls = Some(calls);
        self
    }

    /// Allows so many tokens, those read and those written together.
    pub const fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Allows so many millionths of the currency's unit.
    pub const fn cost_micros(mut self, micros: u64) -> Self {
        self.cost_micros = Some(micros);
        self
    }

    /// Allows nodes to be at work for so long, all their times added up. Waiting for people is no work. Of
    /// an agent and of a tool, it is the time of its calls.
    pub const fn time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Returns it with what it is of, if it bounds anything.
    #[cfg(feature = "agents")]
    pub(crate) fn of(self, of: BudgetOf) -> Option<(BudgetOf, Self)> {
        (self != Self::new()).then_some((of, self))
    }

    fn bounds(self) -> impl Iterator<Item = (Resource, u64)> {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let bounds = [
            (Resource::Calls, self.calls),
            (Resource::Tokens, self.tokens),
            (Resource::CostMicros, self.cost_micros),
            (Resource::Millis, self.time.map(ms)),
        ];
        let bounds = bounds.into_iter();
        bounds.filter_map(|(what, bound)| Some((what, bound?)))
    }
}

/// Something that can be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resource {
    /// Calls of models and tools.
    Calls,
    /// Tokens that models read and wrote.
    Tokens,
    /// Money, in millionths of the currency's unit.
    CostMicros,
    /// Time at work, in milliseconds.
    Millis,
}

impl Resource {
    fn of(self, used: Used) -> u64 {
        match self {
            Self::Calls => used.usage.calls,
            Self::Tokens => used.usage.all_tokens(),
            Self::CostMicros => used.usage.cost_micros,
            Self::Millis => used.took_ms,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Calls => "calls",
            Self::Tokens => "tokens",
            Self::CostMicros => "millionths of money",
            Self::Millis => "ms",
        })
    }
}

/// Whose budget it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BudgetOf {
    /// The run's.
    Run,
    /// A node's, named as in the [`Meter`].
    Node(String),
    /// That of an edge, as `triage -> billing`.
    Edge(String),
    /// A tool's.
    Tool(String),
}

impl BudgetOf {
    fn used(&self, meter: &Meter) -> Used {
        match self {
            Self::Run => meter.total(),
            Self::Node(node) => meter.node(node),
            Self::Edge(edge) => meter.edge_named(edge),
            Self::Tool(tool) => meter.tool(tool),
        }
    }
}

impl fmt::Display for BudgetOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("the run"),
            Self::Node(node) => write!(f, "node `{node}`"),
            Self::Edge(edge) => write!(f, "edge `{edge}`"),
            Self::Tool(tool) => write!(f, "tool `{tool}`"),
        }
    }
}

/// How much of a budget is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spent {
    /// Whose budget it is.
    pub of: BudgetOf,
    /// What is used up.
    pub what: Resource,
    /// How much was used.
    pub used: u64,
    /// How much may be used.
    pub limit: u64,
}

/// Its text is like `18 of the 20 calls of the run`.
impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            of,
            what,
            used,
            limit,
        } = self;
        write!(f, "{used} of the {limit} {what} of {of}")
    }
}

/// Budgets, each with what it is of.
pub(crate) type Held = Vec<(BudgetOf, Budget)>;

/// The budgets that a runtime gives to each run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budgets {
    pub(crate) run: Budget,
    pub(crate) nodes: BTreeMap<String, Budget>,
    pub(crate) edges: BTreeMap<String, Budget>,
}

impl Budgets {
    /// Returns the budgets that hold at a node, and at those around its graph.
    pub(crate) fn at(&self, visits: &[Visited]) -> Held {
        let mut held = vec![(BudgetOf::Run, self.run)];
        for Visited { node, edge } in visits {
            let of_node = self.nodes.get(node);
            held.extend(of_node.map(|budget| (BudgetOf::Node(node.clone()), *budget)));
            let of_edge = self.edges.get(edge);
            held.extend(of_edge.map(|budget| (BudgetOf::Edge(edge.clone()), *budget)));
        }
        held
    }
}

/// Returns the first bound of which this holds: given what was used and what may be.
pub(crate) fn find(
    held: &[(BudgetOf, Budget)],
    meter: &Meter,
    holds: impl Fn(u64, u64) -> bool,
) -> Option<Spent> {
    each(held, meter).find(|spent| holds(spent.used, spent.limit))
}

/// Returns how much of each budget is used up.
pub(crate) fn each(held: &[(BudgetOf, Budget)], meter: &Meter) -> impl Iterator<Item = Spent> {
    held.iter().flat_map(|(of, budget)| {
        let all = of.used(meter);
        budget.bounds().map(move |(what, limit)| Spent {
            of: of.clone(),
            what,
            used: what.of(all),
            limit,
        })
    })
}

impl Spent {
    /// Returns whether 80 % are used up.
    pub(crate) fn is_near(&self) -> bool {
        u128::from(self.used) * 5 >= u128::from(self.limit) * 4
    }
}
