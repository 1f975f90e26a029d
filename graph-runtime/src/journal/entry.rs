//! What a journal says: one entry a finished step.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use handoffs_core::{Grant, Outcome, Payload};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::branch::BranchId;
use super::json::{Json, JsonError};
use super::usage::{Called, Usage};
use super::writes::Writes;
use super::{Head, ThreadId};
use crate::engine::Amounts;

/// One entry of a thread's journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The entry's place in its thread, counted from 1.
    pub seq: u64,
    /// When it was written, in milliseconds since 1970 in UTC.
    pub at_ms: u64,
    /// The graph that wrote it.
    pub graph: GraphId,
    /// The hash of the entry before it; for the first, that of the thread's name.
    pub prev: Hash,
    /// The path through the run that it belongs to.
    #[serde(default, skip_serializing_if = "BranchId::is_trunk")]
    pub branch: BranchId,
    /// On whose authority the run was begun, resumed or recovered that wrote it, if the caller said so
    /// with [`Thread::by`](crate::Thread::by).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
    /// How many questions of the thread are open once this has happened.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open: u32,
    /// What happened.
    pub event: Recorded,
}

impl Entry {
    /// Returns the fields that the entry writes, if it is of a kind that does.
    pub const fn writes(&self) -> Option<&Writes> {
        match &self.event {
            Recorded::Started { writes, .. }
            | Recorded::Stepped { writes, .. }
            | Recorded::Joined { writes, .. }
            | Recorded::Edited { writes, .. } => Some(writes),
            _ => None,
        }
    }

    /// Returns the fields that the entry writes, to be put right as they are read; see
    /// [`Runtime::migrate`](crate::Runtime::migrate).
    pub const fn writes_mut(&mut self) -> Option<&mut Writes> {
        match &mut self.event {
            Recorded::Started { writes, .. }
            | Recorded::Stepped { writes, .. }
            | Recorded::Joined { writes, .. }
            | Recorded::Edited { writes, .. } => Some(writes),
            _ => None,
        }
    }
}

