//! One node of a graph with its route, tried by itself.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use handoffs_core::{Edge, NodeIndex, UnknownNode};

use crate::attempt::text;
use crate::context::{Desk, Signal};
use crate::course::place;
use crate::driver::{Driver, Place};
use crate::engine::Engine;
use crate::event::Sink;
use crate::execute::Runnable;
use crate::journal::{BranchId, Conclusion, ThreadId, Usage};
use crate::node_error::{Kind, NodeError};
use crate::plan::Plan;
use crate::scope::Scope;
use crate::step::Attempt;

/// One node of a graph with its route, tried by itself: no run, no journal, no node before or behind it.
///
/// ```
/// use handoffs_runtime::{Runnable, Trial};
///
/// async fn finds_its_desk<G: Runnable>(
///     desk: &G,
///     ticket: G::State,
/// ) -> Result<bool, Box<dyn std::error::Error>> {
///     let triage = Trial::of(desk, "triage")?;
///     let tried = triage.visit("one", ticket).await;
///     Ok(tried.to().as_deref() == Some("billing"))
/// }
/// ```
///
/// The node works as in a run: with its timeouts and retries, its tools and its effects, which are real. It
/// is the first to be visited, so no edge is masked, no cache is asked, and a person who would have to
/// answer is not there: such a node fails. A node that is a graph runs to its end.
pub struct Trial<'g, G: Runnable> {
    graph: &'g G,
    plan: Plan,
    node: u16,
}

/// What became of a node that was [tried](Trial::visit).
#[derive(Debug)]
#[non_exhaustive]
pub struct Tried<S> {
    /// What it decided, or how its last attempt failed.
    pub decided: Result<Decided, NodeError>,
    /// The state as the node left it; as it was, if the node failed.
    pub state: S,
    /// What it used, in all attempts.
    pub usage: Usage,
}

/// What a node concluded, and the edge that this chose.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decided {
    /// What it concluded.
    pub outcome: Conclusion,
    /// The edge that this chose.
    pub edge: Edge<String>,
}

impl<S> Tried<S> {
    /// Returns where the edge leads: the name of a node, `end`, or a fork in the words of its edge; none if
    /// the node failed.
    pub fn to(&self) -> Option<String> {
        let decided = self.decided.as_ref().ok()?;
        Some(decided.edge.route.destination())
    }
}

impl<'g, G: Runnable> Trial<'g, G> {
    /// Takes a node of a graph, by its name.
    ///
    /// # Errors
    ///
    /// Fails if the graph has no such node, and names the nearest.
    pub fn of(graph: &'g G, node: impl AsRef<str>) -> Result<Self, UnknownNode> {
        const { G::__CONTEXT }
        let (plan, node) = (Plan::of(graph), node.as_ref());
        let found = plan.nodes.iter().position(|known| &*known.name == node);
        let Some(found) = found else {
            let names = plan.nodes.iter().map(|known| &*known.name);
            return Err(UnknownNode::new(node, names));
        };
        Ok(Self {
            graph,
            node: place(found),
            plan,
        })
    }

    /// Returns the name of the node.
    pub fn node(&self) -> &str {
        self.plan.name(self.node)
    }

