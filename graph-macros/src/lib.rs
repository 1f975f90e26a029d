//! The macros of [`handoffs`](https://docs.rs/handoffs), where they are documented.
//!
//! Each goes the same way: *parse* the user's tokens, put them into a *model* whose names are
//! resolved, *check* it with the rules of `handoffs-core`, *expand* it. All mistakes are reported in
//! one go, each at its own token, and the impls are written all the same, so that one mistake is one
//! error.

mod case;
mod ends;
mod krate;
mod mistakes;
mod types;

mod graph;
mod node;
mod outcome;
mod scope;
mod state;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

#[expect(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_derive(State, attributes(state))]
pub fn derive_state(input: TokenStream) -> TokenStream {
    state::derive(input.into()).into()
}

#[expect(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_derive(Scope, attributes(scope))]
pub fn derive_scope(input: TokenStream) -> TokenStream {
    scope::derive(input.into()).into()
}

#[expect(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_derive(Outcome, attributes(outcome))]
pub fn derive_outcome(input: TokenStream) -> TokenStream {
    outcome::derive(input.into()).into()
}

#[expect(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_derive(
    AgentGraph,
    attributes(graph, node, route, retry, timeout, cache, on_error, subgraph, may)
)]
pub fn derive_agent_graph(input: TokenStream) -> TokenStream {
    graph::derive(input.into()).into()
}

#[expect(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_attribute]
pub fn node(args: TokenStream, item: TokenStream) -> TokenStream {
    node::expand(args.into(), &item.into()).into()
}
