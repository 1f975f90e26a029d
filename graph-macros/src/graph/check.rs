//! The rules of `handoffs-core`, each finding put at the user's token.

use std::collections::HashSet;

use handoffs_core::{Code, Edge, Finding, NodeIndex, Place, check as find};
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;

use super::arm::{BACK, END, Onward, To};
use super::model::{Model, Suspect};
use super::region::branch_token;
use super::text::text;
use crate::case::camel;
use crate::mistakes::Mistakes;

/// Reports what is wrong, and notes whether each node has its place in or outside of branches.
pub(super) fn check(model: &mut Model, mistakes: &mut Mistakes) {
    let (has_places, suspects) = check_shape(model, mistakes);
    (model.has_places, model.suspects) = (has_places, suspects);
    ends(model, mistakes);
    same_variant(model, mistakes);
}

fn check_shape(model: &Model, mistakes: &mut Mistakes) -> (bool, Vec<Suspect>) {
    let mut suspects = Vec::new();
    let mut seen = HashSet::new();
    let mut has_places = true;
    for finding in find(&model.topology) {
        has_places &= finding.code() != Code::H009;
        // `back` gives an edge for each node that it may lead to, and is one token.
        let edge = finding.place().edge();
        let back = edge.filter(|edge| {
            let edge = model.topology.get_edge(*edge);
            edge.is_some_and(Edge::is_back)
        });
        if let Some(source) = back.and_then(|edge| model.source(edge))
            && !seen.insert((source, finding.code(), core::mem::discriminant(&finding)))
        {
            continue;
        }
        if model.guesswork && !finding.survives_new_edges() {
            continue;
        }
        let token = token(model, &finding);
        let is_loop = matches!(finding, Finding::UnboundedLoop { .. });
        if is_loop && is_guessed(model, &token) {
            continue;
        }
        let help = finding.help(&model.topology);
        let message = finding.message(&model.topology);
        match scope_of(model, finding.place()).filter(|scope| is_alone(model, scope)) {
            Some(scope) if finding.code() == Code::H010 => suspects.push(Suspect {
                scope: scope.clone(),
                text: format!("{message}\nhelp: {help}"),
            }),
            _ => mistakes.mend(token, message, help),
        }
    }
    (has_places, suspects)
}

/// Returns the scope that stands at a place.
fn scope_of(model: &Model, place: Place) -> Option<&Ident> {
    let may = |node: NodeIndex| Some(&model.graph.nodes.get(usize::from(node.0))?.may);
    match place {
        Place::Grant(edge, at) => model.onward(edge)?.grant.as_ref()?.scopes.get(at),
        Place::Use(node, at) => may(node)?.uses.get(at),
        Place::MayGrant(node, at) => may(node)?.grants.get(at),
        _ => None,
    }
}

/// Returns whether the graph names a scope only once: if it is misspelt, the compiler says so, and
/// nothing else is wrong with it.
fn is_alone(model: &Model, scope: &Ident) -> bool {
    let named = model.graph.named_scopes();
    named.filter(|other| *other == scope).count() == 1
}

/// Returns whether a target is a misspelt name: what it was taken for closes no loop of the user's.
fn is_guessed(model: &Model, target: &TokenStream) -> bool {
    let name = target.to_string();
    name != BACK && model.topology.resolve(&name).is_err()
}

