//! What the builder knows of a node that was added.

use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::fmt;

use handoffs_core::{Code, Contract, Field, FieldSet, NodeKind, Outcome, State, Variant, Worker};
use serde::Serialize;

use super::dynamic::{DynContract, DynNode};
use super::erased::{Erased, Inside, Named, Nested, Typed};
use super::error::{BuildError, BuildPlace};
use super::graph::BuiltGraph;
use super::name::NodeName;
use super::text::listed;
use crate::execute::{Execute, Known, Runnable};

/// A node that was added, with what is known of it.
pub(super) struct Added<S> {
    pub(super) name: NodeName,
    pub(super) kind: NodeKind,
    pub(super) known: Known,
    pub(super) outcomes: Vec<Concludes>,
    pub(super) takes: Takes,
    pub(super) node: Box<dyn Erased<S>>,
    /// What is wrong with the node itself: messages and help.
    wrong: Vec<(String, String)>,
}

/// A node of any type, before it has a name: what a registry of node types makes.
///
/// ```
/// use std::collections::HashMap;
///
/// use handoffs_runtime::{AnyNode, GraphBuilder};
/// # use handoffs_core::State;
///
/// /// Makes nodes by the name of their type, from what the user of an editor filled in.
/// type Types<S> = HashMap<&'static str, fn(&str) -> AnyNode<S>>;
///
/// fn add<S: State>(graph: GraphBuilder<S>, types: &Types<S>, ty: &str) -> GraphBuilder<S> {
///     graph.any_node("greet", types[ty]("Hello!"))
/// }
/// ```
pub struct AnyNode<S>(pub(super) Box<dyn FnOnce(NodeName) -> Added<S> + Send + Sync>);

impl<S: State> AnyNode<S> {
    /// Takes what [`GraphBuilder::node`](crate::GraphBuilder::node) adds.
    pub fn new<N: Execute<S>>(node: N) -> Self {
        Self(Box::new(|name| Added::typed(name, node)))
    }

    /// Takes what [`GraphBuilder::worker`](crate::GraphBuilder::worker) adds.
    pub fn worker<N: Execute<S> + Worker<S>>(node: N) -> Self {
        Self(Box::new(|name| Added::worker(name, node)))
    }

    /// Takes what [`GraphBuilder::dyn_node`](crate::GraphBuilder::dyn_node) adds.
    pub fn named<N: DynNode<S>>(node: N) -> Self {
        Self(Box::new(|name| Added::named(name, node)))
    }
}

impl<S> fmt::Debug for AnyNode<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyNode")
    }
}

/// Something that a node can conclude.
pub(super) struct Concludes {
    pub(super) name: Cow<'static, str>,
    pub(super) gives: FieldSet,
}

/// What a node takes as its item.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    Nothing,
    /// Something, and nobody knows what.
    Unknown,
    Anything,
    Of(ItemType),
}

/// The type of an item.
#[derive(Clone, Copy)]
pub(super) struct ItemType {
    id: TypeId,
    pub(super) name: &'static str,
}

impl ItemType {
    pub(super) fn of<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }
}

impl PartialEq for ItemType {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<S: State> Added<S> {
    pub(super) fn typed<N: Execute<S>>(name: NodeName, node: N) -> Self {
        let takes = if N::CONTRACT.item {
            Takes::Unknown
        } else {
            Takes::Nothing
        };
        let known = Known::of::<N, S>();
        Self::new::<N::Outcome>(name, N::KIND, known, Box::new(Typed(node))).taking(takes)
    }

    pub(super) fn worker<N: Execute<S> + Worker<S>>(name: NodeName, node: N) -> Self {
        Self::typed(name, node).taking(Takes::Of(ItemType::of::<N::Item>()))
    }

    pub(super) fn inside(name: NodeName, graph: BuiltGraph<S>) -> Self {
        let known = Known {
            contract: graph.contract(),
            promises: FieldSet::EMPTY,
            keeps_to_contract: true,
            is_agent: false,
        };
        Self::new::<()>(name, NodeKind::Graph, known, Box::new(Inside(graph)))
    }

    pub(super) fn nested<G, E, L>(name: NodeName, graph: G, enter: E, leave: L) -> Self
    where
        G: Runnable<State: Serialize>,
        E: Fn(&S) -> G::State + Send + Sync + 'static,
        L: Execute<S, Outcome = ()> + Worker<S, Item = G::State>,
    {
        let mut known = Known::of::<L, S>();
        // What the way in looks at, nobody knows.
        known.contract.reads = FieldSet::ALL;
        known.contract.item = false;
        let node = Nested {
            graph,
            enter,
            leave,
        };
        Self::new::<G::Outcome>(name, NodeKind::Graph, known, Box::new(node))
    }

