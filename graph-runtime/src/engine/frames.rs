//! Who handed over to whom, and what each of them holds: so what leads back finds its way, and what was
//! left comes back with it.

use std::borrow::Cow;

use handoffs_core::{Grant, May};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// The nodes that handed over, on the way to the node that is due: the last one to it, the one before to
/// that, up to where the path began. Who goes back takes the last one off, so whoever is gone back to stands
/// where it stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Frames {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    callers: Vec<Frame>,
    /// What the node that is due holds, where there is authority at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Grant>,
    /// What the branches of the fork share that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    forked: Option<Grant>,
    /// What those kept that handed over, where nothing leads back to them.
    #[serde(skip_serializing_if = "Amounts::is_empty")]
    kept: Amounts,
    /// What branches have left that came to their join.
    #[serde(skip)]
    returned: Amounts,
}

/// A node that handed over, and what it kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Frame {
    node: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<Grant>,
}

/// What is left of a [`Grant`] that bounds what may be used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Amounts {
    /// Money, in millionths of the currency's unit.
    #[serde(skip_serializing_if = "is_zero")]
    pub spend_micros: u64,
    /// Calls of tools that need a scope.
    #[serde(skip_serializing_if = "is_zero")]
    pub calls: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_zero(amount: &u64) -> bool {
    *amount == 0
}

impl Amounts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what is left of a grant; of what has no bound, nothing is counted.
    fn of(grant: &Grant) -> Self {
        Self {
            spend_micros: grant.spend_micros.unwrap_or(0),
            calls: grant.calls.unwrap_or(0),
        }
    }

    fn add(&mut self, more: Self) {
        self.spend_micros = self.spend_micros.saturating_add(more.spend_micros);
        self.calls = self.calls.saturating_add(more.calls);
    }

    /// Puts these amounts in the place of those of a grant that are bounded.
    fn put(self, grant: &mut Grant) {
        grant.spend_micros = grant.spend_micros.map(|_| self.spend_micros);
        grant.calls = grant.calls.map(|_| self.calls);
    }

    /// Adds these amounts to those of a grant that are bounded.
    fn give_back(self, grant: &mut Grant) {
        let mut all = Self::of(grant);
        all.add(self);
        all.put(grant);
    }
}

impl Frames {
    /// Returns frames for a path of this graph, if it needs any.
    pub(super) fn of(plan: &Plan) -> Option<Box<Self>> {
        (plan.goes_back || plan.has_scopes()).then(Box::default)
    }

    /// Returns who handed over to the node that is due.
    pub(super) fn caller(&self) -> Option<u16> {
        self.callers.last().map(|frame| frame.node)
    }

    pub(super) const fn held(&self) -> Option<&Grant> {
        self.held.as_ref()
    }

    /// Gives the node at which a run begins what it is granted.
    pub(super) fn begin(&mut self, plan: &Plan, node: u16, grant: &Grant) {
        self.held = Some(narrowed(plan, node, grant.clone()));
    }

    /// Notes that a node handed over to another, along this edge. To itself none does.
    pub(super) fn hand_over(&mut self, plan: &Plan, from: u16, to: u16, edge: u16) {
        if from == to {
            return;
        }
        let passed = self.pass(plan, from, edge);
        self.push(plan, from);
        self.held = passed.map(|passed| narrowed(plan, to, passed));
    }

    /// Notes that the run went back: what was left is whose it was.
    pub(super) fn go_back(&mut self) {
        let left = self.left();
        if let Some(frame) = self.callers.pop() {
            self.held = frame.held;
        }
        if let Some(held) = &mut self.held {
            left.give_back(held);
        }
    }

    /// Notes that the node that is due forked along an edge.
    pub(super) fn fork(&mut self, plan: &Plan, from: u16, edge: u16) {
        self.forked = self.pass(plan, from, edge);
    }

    /// Returns the frames of a branch, one of so many: nobody handed over to it, and it has its share.
    pub(super) fn branch(&self, plan: &Plan, entry: u16, (index, of): (u32, u32)) -> Self {
        let share = |amount: u64| {
            let (index, of) = (u64::from(index), u64::from(of.max(1)));
            amount / of + u64::from(index < amount % of)
        };
        let held = self.forked.clone().map(|mut grant| {
            grant.spend_micros = grant.spend_micros.map(share);
            grant.calls = grant.calls.map(share);
            narrowed(plan, entry, grant)
        });
        Self {
            held,
            ..Self::default()
        }
    }

    /// Takes back what a branch has left.
    pub(super) fn absorb(&mut self, branch: &Self) {
        self.returned.add(branch.left_in_all());
    }

    /// Goes on at the join, along the edge that forked, with what the branches have left if there were any.
    pub(super) fn join(&mut self, plan: &Plan, from: u16, join: u16, returned: Option<&Self>) {
        let mut passed = self.forked.take();
        if let (Some(passed), Some(all)) = (&mut passed, returned) {
            all.returned.put(passed);
        }
        if from != join {
            self.push(plan, from);
            self.held = passed.map(|passed| narrowed(plan, join, passed));
        } else if let (Some(held), Some(passed)) = (&mut self.held, passed) {
            Amounts::of(&passed).give_back(held);
        }
    }