/// What an entry says happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Recorded {
    /// A run began with this state; of a later run in a thread, only what differs from the state before.
    #[non_exhaustive]
    Started {
        /// The fields of the state.
        writes: Writes,
        /// Whether these are all fields, so that nothing before counts any more.
        #[serde(default, skip_serializing_if = "is_false")]
        whole: bool,
        /// What the run may do, in a graph that has scopes, and where the caller [said
        /// so](crate::Thread::grant).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant: Option<Grant>,
    },
    /// A node concluded, and an edge was taken.
    #[non_exhaustive]
    Stepped {
        /// The node.
        node: Cow<'static, str>,
        /// What the node concluded.
        outcome: Conclusion,
        /// The place of the edge that the outcome chose, in the order of declaration.
        edge: u16,
        /// The edge's condition as it is written in the graph.
        on: Cow<'static, str>,
        /// Why the edge was masked and its `else` taken, if so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        masked: Option<Masked>,
        /// The node that follows, or the join to which a branch came; none at the end of the run and
        /// where the run forks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Cow<'static, str>>,
        /// The fork that the run took.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fork: Option<Forked>,
        /// The fingerprint of the progress fields, where a loop is watched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        progress: Option<u64>,
        /// The fields that the step changed. What a subgraph of the same state changed stands in its
        /// own entries.
        #[serde(default, skip_serializing_if = "Writes::is_empty")]
        writes: Writes,
        /// Of the changed fields those that replace what other branches made of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        replaced: Vec<Cow<'static, str>>,
        /// Whether the node was not executed, as its result was in the cache.
        #[serde(default, skip_serializing_if = "is_false")]
        cached: bool,
        /// The question whether the handoff may be, for which it waits; `to` is where it then leads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<Ask>,
        /// What the node that follows holds, where there is authority; none where the run forks or waits
        /// for an approval.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authority: Option<Grant>,
        /// What a graph that is the node has left of what it was granted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<Amounts>,
        /// How long the node was at work, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        took_ms: u64,
        /// What the node said that it used.
        #[serde(default, skip_serializing_if = "Usage::is_empty")]
        usage: Usage,
    },
    /// A person decided whether a handoff may be, and the run went on.
    #[non_exhaustive]
    Decided {
        /// The question.
        ask: AskId,
        /// What was decided.
        approval: Approval,
        /// The node that follows, or the join to which a branch came; none at the end of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Cow<'static, str>>,
    },
    /// All branches of a fork came to the join, and the run went on there with what they made of the state.
    #[non_exhaustive]
    Joined {
        /// The join.
        to: Cow<'static, str>,
        /// The fields whose value the branches' own entries do not tell: those that more than one
        /// branch changed, otherwise than by appending.
        #[serde(default, skip_serializing_if = "Writes::is_empty")]
        writes: Writes,
    },
    /// An attempt at a node failed, and there is to be another.
    #[non_exhaustive]
    Attempted {
        /// The node.
        node: Cow<'static, str>,
        /// Which of the node's retry rules allows another attempt, counted from 0.
        rule: u32,
        /// The error and its causes.
        error: String,
        /// How long to wait before the next attempt, in milliseconds.
        delay_ms: u64,
        /// What the node said that it used.
        #[serde(default, skip_serializing_if = "Usage::is_empty")]
        usage: Usage,
        /// How long the node was at work, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        took_ms: u64,
    },
    /// A node failed, and the run went on along its error edge.
    #[non_exhaustive]
    Caught {
        /// What the fallback can read.
        failure: Failure,
        /// The place of the error edge, in the order of declaration.
        edge: u16,
        /// The edge's condition as it is written in the graph.
        #[serde(default)]
        on: Cow<'static, str>,
        /// What the node said that it used.
        #[serde(default, skip_serializing_if = "Usage::is_empty")]
        usage: Usage,
        /// How long the node was at work, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        took_ms: u64,
        /// Why the edge was masked and its `else` taken, if so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        masked: Option<Masked>,
        /// The node that follows, or the join; none at the end of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Cow<'static, str>>,
        /// The fingerprint of the progress fields, where a loop is watched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        progress: Option<u64>,
        /// What the node that follows holds, where there is authority.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authority: Option<Grant>,
        /// What a graph that is the node has left of what it was granted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<Amounts>,
    },
    /// A node asked a person, and the run paused.
    Asked(Ask),
    /// An answer to an open question was [laid down](crate::submit) for the program that runs the graph,
    /// in the place of one that was laid down before. The question stays open until the node has taken it.
    #[non_exhaustive]
    Submitted {
        /// The question.
        ask: AskId,
        /// The answer; none if the one before was taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Json>,
    },
    /// A person answered.
    #[non_exhaustive]
    Answered {
        /// The question.
        ask: AskId,
        /// The answer.
        answer: Json,
    },
    /// Nobody answered in time, and the question is closed. The node that asked has failed then; a
    /// handoff that was to be approved is refused.
    #[non_exhaustive]
    Expired {
        /// The question.
        ask: AskId,
        /// The node that follows a handoff that is refused; none at the end of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Cow<'static, str>>,
    },
    /// A side effect that a node does [once](crate::Context::once) is to begin, was done, or failed.
    #[non_exhaustive]
    Once {
        /// The node.
        node: Cow<'static, str>,
        /// The effect's name within the node.
        key: String,
        /// How far it came.
        effect: Effect,
        /// What was reserved for it of what the node holds, and what it cost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        charge: Option<Charge>,
        /// The call that it is, if it is one of a model or a tool.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<Called>,
    },
    /// What a node said that it used before it asked a person, or was stopped, and gave up its attempt.
    #[non_exhaustive]
    Used {
        /// The node.
        node: Cow<'static, str>,
        /// What it used, without its calls of models and tools, which stand in entries of their own.
        usage: Usage,
    },
    /// The run ended with an error; the state is as after the step before.
    #[non_exhaustive]
    Failed {
        /// The node at which it ended.
        node: Cow<'static, str>,
        /// The error and its causes.
        error: String,
        /// What the node said that it used.
        #[serde(default, skip_serializing_if = "Usage::is_empty")]
        usage: Usage,
        /// How long the node was at work, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        took_ms: u64,
    },
    /// Somebody changed the state from outside, between two steps.
    #[non_exhaustive]
    Edited {
        /// The fields that were changed.
        writes: Writes,
        /// Why.
        why: String,
    },
    /// Somebody gave the run up: what was open is closed, and another run may begin.
    #[non_exhaustive]
    Abandoned {
        /// Why.
        why: String,
    },
    /// All entries before this one were copied from another thread.
    #[non_exhaustive]
    Copied {
        /// The thread.
        from: ThreadId,
        /// Its last entry that was copied.
        head: Head,
    },
}

impl Recorded {
    /// Returns whether this says that something was used.
    pub(super) fn says_used(&self) -> bool {
        match self {
            Self::Stepped { usage, .. }
            | Self::Attempted { usage, .. }
            | Self::Caught { usage, .. }
            | Self::Failed { usage, .. } => !usage.is_empty(),
            Self::Once { call, .. } => call.is_some(),
            Self::Used { .. } => true,
            _ => false,
        }
    }

    /// Returns whether the run came to its end with this, or was given up, if it happened on the trunk.
    pub(super) const fn ends(&self) -> bool {
        matches!(
            self,
            Self::Stepped {
                to: None,
                fork: None,
                approval: None,
                ..
            } | Self::Caught { to: None, .. }
                | Self::Decided { to: None, .. }
                | Self::Abandoned { .. }
        )
    }
}

/// What a side effect that is done once uses of what its node holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Charge {
    /// The scope that it needs.
    pub scope: Cow<'static, str>,
    /// The most that it costs, in millionths of the currency's unit. It counts as spent until it is known
    /// what the effect cost, or that it was not done.
    pub reserved_micros: u64,
    /// What it cost, once it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_micros: Option<u64>,
}

