//! A run of a thread, whatever journal it is kept in: compiled once a graph.

use std::sync::Arc;

use handoffs_core::{Grant, State};

use super::snapshot;
use super::untyped::{Call, Known, TakenUp, Untyped};
use crate::context::Desk;
use crate::driver::{Driver, Place, Start};
use crate::error::RunError;
use crate::event::Sink;
use crate::execute::Runnable;
use crate::journal::{BranchId, Folded, Journal, ThreadId, Writes};
use crate::run::Run;
use crate::scope::Scope;

/// What is to be done in a thread.
pub(super) struct Work<'t, G: Runnable> {
    pub(super) graph: &'t G,
    pub(super) untyped: Untyped<'t>,
    pub(super) journal: Option<Arc<dyn Journal>>,
    /// What this thread is granted by itself.
    pub(super) grant: Option<&'t Grant>,
    pub(super) sink: Sink<G>,
}

impl<G: Runnable> Work<'_, G> {
    /// Begins a run or goes on with it, until it comes to rest.
    pub(super) async fn go(
        self,
        call: Call,
        given: Option<G::State>,
    ) -> Result<Run<G::State>, RunError> {
        let Self {
            graph,
            untyped,
            journal,
            grant,
            sink,
        } = self;
        // What only the beginning needs has no room in the future of a run that is under way.
        let TakenUp {
            scope,
            head,
            folded,
            known,
        } = Box::pin(untyped.take_up(journal, call)).await?;
        let (desk, way) = (Desk::default(), way(known.is_some(), &scope));
        let place = Place {
            scope: &scope,
            desk: &desk,
            plan: untyped.plan,
            branch: BranchId::TRUNK,
        };
        let given = given.filter(|_| known.is_some());
        let mut driver = driver(graph, place, given, folded, sink)?;
        let start = known.map(|known| start(&driver, known, untyped.limits.granted(grant)));
        let start = start.transpose()?;
        let done = driver.run(way, start).await;
        scope.spending.close();
        if snapshot::has_grown(&scope, head) && !matches!(done, Err(RunError::Journal { .. })) {
            Box::pin(untyped.keep_snapshot(&scope)).await;
        }
        driver.rested(done?)
    }
}

/// Takes a run up where it stands, or with the state with which it begins.
///
/// It takes all by value: what an `async fn` has lent before it gives it away stays in its future.
fn driver<'a, G: Runnable>(
    graph: &'a G,
    place: Place<'a>,
    given: Option<G::State>,
    folded: Folded,
    sink: Sink<G>,
) -> Result<Driver<'a, G>, RunError> {
    let thread = &place.scope.thread;
    let state = match given {
        Some(state) => given_to(graph, thread, state)?,
        None => folded.state(thread)?,
    };
    Ok(Driver::new(graph, place, state, folded, sink))
}

/// Checks that the fields are set with which a run begins.
fn given_to<G: Runnable>(
    graph: &G,
    thread: &ThreadId,
    state: G::State,
) -> Result<G::State, RunError> {
    let given = graph.given();
    let missing = given.iter().find(|field| !state.is_set(*field));
    match missing.and_then(|field| G::State::FIELDS.get(field)) {
        None => Ok(state),
        Some(field) => Err(RunError::NotGiven {
            thread: thread.clone(),
            field: field.name,
        }),
    }
}

/// Returns with which fields of its state a run begins, as an entry keeps them, and with what it is
/// granted.
fn start<G: Runnable>(
    driver: &Driver<'_, G>,
    known: Known,
    grant: Option<Grant>,
) -> Result<Box<Start>, RunError> {
    let (writes, whole) = match known {
        Known::Unkept => (Writes::default(), false),
        Known::Nothing => (driver.whole()?, true),
        Known::Fields(known) => (known.difference(driver.whole()?), false),
    };
    Ok(Box::new((writes, whole, grant)))
}

/// Returns by which call a run goes on, for traces.
const fn way(is_start: bool, scope: &Scope) -> &'static str {
    match (is_start, &scope.answer) {
        (true, _) => "run",
        (false, Some(_)) => "resume",
        (false, None) => "recover",
    }
}
