//! The rules of `handoffs-core`, each finding put at the user's token.

use handoffs_core::{EdgeIndex, Finding, NodeIndex, Place, check as find};
use proc_macro2::TokenStream;
use quote::ToTokens;

use super::model::Model;
use crate::case::camel;
use crate::mistakes::Mistakes;

pub(super) fn check(model: &Model, mistakes: &mut Mistakes) {
    for finding in find(&model.topology) {
        if model.guesswork && !finding.survives_new_edges() {
            continue;
        }
        let token = token(model, &finding);
        if matches!(finding, Finding::UnboundedLoop { .. }) && is_guessed(model, &token) {
            continue;
        }
        mistakes.mend(
            token,
            finding.message(&model.topology),
            finding.help(&model.topology),
        );
    }
    same_variant(model, mistakes);
}

/// Returns whether a target is a misspelt name: what it was taken for closes no loop of the user's.
fn is_guessed(model: &Model, target: &TokenStream) -> bool {
    model.topology.resolve(&target.to_string()).is_err()
}

/// Returns the smallest token that a finding is about.
fn token(model: &Model, finding: &Finding) -> TokenStream {
    let found = match finding.place() {
        Place::Node(node) => node_token(model, node),
        Place::Target(edge) => arm_token(model, edge, false),
        Place::Else(edge) => arm_token(model, edge, true),
        Place::Limit(edge) => model
            .arm(edge)
            .and_then(|arm| arm.limit.as_ref())
            .map(|limit| limit.token.clone()),
        _ => None,
    };
    found.unwrap_or_else(|| model.graph.ident.to_token_stream())
}

fn node_token(model: &Model, node: NodeIndex) -> Option<TokenStream> {
    let node = model.graph.nodes.get(usize::from(node.0))?;
    Some(node.ident.to_token_stream())
}

fn arm_token(model: &Model, edge: EdgeIndex, is_else: bool) -> Option<TokenStream> {
    let arm = model.arm(edge)?;
    let token = if is_else {
        arm.otherwise.as_ref()?
    } else {
        &arm.target
    };
    Some(token.to_token_stream())
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
