//! The edge functions: the `match` that a route is, and what it shows of itself.

use handoffs_core::EdgeIndex;
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::arm::Guard;
use super::expand::{Names, contract_of, outcome_of};
use super::model::Model;
use super::parse::{Graph, Node};
use super::pattern::needs_reference;
use crate::ends::{Ends, local};

/// Writes, for each node, the `match` that picks the edge, and the public function that shows its route.
pub(super) fn edge_functions(model: &Model, names: &Names) -> TokenStream {
    let graph = &model.graph;
    let Graph {
        krate,
        vis,
        state,
        nodes,
        ..
    } = graph;
    let node_enum = &names.node_enum;
    let functions = nodes.iter().enumerate().map(|(index, node)| {
        let after = format_ident!("after_{}", node.ident.unraw(), span = node.ident.span());
        let pick = pick_name(node);
        let doc = format!(
            "Returns where a run goes after `{}`, as long as no limit is used up.",
            node.ident
        );
        let ends = Ends::of(&node.ty);
        let outcome = outcome_of(graph, node);
        let by_reference = ends.put(quote!(&));
        let outcome = quote!(#by_reference #outcome);
        let given = Ident::new("outcome", ends.last);
        let call = ends.call(quote!(Self::#pick), quote!(state,), quote!(&*#given));
        let arms = model.arms_of(index).map(|(edge, arm)| {
            let pat = &arm.pat;
            let guard = match &arm.guard {
                Guard::None => TokenStream::new(),
                Guard::Function(guard) => {
                    let seen = local("__state", guard.span());
                    quote_spanned! {guard.span()=> if {
                        let __guard: fn(&#state) -> ::core::primitive::bool = #guard;
                        __guard(#seen)
                    }}
                }
                Guard::Broken => quote!(if true),
            };
            let taken = match needed(model, edge).filter(|_| arm.onward.if_missing().is_some()) {
                None => quote!(#edge),
                Some(needs) => {
                    let missing = edge - 1;
                    quote! {
                        if #krate::FieldSet::are_set(#needs, __state) { #edge } else { #missing }
                    }
                }
            };
            quote!(#pat #guard => #taken,)
        });
        let arms: Vec<_> = arms.collect();
        // A route that is missing or unreadable is a mistake that was reported.
        let rest = (node.broken || node.arms.is_empty()).then(|| quote!(_ => 0,));
        let scrutinee = Ident::new("__outcome", node.ident.span());
        // Without the reference, what is missing reads as the user writes it. With it, a binding
        // does not take what it binds.
        let matched = if node.arms.iter().any(|arm| needs_reference(&arm.pat)) {
            quote!(#scrutinee)
        } else {
            quote_spanned!(node.ident.span()=> *#scrutinee)
        };
        let shown = ends.body(quote!(#krate::route_of::<Self>(#call)));
        let picked = ends.body(quote!(match #matched { #(#arms)* #rest }));
        // An arm that was not understood may be the one for which those behind it are there.
        let level = if node.broken { "allow" } else { "deny" };
        let level = Ident::new(level, node.ident.span());
        let unreachable = quote_spanned!(node.ident.span()=> #level(unreachable_patterns));
        quote! {
            #[doc = #doc]
            #[allow(dead_code, clippy::all, clippy::pedantic)]
            #vis fn #after(
                state: &#state,
                #given: #outcome,
            ) -> #krate::Route<#node_enum> #shown

            #[doc(hidden)]
            #[#unreachable]
            #[allow(unused_variables, clippy::all, clippy::pedantic)]
            fn #pick(__state: &#state, #scrutinee: #outcome) -> ::core::primitive::usize #picked
        }
    });
    let most_doc =
        "The most handoffs that a run can take, from node to node; the step to the end is none.";
    let items = quote! {
        #[doc = #most_doc]
        #[allow(dead_code)]
        #vis const MAX_HANDOFFS: ::core::primitive::u64 = <Self as #krate::AgentGraph>::MAX_HANDOFFS;

        #(#functions)*
    };
    graph.implement(&TokenStream::new(), &items)
}

/// Writes the fields that the node at the end of an edge needs.
pub(super) fn needed(model: &Model, edge: usize) -> Option<TokenStream> {
    let edge = EdgeIndex(u16::try_from(edge).ok()?);
    let target = model.topology.get_edge(edge)?.route.target().node()?;
    let node = model.graph.nodes.get(usize::from(target.0))?;
    let contract = contract_of(&model.graph, node);
    Some(quote!(#contract.needs))
}

pub(super) fn pick_name(node: &Node) -> Ident {
    format_ident!("__pick_after_{}", node.ident.unraw())
}
