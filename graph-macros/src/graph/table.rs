//! The table of edges, as numbers and texts.

use handoffs_core::__private::Row;
use handoffs_core::{Branches, Edge, EdgeIndex, NodeIndex, Target};
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::may::grant;
use super::model::Model;

/// Writes the table of edges.
pub(super) fn edge_table(model: &Model) -> TokenStream {
    let krate = &model.graph.krate;
    let rows = model.topology.edges().map(|(_, edge)| row(model, edge));
    let extras = model.topology.edges().flat_map(|(index, edge)| {
        let number = Literal::u16_unsuffixed(index.0);
        let extras = extras(model, index, edge).into_iter();
        extras.map(move |extra| quote!((#number, #krate::Extra::#extra)))
    });
    quote! {
        #krate::Table { rows: &[#(#rows),*], extras: &[#(#extras),*] }
    }
}

fn row(model: &Model, edge: &Edge<NodeIndex>) -> TokenStream {
    let krate = &model.graph.krate;
    let (from, to) = (place(edge.from), target(*edge.route.target()));
    let on = if edge.on_error { "" } else { &*edge.on };
    let outcomes = edge.outcomes.join("|");
    quote!(#krate::Row(#from, #to, #on, #outcomes))
}

/// Writes what is to be said of an edge besides.
fn extras(model: &Model, index: EdgeIndex, edge: &Edge<NodeIndex>) -> Vec<TokenStream> {
    let route = &edge.route;
    let mut extras = Vec::new();
    if let Some(guard) = &edge.guard {
        extras.push(quote!(Guard(#guard)));
    }
    if edge.on_error {
        extras.push(quote!(OnError));
    }
    if route.is_back() {
        extras.push(quote!(Back));
    }
    if let Some(fork) = route.fork() {
        extras.push(match &fork.branches {
            Branches::All(entries) => {
                let entries = entries.iter().copied().map(place);
                quote!(All(&[#(#entries),*]))
            }
            Branches::Each { items, worker } => {
                let worker = place(*worker);
                quote!(Each(#items, #worker))
            }
        });
        extras.extend(fork.concurrency.map(|most| quote!(Concurrency(#most))));
    }
    extras.extend(route.times().map(|times| quote!(Limit(#times))));
    extras.extend(route.approval().map(|question| quote!(Approve(#question))));
    extras.extend(route.otherwise().map(|to| {
        let to = target(*to);
        quote!(Else(#to))
    }));
    if let Some(granted) = route.granted() {
        let granted = grant(&model.graph.krate, granted);
        extras.push(quote!(Grant(#granted)));
    }
    if model.looks(index) {
        extras.push(quote!(Finds));
    }
    extras
}

fn place(node: NodeIndex) -> Literal {
    Literal::u16_unsuffixed(node.0)
}

fn target(target: Target<NodeIndex>) -> Literal {
    Literal::u16_unsuffixed(target.node().map_or(Row::END, |node| node.0))
}
