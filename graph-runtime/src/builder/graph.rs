//! A graph that was built at run time, and how it runs.

use std::fmt;

use handoffs_core::{Contract, EdgeIndex, FieldSet, Route, State, Topology};

use super::erased::Erased;
use super::name::NodeName;
use crate::any_graph::Within;
use crate::context::Context;
use crate::execute::{Known, Runnable};
use crate::item::Item;
use crate::journal::{Conclusion, Json, JsonError};
use crate::node_error::NodeError;
use crate::policy::Policy;
use crate::reread::no_node;

pub(super) type Guard<S> = Box<dyn Fn(&S) -> bool + Send + Sync>;
pub(super) type Items<S> = Box<dyn Fn(&S) -> Vec<Item> + Send + Sync>;
pub(super) type Ask<S> = Box<dyn Fn(&S) -> Result<Json, JsonError> + Send + Sync>;
pub(super) type Key<S> = Box<dyn Fn(&S) -> Result<Json, JsonError> + Send + Sync>;

/// A graph that [`GraphBuilder`](crate::GraphBuilder) built. It is right, as a derived one is, and runs
/// the same way.
///
/// ```
/// use handoffs_runtime::{BuiltGraph, Memory, RunError, Runtime};
/// # use handoffs_core::State;
///
/// async fn run<S: State>(graph: BuiltGraph<S>, ticket: S) -> Result<(), RunError> {
///     println!("at most {} handoffs", graph.max_handoffs());
///     let runtime = Runtime::new(graph).journal(Memory::default());
///     runtime.thread("customer-42").run(ticket).await?;
///     Ok(())
/// }
/// ```
pub struct BuiltGraph<S> {
    pub(super) topology: Topology,
    pub(super) given: FieldSet,
    pub(super) contract: Contract,
    pub(super) max_handoffs: u64,
    pub(super) nodes: Vec<Built<S>>,
    pub(super) guards: Vec<Guard<S>>,
    pub(super) items: Vec<Items<S>>,
    /// Which of the items each edge hands out.
    pub(super) lists: Vec<Option<usize>>,
    pub(super) questions: Vec<Ask<S>>,
    /// Which of the questions is asked before the handoff of each edge.
    pub(super) asks: Vec<Option<usize>>,
}

/// A node of a built graph.
pub(super) struct Built<S> {
    pub(super) name: NodeName,
    pub(super) node: Box<dyn Erased<S>>,
    pub(super) known: Known,
    pub(super) policy: Policy,
    pub(super) key: Option<Key<S>>,
    /// Its outcomes, each with the edges that it may take, in the order in which they are tried.
    pub(super) ways: Vec<Concluded>,
}

/// An outcome of a node.
pub(super) struct Concluded {
    pub(super) outcome: Box<str>,
    /// The edge that it takes whatever the state is, so that most steps look no further.
    pub(super) only: Option<usize>,
    pub(super) ways: Vec<Way>,
}

/// An edge that an outcome may take, if a guard holds and what its node needs is set.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) edge: usize,
    pub(super) guard: Option<usize>,
    /// The fields that must be set; none where it is proven that they are.
    pub(super) needs: FieldSet,
}

impl<S: State> BuiltGraph<S> {
    /// Returns the shape of the graph, to draw or to compare.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Returns the most handoffs that a run can take, from node to node; the step to the end is none.
    pub fn max_handoffs(&self) -> u64 {
        self.max_handoffs
    }

    /// Returns what the graph as a whole reads, may write, needs and gives.
    pub fn contract(&self) -> Contract {
        self.contract
    }