    /// Returns what the path has left, with what those hold that handed over on it.
    fn left_in_all(&self) -> Amounts {
        let mut left = self.left();
        left.add(self.kept);
        for frame in &self.callers {
            left.add(frame.held.as_ref().map(Amounts::of).unwrap_or_default());
        }
        left
    }

    fn left(&self) -> Amounts {
        self.held.as_ref().map(Amounts::of).unwrap_or_default()
    }

    /// Returns what is left of what a run was granted.
    pub(super) fn rest(&self) -> Option<Amounts> {
        self.held.as_ref().map(|_| self.left_in_all())
    }

    /// Notes what a graph within has left of what its node holds.
    pub(super) fn put(&mut self, left: Amounts) {
        if let Some(held) = &mut self.held {
            left.put(held);
        }
    }

    /// Takes the most that something may cost from what the node holds, and returns whether it was there.
    pub(super) fn reserve(&mut self, cost: u64) -> bool {
        let Some(held) = &mut self.held else {
            return true;
        };
        let (spend, calls) = (held.spend_micros, held.calls);
        let has = spend.is_none_or(|left| left >= cost) && calls.is_none_or(|left| left > 0);
        if has {
            held.spend_micros = spend.map(|left| left - cost);
            held.calls = calls.map(|left| left - 1);
        }
        has
    }

    /// Gives back what something did not cost of what was reserved for it. What it cost beyond that, is
    /// gone as well.
    pub(super) fn settle(&mut self, reserved: u64, spent: u64) {
        if let Some(left) = self
            .held
            .as_mut()
            .and_then(|held| held.spend_micros.as_mut())
        {
            *left = left.saturating_add(reserved).saturating_sub(spent);
        }
    }

    /// Gives back what was reserved for something that was not done.
    pub(super) fn release(&mut self, reserved: u64) {
        let amounts = Amounts {
            spend_micros: reserved,
            calls: 1,
        };
        if let Some(held) = &mut self.held {
            amounts.give_back(held);
        }
    }

    fn push(&mut self, plan: &Plan, node: u16) {
        let held = self.held.take();
        if plan.goes_back {
            self.callers.push(Frame { node, held });
        } else {
            self.kept
                .add(held.as_ref().map(Amounts::of).unwrap_or_default());
        }
    }

    /// Takes what an edge grants from what its node holds, and returns it.
    fn pass(&mut self, plan: &Plan, from: u16, edge: u16) -> Option<Grant> {
        let held = self.held.as_mut()?;
        if !plan.has_scopes() {
            // Nobody says who may do what: whoever is at work holds all of it.
            let passed = held.clone();
            Amounts::default().put(held);
            return Some(passed);
        }
        let granted = plan.edge(edge).and_then(|edge| edge.route.granted());
        let Some(granted) = granted.filter(|_| held.depth != Some(0)) else {
            return Some(Grant::of([""; 0]).spend_micros(0).calls(0));
        };
        let may = may(plan, from);
        let is_passed = |scope: &&Cow<'static, str>| {
            held.has(scope) && may.is_some_and(|may| may.grants.contains(*scope))
        };
        let scopes = granted.named().iter().filter(is_passed).cloned();
        let mut passed = Grant::of(scopes.collect::<Vec<_>>());
        passed.spend_micros = at_most(granted.spend_micros, held.spend_micros);
        passed.calls = at_most(granted.calls, held.calls);
        passed.depth = at_most(granted.depth, held.depth.map(|depth| depth - 1));
        passed.expires_ms = held.expires_ms;
        let take = |left: &mut Option<u64>, taken: Option<u64>| {
            *left = left.map(|left| left - taken.unwrap_or(0).min(left));
        };
        take(&mut held.spend_micros, passed.spend_micros);
        take(&mut held.calls, passed.calls);
        Some(passed)
    }

    /// Returns the same frames with other places for the nodes.
    pub(super) fn moved<E>(&self, mut node: impl FnMut(u16) -> Result<u16, E>) -> Result<Self, E> {
        let callers = self.callers.iter().map(|frame| {
            Ok(Frame {
                node: node(frame.node)?,
                held: frame.held.clone(),
            })
        });
        Ok(Self {
            callers: callers.collect::<Result<_, _>>()?,
            ..self.clone()
        })
    }
}

impl FromIterator<u16> for Frames {
    fn from_iter<I: IntoIterator<Item = u16>>(nodes: I) -> Self {
        let frame = |node| Frame { node, held: None };
        Self {
            callers: nodes.into_iter().map(frame).collect(),
            ..Self::default()
        }
    }
}

fn at_most<T: Ord>(wanted: Option<T>, left: Option<T>) -> Option<T> {
    match (wanted, left) {
        (Some(wanted), Some(left)) => Some(wanted.min(left)),
        (wanted, left) => wanted.or(left),
    }
}

fn may(plan: &Plan, node: u16) -> Option<&May> {
    Some(plan.may(node)).filter(|_| plan.has_scopes())
}

/// Keeps of a grant what a node has a use for.
fn narrowed(plan: &Plan, node: u16, mut grant: Grant) -> Grant {
    let Some(may) = may(plan, node) else {
        return grant;
    };
    let mut scopes = may.uses.clone();
    scopes.extend(
        may.grants
            .iter()
            .filter(|scope| !may.uses.contains(scope))
            .cloned(),
    );
    scopes.retain(|scope| grant.has(scope));
    grant.scopes = Some(scopes.into());
    grant
}