    pub(super) fn named<N: DynNode<S>>(name: NodeName, node: N) -> Self {
        let (
            outcomes,
            DynContract {
                reads,
                writes,
                needs,
                gives,
                item,
            },
        ) = (node.outcomes(), node.contract());
        let mut wrong = Vec::new();
        let mut fields = |names: &[String]| {
            let mut set = FieldSet::EMPTY;
            for field in names {
                let found = named_field(S::FIELDS, field);
                if found.is_empty() {
                    let message = format!(
                        "the contract of `{name}` names `{field}`, and the state has no such field"
                    );
                    wrong.push((message, fields_help(S::FIELDS)));
                }
                set = set.or(found);
            }
            set
        };
        let (needs, gives) = (fields(&needs), fields(&gives));
        let mut contract = Contract {
            reads: fields(&reads).or(needs),
            writes: fields(&writes).or(gives),
            needs,
            gives,
            item,
            ..Contract::EMPTY
        };
        let mut all = FieldSet::EMPTY;
        let mut concludes = Vec::new();
        for outcome in outcomes {
            let promised = gives_of(&name, &outcome.name, &outcome.gives, S::FIELDS, &mut wrong);
            all = all.or(promised);
            if concludes.iter().any(|(other, _)| *other == outcome.name) {
                let message = format!("two outcomes of `{name}` are named `{}`", outcome.name);
                wrong.push((message, "rename one of them".to_owned()));
            }
            concludes.push((outcome.name, promised));
        }
        if concludes.is_empty() {
            let message = format!("`{name}` declares no outcome");
            wrong.push((
                message,
                "a node concludes something, if only `done`".to_owned(),
            ));
        }
        // What an outcome promises may have been set before: the node sees it.
        contract.reads = contract.reads.or(all);
        let known = Known {
            contract,
            promises: all,
            // It sees what it touches and no more, as `Named` makes sure.
            keeps_to_contract: true,
            is_agent: false,
        };
        let outcomes = concludes.iter().map(|(name, gives)| Concludes {
            name: name.clone().into(),
            gives: *gives,
        });
        Self {
            kind: node.kind(),
            known,
            outcomes: outcomes.collect(),
            takes: if item {
                Takes::Anything
            } else {
                Takes::Nothing
            },
            node: Box::new(Named {
                node,
                contract,
                outcomes: concludes,
            }),
            wrong,
            name,
        }
    }

    fn new<O: Outcome>(
        name: NodeName,
        kind: NodeKind,
        known: Known,
        node: Box<dyn Erased<S>>,
    ) -> Self {
        let mut wrong = Vec::new();
        let concludes = |variant: &Variant| Concludes {
            name: variant.name.into(),
            gives: gives_of(&name, variant.name, variant.gives, S::FIELDS, &mut wrong),
        };
        let outcomes = O::VARIANTS.iter().map(concludes).collect();
        Self {
            kind,
            known,
            outcomes,
            takes: Takes::Nothing,
            node,
            wrong,
            name,
        }
    }

    fn taking(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    /// Returns what is wrong with the node itself.
    pub(super) fn errors(&self, at: BuildPlace) -> impl Iterator<Item = BuildError> {
        let unknown = matches!(self.takes, Takes::Unknown).then(|| {
            let message = format!(
                "`{}` takes an item, and nobody knows of which type",
                self.name
            );
            (
                message,
                "add it with `worker` in the place of `node`".to_owned(),
            )
        });
        let wrong = self.wrong.iter().cloned().chain(unknown);
        wrong.map(move |(message, help)| BuildError::new(Code::H011, at, message, help))
    }
}

/// Returns the fields that an outcome gives.
fn gives_of(
    node: &NodeName,
    outcome: &str,
    gives: &[impl AsRef<str>],
    fields: &[Field],
    wrong: &mut Vec<(String, String)>,
) -> FieldSet {
    let mut set = FieldSet::EMPTY;
    for field in gives {
        let field = field.as_ref();
        let found = named_field(fields, field);
        if found.is_empty() {
            let message = format!(
                "the outcome `{outcome}` of `{node}` gives `{field}`, and the state has no such field"
            );
            wrong.push((message, fields_help(fields)));
        }
        set = set.or(found);
    }
    set
}

fn named_field(fields: &[Field], name: &str) -> FieldSet {
    FieldSet::named(fields, &[name])
}

pub(super) fn fields_help(fields: &[Field]) -> String {
    if fields.is_empty() {
        return "the state has no fields".to_owned();
    }
    format!(
        "the fields are: {}",
        listed(fields.iter().map(|field| field.name))
    )
}