    /// Returns the names of all nodes of the graph, in the order of declaration.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.plan.nodes.iter().map(|node| &*node.name)
    }

    /// Returns the name of the graph.
    pub fn graph(&self) -> &str {
        self.plan.topology.name()
    }

    /// Returns where the node's edges lead, in the order in which they are tried, each place once, and with
    /// those to which an `else` leads and an error.
    pub fn ways(&self) -> Vec<String> {
        let mut ways: Vec<String> = Vec::new();
        for (_, edge) in self.plan.topology.edges_from(NodeIndex(self.node)) {
            let edge = self.named(edge);
            let otherwise = edge.route.otherwise().map(ToString::to_string);
            for way in [Some(edge.route.destination()), otherwise]
                .into_iter()
                .flatten()
            {
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
        }
        ways
    }

    /// Lets the node work on a state, and evaluates its route. The thread's name is what the node's
    /// idempotency keys begin with.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the attempt that is under way.
    pub async fn visit(&self, thread: impl Into<ThreadId>, state: G::State) -> Tried<G::State> {
        let scope = Scope::of(thread.into());
        let policy = self.plan.node(self.node).map(|node| &node.policy);
        let (mut used, mut usage) = (Vec::<u32>::new(), Usage::default());
        loop {
            let engine = Engine::at(&self.plan, self.node);
            let desk = Desk::default();
            let place = Place {
                scope: &scope,
                desk: &desk,
                plan: &self.plan,
                branch: BranchId::TRUNK,
            };
            let mut driver = Driver::begun(self.graph, place, state.clone(), engine, Sink::Silent);
            let key = driver.cx.idempotency_key();
            let attempt = driver.permitted(self.node).await;
            usage += driver.cx.usage;
            let error = match self.decided(attempt, driver.cx.concluded.take()) {
                Ok(decided) => {
                    return Tried {
                        decided: Ok(decided),
                        state: driver.state,
                        usage,
                    };
                }
                Err(error) => error,
            };
            let policy = policy.filter(|_| !error.is_hopeless());
            let Some((rule, delay)) = policy.and_then(|it| it.retry_for(&error, &used, &key))
            else {
                return Tried {
                    decided: Err(error),
                    state,
                    usage,
                };
            };
            if used.len() <= rule {
                used.resize(rule + 1, 0);
            }
            used[rule] = used[rule].saturating_add(1);
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
        }
    }

    /// Returns what came of an attempt.
    fn decided(
        &self,
        attempt: Attempt,
        concluded: Option<serde_json::Result<Conclusion>>,
    ) -> Result<Decided, NodeError> {
        let edge = attempt.unwrap_or_else(|signal| {
            Err(match signal {
                Signal::Broke(error) => NodeError::of(Kind::Within(error)),
                Signal::Asks(question) => NodeError::of(Kind::NoAnswer(question.key)),
                Signal::Paused(_) | Signal::Stopped => {
                    NodeError::new("it stopped before it had concluded")
                }
            })
        })?;
        let nothing = || NodeError::new("the graph does not say what its node concluded");
        let outcome = concluded.ok_or_else(nothing)?.map_err(NodeError::new)?;
        let edge = self.edge(edge)?;
        Ok(Decided { outcome, edge })
    }

    /// Evaluates the node's route alone, on the state as it is behind the node.
    ///
    /// ```
    /// use handoffs_core::Outcome;
    /// use handoffs_runtime::{Conclusion, JsonError, NodeError, Runnable, Trial};
    ///
    /// fn leads_back<G: Runnable, O: Outcome>(
    ///     billing: &Trial<'_, G>,
    ///     ticket: &G::State,
    ///     wrong_desk: &O,
    /// ) -> Result<bool, Box<dyn std::error::Error>> {
    ///     let edge = billing.route(ticket, &Conclusion::of(wrong_desk)?)?;
    ///     Ok(edge.route.target().to_string() == "triage")
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if this is no outcome of the node, or a guard panics.
    pub fn route(&self, state: &G::State, outcome: &Conclusion) -> Result<Edge<String>, NodeError> {
        let pick = || self.graph.pick(usize::from(self.node), outcome, state);
        let picked = catch_unwind(AssertUnwindSafe(pick));
        let picked = picked.map_err(|panic| NodeError::of(Kind::Panicked(text(&*panic))))?;
        self.edge(picked?)
    }

    fn edge(&self, edge: usize) -> Result<Edge<String>, NodeError> {
        let edge = self.plan.edge(place(edge));
        let edge = edge.ok_or_else(|| NodeError::new("the graph has no such edge"))?;
        Ok(self.named(edge))
    }

    fn named(&self, edge: &Edge<NodeIndex>) -> Edge<String> {
        let name = |node: NodeIndex| self.plan.name(node.0).to_owned();
        edge.clone().map(name)
    }
}

impl<G: Runnable> fmt::Debug for Trial<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("graph", &self.graph())
            .field("node", &self.node())
            .finish_non_exhaustive()
    }
}
