//! The rules of a turn: what of a model's reply is done, and in which order.
//!
//! Tools come first, in the order in which they were called. Then at most one handoff is made: the
//! first that is offered and whose arguments fit. Any other is answered neutrally. What cannot be done
//! is told to the model, and counts as a mistake.

use handoffs_core::Outcome;

use super::model::{Reply, ToolCall};
use super::offer::read;
use super::offers::{Offer, Offers};

/// What is to be done about a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Todo {
    /// Call the tool at this place.
    Tool(usize),
    /// Make this handoff.
    Handoff,
    /// Nothing, as another handoff is made.
    Pass,
    /// Tell the model what is wrong with it.
    Mistake(String),
}

/// A model's reply, sorted out.
#[derive(Debug)]
pub(super) struct Sorted<O> {
    /// One for each call, in the order of the calls.
    pub(super) todo: Vec<Todo>,
    /// The handoff that is made.
    pub(super) outcome: Option<O>,
}

/// Sorts out what is to be done about a reply.
pub(super) fn sort<O: Outcome>(reply: &Reply, tools: &[String], offers: &Offers) -> Sorted<O> {
    let mut outcome = None;
    let mut todo = Vec::with_capacity(reply.calls.len());
    for call in &reply.calls {
        let tool = tools.iter().position(|tool| *tool == call.tool);
        let offer = offers.all.iter().find(|offer| offer.spec.name == call.tool);
        todo.push(match (tool, offer) {
            (Some(tool), _) => Todo::Tool(tool),
            (None, Some(_)) if outcome.is_some() => Todo::Pass,
            (None, Some(offer)) => match take(call, offer) {
                Ok(taken) => {
                    outcome = Some(taken);
                    Todo::Handoff
                }
                Err(mistake) => Todo::Mistake(mistake),
            },
            (None, None) => Todo::Mistake(offers.unknown(call, tools)),
        });
    }
    Sorted { todo, outcome }
}

fn take<O: Outcome>(call: &ToolCall, offer: &Offer) -> Result<O, String> {
    if !offer.is_open {
        return Err(format!(
            "{} is not possible any more: it has been done as often as it may, or nothing has changed \
             since the last time. Choose another way.",
            call.tool
        ));
    }
    let arguments = offer.fixed.as_ref().unwrap_or(&call.arguments);
    read(offer.variant, arguments)
        .map_err(|error| format!("the arguments of {} do not fit: {error}", call.tool))
}

#[cfg(test)]
mod tests {
    use handoffs_core::Variant;
    use serde::Serializer;
    use serde::de::{Deserialize, Deserializer};
    use serde_json::json;

    use super::super::offers::HandoffStyle;
    use super::*;

    /// To billing with a number, or to access; written by hand as the derive would.
    #[derive(Debug, PartialEq, Eq)]
    enum Triaged {
        Billing(u32),
        Access,
    }

    impl Outcome for Triaged {
        const VARIANTS: &'static [Variant] = &[
            Variant::__new("Billing", "transfer_to_billing", "Invoices.", &[])
                .__fields(&[handoffs_core::VariantField::__new("0", "")]),
            Variant::__new("Access", "transfer_to_access", "", &[]),
        ];

        fn variant(&self) -> usize {
            usize::from(*self == Self::Access)
        }

        fn encode<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
            serializer.serialize_unit()
        }

        fn decode<'de, D: Deserializer<'de>>(variant: usize, payload: D) -> Result<Self, D::Error> {
            if variant == 0 {
                <(u32,)>::deserialize(payload).map(|(number,)| Self::Billing(number))
            } else {
                <()>::deserialize(payload).map(|()| Self::Access)
            }
        }
    }

    fn offers() -> Offers {
        let handoffs = super::super::offer::handoffs::<Triaged>();
        let offer = |(variant, spec)| Offer {
            variant,
            spec,
            is_open: true,
            fixed: None,
        };
        Offers {
            style: HandoffStyle::default(),
            all: handoffs.into_iter().map(offer).collect(),
        }
    }

    fn reply(calls: &[(&str, &str)]) -> Reply {
        let calls = calls.iter().zip(1..);
        calls.fold(Reply::default(), |reply, ((tool, arguments), number)| {
            reply.call(ToolCall::new(number.to_string(), *tool, *arguments))
        })
    }

    const TOOLS: [&str; 2] = ["tool1", "tool2"];

    fn sorted(calls: &[(&str, &str)], offers: &Offers) -> Sorted<Triaged> {
        sort(&reply(calls), &TOOLS.map(str::to_owned), offers)
    }

    #[test]
    fn tools_and_a_handoff_are_done_and_further_handoffs_are_passed_over() {
        let Sorted { todo, outcome } = sorted(
            &[
                ("tool2", "{}"),
                ("transfer_to_access", ""),
                ("tool1", "{}"),
                ("transfer_to_billing", r#"{"value":1}"#),
            ],
            &offers(),
        );
        let expected = [Todo::Tool(1), Todo::Handoff, Todo::Tool(0), Todo::Pass];
        assert_eq!(todo, expected);
        assert_eq!(outcome, Some(Triaged::Access));
    }

    #[test]
    fn arguments_are_taken_as_they_are_or_not_at_all() {
        for bad in [
            "",
            "null",
            "{",
            "[1]",
            "{}",
            r#"{"value":"1"}"#,
            r#"{"value":1,"more":2}"#,
        ] {
            let Sorted { todo, outcome } = sorted(&[("transfer_to_billing", bad)], &offers());
            assert_eq!(outcome, None, "{bad}");
            assert!(matches!(&todo[..], [Todo::Mistake(text)] if text.contains("do not fit")));
        }
        let Sorted { outcome, .. } =
            sorted(&[("transfer_to_billing", r#"{"value":1}"#)], &offers());
        assert_eq!(outcome, Some(Triaged::Billing(1)));
    }

    #[test]
    fn behind_a_handoff_that_does_not_fit_the_next_one_counts() {
        let calls = [("transfer_to_billing", "{}"), ("transfer_to_access", "{}")];
        let Sorted { todo, outcome } = sorted(&calls, &offers());
        assert!(matches!(todo[..], [Todo::Mistake(_), Todo::Handoff]));
        assert_eq!(outcome, Some(Triaged::Access));
    }

    #[test]
    fn a_handoff_that_is_not_offered_any_more_is_refused_in_words() {
        let mut offers = offers();
        offers.all[1].is_open = false;
        let Sorted { todo, outcome } = sorted(&[("transfer_to_access", "{}")], &offers);
        assert_eq!(outcome, None);
        assert!(
            matches!(&todo[..], [Todo::Mistake(text)] if text.contains("not possible any more"))
        );
    }

    #[test]
    fn a_tool_that_does_not_exist_is_answered_with_those_that_do() {
        let mut offers = offers();
        offers.all.truncate(0);
        let Sorted { todo, .. } = sorted(&[("tool3", "{}")], &offers);
        let text = "tool3 is not a valid tool, try one of [tool1, tool2].";
        assert_eq!(todo, [Todo::Mistake(text.to_owned())]);
    }

    #[test]
    fn the_schema_of_a_handoff_is_closed_and_names_all_it_needs() {
        let offers = offers();
        let expected = json!({
            "type": "object",
            "properties": { "value": {} },
            "required": ["value"],
            "additionalProperties": false,
        });
        assert_eq!(offers.all[0].spec.parameters, expected);
        assert_eq!(offers.all[0].spec.description, "Invoices.");
    }
}
