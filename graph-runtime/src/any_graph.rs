//! A graph of whatever state, as it is asked by those who do not know its type: for its shape, and where
//! it would go from a state that a journal tells.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use handoffs_core::{State, Topology};

use crate::attempt::text;
use crate::context::{Kind, NodeError};
use crate::course::place;
use crate::error::{RunError, chain};
use crate::execute::Runnable;
use crate::journal::{Conclusion, Fields, Json, ThreadId};
use crate::plan::{Inner, Plan};
use crate::progress::Progress;
use crate::thread::NoHandoff;

/// A graph that is a node of another, as the graph around it tells the runtime.
#[doc(hidden)]
pub struct Within<'a> {
    graph: &'a dyn AnyGraph,
    is_direct: bool,
}

impl<'a> Within<'a> {
    /// Looks at a graph that is a node; `is_direct` if it has the state of the graph around it.
    pub fn of<G: Runnable>(graph: &'a G, is_direct: bool) -> Self {
        Self { graph, is_direct }
    }

    pub(crate) fn graph(&self) -> &'a dyn AnyGraph {
        self.graph
    }

    /// Returns what a run has to know of the graph.
    pub(crate) fn inner(&self) -> Inner {
        Inner {
            plan: self.graph.plan(),
            is_direct: self.is_direct,
        }
    }

    /// Returns the shape of the graph.
    pub(crate) fn topology(&self) -> Topology {
        self.graph.shape()
    }
}

impl fmt::Debug for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Within")
            .field("graph", &self.graph.shape().name())
            .field("is_direct", &self.is_direct)
            .finish()
    }
}

/// A graph of whatever state.
pub(crate) trait AnyGraph: Send + Sync {
    fn plan(&self) -> Plan;

    fn shape(&self) -> Topology;

    /// Returns the graph that a node is, if it is one.
    fn graph_of(&self, node: u16) -> Option<Within<'_>>;

    /// Returns where a decision leads in a state, and what progress was made there.
    fn picked(&self, scene: &Scene<'_>) -> Picked;

    /// Returns the items that an edge hands out in a state.
    fn handed_out(&self, edge: u16, scene: &Scene<'_>) -> Result<Vec<Json>, NoHandoff>;
}

/// What was decided, and in what state.
pub(crate) struct Scene<'a> {
    pub(crate) thread: &'a ThreadId,
    pub(crate) node: u16,
    /// What the node concluded; none if it failed.
    pub(crate) outcome: Option<&'a Conclusion>,
    pub(crate) fields: &'a Fields,
    /// Whether progress counts.
    pub(crate) watched: bool,
}

/// Where a decision leads, as far as the graph's own functions tell.
pub(crate) struct Picked {
    /// The edge; none if the node failed.
    pub(crate) edge: Result<Option<u16>, NoHandoff>,
    pub(crate) progress: Option<u64>,
}

impl<G: Runnable> AnyGraph for G {
    fn plan(&self) -> Plan {
        Plan::of(self)
    }

    fn shape(&self) -> Topology {
        self.topology()
    }

    fn graph_of(&self, node: u16) -> Option<Within<'_>> {
        self.within(usize::from(node))
    }

    fn picked(&self, scene: &Scene<'_>) -> Picked {
        let state = match state_of::<G>(scene) {
            Ok(state) => state,
            Err(unknown) => {
                return Picked {
                    edge: Err(unknown),
                    progress: None,
                };
            }
        };
        let watched = scene.watched;
        let progress =
            watched.then(|| caught(|| Ok(Progress::new::<G::State>().fingerprint(&state))));
        let pick = |outcome| {
            let node = usize::from(scene.node);
            caught(|| {
                let picked = self.pick(node, outcome, &state);
                picked.map_err(|error| {
                    NoHandoff::NoOutcome(match error.into_kind() {
                        Kind::Returned(reason) => chain(&*reason),
                        kind => chain(&NodeError::of(kind)),
                    })
                })
            })
        };
        let edge = scene.outcome.map(pick).transpose();
        Picked {
            edge: edge.map(|edge| edge.map(place)),
            progress: progress.and_then(Result::ok).flatten(),
        }
    }

    fn handed_out(&self, edge: u16, scene: &Scene<'_>) -> Result<Vec<Json>, NoHandoff> {
        let state = state_of::<G>(scene)?;
        caught(|| {
            let items = self.items(usize::from(edge), &state);
            let items = items.iter().map(|item| {
                let unkept = |error| NoHandoff::NoItem(chain(&error));
                item.json().map_err(unkept)
            });
            items.collect()
        })
    }
}

/// Reads a state back.
fn state_of<G: Runnable>(scene: &Scene<'_>) -> Result<G::State, NoHandoff> {
    caught(|| {
        let state: Result<G::State, _> = scene.fields.state(scene.thread);
        state.map_err(|error| match error {
            RunError::Decode { field, source, .. } => NoHandoff::NoState {
                field,
                reason: chain(&*source),
            },
            other => NoHandoff::NoState {
                field: G::State::FIELDS.first().map_or("?", |field| field.name),
                reason: chain(&other),
            },
        })
    })
}

/// Calls what is the user's, which may panic.
fn caught<T>(call: impl FnOnce() -> Result<T, NoHandoff>) -> Result<T, NoHandoff> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| Err(NoHandoff::Panicked(text(&*panic))))
}
