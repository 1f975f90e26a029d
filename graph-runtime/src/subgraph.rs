//! The run of a graph that is a node of another.

use handoffs_core::{Grant, State};

use crate::context::{Context, Desk, Signal};
use crate::driver::{Done, Driver, Place};
use crate::engine::{Action, Amounts};
use crate::error::RunError;
use crate::event::Sink;
use crate::execute::Runnable;
use crate::journal::Writes;
use crate::marks::take_fields;
use crate::node_error::{Kind, NodeError};
use crate::plan::{Inner, Plan};

/// Runs a graph on the state of the node that it is, in the journal of the run around it.
///
/// What was written of an earlier attempt is not done again.
#[doc(hidden)]
pub async fn subgraph<G: Runnable>(
    graph: &G,
    state: &mut G::State,
    cx: &mut Context<'_>,
) -> Result<G::Outcome, NodeError> {
    // Its nodes are at work in its place, and each needs a permit.
    cx.permit = None;
    let known = cx.course.plan.node(cx.course.due());
    let known = known.and_then(|node| node.inner.as_ref());
    let unknown;
    let inner = if let Some(inner) = known {
        inner
    } else {
        // A node that wraps a graph did not say so. Its own step keeps what is written within.
        unknown = Inner {
            plan: Plan::of(graph),
            is_direct: true,
        };
        &unknown
    };
    // Boxed, or the future of a graph would hold those of all graphs within.
    match Box::pin(run(graph, inner, state, cx)).await {
        Ok(Done::Ended(edge, otherwise)) => Ok(graph.end(usize::from(edge), otherwise)),
        Ok(Done::Paused(ask)) => cx.rest(Signal::Paused(ask)).await,
        Ok(Done::Stopped) => cx.rest(Signal::Stopped).await,
        Ok(Done::Arrived) => Err(NodeError::new("a graph within came to a join")),
        Err(error) if error.is_of_a_node() => Err(NodeError::of(Kind::Within(Box::new(error)))),
        Err(error) => cx.rest(Signal::Broke(Box::new(error))).await,
    }
}

/// Returns what the run of a graph within is granted: what its node holds, as far as it may use it.
fn granted(cx: &Context<'_>) -> Option<Grant> {
    let mut held = cx.course.engine.held()?.clone();
    let (plan, node) = (cx.course.plan, cx.course.due());
    if plan.has_scopes() {
        let uses = plan.may(node).uses.iter();
        let uses: Vec<_> = uses.filter(|scope| held.has(scope)).cloned().collect();
        held.scopes = Some(uses.into());
    }
    Some(held)
}

async fn run<G: Runnable>(
    graph: &G,
    inner: &Inner,
    state: &mut G::State,
    cx: &mut Context<'_>,
) -> Result<Done, RunError> {
    let Inner { plan, is_direct } = inner;
    let (scope, branch) = (cx.scope, cx.branch.child(cx.place(), 0));
    if std::mem::take(&mut cx.again) {
        // The attempt before has written what need not be done again.
        scope.read_again().await?;
    }
    let folded = scope.told().fold(plan, &scope.thread, &branch)?;
    let is_new = folded.engine.next() == Action::Start;
    let own = if *is_direct || is_new {
        let mut own = state.clone();
        folded
            .fields()
            .load(&mut own, folded.marks, &scope.thread)?;
        own
    } else {
        folded.state(&scope.thread)?
    };
    let sink = cx.relay.take().map_or(Sink::Silent, Sink::Around);
    let desk = Desk::default();
    let place = Place {
        scope,
        desk: &desk,
        plan,
        branch,
    };
    let mut driver = Driver::new(graph, place, own, folded, sink);
    driver.is_within = true;
    driver.cx.outer = Some(cx.as_around());
    driver.cx.around = cx.pulse.clone();
    let around = cx.course.plan.node(cx.course.due());
    let patience = around.and_then(|node| node.policy.answer_timeout());
    driver.cx.patience = patience.or(cx.patience);
    if is_new {
        let given = graph.given();
        if let Some(field) = given.iter().find(|field| !driver.state.is_set(*field)) {
            let field = G::State::FIELDS.get(field).map_or("?", |field| field.name);
            let thread = scope.thread.clone();
            return Err(RunError::NotGiven { thread, field });
        }
        let writes = if *is_direct || scope.ledger.is_none() {
            Writes::default()
        } else {
            driver.whole()?
        };
        driver.start(writes, false, granted(cx)).await?;
    }
    if driver.cx.course.engine.handoffs() == 0 {
        // A graph that stands in for a node begins with one that can read why.
        driver.cx.caught.clone_from(&cx.caught);
        driver.cx.refused.clone_from(&cx.refused);
    }
    // Whatever ends it in the middle leaves nothing that could be spent twice.
    cx.left = driver.cx.course.engine.rest().map(|_| Amounts::default());
    let done = driver.drive().await;
    cx.left = driver.cx.course.engine.rest();
    let done = done?;
    if matches!(done, Done::Ended(..)) {
        let marks = driver.cx.marks();
        if *is_direct {
            take_fields(state, &mut driver.state, marks.changed);
            cx.step.add(marks);
        } else {
            *state = driver.state;
        }
    }
    Ok(done)
}
