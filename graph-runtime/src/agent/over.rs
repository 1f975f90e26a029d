//! Agents whose handoffs are names, known only when the program runs.

use std::borrow::Cow;

use async_trait::async_trait;
use handoffs_core::{Log, Outcome, Variant, VariantField};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::json;

use super::message::{Conversation, Message};
use super::model::ToolSpec;
use super::node::Agent;
use crate::builder::{AnyNode, DynContract, DynNode, DynOutcome, DynVariant};
use crate::context::Context;
use crate::execute::Execute;
use crate::node_error::NodeError;

/// What an agent concludes whose handoffs are names: see [`among`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Over {
    /// It hands over to the node of this name. An agent that was told of no peers cannot.
    To(String),
    /// It answers.
    Answer(String),
}

impl Over {
    /// The outcome by which a built graph routes an answer; a handoff has the name of its receiver.
    pub const ANSWER: &str = "Answer";
    /// The place of the handoffs among the variants.
    pub(super) const TO: usize = 0;
}

impl Outcome for Over {
    const VARIANTS: &'static [Variant] = &[
        Variant::__new("To", "", "", &[]).__fields(&[VariantField::__new("0", "")]),
        Variant::__new(Self::ANSWER, "answer", "", &[])
            .__fields(&[VariantField::__new("0", "")])
            .__answer(),
    ];

    fn variant(&self) -> usize {
        usize::from(matches!(self, Self::Answer(_)))
    }

    fn encode<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let (Self::To(text) | Self::Answer(text)) = self;
        (text,).serialize(serializer)
    }

    fn schema(_: usize, _: usize) -> Option<String> {
        Some(json!({ "type": "string" }).to_string())
    }

    fn decode<'de, D: Deserializer<'de>>(variant: usize, payload: D) -> Result<Self, D::Error> {
        let (text,) = Deserialize::deserialize(payload)?;
        Ok(match variant {
            Self::TO => Self::To(text),
            _ => Self::Answer(text),
        })
    }
}

/// Somebody to whom an agent may hand over, by name: a node of the same built graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub(super) name: String,
    doc: String,
}

impl Peer {
    /// Names a node, and says when to hand over to it, which the model is told.
    pub fn new(name: impl Into<String>, doc: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            doc: doc.into(),
        }
    }

    /// Returns the tool by which a model hands over.
    pub(super) fn spec(&self) -> ToolSpec {
        let name = self.name.chars().map(|char| match char {
            'a'..='z' | '0'..='9' | '_' | '-' => char,
            'A'..='Z' => char.to_ascii_lowercase(),
            _ => '_',
        });
        let name = format!("transfer_to_{}", name.collect::<String>());
        let none = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        ToolSpec::new(name, &*self.doc, none)
    }

    /// Returns the arguments that its call stands for.
    pub(super) fn arguments(&self) -> String {
        json!({ "value": self.name }).to_string()
    }
}

/// Makes a node of a built graph of an agent that may hand over to these peers, or answer.
///
/// Its outcomes are the names of the peers and [`Over::ANSWER`], and the graph routes each, as it does for
/// any node. Peers may be any nodes, agents or not.
///
/// ```
/// use handoffs_runtime::agent::{Agent, Conversation, Model, Over, Peer, among};
/// use handoffs_runtime::{BuildErrors, BuiltGraph, GraphBuilder, To};
///
/// fn pair<S: Conversation>(a: impl Model, b: impl Model) -> Result<BuiltGraph<S>, BuildErrors> {
///     let asks_b = [Peer::new("b", "Knows everything else.")];
///     GraphBuilder::new("Pair")
///         .any_node("a", among(Agent::new(a), asks_b))
///         .any_node("b", among(Agent::new(b), []))
///         .start("a")
///         .route("a", "b", To::node("b"))
///         .route("a", Over::ANSWER, To::end())
///         .route("b", "_", To::end())
///         .build()
/// }
/// ```
pub fn among<S: Conversation>(
    mut agent: Agent<S, Over>,
    peers: impl IntoIterator<Item = Peer>,
) -> AnyNode<S> {
    let peers: Vec<_> = peers.into_iter().collect();
    agent.peers = Some(peers.clone().into());
    AnyNode::named(Member { agent, peers })
}

struct Member<S> {
    agent: Agent<S, Over>,
    peers: Vec<Peer>,
}

#[async_trait]
impl<S: Conversation> DynNode<S> for Member<S> {
    fn outcomes(&self) -> Vec<DynVariant> {
        let peers = self.peers.iter().map(|peer| peer.name.as_str());
        peers.chain([Over::ANSWER]).map(Into::into).collect()
    }

    fn contract(&self) -> DynContract {
        DynContract::new()
            .reads(S::FIELDS.iter().map(|field| field.name))
            .writes([S::FIELDS[S::MESSAGES].name])
    }

    async fn run(&self, state: &mut S, cx: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
        match self.agent.execute(state, cx).await? {
            Over::To(peer) => Ok(DynOutcome::new(peer)),
            Over::Answer(text) => {
                let answer = DynOutcome::new(Over::ANSWER).with(&(text,));
                answer.map_err(NodeError::new)
            }
        }
    }
}

/// Returns the agent that spoke last: who a conversation is with.
///
/// Where the next run is to begin with that one, let it begin with a node that looks for it. Who may not
/// be come back to is routed to whoever may:
///
/// ```
/// use handoffs_core::Log;
/// use handoffs_runtime::agent::{Message, active};
///
/// /// The outcome of the node with which the graph starts, a line each in its routes.
/// enum Resumed {
///     Billing,
///     Triage,
/// }
///
/// fn resume(messages: &Log<Message>) -> Resumed {
///     match active(messages) {
///         // The auditor answers, and billing goes on.
///         Some("billing" | "auditor") => Resumed::Billing,
///         _ => Resumed::Triage,
///     }
/// }
/// # assert!(matches!(resume(&Log::default()), Resumed::Triage));
/// ```
///
/// The conversation itself says who it is, so nothing else has to be kept.
pub fn active(messages: &Log<Message>) -> Option<&str> {
    let mut turns = messages.iter().filter_map(|message| match message {
        Message::Agent(turn) => Some(&*turn.agent),
        _ => None,
    });
    turns.next_back()
}

/// Makes a node of a built graph that goes on with the agent that spoke last, if it is one of these, and
/// with the first of them otherwise. Its outcomes are their names.
pub fn resume_at<S: Conversation>(
    names: impl IntoIterator<Item = impl Into<String>>,
) -> AnyNode<S> {
    AnyNode::named(Resume {
        names: names.into_iter().map(Into::into).collect(),
    })
}

struct Resume {
    names: Vec<String>,
}

#[async_trait]
impl<S: Conversation> DynNode<S> for Resume {
    fn outcomes(&self) -> Vec<DynVariant> {
        self.names.iter().map(Into::into).collect()
    }

    fn contract(&self) -> DynContract {
        DynContract::new().reads([S::FIELDS[S::MESSAGES].name])
    }

    async fn run(&self, state: &mut S, _: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
        let active = active(state.messages());
        let known = self.names.iter().find(|name| Some(name.as_str()) == active);
        let at = known.or(self.names.first());
        let at = at.ok_or_else(|| NodeError::new("there is nobody to go on with"))?;
        Ok(DynOutcome::new(Cow::Owned(at.clone())))
    }
}
