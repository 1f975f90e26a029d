//! A node that does what a test says.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handoffs_core::{Contract, FieldSet, Node, State, Worker};

use crate::context::Context;
use crate::execute::{Execute, is_set, keep_promises};
use crate::node_error::NodeError;

/// A node that stands in for the node `N` in a test, and does what a script says, visit by visit.
///
/// It has the contract and the outcomes of `N`, so a graph is as right with it as with `N` itself. It
/// takes the place of a person as well, and then nothing pauses. A clone is the same node: keep one to
/// see how often the graph came by.
///
/// ```
/// use handoffs_core::{Node, State};
/// use handoffs_runtime::{Execute, ScriptedNode};
///
/// /// A desk that would not have the question twice, and then does.
/// fn stubborn<Ticket: State, Billing: Node<Ticket>>(
///     wrong_desk: fn() -> Billing::Outcome,
///     done: fn(&mut Ticket) -> Billing::Outcome,
/// ) -> ScriptedNode<Ticket, Billing> {
///     ScriptedNode::new()
///         .concludes(wrong_desk())
///         .concludes(wrong_desk())
///         .does(done)
/// }
/// ```
///
/// A visit is an attempt to execute the node: where a failed one is tried again, that is another. A
/// visit for which the script has no turn fails.
pub struct ScriptedNode<S: State, N: Node<S>> {
    script: Arc<Mutex<Script<S, N::Outcome>>>,
}

struct Script<S, O> {
    turns: VecDeque<Turn<S, O>>,
    /// What is done once there is no turn left.
    rest: Option<Rest<S, O>>,
    visits: usize,
}

type Rest<S, O> = Arc<dyn Fn(&mut S) -> O + Send + Sync>;
type Act<S, O> = Box<dyn FnOnce(&mut S) -> Result<O, NodeError> + Send>;

/// What the node does at one visit.
struct Turn<S, O> {
    delay: Duration,
    /// None if it never concludes.
    act: Option<Act<S, O>>,
}

impl<S: State, N: Node<S>> ScriptedNode<S, N> {
    /// A node with an empty script.
    pub fn new() -> Self {
        Self {
            script: Arc::new(Mutex::new(Script {
                turns: VecDeque::new(),
                rest: None,
                visits: 0,
            })),
        }
    }

    /// At its next visit, the node concludes this, and leaves the state as it is.
    pub fn concludes(self, outcome: N::Outcome) -> Self {
        self.acts(Box::new(|_| Ok(outcome)))
    }

    /// At its next visit, the node changes the state, and concludes.
    ///
    /// What is written to a field that `N` may not write is dropped. What `N` promises to set has to be
    /// set, or the visit fails.
    pub fn does(self, act: impl FnOnce(&mut S) -> N::Outcome + Send + 'static) -> Self {
        self.acts(Box::new(|state| Ok(act(state))))
    }

    /// At its next visit, the node fails.
    ///
    /// ```
    /// use handoffs_core::{Node, State};
    /// use handoffs_runtime::ScriptedNode;
    ///
    /// fn flaky<S: State, N: Node<S>>(then: N::Outcome) -> ScriptedNode<S, N> {
    ///     ScriptedNode::new().fails("no connection").fails("no connection").concludes(then)
    /// }
    /// ```
    pub fn fails(self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = NodeError::new(error);
        self.acts(Box::new(|_| Err(error)))
    }

    /// At its next visit, the node never concludes: it hangs until its time is up or the run is dropped.
    pub fn hangs(self) -> Self {
        self.turn(None)
    }

    /// Lets the turn that was added last take so long. It is Tokio's time, which a test can pause.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use handoffs_core::{Node, State};
    /// use handoffs_runtime::ScriptedNode;
    ///
    /// fn slow<S: State, N: Node<S>>(outcome: N::Outcome) -> ScriptedNode<S, N> {
    ///     ScriptedNode::new().concludes(outcome).taking(Duration::from_secs(30))
    /// }
    /// ```
    pub fn taking(self, time: Duration) -> Self {
        if let Some(turn) = self.script().turns.back_mut() {
            turn.delay = time;
        }
        self
    }

