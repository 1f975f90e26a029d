//! What a run has used so far, and whether it may go on: budgets as they are kept to while nodes work.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::budget::{Held, Spent, each, find};
use crate::context::{Context, Signal};
use crate::journal::{Branches, Usage, Used};
use crate::meter::{Meter, Visited};
use crate::plan::Plan;

/// What a run has used so far.
#[derive(Debug, Default)]
pub(crate) struct Spending {
    /// Made when something is counted, as most runs use nothing.
    account: Mutex<Option<Box<Account>>>,
    /// The budget for which the run stops, and the node that would have gone on.
    over: OnceLock<Box<(String, Spent)>>,
}

#[derive(Debug, Default)]
struct Account {
    meter: Meter,
    /// What the journal said when the run was taken up, until somebody has to know what that adds up to;
    /// and the node with which the graph starts.
    before: Option<(Arc<Branches>, String)>,
}

impl Spending {
    /// Goes on from what the journal says that the run has used, if it has begun before.
    pub(crate) fn behind(told: Option<&Arc<Branches>>, plan: &Plan) -> Self {
        let account = told.map(|told| {
            let start = plan.name(plan.start).to_owned();
            Box::new(Account {
                before: Some((Arc::clone(told), start)),
                ..Account::default()
            })
        });
        Self {
            account: Mutex::new(account),
            over: OnceLock::new(),
        }
    }

    /// Lets go of what the journal said.
    pub(crate) fn close(&self) {
        if let Some(account) = &mut *self.account() {
            account.before = None;
        }
    }

    /// Returns the budget for which the run stops, if it does, and the node that would have gone on.
    pub(crate) fn over(&self) -> Option<&(String, Spent)> {
        self.over.get().map(|over| &**over)
    }

    fn account(&self) -> MutexGuard<'_, Option<Box<Account>>> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// Returns what the run has used, with what the journal says of before.
    fn whole(&mut self) -> &Meter {
        if let Some((told, start)) = self.before.take() {
            self.meter.add(&told.metering(Some(&start)).run);
        }
        &self.meter
    }
}

/// The node that a graph is, at work in a graph around.
#[derive(Clone, Debug)]
pub(crate) struct Around<'a> {
    plan: &'a Plan,
    node: u16,
    from: Option<u16>,
    outer: Option<Arc<Around<'a>>>,
}

impl Around<'_> {
    fn visit(&self) -> Visited {
        let graph = self.outer.is_some().then(|| self.plan.topology.name());
        let from = self.from.map(|from| self.plan.name(from));
        Visited::new(graph, self.plan.name(self.node), from)
    }
}

impl<'a> Context<'a> {
    /// Returns the node that is due, for the graph that it is.
    pub(crate) fn as_around(&self) -> Arc<Around<'a>> {
        Arc::new(self.place_now())
    }

    fn place_now(&self) -> Around<'a> {
        let course = &self.course;
        Around {
            plan: course.plan,
            node: course.due(),
            from: course.engine.came_from(),
            outer: self.outer.clone(),
        }
    }

    /// Returns by which names the node is counted that is due, and those around its graph.
    fn visits(&self) -> Vec<Visited> {
        let now = self.place_now();
        let mut visits = vec![now.visit()];
        let mut outer = now.outer.as_deref();
        while let Some(around) = outer {
            visits.push(around.visit());
            outer = around.outer.as_deref();
        }
        visits
    }

    /// Returns by which name the node that is due is counted.
    #[cfg(feature = "agents")]
    pub(crate) fn counted_as(&self) -> String {
        self.place_now().visit().node
    }

    /// Returns the budgets that hold where the node is, and those of its own.
    fn held(&self, visits: &[Visited], own: &Held) -> Held {
        let budgets = self.scope.limits.budgets.as_ref();
        let mut held = budgets.map_or_else(Held::new, |budgets| budgets.at(visits));
        held.extend(own.iter().cloned());
        held
    }

    /// Counts what is used, and notes the budgets of which it leaves no more than a fifth.
    pub(crate) fn spend(&mut self, tool: Option<&str>, own: &Held, count: impl Fn(&mut Used)) {
        let visits = self.visits();
        let held = self.held(&visits, own);
        let mut kept = self.scope.spending.account();
        let account = kept.get_or_insert_default();
        if held.is_empty() {
            account.meter.count(&visits, tool, count);
            return;
        }
        let before: Vec<_> = each(&held, account.whole()).collect();
        account.meter.count(&visits, tool, count);
        let after = each(&held, &account.meter).zip(before);
        let near = after.filter(|(after, before)| after.is_near() && !before.is_near());
        let near: Vec<_> = near.map(|(after, _)| after).collect();
        drop(kept);
        for spent in near {
            tracing::warn!(thread = %self.thread(), node = self.node(), %spent, "a budget is nearly used up");
            self.near.push((self.course.due(), spent));
        }
    }

    /// Counts how long the node was at work, beside its calls, if a budget asks for that.
    pub(crate) fn spend_time(&mut self, took_ms: u64) {
        let calls_ms = std::mem::take(&mut self.calls_ms);
        let rest = took_ms.saturating_sub(calls_ms);
        if self.scope.limits.budgets.is_some() && rest > 0 {
            let rest = Used::new(Usage::default(), rest);
            self.spend(None, &Held::new(), |used| *used += rest);
        }
    }

    /// Returns whether more was used up than may be, so that no step may begin. Then the run stops.
    pub(crate) fn is_overspent(&self) -> bool {
        self.scope.limits.budgets.is_some()
            && self.is_over(&Held::new(), |used, limit| used > limit)
    }

    fn is_over(&self, own: &Held, holds: impl Fn(u64, u64) -> bool) -> bool {
        let held = self.held(&self.visits(), own);
        if held.is_empty() {
            return false;
        }
        let mut kept = self.scope.spending.account();
        let account = kept.get_or_insert_default();
        let Some(spent) = find(&held, account.whole(), holds) else {
            return false;
        };
        drop(kept);
        tracing::warn!(thread = %self.thread(), node = self.node(), %spent, "a budget is used up");
        // Of several branches, the first says why.
        let _ = self
            .scope
            .spending
            .over
            .set(Box::new((self.node().to_owned(), spent)));
        true
    }

    /// Returns if there is something left of each [`Budget`](crate::Budget) that holds at this node;
    /// otherwise the run stops here, and this does not return.
    ///
    /// An agent does this before each call. A node that makes calls of its own does it too, and says what
    /// they [used](Self::used): then its last call may overshoot a budget, but none is made behind that.
    ///
    /// ```
    /// use handoffs_runtime::{Context, NodeError, Usage};
    ///
    /// # async fn translate(_: &str) -> Result<String, std::io::Error> { Ok(String::new()) }
    /// async fn translated(pages: &[String], cx: &mut Context<'_>) -> Result<Vec<String>, NodeError> {
    ///     let mut translated = Vec::new();
    ///     for page in pages {
    ///         cx.afford().await;
    ///         translated.push(translate(page).await.map_err(NodeError::new)?);
    ///         cx.used(Usage::calls(1));
    ///     }
    ///     Ok(translated)
    /// }
    /// ```
    pub async fn afford(&mut self) {
        self.afford_with(&Held::new()).await;
    }

    pub(crate) async fn afford_with(&mut self, own: &Held) {
        if self.is_over(own, |used, limit| used >= limit) {
            self.rest::<()>(Signal::Stopped).await;
        }
    }
}
