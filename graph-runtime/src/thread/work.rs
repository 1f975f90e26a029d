//! A run of a thread, whatever journal it is kept in: compiled once a graph.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use handoffs_core::{Grant, State};

use super::snapshot;
use super::untyped::{Call, TakenUp, Untyped, Whence};
use crate::context::Desk;
use crate::driver::{Done, Driver, Place, Start};
use crate::engine::Engine;
use crate::error::RunError;
use crate::event::Sink;
use crate::execute::Runnable;
use crate::journal::{BranchId, Journal, ThreadId, Writes};
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
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` has room for what it is given twice"
    )]
    pub(super) fn go(
        self,
        call: Call,
        given: Option<G::State>,
    ) -> impl Future<Output = Result<Run<G::State>, RunError>> + Send {
        async move {
            let TakenUp {
                scope,
                head,
                whence,
            } = match self.journal {
                None => self.untyped.begin()?,
                // What only the beginning needs has no room in the future of a run that is under way.
                Some(journal) => self.untyped.take_up(journal, call).await?,
            };
            let desk = Desk::default();
            let place = Place {
                scope: &scope,
                desk: &desk,
                plan: self.untyped.plan,
                branch: BranchId::TRUNK,
            };
            let grant = self.untyped.limits.granted(self.grant);
            let taken_up = driver(self.graph, place, whence, given, grant, self.sink);
            let (mut driver, start) = taken_up?;
            let mut done = driver.run(way(start.is_some(), &scope), start).await;
            scope.spending.close();
            if snapshot::has_grown(&scope, head) {
                done = snapshot_kept(self.untyped, &scope, done).await;
            }
            driver.rested(done?)
        }
    }
}

/// Keeps a snapshot of what a run has left behind, however it ended, unless its journal is what failed.
fn snapshot_kept<'s>(
    untyped: Untyped<'s>,
    scope: &'s Scope,
    done: Result<Done, RunError>,
) -> BoxFuture<'s, Result<Done, RunError>> {
    Box::pin(async move {
        if !matches!(done, Err(RunError::Journal { .. })) {
            untyped.keep_snapshot(scope).await;
        }
        done
    })
}

/// Takes a run up where it stands, or with the state with which it begins, and returns what is to be written of its
/// start, if it begins.
///
/// It takes all by value: what an `async fn` has lent before it gives it away stays in its future.
fn driver<'a, G: Runnable>(
    graph: &'a G,
    place: Place<'a>,
    whence: Whence,
    given: Option<G::State>,
    grant: Option<Grant>,
    sink: Sink<G>,
) -> Result<(Driver<'a, G>, Option<Box<Start>>), RunError> {
    let thread = &place.scope.thread;
    let (driver, (writes, whole)) = match whence {
        Whence::Unkept => {
            let state = given_to(graph, thread, given)?;
            let engine = Engine::new(place.plan);
            let driver = Driver::begun(graph, place, state, engine, sink);
            (driver, (Writes::default(), false))
        }
        Whence::Start(folded, known) => {
            let state = given_to(graph, thread, given)?;
            let driver = Driver::new(graph, place, state, *folded, sink);
            let whole = driver.whole()?;
            let writes = match known {
                Some(known) => (known.difference(whole), false),
                None => (whole, true),
            };
            (driver, writes)
        }
        Whence::On(folded) => {
            let state = folded.state(thread)?;
            return Ok((Driver::new(graph, place, state, *folded, sink), None));
        }
    };
    Ok((driver, Some(Box::new((writes, whole, grant)))))
}

/// Returns the state with which a run begins, once it is seen that its fields are set.
fn given_to<G: Runnable>(
    graph: &G,
    thread: &ThreadId,
    state: Option<G::State>,
) -> Result<G::State, RunError> {
    let state = state.ok_or_else(|| RunError::impossible(thread, "no state was given"))?;
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

/// Returns by which call a run goes on, for traces.
const fn way(is_start: bool, scope: &Scope) -> &'static str {
    match (is_start, &scope.answer) {
        (true, _) => "run",
        (false, Some(_)) => "resume",
        (false, None) => "recover",
    }
}
