//! The data flow of H007, H008 and H009: what the compiler runs to see that no handoff loses context,
//! that no branch writes over another, that a node which takes an item is handed one, and that what is
//! looked for may be missing (H011).

use handoffs_core::__private::ways;
use handoffs_core::{Branches, EdgeIndex, NodeIndex};
use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::expand::promise_of;
use super::model::Model;
use super::parse::Graph;
use super::region::{Arrows, Place, branch_token};
use crate::krate::Krate;

/// Writes the data flow, as constants of the graph: what its nodes promise, what its edges give, and its steps.
pub(super) fn flow(model: &Model, steps: &Steps) -> TokenStream {
    let graph = &model.graph;
    let Graph {
        krate,
        state,
        nodes,
        ..
    } = graph;
    let Steps { inside, forks, .. } = steps;
    let names = nodes.iter().map(|node| node.ident.unraw().to_string());
    let promises = nodes.iter().map(|node| promise_of(graph, node));
    let (count, edges) = (nodes.len(), model.topology.edges().count());
    let inside = edges_of(krate, inside);
    let start = model.topology.start_node();
    let start = start.map_or(0, |start| usize::from(start.0));
    let items = quote! {
        #[doc(hidden)]
        const __NODES: &'static [#krate::Promise] = &[#(#promises),*];
        #[doc(hidden)]
        const __GIFTS: &'static [#krate::Gift] =
            &<Self as #krate::AgentGraph>::__TABLE.gifts::<#edges>(
                Self::__NODES,
                <#state as #krate::State>::FIELDS,
            );
        #[doc(hidden)]
        const __FLOW: #krate::Flow<'static> = #krate::Flow {
            names: &[#(#names),*],
            contracts: &#krate::contracts::<#count>(Self::__NODES),
            edges: &#inside,
            forks: &[#forks],
            start: #start,
            fields: <#state as #krate::State>::FIELDS,
            merges: #krate::FieldSet::merging(<#state as #krate::State>::FIELDS),
            given: <Self as #krate::AgentGraph>::GIVEN,
        };
    };
    graph.implement(&TokenStream::new(), &items)
}

