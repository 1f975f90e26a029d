//! The data flow of H007: what the compiler runs to see that no handoff loses context.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::expand::of_node;
use super::model::Model;
use super::parse::Graph;
use super::pattern::variants;
use crate::ends::Ends;

/// Writes the data flow of H007, which the compiler runs: one constant a node, at the node's name.
///
/// The contracts of a generic graph are known only where it is used: see [`generic_context`].
pub(super) fn flow_check(model: &Model) -> TokenStream {
    let graph = &model.graph;
    let Graph {
        krate,
        ident,
        state,
        generics,
        nodes,
        given,
        ..
    } = graph;
    if is_generic(generics) {
        return TokenStream::new();
    }
    let count = nodes.len();
    let Flow {
        names,
        contracts,
        edges,
        start,
    } = flow(model);
    let checks = nodes.iter().enumerate().map(|(index, node)| {
        quote_spanned! {node.ident.span()=>
            const _: () = if let ::core::option::Option::Some(message) = FLOW.lost(&SET, #index) {
                ::core::panic!("{}", message.as_str())
            };
        }
    });
    let unknown = |token: &dyn ToTokens, found: TokenStream| {
        quote_spanned! {token.span()=>
            const _: () = if let ::core::option::Option::Some(message) = #found {
                ::core::panic!("{}", message.as_str())
            };
        }
    };
    let givens = given.iter().map(|field| {
        let name = field.unraw().to_string();
        unknown(field, quote!(#krate::unknown_field(FIELDS, #name)))
    });
    let gifts = nodes.iter().map(|node| {
        let outcome = of_node(graph, &node.ty, "Outcome");
        let ends = Ends::of(&node.ty);
        let ask = ends.around(quote!(#krate::unknown_gift::<), &outcome, quote!(>));
        unknown(&node.ty, quote!(#ask(FIELDS)))
    });
    quote! {
        const _: () = {
            const FIELDS: &[#krate::Field] = <#state as #krate::State>::FIELDS;
            const FLOW: #krate::Flow<'static, #count> = #krate::Flow {
                names: [#names],
                contracts: [#contracts],
                edges: &[#edges],
                start: #start,
                fields: FIELDS,
                given: <#ident as #krate::AgentGraph>::GIVEN,
            };
            const SET: [#krate::FieldSet; #count] = FLOW.set();
            #(#checks)*
            #(#givens)*
            #(#gifts)*
        };
    }
}

/// The parts of the data flow, as the elements of arrays; in the edges, `FIELDS` are the state's.
struct Flow {
    names: TokenStream,
    contracts: TokenStream,
    edges: TokenStream,
    start: usize,
}

fn flow(model: &Model) -> Flow {
    let graph = &model.graph;
    let Graph { krate, nodes, .. } = graph;
    let names = nodes.iter().map(|node| node.ident.unraw().to_string());
    let contracts = nodes
        .iter()
        .map(|node| of_node(graph, &node.ty, "CONTRACT"));
    let edges = model.topology.edges().filter_map(|(index, edge)| {
        let from = usize::from(edge.from.0);
        let (node, arm) = (nodes.get(from)?, model.arm(index)?);
        let outcome = of_node(graph, &node.ty, "Outcome");
        let ends = Ends::of(&node.ty);
        let ask = ends.around(quote!(#krate::given_by::<), &outcome, quote!(>));
        let variants = variants(&arm.pat);
        let targets = [Some(edge.route.target()), edge.route.otherwise()];
        let edges = targets.into_iter().flatten().filter_map(move |target| {
            let to = usize::from(target.node()?.0);
            Some(quote! {
                #krate::FlowEdge {
                    from: #from,
                    to: #to,
                    gives: #ask(FIELDS, &[#(#variants),*]),
                },
            })
        });
        Some(edges.collect::<TokenStream>())
    });
    let start = model
        .topology
        .start_node()
        .map_or(0, |start| usize::from(start.0));
    Flow {
        names: quote!(#(#names),*),
        contracts: quote!(#(#contracts),*),
        edges: quote!(#(#edges)*),
        start,
    }
}

fn is_generic(generics: &syn::Generics) -> bool {
    generics.type_params().next().is_some() || generics.const_params().next().is_some()
}

/// Writes, for a generic graph, the constant that the runtime has evaluated for each graph it is
/// given: the same data flow, over the contracts of that graph.
pub(super) fn generic_context(model: &Model) -> TokenStream {
    let Graph {
        krate,
        state,
        generics,
        nodes,
        ..
    } = &model.graph;
    if !is_generic(generics) {
        return TokenStream::new();
    }
    let Flow {
        names,
        contracts,
        edges,
        start,
    } = flow(model);
    let count = nodes.len();
    let indices = 0..count;
    quote! {
        const __CONTEXT: () = {
            #[allow(non_snake_case)]
            let FIELDS: &[#krate::Field] = <#state as #krate::State>::FIELDS;
            let flow = #krate::Flow::<#count> {
                names: [#names],
                contracts: [#contracts],
                edges: &[#edges],
                start: #start,
                fields: FIELDS,
                given: <Self as #krate::AgentGraph>::GIVEN,
            };
            let set = flow.set();
            #(
                if let ::core::option::Option::Some(message) = flow.lost(&set, #indices) {
                    ::core::panic!("{}", message.as_str())
                }
            )*
        };
    }
}
