//! The types of nodes that the editor offers, and what they share: the mail on its way.

use std::collections::BTreeMap;

use handoffs::prelude::*;
use handoffs::{
    AnyNode, DynContract, DynNode, DynOutcome, DynVariant, GraphBuilder, NodeError, async_trait,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, from_value};

/// A mail that somebody wrote, and what is answered.
#[derive(State, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) text: String,
    pub(crate) order: Option<String>,
    pub(crate) reply: Log<String>,
}

impl Mail {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            order: None,
            reply: Log::new(),
        }
    }
}

/// Makes a node of what the editor's user filled in.
type Make = fn(Value) -> serde_json::Result<AnyNode<Mail>>;

/// The types of nodes.
pub(crate) const TYPES: [(&str, Make); 4] = [
    ("sort", |config| {
        Ok(AnyNode::named(from_value::<Sort>(config)?))
    }),
    ("find_order", |config| {
        Ok(AnyNode::new(from_value::<FindOrder>(config)?))
    }),
    ("reply", |config| {
        Ok(AnyNode::named(from_value::<Reply>(config)?))
    }),
    ("answer", |_| Ok(AnyNode::worker(Answer))),
];

/// Begins a graph with the guards and the lists that the editor offers.
pub(crate) fn begin(name: String) -> GraphBuilder<Mail> {
    GraphBuilder::new(name)
        .guard("is_long", |mail: &Mail| parts(mail).len() > 1)
        .items("parts", parts)
}

fn parts(mail: &Mail) -> Vec<String> {
    let parts = mail.text.split(['.', '?', '!']).map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// Sorts by words. What it can conclude is what its user filled in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sort {
    /// The words that lead to each outcome.
    rules: BTreeMap<String, Vec<String>>,
    otherwise: String,
}

#[async_trait]
impl DynNode<Mail> for Sort {
    fn outcomes(&self) -> Vec<DynVariant> {
        self.rules
            .keys()
            .chain([&self.otherwise])
            .map(DynVariant::from)
            .collect()
    }

    fn contract(&self) -> DynContract {
        DynContract::new().reads(["text"])
    }

    async fn run(&self, mail: &mut Mail, _: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
        let text = mail.text.to_lowercase();
        let fits = |words: &[String]| words.iter().any(|word| text.contains(&word.to_lowercase()));
        let rule = self.rules.iter().find(|(_, words)| fits(words));
        let outcome = rule.map_or(&self.otherwise, |(outcome, _)| outcome);
        Ok(DynOutcome::new(outcome.clone()))
    }
}

/// Looks for the number of an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FindOrder {
    /// What numbers begin with.
    prefix: char,
}

#[derive(Outcome)]
enum Order {
    #[outcome(gives(order))]
    Found,
    Missing,
}

#[node(Mail)]
impl FindOrder {
    async fn run(&self, text: &str, order: &mut Option<String>) -> Order {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != self.prefix);
        match words.find(|word| word.len() > 1 && word.starts_with(self.prefix)) {
            None => Order::Missing,
            Some(number) => {
                *order = Some(number.to_owned());
                Order::Found
            }
        }
    }
}

/// Adds a line to the reply. It needs the field that stands in it, so a graph that comes here without
/// one is not built.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    /// The line; `{order}` stands for the order.
    text: String,
}

#[async_trait]
impl DynNode<Mail> for Reply {
    fn outcomes(&self) -> Vec<DynVariant> {
        vec![DynVariant::new("Done")]
    }

    fn contract(&self) -> DynContract {
        let needs = self.text.contains("{order}").then_some("order");
        DynContract::new().needs(needs).writes(["reply"])
    }

    async fn run(&self, mail: &mut Mail, _: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
        let order = mail.order.as_deref().unwrap_or_default();
        mail.reply.push(self.text.replace("{order}", order));
        Ok(DynOutcome::new("Done"))
    }
}

/// Answers one part of a mail.
#[node(Mail)]
fn answer(part: String, reply: &mut Log<String>) {
    reply.push(part + ": we shall find out.");
}
