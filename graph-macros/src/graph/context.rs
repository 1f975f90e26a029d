//! The data flow of H007, H008 and H009: what the compiler runs to see that no handoff loses context,
//! that no branch writes over another, that a node which takes an item is handed one, and that what is
//! looked for may be missing (H011).

use handoffs_core::__private::ways;
use handoffs_core::{Branches, Edge, EdgeIndex, NodeIndex};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::edges::needed;
use super::expand::{contract_of, outcome_of};
use super::model::Model;
use super::parse::Graph;
use super::pattern::variants;
use super::region::{Arrows, Place, branch_token};
use crate::ends::Ends;

/// Writes the data flow, which the compiler runs: one constant a node, at the node's name, and one a
/// branch, where the fork names it.
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
    let flow = Flow::of(model);
    let literal = flow.literal(graph, &quote!(<#ident as #krate::AgentGraph>::GIVEN));
    let at = |token: &dyn ToTokens, found: TokenStream| {
        quote_spanned! {token.span()=>
            const _: () = if let ::core::option::Option::Some(message) = #found {
                ::core::panic!("{}", message.as_str())
            };
        }
    };
    let checks = nodes.iter().enumerate().map(|(index, node)| {
        let itemless = model
            .has_places
            .then(|| at(&node.ident, quote!(FLOW.itemless(&HANDS, #index))));
        let lost = at(&node.ident, quote!(FLOW.lost(&SET, #index)));
        quote!(#lost #itemless)
    });
    let never = never_missing(model)
        .map(|(key, handoff)| at(key, quote!(FLOW.never_missing(&SET, #handoff))));
    let clashes = flow.branches.iter().filter(|_| model.has_places);
    let clashes =
        clashes.map(|(fork, branch, token)| at(token, quote!(FLOW.clash(#fork, #branch))));
    let givens = given.iter().map(|field| {
        let name = field.unraw().to_string();
        at(field, quote!(#krate::unknown_field(__FIELDS, #name)))
    });
    let gifts = nodes.iter().map(|node| {
        let outcome = outcome_of(graph, node);
        let ends = Ends::of(&node.ty);
        let ask = ends.around(quote!(#krate::unknown_gift::<), &outcome, quote!(>));
        at(&node.ty, quote!(#ask(__FIELDS)))
    });
    quote! {
        const _: () = {
            const __FIELDS: &[#krate::Field] = <#state as #krate::State>::FIELDS;
            const FLOW: #krate::Flow<'static> = #literal;
            const SET: [#krate::FieldSet; #count] = FLOW.set();
            const HANDS: [#krate::Hand; #count] = FLOW.hands();
            #(#checks)*
            #(#never)*
            #(#clashes)*
            #(#givens)*
            #(#gifts)*
        };
    }
}

/// The parts of the data flow, as the elements of arrays; `__FIELDS` are the state's.
struct Flow {
    names: Vec<String>,
    contracts: Vec<TokenStream>,
    edges: TokenStream,
    forks: TokenStream,
    /// The steps to the end.
    ends: TokenStream,
    start: usize,
    /// The branches, as fork and branch, with the tokens that name them.
    branches: Vec<(usize, usize, TokenStream)>,
}

impl Flow {
    fn of(model: &Model) -> Self {
        let graph = &model.graph;
        let Graph { krate, nodes, .. } = graph;
        let arrows = Arrows::of(&model.topology);
        let step = |index: EdgeIndex, to: usize| step(model, index, to);
        let (mut edges, mut ends, mut forks) = (Vec::new(), Vec::new(), Vec::new());
        let mut branches = Vec::new();
        for (index, edge) in model.topology.edges() {
            for target in ways(edge) {
                match arrows.place(edge.from, target) {
                    Place::Inside(to) => edges.push(step(index, to)),
                    Place::End => ends.push(step(index, 0)),
                    Place::Join(_) => {}
                }
            }
            let Some(fork) = edge.route.fork() else {
                continue;
            };
            let entries = fork.entries();
            let written = entries.iter().enumerate().map(|(branch, entry)| {
                branches.push((forks.len(), branch, branch_token(model, index, branch)));
                let within = arrows.branch(*entry);
                let arrivals = within.arrivals.iter().map(|(edge, to)| step(*edge, *to));
                let (entry, nodes) = (usize::from(entry.0), within.nodes.iter());
                quote! {
                    #krate::FlowBranch {
                        entry: #entry,
                        nodes: &[#(#nodes),*],
                        arrivals: &[#(#arrivals),*],
                    },
                }
            });
            let written: TokenStream = written.collect();
            let each = matches!(fork.branches, Branches::Each { .. });
            forks.push(fork_literal(model, index, edge, each, &written));
        }
        Self {
            names: nodes
                .iter()
                .map(|node| node.ident.unraw().to_string())
                .collect(),
            contracts: nodes.iter().map(|node| contract_of(graph, node)).collect(),
            edges: quote!(#(#edges),*),
            forks: quote!(#(#forks),*),
            ends: quote!(#(#ends),*),
            start: model
                .topology
                .start_node()
                .map_or(0, |start| usize::from(start.0)),
            branches,
        }
    }

    /// Writes the data flow, given what the caller brings.
    fn literal(&self, graph: &Graph, given: &TokenStream) -> TokenStream {
        let krate = &graph.krate;
        let Self {
            names,
            contracts,
            edges,
            forks,
            start,
            ..
        } = self;
        quote! {
            #krate::Flow {
                names: &[#(#names),*],
                contracts: &[#(#contracts),*],
                edges: &[#edges],
                forks: &[#forks],
                start: #start,
                fields: __FIELDS,
                merges: #krate::FieldSet::merging(__FIELDS),
                given: #given,
            }
        }
    }
}

/// Writes, for each handoff that says where to go if a field is missing, at its `missing`: what is
/// wrong if none ever is.
fn never_missing(model: &Model) -> impl Iterator<Item = (&Ident, TokenStream)> {
    model.topology.edges().filter_map(|(index, edge)| {
        let missing = model.onward(index)?.missing.as_ref();
        let missing = missing.filter(|missing| missing.onward.is_some())?;
        let to = usize::from(edge.route.target().node()?.0);
        let (from, given) = (usize::from(edge.from.0), given(model, index, edge));
        Some((&missing.key, quote!(#from, #given, #to)))
    })
}

/// Writes a step of the data flow.
fn step(model: &Model, index: EdgeIndex, to: usize) -> TokenStream {
    let krate = &model.graph.krate;
    let Some(edge) = model.topology.get_edge(index) else {
        return TokenStream::new();
    };
    let from = usize::from(edge.from.0);
    let (gives, failed) = (gives(model, index, edge), edge.on_error);
    quote!(#krate::FlowEdge { from: #from, to: #to, gives: #gives, failed: #failed })
}

fn fork_literal(
    model: &Model,
    index: EdgeIndex,
    edge: &Edge<NodeIndex>,
    each: bool,
    branches: &TokenStream,
) -> TokenStream {
    let krate = &model.graph.krate;
    let from = usize::from(edge.from.0);
    let to = edge
        .route
        .target()
        .node()
        .map_or(0, |join| usize::from(join.0));
    let gives = gives(model, index, edge);
    quote! {
        #krate::FlowFork {
            from: #from,
            to: #to,
            gives: #gives,
            each: #each,
            branches: &[#branches],
        }
    }
}

/// Writes the fields that are set behind an edge whatever its node does: those that its outcome gives,
/// and those that the edge found to be set.
fn gives(model: &Model, index: EdgeIndex, edge: &Edge<NodeIndex>) -> TokenStream {
    let gives = given(model, index, edge);
    let looks = model
        .onward(index)
        .is_some_and(|onward| onward.missing.is_some());
    match needed(model, usize::from(index.0)).filter(|_| looks) {
        Some(needs) => quote!(#gives.or(#needs)),
        None => gives,
    }
}

/// Writes the fields that the outcome of an edge gives.
fn given(model: &Model, index: EdgeIndex, edge: &Edge<NodeIndex>) -> TokenStream {
    let graph = &model.graph;
    let krate = &graph.krate;
    let node = graph.nodes.get(usize::from(edge.from.0));
    let (Some(node), Some(arm)) = (node, model.arm(index)) else {
        return quote!(#krate::FieldSet::EMPTY);
    };
    let outcome = outcome_of(graph, node);
    let ends = Ends::of(&node.ty);
    let ask = ends.around(quote!(#krate::given_by::<), &outcome, quote!(>));
    let variants = variants(&arm.pat);
    quote!(#ask(__FIELDS, &[#(#variants),*]))
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
        state,
        generics,
        nodes,
        ..
    } = graph;
    if !is_generic(generics) {
        return TokenStream::new();
    }
    let flow = Flow::of(model);
    let literal = flow.literal(graph, &quote!(<Self as #krate::AgentGraph>::GIVEN));
    let count = nodes.len();
    let checks = (0..count).flat_map(|index| {
        [
            quote!(flow.lost(&set, #index)),
            quote!(flow.itemless(&hands, #index)),
        ]
    });
    let clashes = flow.branches.iter();
    let clashes = clashes.map(|(fork, branch, _)| quote!(flow.clash(#fork, #branch)));
    // What is never missing of one node may be of another, so nothing is said of that.
    let checks = checks.chain(clashes);
    quote! {
        const __CONTEXT: () = {
            #[allow(non_snake_case)]
            let __FIELDS: &[#krate::Field] = <#state as #krate::State>::FIELDS;
            let flow = #literal;
            let set: [#krate::FieldSet; #count] = flow.set();
            let hands: [#krate::Hand; #count] = flow.hands();
            #(
                if let ::core::option::Option::Some(message) = #checks {
                    ::core::panic!("{}", message.as_str())
                }
            )*
        };
    }
}

/// Writes what the graph promises as a node of another.
pub(super) fn contract_of_graph(model: &Model) -> TokenStream {
    let graph = &model.graph;
    let Graph {
        krate,
        state,
        nodes,
        ..
    } = graph;
    let flow = Flow::of(model);
    let literal = flow.literal(graph, &quote!(<Self as #krate::AgentGraph>::GIVEN));
    let ends = &flow.ends;
    let count = nodes.len();
    quote! {{
        #[allow(non_snake_case)]
        let __FIELDS: &[#krate::Field] = <#state as #krate::State>::FIELDS;
        let () = <Self as #krate::Runnable>::__CONTEXT;
        let flow = #literal;
        let set: [#krate::FieldSet; #count] = flow.set();
        flow.contract(&set, &[#ends])
    }}
}
