//! Questions that are closed: by an answer, by a decision about a handoff, or as their time was over.

use super::{Folded, Path, Unfolded};
use crate::difference::Difference;
use crate::engine::{Action, Fact};
use crate::journal::AskId;
use crate::journal::entry::{Approval, Ask, Entry, Recorded};

/// Returns the question that an entry closes, and in words what became of it.
pub(super) fn closed(event: &Recorded) -> Option<(AskId, &'static str)> {
    let how = match event {
        Recorded::Expired { .. } => "it has expired",
        _ => "it was answered before",
    };
    Some((event.closes()?, how))
}

impl Folded {
    /// Takes the question that is open, which must be this one.
    pub(super) fn close(&mut self, ask: AskId) -> Result<Ask, Unfolded> {
        let question = self.open.take().filter(|open| open.id == ask);
        question.ok_or_else(|| format!("question {ask} was not open").into())
    }

    /// Goes on as a person decided about a handoff.
    pub(super) fn decided(&mut self, path: &Path<'_>, entry: &Entry) -> Result<(), Unfolded> {
        let Recorded::Decided { ask, approval, to } = &entry.event else {
            return Err("it is no decision".into());
        };
        self.close(*ask)?;
        self.hand_over(path, entry, approval, to.as_deref())
    }

    /// Closes a question that nobody has answered: its node is due again, and a handoff that waited is
    /// refused.
    pub(super) fn expired(&mut self, path: &Path<'_>, entry: &Entry) -> Result<(), Unfolded> {
        let Recorded::Expired { ask, to } = &entry.event else {
            return Err("no question expired".into());
        };
        self.close(*ask)?;
        match self.engine.next() {
            Action::Approve(..) => self.hand_over(path, entry, &Approval::late(), to.as_deref()),
            _ => Ok(self.engine.on(path.plan, Fact::Expired)?),
        }
    }

    fn hand_over(
        &mut self,
        path: &Path<'_>,
        entry: &Entry,
        approval: &Approval,
        to: Option<&str>,
    ) -> Result<(), Unfolded> {
        let refusal = approval.refusal();
        let Action::Approve(edge, _) = self.engine.next() else {
            return Err("no handoff waited".into());
        };
        let hop = self.engine.hand_over(path.plan, refusal.is_none())?;
        let went = hop.to.node().map(|to| path.plan.name(to));
        if went != to {
            if path.is_past(entry)
                && let Some(known) = path.plan.edge(edge)
            {
                return Err(path.differs(
                    entry,
                    Difference::LeadsElsewhere {
                        node: path.plan.name(known.from.0).into(),
                        on: known.label().into(),
                        was: to.unwrap_or("end").into(),
                        now: went.unwrap_or("end").into(),
                    },
                ));
            }
            return Err("the decision leads elsewhere by this graph".into());
        }
        self.settle(entry.seq);
        self.refused = refusal.map(str::to_owned);
        Ok(())
    }
}
