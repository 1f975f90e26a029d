//! Graphs that are nodes: this graph as a node of another, and a field that is a graph over another
//! state.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use super::context::{Steps, contract_of_graph};
use super::expand::of_graph;
use super::field::Subgraph;
use super::parse::{Graph, Node};
use crate::case::camel;
use crate::ends::{Ends, local};

/// Returns the type of the node that takes over when a graph is left, of which the user names the
/// function.
pub(super) fn leave_node(subgraph: &Subgraph) -> Path {
    let mut path = subgraph.leave.clone();
    if let Some(last) = path.segments.last_mut() {
        last.ident = camel(&last.ident);
    }
    path
}

/// Writes the step of a field that is a graph over another state: in, through, and out.
pub(super) fn nested_step(graph: &Graph, node: &Node) -> TokenStream {
    let Graph { krate, state, .. } = graph;
    let Some(subgraph) = &node.policy.subgraph else {
        return TokenStream::new();
    };
    let field = &node.ident;
    let (enter, leave) = (&subgraph.enter, leave_node(subgraph));
    let inner = of_graph(graph, node, "State");
    let entered = local("__enter", enter.span());
    let enter = quote_spanned! {enter.span()=>
        let #entered: fn(&#state) -> #inner = #enter;
    };
    let leaves = quote_spanned! {subgraph.leave.span()=>
        #krate::leaves::<#leave, #state, #inner>();
    };
    let leave = leave_value(&leave);
    quote! {
        #enter
        #leaves
        let mut __inner = #entered(&*state);
        let outcome = __run::<_, #state>(&__graph.#field).run_graph(&mut __inner, cx).await?;
        let __own = cx.__swap_item(::core::option::Option::Some(#krate::Item::new(__inner)));
        let __left = __run::<_, #state>(&#leave).execute(state, cx).await;
        cx.__swap_item(__own);
        let __left = __left?;
        __run::<_, #state>(&#leave).settle(&__left, state, cx)?;
        #krate::keep_promises(&outcome, &[], |__name| #krate::is_set(&*state, __name))?;
        cx.__concluded(&outcome);
    }
}

/// Writes the node that takes over when a graph is left: one of a function, so there is but one.
pub(super) fn leave_value(leave: &Path) -> TokenStream {
    quote_spanned!(leave.span()=> <#leave as ::core::default::Default>::default())
}

/// Writes the graph as a node of another graph over the same state.
pub(super) fn node_impl(graph: &Graph, steps: &Steps) -> TokenStream {
    let Graph { krate, state, .. } = graph;
    let outcome = quote!(<Self as #krate::Runnable>::Outcome);
    let contract = contract_of_graph(graph, steps);
    // A state that is none is reported where it is named.
    let execute = Ends::of(state).around(quote!(#krate::Execute<), state, quote!(>));
    let node = quote! {
        type Outcome = #outcome;
        const CONTRACT: #krate::Contract = #contract;
        const KIND: #krate::NodeKind = #krate::NodeKind::Graph;
        const INNER_HANDOFFS: ::core::primitive::u64 =
            <Self as #krate::AgentGraph>::MAX_HANDOFFS;

        fn inner() -> ::core::option::Option<#krate::Topology> {
            ::core::option::Option::Some(<Self as #krate::AgentGraph>::topology())
        }
    };
    let run = quote! {
        const REPORTS: ::core::primitive::bool = true;

        fn within(&self) -> ::core::option::Option<#krate::Within<'_>> {
            ::core::option::Option::Some(#krate::Within::of(self, true))
        }

        async fn execute(
            &self,
            state: &mut #state,
            cx: &mut #krate::Context<'_>,
        ) -> ::core::result::Result<#outcome, #krate::NodeError> {
            #krate::subgraph(self, state, cx).await
        }
    };
    let node = graph.implement(&quote!(#krate::Node<#state> for), &node);
    let run = graph.implement(&quote!(#execute for), &run);
    quote!(#node #run)
}