/// How far a side effect came that is done once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// It is about to be done; if nothing follows, nobody knows whether it was.
    Begun,
    /// It was done, with this result.
    Done(Json),
    /// It was not done, with this error.
    Failed(String),
}

/// What a person decided about a handoff: the answer to a question that an edge asks with `approve`.
///
/// ```
/// use handoffs_runtime::{Approval, Ask, Journal, Run, RunError, Runnable, Thread};
///
/// /// Refuses whatever is to be approved.
/// async fn refuse<G: Runnable, J: Journal>(
///     thread: &Thread<G, J>,
///     ask: &Ask,
/// ) -> Result<Run<G::State>, RunError> {
///     thread.resume(ask.id, Approval::refused("not today")).await
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// It may be.
    Approved,
    /// It may not be, for this reason: the run goes on along the edge's `else`.
    Refused(String),
}

/// The branches into which a run forked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Forked {
    /// How many there are.
    pub branches: u32,
    /// The nodes at which they begin; of an `each` the worker. Older entries do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begin: Vec<Cow<'static, str>>,
    /// The items of an `each`, one for each branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Json>,
}

/// How a node failed, for the node to which its error edge leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// The node that failed.
    pub node: Cow<'static, str>,
    /// The error and its causes.
    pub error: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// The effect that was to be done [once](crate::Context::once) and of which nobody knows whether it
    /// was, if it failed for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

pub(super) fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// What a node concluded.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Conclusion {
    /// The variant of the outcome.
    pub variant: Cow<'static, str>,
    /// The variant's fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Json>,
}

impl Conclusion {
    /// Takes a variant by its name, and its fields, if it has any.
    pub fn new(variant: impl Into<Cow<'static, str>>, payload: Option<Json>) -> Self {
        Self {
            variant: variant.into(),
            payload,
        }
    }

    /// Writes an outcome down.
    ///
    /// # Errors
    ///
    /// Fails if a field of the variant cannot be serialised.
    pub fn of<O: Outcome>(outcome: &O) -> Result<Self, JsonError> {
        let variant = O::VARIANTS.get(outcome.variant());
        let payload = Json::of(&Payload(outcome))?;
        let variant = variant.map_or("?", |variant| variant.name);
        Ok(Self::new(
            variant,
            Some(payload).filter(|it| it.as_str() != "null"),
        ))
    }
}

/// Why an edge was not offered any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Masked {
    /// It had been taken as often as its limit allows.
    Limit,
    /// It would have been taken again without any progress since the last time.
    NoProgress,
}

impl Masked {
    /// Returns what else than an `else` keeps a run from being stopped.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Limit => "a higher limit",
            Self::NoProgress => "make progress in the state before taking it again",
        }
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Limit => "its limit is used up",
            Self::NoProgress => "nothing has changed since it was last taken",
        })
    }
}

/// A question to a person, for which a run waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ask {
    /// The question's number in its thread.
    pub id: AskId,
    /// The node that asks.
    pub node: Cow<'static, str>,
    /// The question's name within the node; `approve` if it is whether the node may hand over.
    pub key: String,
    /// The question; [`Json::to`] gives it as the type that it was asked with.
    pub question: Json,
    /// Until when an answer is taken, in milliseconds since 1970 in UTC; without it, for ever. From then
    /// on, [`recover`](crate::Thread::recover) goes on without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// The answer that was [laid down](crate::submit) for it, and that the node has not taken yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<Json>,
}

/// The number of a question in its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AskId(pub(crate) u64);

impl AskId {
    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for AskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AskId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Which graph, in which shape, wrote an entry.
///
/// Its text is the graph's name and a fingerprint of its nodes, edges and fields: `SupportDesk#1f0c…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GraphId(pub(crate) Arc<str>);

impl GraphId {
    /// Returns the graph's name, without the fingerprint.
    pub fn name(&self) -> &str {
        self.0.split_once('#').map_or(&*self.0, |(name, _)| name)
    }
}

impl fmt::Display for GraphId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A BLAKE3 hash; its text is 64 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hash(pub(crate) [u8; 32]);

impl Hash {
    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Takes a hash that was computed before.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Writes a hash as its text has it, two digits at a time.
pub(super) fn hex(hash: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (place, byte) in text.chunks_exact_mut(2).zip(hash) {
        place[0] = DIGITS[usize::from(byte >> 4)];
        place[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        // Not a `Cow`, of which serde makes a copy.
        impl Visitor<'_> for Digits {
            type Value = Hash;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hash, as 64 hexadecimal digits")
            }

            fn visit_str<E: serde::de::Error>(self, digits: &str) -> Result<Hash, E> {
                let hash = blake3::Hash::from_hex(digits.as_bytes()).map_err(E::custom)?;
                Ok(Hash(*hash.as_bytes()))
            }
        }

        deserializer.deserialize_str(Digits)
    }
}