    /// At each visit for which there is no turn left, the node does this.
    ///
    /// ```
    /// use handoffs_core::{Node, State};
    /// use handoffs_runtime::ScriptedNode;
    ///
    /// fn hopeless<S: State, N: Node<S>>(wrong_desk: fn() -> N::Outcome) -> ScriptedNode<S, N> {
    ///     ScriptedNode::new().always(move |_| wrong_desk())
    /// }
    /// ```
    pub fn always(self, act: impl Fn(&mut S) -> N::Outcome + Send + Sync + 'static) -> Self {
        self.script().rest = Some(Arc::new(act));
        self
    }

    /// Returns how many times the graph came by.
    pub fn visits(&self) -> usize {
        self.script().visits
    }

    /// Returns how many turns of the script are left.
    pub fn left(&self) -> usize {
        self.script().turns.len()
    }

    fn acts(self, act: Act<S, N::Outcome>) -> Self {
        self.turn(Some(act))
    }

    fn turn(self, act: Option<Act<S, N::Outcome>>) -> Self {
        let delay = Duration::ZERO;
        self.script().turns.push_back(Turn { delay, act });
        self
    }

    fn script(&self) -> MutexGuard<'_, Script<S, N::Outcome>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the turn of a visit.
    fn visit(&self) -> Result<Turn<S, N::Outcome>, NodeError> {
        let mut script = self.script();
        script.visits += 1;
        if let Some(turn) = script.turns.pop_front() {
            return Ok(turn);
        }
        let Some(rest) = script.rest.clone() else {
            let visits = script.visits;
            return Err(NodeError::new(format!(
                "the script has no turn for visit {visits}"
            )));
        };
        Ok(Turn {
            delay: Duration::ZERO,
            act: Some(Box::new(move |state| Ok(rest(state)))),
        })
    }
}

impl<S: State, N: Node<S>> Node<S> for ScriptedNode<S, N> {
    type Outcome = N::Outcome;
    const CONTRACT: Contract = N::CONTRACT;
}

impl<S: State, N: Node<S>> Execute<S> for ScriptedNode<S, N> {
    const REPORTS: bool = true;

    async fn execute(&self, state: &mut S, cx: &mut Context<'_>) -> Result<N::Outcome, NodeError> {
        let Turn { delay, act } = self.visit()?;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let Some(act) = act else {
            return pending().await;
        };
        let mut draft = state.clone();
        let outcome = act(&mut draft)?;
        let Contract {
            writes,
            gives,
            replaces,
            ..
        } = N::CONTRACT;
        let existing = FieldSet::first_of(S::FIELDS.len());
        let given: Vec<_> = gives
            .and(existing)
            .iter()
            .map(|field| S::FIELDS[field].name)
            .collect();
        keep_promises(&outcome, &given, |name| is_set(&draft, name))?;
        for field in writes.or(gives).or(replaces).and(existing).iter() {
            let change = state.change(field, &draft);
            if !change.is_one() {
                continue;
            }
            state.take(field, &mut draft);
            let only = FieldSet::EMPTY.with(field);
            if replaces.contains(field) {
                cx.__replaced(only);
            } else {
                cx.__changed(only, change);
            }
        }
        Ok(outcome)
    }
}

impl<S: State, N: Worker<S>> Worker<S> for ScriptedNode<S, N> {
    type Item = N::Item;
}

impl<S: State, N: Node<S>> Default for ScriptedNode<S, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State, N: Node<S>> Clone for ScriptedNode<S, N> {
    fn clone(&self) -> Self {
        Self {
            script: Arc::clone(&self.script),
        }
    }
}

impl<S: State, N: Node<S>> fmt::Debug for ScriptedNode<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        f.debug_struct("ScriptedNode")
            .field("visits", &script.visits)
            .field("left", &script.turns.len())
            .finish_non_exhaustive()
    }
}