    /// Returns where a run goes after a node has concluded the outcome of this name, as long as no
    /// limit is used up; `None` if there is no such node or outcome.
    ///
    /// So an edge is tested without a runtime, as that of a derived graph is.
    ///
    /// ```
    /// use handoffs_core::Route;
    /// use handoffs_runtime::{BuiltGraph, NodeName};
    /// # use handoffs_core::State;
    ///
    /// fn a_wrong_desk_goes_back_twice<S: State>(desk: &BuiltGraph<S>, ticket: &S) {
    ///     let route = desk.after("billing", "WrongDesk", ticket);
    ///     let back = Route::to(NodeName::from("triage")).limit(2).or_end();
    ///     assert_eq!(route, Some(back));
    /// }
    /// ```
    pub fn after(&self, node: &str, outcome: &str, state: &S) -> Option<Route<NodeName>> {
        let from = self
            .nodes
            .iter()
            .find(|other| other.name.as_str() == node)?;
        let edge = self.way(from, from.variant(outcome)?, state)?;
        let edge = self
            .topology
            .get_edge(EdgeIndex(u16::try_from(edge).ok()?))?;
        Some(
            edge.route
                .clone()
                .__as_written()
                .map(|node| self.node(usize::from(node.0))),
        )
    }

    /// Returns the edge that a node's outcome takes.
    #[inline]
    fn way(&self, node: &Built<S>, variant: usize, state: &S) -> Option<usize> {
        let holds = |way: &&Way| {
            let holds = match way.guard {
                None => true,
                Some(guard) => self.guards.get(guard).is_some_and(|guard| guard(state)),
            };
            holds && way.needs.are_set(state)
        };
        let concluded = node.ways.get(variant)?;
        if concluded.only.is_some() {
            return concluded.only;
        }
        concluded.ways.iter().find(holds).map(|way| way.edge)
    }
}

impl<S> Built<S> {
    fn variant(&self, outcome: &str) -> Option<usize> {
        self.ways
            .iter()
            .position(|concluded| *concluded.outcome == *outcome)
    }
}

impl<S: State> Runnable for BuiltGraph<S> {
    type State = S;
    type Node = NodeName;
    type Outcome = ();

    fn topology(&self) -> Topology {
        self.topology.clone()
    }

    fn given(&self) -> FieldSet {
        self.given
    }

    fn within(&self, node: usize) -> Option<Within<'_>> {
        self.nodes.get(node)?.node.within()
    }

    fn nodes(&self) -> Vec<Known> {
        self.nodes.iter().map(|node| node.known).collect()
    }

    fn policies(&self) -> Vec<Policy> {
        self.nodes.iter().map(|node| node.policy.clone()).collect()
    }

    fn node(&self, index: usize) -> NodeName {
        let node = self.nodes.get(index).or(self.nodes.first());
        node.map_or_else(|| NodeName::from("?"), |node| node.name.clone())
    }

    async fn step(
        &self,
        mut node: usize,
        state: &mut S,
        cx: &mut Context<'_>,
    ) -> Result<usize, NodeError> {
        loop {
            let due = self.nodes.get(node).ok_or_else(|| no_node(node))?;
            let variant = due.node.run(state, cx).await?;
            let edge = self.way(due, variant, state).ok_or_else(no_outcome)?;
            match cx.__pass(edge, &*state) {
                Some(next) => node = next,
                None => return Ok(edge),
            }
        }
    }

    fn pick(&self, node: usize, concluded: &Conclusion, state: &S) -> Result<usize, NodeError> {
        let node = self.nodes.get(node).ok_or_else(|| no_node(node))?;
        let variant = node.variant(&concluded.variant).ok_or_else(no_outcome)?;
        self.way(node, variant, state).ok_or_else(no_outcome)
    }

    fn items(&self, edge: usize, state: &S) -> Vec<Item> {
        let list = self.lists.get(edge).copied().flatten();
        let items = list.and_then(|list| self.items.get(list));
        items.map_or_else(Vec::new, |items| items(state))
    }

    fn cache_key(&self, node: usize, state: &S) -> Option<Result<Json, JsonError>> {
        let key = self.nodes.get(node)?.key.as_ref()?;
        Some(key(state))
    }

    fn question(&self, edge: usize, state: &S) -> Option<Result<Json, JsonError>> {
        let question = self.asks.get(edge).copied().flatten()?;
        Some(self.questions.get(question)?(state))
    }

    fn end(&self, _: usize, _: bool) {}
}

#[cold]
fn no_outcome() -> NodeError {
    NodeError::new("the node concluded what it does not declare as an outcome")
}

impl<S> fmt::Debug for BuiltGraph<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltGraph")
            .field("name", &self.topology.name())
            .field(
                "nodes",
                &self.nodes.iter().map(|node| &node.name).collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}
