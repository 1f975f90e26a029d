//! How the handoffs of an agent are shown to its model: a tool each, or one tool for all.
//!
//! The conversation keeps them as a tool each, whatever the model was shown, so that it can go on with
//! another one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::model::{Said, ToolCall, ToolSpec};

/// How the handoffs of an agent are shown to its model.
///
/// A [model](super::Model::handoff_style) knows what its provider takes best, and an
/// [agent](super::Agent::handoff_style) may know better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HandoffStyle {
    /// A tool each: `transfer_to_billing(reason)`, `transfer_to_access()`. This is the default.
    #[default]
    ToolEach,
    /// One tool for all, `transfer(to, billing)`: `to` is one of the receivers that are possible now, and
    /// each that needs to be told something has an argument of its name for that, or else null.
    OneTool,
}

/// The tool that leads everywhere.
const TRANSFER: &str = "transfer";

/// A handoff, and whether it is offered.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) variant: usize,
    pub(super) spec: ToolSpec,
    pub(super) is_open: bool,
    /// What the call stands for, whatever its arguments are.
    pub(super) fixed: Option<String>,
}

impl Offer {
    fn to(&self) -> &str {
        receiver(&self.spec.name)
    }

    /// Returns whether the receiver has to be told something.
    fn has_payload(&self) -> bool {
        let properties = self.spec.parameters["properties"].as_object();
        properties.is_some_and(|properties| !properties.is_empty())
    }
}

/// The handoffs of an agent.
#[derive(Debug)]
pub(super) struct Offers {
    pub(super) style: HandoffStyle,
    pub(super) all: Vec<Offer>,
}

impl Offers {
    pub(super) fn open(&self) -> impl Iterator<Item = &Offer> {
        self.all.iter().filter(|offer| offer.is_open)
    }

    /// Returns the tools that the model is offered.
    pub(super) fn specs(&self) -> Vec<ToolSpec> {
        match self.style {
            HandoffStyle::ToolEach => self.open().map(|offer| offer.spec.clone()).collect(),
            HandoffStyle::OneTool => self.transfer().into_iter().collect(),
        }
    }

    /// Returns the names that no tool of the agent may have.
    pub(super) fn names(&self) -> Vec<&str> {
        let names = self.all.iter().map(|offer| &*offer.spec.name);
        let is_one = self.style == HandoffStyle::OneTool && !self.all.is_empty();
        names.chain(is_one.then_some(TRANSFER)).collect()
    }

    /// Returns the names by which the model knows the handoffs that are possible.
    fn known(&self) -> Vec<&str> {
        match self.style {
            HandoffStyle::ToolEach => self.open().map(|offer| &*offer.spec.name).collect(),
            HandoffStyle::OneTool => self.open().take(1).map(|_| TRANSFER).collect(),
        }
    }

    /// Returns the tool that leads to all that is possible; none if nothing is.
    fn transfer(&self) -> Option<ToolSpec> {
        self.open().next()?;
        let mut lines = vec!["Hands over to one of these:".to_owned()];
        let mut targets = Vec::new();
        let mut properties = Map::new();
        let mut definitions = Map::new();
        properties.insert("to".to_owned(), Value::Null);
        for offer in self.open() {
            let (to, doc) = (offer.to(), &offer.spec.description);
            let colon = if doc.is_empty() { "" } else { ": " };
            lines.push(format!("- {to}{colon}{doc}"));
            targets.push(to);
            if offer.has_payload() {
                let mut payload = offer.spec.parameters.clone();
                if let Some(Value::Object(own)) =
                    payload.as_object_mut().and_then(|of| of.remove("$defs"))
                {
                    definitions.extend(own);
                }
                let told = json!({
                    "description": format!("What {to} is told; null for any other."),
                    "anyOf": [payload, { "type": "null" }],
                });
                properties.insert(to.to_owned(), told);
            }
        }
        properties["to"] = json!({ "type": "string", "enum": targets });
        let required: Vec<_> = properties.keys().cloned().collect();
        let mut parameters = json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        });
        if !definitions.is_empty() {
            parameters["$defs"] = definitions.into();
        }
        Some(ToolSpec::new(TRANSFER, lines.join("\n"), parameters))
    }

    /// Takes a call of the one tool for one of the handoff that it means. One that means none stays as
    /// it is, and no tool is of its name.
    pub(super) fn heard(&self, call: &mut ToolCall) {
        if self.style == HandoffStyle::OneTool
            && call.tool == TRANSFER
            && let Some((offer, payload)) = self.meant(&call.arguments)
        {
            call.tool.clone_from(&offer.spec.name);
            call.arguments = payload;
        }
    }

    fn meant(&self, arguments: &str) -> Option<(&Offer, String)> {
        let Value::Object(mut arguments) = serde_json::from_str(arguments).ok()? else {
            return None;
        };
        let to = arguments.remove("to")?;
        let offer = self.all.iter().find(|offer| to == offer.to())?;
        let payload = match arguments.remove(offer.to()) {
            None | Some(Value::Null) => json!({}),
            Some(payload) => payload,
        };
        // What was said to another one is not just left out.
        let is_all = arguments.values().all(Value::is_null);
        is_all.then(|| (offer, payload.to_string()))
    }

    /// Shows the model its own handoffs as it made them.
    pub(super) fn shown(&self, messages: &mut [Said]) {
        if self.style != HandoffStyle::OneTool {
            return;
        }
        for said in messages {
            let Said::Assistant { calls, .. } = said else {
                continue;
            };
            for call in calls {
                let offer = self.all.iter().find(|offer| offer.spec.name == call.tool);
                let Some(offer) = offer else { continue };
                let mut arguments = json!({ "to": offer.to() });
                if offer.has_payload() {
                    let payload = serde_json::from_str(&call.arguments);
                    arguments[offer.to()] =
                        payload.unwrap_or_else(|_| Value::from(&*call.arguments));
                }
                TRANSFER.clone_into(&mut call.tool);
                call.arguments = arguments.to_string();
            }
        }
    }

    /// Says what is wrong with a call of which no tool is.
    pub(super) fn unknown(&self, call: &ToolCall, tools: &[String]) -> String {
        let known = self.known();
        if known.contains(&&*call.tool) {
            let targets: Vec<_> = self.open().map(Offer::to).collect();
            return format!(
                "{TRANSFER} leads to one of [{}]: say which in `to`, tell that one what it needs in the \
                 argument of its name, and the others nothing.",
                targets.join(", ")
            );
        }
        let names: Vec<_> = tools.iter().map(String::as_str).chain(known).collect();
        format!(
            "{} is not a valid tool, try one of [{}].",
            call.tool,
            names.join(", ")
        )
    }
}

/// Returns by which name the model knows to whom a handoff leads.
pub(super) fn receiver(tool: &str) -> &str {
    tool.strip_prefix("transfer_to_").unwrap_or(tool)
}
