//! Handoffs that wait for a person's approval.

use super::{Engine, Hop, Position, Refused};
use crate::journal::AskId;
use crate::plan::Plan;

/// The number of a question that has none yet, as entries are counted from 1.
const UNASKED: AskId = AskId(0);

impl Engine {
    /// Holds a handoff back until a person has decided.
    pub(super) const fn await_approval(&mut self, from: u16, edge: u16, progress: Option<u64>) {
        self.position = Position::Approving {
            from,
            edge,
            progress,
            ask: UNASKED,
        };
    }

    /// Notes by which number the question is known whether the handoff may be.
    pub(super) fn asked(&mut self, asked: AskId) -> Result<(), Refused> {
        match &mut self.position {
            Position::Approving { ask, .. } if *ask == UNASKED => {
                *ask = asked;
                Ok(())
            }
            _ => Err(Refused::Impossible("it was asked already")),
        }
    }

    /// Goes on where a handoff waited: to the target of its edge if it was approved, or else to the
    /// `else`. Only what was approved counts as taken.
    pub(crate) fn hand_over(&mut self, plan: &Plan, approved: bool) -> Result<Hop, Refused> {
        let Position::Approving {
            edge: chosen,
            progress,
            ..
        } = self.position
        else {
            return Err(Refused::Impossible("no handoff waited for approval"));
        };
        let edge = plan.edges.get(usize::from(chosen));
        let edge = edge.ok_or(Refused::Impossible("there is no such edge"))?;
        let to = if approved {
            edge.to
        } else {
            let otherwise = edge.otherwise;
            otherwise.ok_or(Refused::Impossible("a refused handoff has nowhere to go"))?
        };
        // The answer comes before the handoff: from here on, nothing has happened since it was taken.
        self.renew();
        self.answers = self.answers.saturating_add(1);
        if approved {
            self.count(edge, chosen, progress);
        }
        self.follow(plan, to, chosen, !approved);
        Ok(Hop {
            edge: chosen,
            to,
            masked: None,
            forks: false,
            asks: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use handoffs_core::{Edge, Field, NodeShape, Route, Target, Topology};

    use super::*;
    use crate::engine::{Action, Fact};
    use crate::journal::Masked;

    const FIELDS: &[Field] = &[Field::__new("count", false)];

    /// `a` hands over to `b`, and `b` back: the first twice, and only if a person approves.
    fn plan(approve: Option<&'static str>) -> Plan {
        let mut topology = Topology::new("Test");
        let [a, b, c] = ["a", "b", "c"].map(|name| topology.node(NodeShape::new(name)));
        topology.start(a);
        let route = Route::to(b).limit(2).or_else(c);
        let route = match approve {
            Some(question) => route.approve(question),
            None => route,
        };
        topology.edge(Edge::new(a, "_", route));
        topology.edge(Edge::new(b, "_", Route::to(a)));
        topology.edge(Edge::new(c, "_", Route::end()));
        Plan::new(topology, FIELDS, Vec::new())
    }

    fn started(plan: &Plan) -> Engine {
        let mut engine = Engine::new(plan);
        engine.on(plan, Fact::Started).unwrap();
        engine
    }

    /// Asks, decides, and returns where it went.
    fn decided(plan: &Plan, engine: &mut Engine, approved: bool, progress: u64) -> Target<u16> {
        let hop = engine.decide(plan, 0, Some(progress)).unwrap();
        assert!(hop.asks);
        engine.on(plan, Fact::Asked(AskId(7))).unwrap();
        assert_eq!(engine.next(), Action::Approve(0, AskId(7)));
        let hop = engine.hand_over(plan, approved).unwrap();
        assert!(!hop.asks);
        hop.to
    }

    #[test]
    fn a_handoff_waits_until_it_is_decided_and_is_one_either_way() {
        let plan = plan(Some("f"));
        for (approved, to) in [(true, 1), (false, 2)] {
            let mut engine = started(&plan);
            assert_eq!(decided(&plan, &mut engine, approved, 0), Target::Node(to));
            assert_eq!((engine.next(), engine.handoffs()), (Action::Execute(to), 1));
            assert_eq!(engine.caller(), None, "nothing leads back");
        }
    }

    #[test]
    fn only_what_was_approved_counts_against_the_limit_and_then_nobody_is_asked() {
        let plan = plan(Some("f"));
        let mut engine = started(&plan);
        for progress in 0..2 {
            decided(&plan, &mut engine, true, progress);
            engine.decide(&plan, 1, None).unwrap();
        }
        let hop = engine.decide(&plan, 0, Some(2)).unwrap();
        assert_eq!((hop.asks, hop.masked), (false, Some(Masked::Limit)));
        assert_eq!(engine.next(), Action::Execute(2), "at its `else`");
    }

    #[test]
    fn the_decision_is_news_and_after_it_nothing_has_happened() {
        let plan = plan(Some("f"));
        let mut engine = started(&plan);
        decided(&plan, &mut engine, true, 5);
        engine.decide(&plan, 1, None).unwrap();
        let hop = engine.decide(&plan, 0, Some(5)).unwrap();
        assert_eq!((hop.asks, hop.masked), (false, Some(Masked::NoProgress)));
    }

    #[test]
    fn what_cannot_have_happened_is_refused() {
        let plan = plan(Some("f"));
        let mut engine = started(&plan);
        assert!(matches!(
            engine.hand_over(&plan, true),
            Err(Refused::Impossible("no handoff waited for approval"))
        ));
        engine.decide(&plan, 0, None).unwrap();
        engine.on(&plan, Fact::Asked(AskId(7))).unwrap();
        for fact in [
            Fact::Started,
            Fact::Asked(AskId(8)),
            Fact::Answered,
            Fact::Expired,
            Fact::Failed,
        ] {
            let before = engine.clone();
            assert!(engine.on(&plan, fact).is_err(), "{fact:?}");
            assert_eq!(engine, before);
        }
        assert!(engine.decide(&plan, 0, None).is_err());
    }

    #[test]
    fn a_journal_relies_on_what_is_asked() {
        let ids = [None, Some("f"), Some("g")].map(|approve| plan(approve).id);
        assert_ne!(ids[0], ids[1]);
        assert_ne!(ids[1], ids[2]);
        let name = plan(Some("f"));
        assert_eq!(name.human(), Some("a"));
    }

    #[test]
    fn an_engine_that_waits_is_written_down_and_read_back() {
        let plan = plan(Some("f"));
        let mut engine = started(&plan);
        engine.decide(&plan, 0, Some(3)).unwrap();
        engine.on(&plan, Fact::Asked(AskId(7))).unwrap();
        let text = serde_json::to_string(&engine).unwrap();
        let read: Engine = serde_json::from_str(&text).unwrap();
        assert_eq!(read, engine);
    }
}