/// Writes what the compiler runs the data flow for: one constant a node, which says at the node's name what
/// it lacks, and one a branch, where the fork names it.
///
/// The contracts of a generic graph are known only where it is used: see [`generic_context`].
pub(super) fn flow_check(model: &Model, steps: &Steps) -> TokenStream {
    let graph = &model.graph;
    let Graph {
        krate,
        ident,
        generics,
        nodes,
        given,
        ..
    } = graph;
    if is_generic(generics) {
        return TokenStream::new();
    }
    let (count, has_places) = (nodes.len(), model.has_places);
    let nodes = nodes.iter().enumerate().map(|(index, node)| {
        let gives = quote_spanned!(node.ty.span()=> FOUND.gives(#index));
        let node = quote_spanned!(node.ident.span()=> FOUND.node(#index));
        quote!(const _: () = { #gives; #node };)
    });
    let branches = steps.branches.iter();
    let branches = branches
        .filter(|_| has_places)
        .map(|(fork, branch, token)| {
            let branch = quote_spanned!(token.span()=> FOUND.branch(#fork, #branch));
            quote!(const _: () = #branch;)
        });
    let missing = never_missing(model);
    let givens = given.iter().map(|field| {
        let name = field.unraw().to_string();
        let known = quote_spanned!(field.span()=> FOUND.given(#name));
        quote!(const _: () = #known;)
    });
    quote! {
        const _: () = {
            // By reference: a constant that is a value is copied wherever it is named.
            const FOUND: &#krate::Found<'static, #count> = &#krate::Found::of(
                <#ident>::__FLOW,
                <#ident>::__NODES,
                <#ident>::__GIFTS,
                #has_places,
            );
            #(#nodes)*
            #missing
            #(#branches)*
            #(#givens)*
        };
    }
}

/// A step of the data flow: along an edge, to a node; of one to the end, that says nothing.
type Step = (EdgeIndex, NodeIndex);

/// The steps of the data flow.
pub(super) struct Steps {
    /// Those from node to node within one region.
    inside: Vec<Step>,
    /// Those to the end.
    ends: Vec<Step>,
    /// The forks, as the elements of an array.
    forks: TokenStream,
    /// The branches, as fork and branch, with the tokens that name them.
    branches: Vec<(usize, usize, TokenStream)>,
}

impl Steps {
    pub(super) fn of(model: &Model) -> Self {
        let krate = &model.graph.krate;
        let arrows = Arrows::of(&model.topology);
        let mut steps = Self {
            inside: Vec::new(),
            ends: Vec::new(),
            forks: TokenStream::new(),
            branches: Vec::new(),
        };
        let mut count = 0;
        for (index, edge) in model.topology.edges() {
            for target in ways(edge) {
                match arrows.place(edge.from, target) {
                    Place::Inside(to) => steps.inside.push((index, to)),
                    Place::End => steps.ends.push((index, NodeIndex(0))),
                    Place::Join(_) => {}
                }
            }
            let Some(fork) = edge.route.fork() else {
                continue;
            };
            let entries = fork.entries();
            let written = entries.iter().enumerate().map(|(branch, entry)| {
                let token = branch_token(model, index, branch);
                steps.branches.push((count, branch, token));
                let within = arrows.branch(*entry);
                let arrivals = edges_of(krate, &within.arrivals);
                let (entry, nodes) = (usize::from(entry.0), within.nodes.iter());
                quote! {
                    #krate::FlowBranch { entry: #entry, nodes: &[#(#nodes),*], arrivals: &#arrivals },
                }
            });
            let branches: TokenStream = written.collect();
            let each = matches!(fork.branches, Branches::Each { .. });
            let (from, index) = (usize::from(edge.from.0), usize::from(index.0));
            let join = edge.route.target().node();
            let to = join.map_or(0, |join| usize::from(join.0));
            steps.forks.extend(quote! {
                #krate::FlowFork {
                    from: #from,
                    to: #to,
                    gives: Self::__GIFTS[#index].fields(),
                    each: #each,
                    branches: &[#branches],
                },
            });
            count += 1;
        }
        steps
    }
}

/// Writes steps as the edges of the data flow.
fn edges_of(krate: &Krate, steps: &[Step]) -> TokenStream {
    let count = steps.len();
    let steps = steps.iter().map(|(edge, to)| {
        let (edge, to) = (
            Literal::u16_unsuffixed(edge.0),
            Literal::u16_unsuffixed(to.0),
        );
        quote!((#edge, #to))
    });
    quote!(#krate::FlowEdge::all::<#count>(&[#(#steps),*], Self::__GIFTS))
}

/// Writes, for each handoff that says where to go if a field is missing, at its `missing`: what is
/// wrong if none ever is.
fn never_missing(model: &Model) -> TokenStream {
    let checks = model.topology.edges().filter_map(|(index, edge)| {
        let missing = model.onward(index)?.missing.as_ref();
        let missing = missing.filter(|missing| missing.onward.is_some())?;
        let (index, to) = (
            usize::from(index.0),
            usize::from(edge.route.target().node()?.0),
        );
        let never = quote_spanned!(missing.key.span()=> FOUND.missing(#index, #to));
        Some(quote!(const _: () = #never;))
    });
    checks.collect()
}

fn is_generic(generics: &syn::Generics) -> bool {
    generics.type_params().next().is_some() || generics.const_params().next().is_some()
}

/// Writes, for a generic graph, the constant that the runtime has evaluated for each graph it is
/// given: the same data flow, over the contracts of that graph.
pub(super) fn generic_context(model: &Model) -> TokenStream {
    let graph = &model.graph;
    let Graph {
        krate,
        generics,
        nodes,
        ..
    } = graph;
    if !is_generic(generics) {
        return TokenStream::new();
    }
    let count = nodes.len();
    quote! {
        const __CONTEXT: () = #krate::Found::<'_, #count>::of(
            Self::__FLOW,
            Self::__NODES,
            Self::__GIFTS,
            true,
        )
        .all();
    }
}

/// Writes what the graph promises as a node of another.
pub(super) fn contract_of_graph(graph: &Graph, steps: &Steps) -> TokenStream {
    let krate = &graph.krate;
    let ends = edges_of(krate, &steps.ends);
    let count = graph.nodes.len();
    quote! {{
        let () = <Self as #krate::Runnable>::__CONTEXT;
        Self::__FLOW.contract(&Self::__FLOW.set::<#count>(), &#ends)
    }}
}
