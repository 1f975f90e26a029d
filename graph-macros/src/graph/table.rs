//! The table of edges, as a constant.

use handoffs_core::{Branches, Fork, NodeIndex, Route, Target};
use proc_macro2::TokenStream;
use quote::quote;

use super::expand::Names;
use super::may::grant;
use super::model::Model;
use crate::krate::Krate;

/// Writes the edges as the elements of an array.
pub(super) fn edge_table(model: &Model, names: &Names) -> TokenStream {
    let krate = &model.graph.krate;
    let edges = model.topology.edges().map(|(_, edge)| {
        let from = names.node(usize::from(edge.from.0));
        let route = route(krate, names, &edge.route);
        if edge.on_error {
            return quote!(#krate::Edge::__on_error(#from, #route),);
        }
        let on = edge.on.as_ref();
        let guard = option(edge.guard.as_ref().map(|guard| quote!(#guard)));
        let outcomes = edge.outcomes.iter().map(AsRef::<str>::as_ref);
        // Each by itself: of one large constant the compiler would see to it that each edge is dropped if
        // one behind it fails.
        quote! {
            const {
                #krate::Edge::__new(
                    #from, #on, &[#(::std::borrow::Cow::Borrowed(#outcomes)),*], #guard, #route,
                )
            },
        }
    });
    edges.collect()
}

fn route(krate: &Krate, names: &Names, route: &Route<NodeIndex>) -> TokenStream {
    let target = |target: &Target<NodeIndex>| match target {
        Target::Node(node) => {
            let node = names.node(usize::from(node.0));
            quote!(#krate::Target::Node(#node))
        }
        Target::End => quote!(#krate::Target::End),
    };
    let to = target(route.target());
    let limit = option(route.times().map(|times| quote!(#times)));
    let otherwise = option(route.otherwise().map(target));
    let back = route.is_back();
    let forked = option(route.fork().map(|forked| fork(krate, names, forked)));
    let approve = route.approval();
    let approve = option(approve.map(|question| quote!(::std::borrow::Cow::Borrowed(#question))));
    let granted = option(route.granted().map(|granted| grant(krate, granted)));
    quote! {
        #krate::Route::__full(#to, #back, #forked, #limit, #approve, #otherwise, #granted)
    }
}

fn fork(krate: &Krate, names: &Names, fork: &Fork<NodeIndex>) -> TokenStream {
    let node = |node: &NodeIndex| names.node(usize::from(node.0));
    let branches = match &fork.branches {
        Branches::All(entries) => {
            let entries = entries.iter().map(node);
            quote!(#krate::Branches::All(#krate::List::fixed(&[#(#entries),*])))
        }
        Branches::Each { items, worker } => {
            let (items, worker) = (items.as_ref(), node(worker));
            quote! {
                #krate::Branches::Each {
                    items: ::std::borrow::Cow::Borrowed(#items),
                    worker: #worker,
                }
            }
        }
    };
    let concurrency = option(fork.concurrency.map(|most| quote!(#most)));
    quote!(#krate::Fork { branches: #branches, concurrency: #concurrency })
}

fn option(value: Option<TokenStream>) -> TokenStream {
    if let Some(value) = value {
        quote!(::core::option::Option::Some(#value))
    } else {
        quote!(::core::option::Option::None)
    }
}
