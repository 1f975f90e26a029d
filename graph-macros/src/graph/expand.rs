//! From a resolved graph to its enum of nodes, its table of edges, its edge functions and its steps.

use handoffs_core::{max_handoffs, max_visits};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::context::{Steps, flow, flow_check};
use super::edges::edge_functions;
use super::field::Subgraph;
use super::model::{Model, distinct};
use super::nested::{leave_node, node_impl};
use super::parse::{Graph, Node};
use super::step::step_impl;
use super::table::edge_table;
use crate::case::camel;
use crate::ends::{Ends, at};

pub(super) fn expand(model: &Model) -> TokenStream {
    let names = Names::new(&model.graph);
    let nodes = node_enum(model, &names);
    let graph = graph_impl(model, &names);
    let edges = edge_functions(model, &names);
    let run = step_impl(model, &names);
    let steps = Steps::of(model);
    let (flow, check) = (flow(model, &steps), flow_check(model, &steps));
    let node = node_impl(&model.graph, &steps);
    let scopes = scope_check(model);
    quote!(#nodes #graph #edges #run #flow #node #check #scopes)
}

/// The identifiers that generated code is about.
pub(super) struct Names {
    pub(super) node_enum: Ident,
    variants: Vec<Ident>,
}

impl Names {
    fn new(graph: &Graph) -> Self {
        let mut variants: Vec<Ident> = Vec::new();
        for node in &graph.nodes {
            // A name that is taken is a mistake that was reported; the enum compiles all the same.
            let mut variant = camel(&node.ident);
            while variants.contains(&variant) {
                variant = format_ident!("{variant}_");
            }
            variants.push(variant);
        }
        Self {
            node_enum: format_ident!("{}Node", graph.ident.unraw()),
            variants,
        }
    }

    pub(super) fn node(&self, index: usize) -> TokenStream {
        let Self {
            node_enum,
            variants,
        } = self;
        let variant = variants.get(index).or(variants.first());
        quote!(#node_enum::#variant)
    }
}

/// Writes each scope once where the compiler sees whether it exists, and then, of one that may have been
/// misspelt, what is wrong with it.
fn scope_check(model: &Model) -> TokenStream {
    let Some(scopes) = &model.graph.scopes else {
        return TokenStream::new();
    };
    let checks = distinct(model.graph.named_scopes())
        .into_iter()
        .map(|scope| {
            let suspect = model
                .suspects
                .iter()
                .find(|suspect| suspect.scope == *scope);
            let wrong = suspect.map(|suspect| {
                let text = &suspect.text;
                quote_spanned!(scope.span()=> ::core::panic!("{}", #text))
            });
            // The compiler underlines the scope alone.
            let scopes = at(scope.span(), scopes.to_token_stream());
            quote_spanned! {scope.span()=>
                #[allow(path_statements, clippy::all, clippy::pedantic)]
                const _: () = {
                    let _: #scopes = #scopes::#scope;
                    #wrong
                };
            }
        });
    checks.collect()
}

/// Writes an item of a node's type as a node of the graph's state, in the same words and at the same
/// place wherever it is needed, so that the compiler reports a type that is none only once.
fn of_node(graph: &Graph, node: &Node, item: &str) -> TokenStream {
    let Graph { krate, state, .. } = graph;
    let item = format_ident!("{item}");
    let ends = Ends::of(&node.ty);
    ends.around(quote!(<), &node.ty, quote!(as #krate::Node<#state>>::#item))
}

/// Writes an item of a node's type as a graph.
pub(super) fn of_graph(graph: &Graph, node: &Node, item: &str) -> TokenStream {
    let krate = &graph.krate;
    let item = format_ident!("{item}");
    let ends = Ends::of(&node.ty);
    ends.around(quote!(<), &node.ty, quote!(as #krate::Runnable>::#item))
}

/// Writes what a node can conclude.
pub(super) fn outcome_of(graph: &Graph, node: &Node) -> TokenStream {
    if node.policy.subgraph.is_some() {
        of_graph(graph, node, "Outcome")
    } else {
        of_node(graph, node, "Outcome")
    }
}

/// Writes a node's contract.
pub(super) fn contract_of(graph: &Graph, node: &Node) -> TokenStream {
    node.policy.subgraph.as_ref().map_or_else(
        || of_node(graph, node, "CONTRACT"),
        |subgraph| contract_around(graph, node, subgraph),
    )
}

/// Writes what a node promises.
pub(super) fn promise_of(graph: &Graph, node: &Node) -> TokenStream {
    let krate = &graph.krate;
    let (contract, outcome) = (contract_of(graph, node), outcome_of(graph, node));
    let ends = Ends::of(&node.ty);
    let variants = ends.around(quote!(<), &outcome, quote!(as #krate::Outcome>::VARIANTS));
    quote!(#krate::Promise { contract: #contract, variants: #variants })
}

/// Writes the contract of a graph over another state. It is what the node behind it promises: of the state
/// around it, the graph sees what its way in looks at, which may be all.
fn contract_around(graph: &Graph, node: &Node, subgraph: &Subgraph) -> TokenStream {
    let Graph { krate, state, .. } = graph;
    let leave = leave_node(subgraph);
    let known = quote_spanned! {subgraph.leave.span()=>
        <#leave as #krate::Node<#state>>::CONTRACT
    };
    let context = of_graph(graph, node, "__CONTEXT");
    quote! {{
        let () = #context;
        #krate::Contract { reads: #krate::FieldSet::ALL, item: false, ..#known }
    }}
}

/// Writes the shape of a node.
fn shape_of(graph: &Graph, node: &Node) -> TokenStream {
    let krate = &graph.krate;
    let name = node.ident.unraw().to_string();
    let doc = node.doc.lines().next().unwrap_or_default();
    let former = &node.renamed_from;
    let shape = if node.policy.subgraph.is_some() {
        of_inner(graph, node, "__shape")
    } else {
        of_node(graph, node, "__shape")
    };
    let shape = quote!(#shape(#name, #doc) #(.renamed_from(#former))*);
    match node.may.shape() {
        may if may.is_empty() || graph.scopes.is_none() => shape,
        may => {
            let may = super::may::may(krate, &may);
            quote!(#shape.may(#may))
        }
    }
}

/// Writes the most handoffs inside a node, if it is a graph.
fn handoffs_of(graph: &Graph, node: &Node) -> TokenStream {
    if node.policy.subgraph.is_some() {
        of_inner(graph, node, "INNER_HANDOFFS")
    } else {
        of_node(graph, node, "INNER_HANDOFFS")
    }
}

/// Writes an item of a graph over another state, as a node of that state.
fn of_inner(graph: &Graph, node: &Node, item: &str) -> TokenStream {
    let krate = &graph.krate;
    let item = format_ident!("{item}");
    let state = of_graph(graph, node, "State");
    let ends = Ends::of(&node.ty);
    ends.around(quote!(<), &node.ty, quote!(as #krate::Node<#state>>::#item))
}

fn node_enum(model: &Model, names: &Names) -> TokenStream {
    let Graph {
        krate,
        ident,
        vis,
        nodes,
        ..
    } = &model.graph;
    let Names {
        node_enum,
        variants,
    } = names;
    let doc = format!("The nodes of [`{ident}`].");
    let docs = nodes.iter().map(|node| match node.doc.as_str() {
        "" => format!("The node `{}`.", node.ident),
        doc => doc.to_owned(),
    });
    let texts: Vec<_> = nodes
        .iter()
        .map(|node| node.ident.unraw().to_string())
        .collect();
    quote! {
        #[doc = #doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #vis enum #node_enum {
            #(#[doc = #docs] #variants,)*
        }

        #[automatically_derived]
        impl #krate::GraphNode for #node_enum {
            const ALL: &'static [Self] = &[#(Self::#variants),*];

            fn index(self) -> ::core::primitive::usize {
                self as ::core::primitive::usize
            }

            fn name(self) -> &'static ::core::primitive::str {
                match self { #(Self::#variants => #texts,)* }
            }
        }

        #[automatically_derived]
        impl ::core::fmt::Display for #node_enum {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(#krate::GraphNode::name(*self))
            }
        }
    }
}

fn graph_impl(model: &Model, names: &Names) -> TokenStream {
    let graph = &model.graph;
    let Graph {
        krate,
        ident,
        state,
        nodes,
        given,
        renamed_from,
        ..
    } = graph;
    let node_enum = &names.node_enum;
    let name = ident.unraw().to_string();
    let start = names.node(
        model
            .topology
            .start_node()
            .map_or(0, |start| usize::from(start.0)),
    );
    let table = edge_table(model);
    let given = given.iter().map(|field| field.unraw().to_string());
    let most = max_handoffs(&model.topology).unwrap_or(u64::MAX);
    let visits = max_visits(&model.topology);
    let inner = nodes.iter().map(|node| handoffs_of(graph, node));
    let shapes = nodes.iter().map(|node| shape_of(graph, node));
    let scopes = graph.scopes.as_ref().map(|scopes| {
        quote_spanned! {scopes.span()=>
            fn scopes() -> ::std::vec::Vec<#krate::ScopeShape> {
                #krate::ScopeShape::__all::<#scopes>()
            }
        }
    });
    let items = quote! {
        type State = #state;
        type Node = #node_enum;

        const NAME: &'static ::core::primitive::str = #name;
        const START: #node_enum = #start;
        const GIVEN: #krate::FieldSet =
            #krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#(#given),*]);
        const MAX_HANDOFFS: ::core::primitive::u64 =
            #krate::all_handoffs(#most, &[#((#visits, #inner)),*]);
        const RENAMED_FROM: &'static [&'static ::core::primitive::str] = &[#(#renamed_from),*];
        const __TABLE: #krate::Table = #table;

        fn shapes() -> ::std::vec::Vec<#krate::NodeShape> {
            ::std::vec![#(#shapes),*]
        }

        #scopes
    };
    graph.implement(&quote!(#krate::AgentGraph for), &items)
}
