//! A graph of whatever state, as it is asked by those who do not know its type: for its shape, and where
//! it would go from a state that a journal tells.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use handoffs_core::{FieldSet, State, Topology};

use crate::attempt::text;
use crate::course::place;
use crate::error::{RunError, chain};
use crate::execute::Runnable;
use crate::journal::{Conclusion, Fields, Json, ThreadId, Writes};
use crate::node_error::{Kind, NodeError};
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
    fn picked(&self, scene: &Scene<'_>, replica: &mut Replica) -> Picked;

    /// Returns the items that an edge hands out in a state.
    fn handed_out(
        &self,
        edge: u16,
        scene: &Scene<'_>,
        replica: &mut Replica,
    ) -> Result<Vec<Json>, NoHandoff>;
}

/// What was decided, and in what state.
pub(crate) struct Scene<'a> {
    pub(crate) thread: &'a ThreadId,
    pub(crate) node: u16,
    /// What the node concluded; none if it failed.
    pub(crate) outcome: Option<&'a Conclusion>,
    pub(crate) fields: &'a Fields,
    /// The fields that some node may write, if progress counts.
    pub(crate) watched: Option<FieldSet>,
}

/// The state of a path, kept from one decision to the next, so that no more is read than what was written
/// in between.
#[derive(Default)]
pub(crate) struct Replica {
    state: Option<(Box<dyn Any>, Copied)>,
    since: Vec<Writes>,
}

type Copied = fn(&dyn Any) -> Option<Box<dyn Any>>;

impl Replica {
    /// Notes what was written.
    pub(crate) fn note(&mut self, writes: &Writes) {
        if self.state.is_some() && !writes.is_empty() {
            self.since.push(writes.clone());
        }
    }

    /// Returns the same state, for a branch to change.
    pub(crate) fn copied(&self) -> Self {
        let copied = self.state.as_ref().and_then(|(state, copied)| {
            let state = copied(&**state)?;
            Some((state, *copied))
        });
        Self {
            state: copied,
            since: self.since.clone(),
        }
    }

    /// Returns the state that the fields make.
    fn state<S: State>(&mut self, scene: &Scene<'_>) -> Result<&S, RunError> {
        let known = self
            .state
            .take()
            .and_then(|(state, _)| state.downcast().ok());
        let since = std::mem::take(&mut self.since);
        let state: Box<S> = match known {
            Some(mut state) => {
                let names: Vec<_> = S::FIELDS.iter().map(|field| field.name).collect();
                for writes in since {
                    let mut written = Fields::new(&names);
                    let marks = written.take_known(writes);
                    written.load(&mut *state, marks, scene.thread)?;
                }
                state
            }
            None => Box::new(scene.fields.state(scene.thread)?),
        };
        let copied: Copied = |state| Some(Box::new(state.downcast_ref::<S>()?.clone()));
        let (state, _) = self.state.insert((state, copied));
        let lost = || RunError::impossible(scene.thread, "it is another state");
        state.downcast_ref().ok_or_else(lost)
    }
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

    fn picked(&self, scene: &Scene<'_>, replica: &mut Replica) -> Picked {
        let state = match state_of::<G>(scene, replica) {
            Ok(state) => state,
            Err(unknown) => {
                return Picked {
                    edge: Err(unknown),
                    progress: None,
                };
            }
        };
        let fingerprint = |writes| Progress::new::<G::State>(writes).fingerprint(state);
        let watched = scene.watched;
        let progress = watched.map(|writes| caught(|| Ok(fingerprint(writes))));
        let pick = |outcome| {
            let node = usize::from(scene.node);
            caught(|| {
                let picked = self.pick(node, outcome, state);
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

    fn handed_out(
        &self,
        edge: u16,
        scene: &Scene<'_>,
        replica: &mut Replica,
    ) -> Result<Vec<Json>, NoHandoff> {
        let state = state_of::<G>(scene, replica)?;
        caught(|| {
            let items = self.items(usize::from(edge), state);
            let items = items.iter().map(|item| {
                let unkept = |error| NoHandoff::NoItem(chain(&error));
                item.json().map_err(unkept)
            });
            items.collect()
        })
    }
}

/// Reads a state back.
fn state_of<'r, G: Runnable>(
    scene: &Scene<'_>,
    replica: &'r mut Replica,
) -> Result<&'r G::State, NoHandoff> {
    caught(|| {
        replica
            .state::<G::State>(scene)
            .map_err(|error| match error {
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