/// Returns the smallest token that a finding is about.
fn token(model: &Model, finding: &Finding) -> TokenStream {
    let onward = |edge| model.onward(edge);
    if let Finding::NoBranches { edge, .. } = finding
        && let Some(To::All { all, .. }) = onward(*edge).map(|onward| &onward.to)
    {
        return all.to_token_stream();
    }
    let found = match finding.place() {
        Place::Grant(edge, at) => {
            let grant = onward(edge).and_then(|onward| onward.grant.as_ref());
            let is_whole = matches!(finding, Finding::UselessGrant { .. });
            grant.map(|grant| {
                let scope = grant.scopes.get(at).filter(|_| !is_whole);
                scope.unwrap_or(&grant.key).to_token_stream()
            })
        }
        place @ (Place::Use(..) | Place::MayGrant(..)) => {
            scope_of(model, place).map(ToTokens::to_token_stream)
        }
        Place::Node(node) => node_token(model, node),
        Place::Target(edge) => onward(edge).map(target_token),
        Place::Else(edge) => onward(edge)
            .and_then(|onward| onward.otherwise.as_ref())
            .map(|stop| stop.ident.to_token_stream()),
        Place::Branch(edge, branch) => Some(branch_token(model, edge, branch)),
        Place::Concurrency(edge) => onward(edge)
            .and_then(|onward| onward.concurrency.as_ref())
            .map(|most| most.token.clone()),
        Place::Approval(edge) => onward(edge)
            .and_then(|onward| onward.approve.as_ref())
            .map(|approve| approve.key.to_token_stream()),
        Place::FormerName(node, at) => {
            let former = match node {
                Some(node) => model
                    .graph
                    .nodes
                    .get(usize::from(node.0))
                    .map(|node| &node.renamed_from),
                None => Some(&model.graph.renamed_from),
            };
            let old = former.and_then(|former| former.get(at));
            old.map(ToTokens::to_token_stream)
        }
        Place::Limit(edge) => onward(edge)
            .and_then(|onward| onward.limit.as_ref())
            .map(|limit| limit.token.clone()),
        _ => None,
    };
    found.unwrap_or_else(|| model.graph.ident.to_token_stream())
}

fn node_token(model: &Model, node: NodeIndex) -> Option<TokenStream> {
    let node = model.graph.nodes.get(usize::from(node.0))?;
    Some(node.ident.to_token_stream())
}

/// Returns the name of the target, which of a fork is the join.
fn target_token(onward: &Onward) -> TokenStream {
    match &onward.to {
        To::Stop(stop) => stop.ident.to_token_stream(),
        To::All { join, .. } | To::Each { join, .. } => join.to_token_stream(),
        To::Back(back) => back.to_token_stream(),
    }
}

/// A graph that says with what it ends does so at each end, and any other at none.
fn ends(model: &Model, mistakes: &mut Mistakes) {
    let graph = &model.graph;
    let stops = graph.onwards().flat_map(|onward| {
        let target = match &onward.to {
            To::Stop(stop) => Some(stop),
            _ => None,
        };
        target.into_iter().chain(&onward.otherwise)
    });
    for stop in stops.filter(|stop| stop.ident == END) {
        match (&graph.outcome, &stop.outcome) {
            (Some(outcome), None) if !stop.broken => {
                let outcome = text(outcome);
                mistakes.mend(
                    &stop.ident,
                    format_args!("H011: this graph ends with a `{outcome}`"),
                    format_args!("say with which: `end({outcome}::..)`"),
                );
            }
            (None, Some(outcome)) => mistakes.mend(
                outcome,
                "H011: this graph ends with nothing",
                "write `end`, or name the type above the struct: `#[graph(.., outcome = Verdict)]`",
            ),
            _ => {}
        }
    }
}

/// Two fields whose names differ only in underscores would become one variant of the node enum.
fn same_variant(model: &Model, mistakes: &mut Mistakes) {
    let nodes = &model.graph.nodes;
    for (at, node) in nodes.iter().enumerate() {
        let variant = camel(&node.ident);
        let twin = nodes[..at]
            .iter()
            .find(|other| camel(&other.ident) == variant && other.ident != node.ident);
        if let Some(twin) = twin {
            mistakes.mend(
                &node.ident,
                format_args!(
                    "H011: `{}` and `{}` both become the variant `{variant}`",
                    twin.ident, node.ident
                ),
                "rename one of them",
            );
        }
    }
}
