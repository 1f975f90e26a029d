//! How a graph is run: the steps of its nodes, and what the runtime asks of it besides.

use std::collections::HashMap;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned;

use super::arm::{END, Onward, Stop, To};
use super::context::generic_context;
use super::edges::pick_name;
use super::expand::Names;
use super::model::Model;
use super::nested::{leave_node, leave_value, nested_step};
use super::parse::{Graph, Node};
use super::policy::{cache_key, policy};
use super::run::run;
use crate::ends::{Ends, local};

/// Writes how the graph is run. A step is one `match`, no box: run the node, then pick the edge; and
/// on to the next node as long as nobody has to be told of it.
pub(super) fn step_impl(model: &Model, names: &Names) -> TokenStream {
    let graph = &model.graph;
    let Graph { krate, state, .. } = graph;
    let node_enum = &names.node_enum;
    let outcome = graph_outcome(graph);
    let context = generic_context(model);
    let (facts, pick) = (facts(graph), pick_fn(graph));
    let (step, blocks) = step_fns(graph);
    let (items, questions, ends) = (items(model), questions(model), ends(model));
    let run = run(graph);
    let runnable = quote! {
        type State = #state;
        type Node = #node_enum;
        type Outcome = #outcome;
        #context

        fn topology(&self) -> #krate::Topology {
            <Self as #krate::AgentGraph>::topology()
        }

        fn given(&self) -> #krate::FieldSet {
            <Self as #krate::AgentGraph>::GIVEN
        }

        fn node(&self, index: ::core::primitive::usize) -> #node_enum {
            #krate::node_at::<Self>(index)
        }

        #facts
        #step
        #pick

        fn items(
            &self,
            __edge: ::core::primitive::usize,
            __state: &#state,
        ) -> ::std::vec::Vec<#krate::Item> {
            match __edge {
                #items
                _ => ::std::vec::Vec::new(),
            }
        }

        fn question(
            &self,
            __edge: ::core::primitive::usize,
            __state: &#state,
        ) -> ::core::option::Option<::core::result::Result<#krate::Json, #krate::JsonError>> {
            match __edge {
                #questions
                _ => ::core::option::Option::None,
            }
        }

        fn end(
            &self,
            __edge: ::core::primitive::usize,
            __otherwise: ::core::primitive::bool,
        ) -> Self::Outcome {
            #ends
        }
    };
    let runnable = graph.implement(&quote!(#krate::Runnable for), &runnable);
    quote! {
        const _: () = {
            #run
            #blocks

            #[allow(unused_variables, clippy::all, clippy::pedantic)]
            #runnable
        };
    }
}

/// Writes what the runtime is told of the nodes.
fn facts(graph: &Graph) -> TokenStream {
    let Graph {
        krate,
        state,
        nodes,
        ..
    } = graph;
    let known = nodes.iter().map(|node| known(graph, node));
    let within = nodes.iter().enumerate().map(|(index, node)| {
        let field = &node.ident;
        let within = if node.policy.subgraph.is_some() {
            quote!(graph_within)
        } else {
            quote!(within)
        };
        quote!(#index => __run::<_, #state>(&self.#field).#within(),)
    });
    let policies = nodes.iter().map(|node| policy(krate, &node.policy));
    let keys = nodes.iter().enumerate().filter_map(|(index, node)| {
        let key = cache_key(graph, node.policy.cache.as_ref()?);
        Some(quote!(#index => ::core::option::Option::Some(#key),))
    });
    quote! {
        fn within(
            &self,
            node: ::core::primitive::usize,
        ) -> ::core::option::Option<#krate::Within<'_>> {
            match node {
                #(#within)*
                _ => ::core::option::Option::None,
            }
        }

        fn nodes(&self) -> ::std::vec::Vec<#krate::Known> {
            ::std::vec![#(#known),*]
        }

        fn policies(&self) -> ::std::vec::Vec<#krate::Policy> {
            ::std::vec![#(#policies),*]
        }

        fn cache_key(
            &self,
            __node: ::core::primitive::usize,
            __state: &#state,
        ) -> ::core::option::Option<::core::result::Result<#krate::Json, #krate::JsonError>> {
            match __node {
                #(#keys)*
                _ => ::core::option::Option::None,
            }
        }
    }
}

/// How many kinds of nodes one `async fn` may run. What the compiler does with such a function takes it more than
/// twice as long for twice as many `.await`s.
const BLOCK: usize = 16;

/// Writes the step, and the functions of its blocks if the graph is large.
fn step_fns(graph: &Graph) -> (TokenStream, TokenStream) {
    let Graph { krate, state, .. } = graph;
    let kinds = kinds(graph);
    let blocks = kinds.chunks(BLOCK);
    let (arms, blocks) = if blocks.len() > 1 {
        let blocks = blocks.enumerate().map(|(number, kinds)| {
            let name = format_ident!("__step_{number}");
            let indices = kinds.iter().flatten().map(|(index, _)| index);
            let arm = quote!(#(#indices)|* => Self::#name(__graph, node, state, cx).await?,);
            (arm, block(graph, &name, kinds))
        });
        let (arms, functions): (TokenStream, TokenStream) = blocks.unzip();
        let own = graph.implement(&TokenStream::new(), &functions);
        let allow = quote!(#[allow(unused_variables, clippy::all, clippy::pedantic)]);
        (arms, quote!(#allow #own))
    } else {
        let arms = kinds.iter().map(|kind| step_of(graph, kind)).collect();
        (arms, TokenStream::new())
    };
    let step = quote! {
        async fn step(
            &self,
            mut node: ::core::primitive::usize,
            state: &mut #state,
            cx: &mut #krate::Context<'_>,
        ) -> ::core::result::Result<::core::primitive::usize, #krate::NodeError> {
            // So the future keeps it behind the state and the context, which that of a node reads as a pair. What
            // was not written as one, the processor waits for.
            let __graph = self;
            loop {
                let edge = match node {
                    #arms
                    _ => return ::core::result::Result::Err(#krate::no_node(node)),
                };
                match __run::<_, #state>(__graph).pass(edge, state, cx) {
                    ::core::option::Option::Some(next) => node = next,
                    ::core::option::Option::None => return ::core::result::Result::Ok(edge),
                }
            }
        }
    };
    (step, blocks)
}

/// Writes the function that runs one of these nodes.
fn block(graph: &Graph, name: &Ident, kinds: &[Vec<(usize, &Node)>]) -> TokenStream {
    let Graph { krate, state, .. } = graph;
    let arms = kinds.iter().map(|kind| step_of(graph, kind));
    quote! {
        async fn #name(
            __graph: &Self,
            node: ::core::primitive::usize,
            state: &mut #state,
            cx: &mut #krate::Context<'_>,
        ) -> ::core::result::Result<::core::primitive::usize, #krate::NodeError> {
            ::core::result::Result::Ok(match node {
                #(#arms)*
                _ => return ::core::result::Result::Err(#krate::no_node(node)),
            })
        }
    }
}

/// Writes the arm of the nodes of one type: run the one that is due, then pick the edge.
fn step_of(graph: &Graph, kind: &[(usize, &Node)]) -> TokenStream {
    let state = &graph.state;
    let indices = kind.iter().map(|(index, _)| index);
    let field = one_of(kind, |node| {
        let field = &node.ident;
        quote!(&__graph.#field)
    });
    let execute = |node: &TokenStream| {
        quote! {
            let outcome = __run::<_, #state>(#node).execute(state, cx).await?;
            __run::<_, #state>(#node).settle(&outcome, state, cx)?;
        }
    };
    let step = match kind[..] {
        [(_, node)] if node.policy.subgraph.is_some() => nested_step(graph, node),
        [_] => execute(&field),
        _ => {
            let execute = execute(&quote!(__node));
            quote!(let __node = #field; #execute)
        }
    };
    let pick = one_of(kind, pick);
    quote! {
        #(#indices)|* => {
            #step
            #pick
        }
    }
}

/// Returns the nodes by their types, with their places. Those of one type are executed by the same code, so that
/// a graph of many agents is not as many times as large.
fn kinds(graph: &Graph) -> Vec<Vec<(usize, &Node)>> {
    let mut kinds: Vec<Vec<_>> = Vec::new();
    let mut places = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        // A graph over another state has a way in and out of its own.
        let ty = node.policy.subgraph.is_none().then_some(&node.ty);
        let place = ty.map_or(kinds.len(), |ty| {
            let ty = ty.to_token_stream().to_string();
            *places.entry(ty).or_insert(kinds.len())
        });
        if place == kinds.len() {
            kinds.push(Vec::new());
        }
        kinds[place].push((index, node));
    }
    kinds
}

/// Writes what the node of these that is due needs.
fn one_of(kind: &[(usize, &Node)], needs: impl Fn(&Node) -> TokenStream) -> TokenStream {
    let [others @ .., (_, last)] = kind else {
        return TokenStream::new();
    };
    let last = needs(last);
    if others.is_empty() {
        return last;
    }
    let others = others.iter().map(|(index, node)| {
        let needed = needs(node);
        quote!(#index => #needed,)
    });
    quote!(match node { #(#others)* _ => #last, })
}

fn pick_fn(graph: &Graph) -> TokenStream {
    let Graph {
        krate,
        state,
        nodes,
        ..
    } = graph;
    let picks = nodes.iter().enumerate().map(|(index, node)| {
        let pick = pick_name(node);
        let repick = Ends::of(&node.ty).call(
            quote!(#krate::repick),
            quote!(concluded, state,),
            quote!(Self::#pick),
        );
        quote!(#index => #repick,)
    });
    quote! {
        fn pick(
            &self,
            node: ::core::primitive::usize,
            concluded: &#krate::Concluded,
            state: &#state,
        ) -> ::core::result::Result<::core::primitive::usize, #krate::NodeError> {
            match node {
                #(#picks)*
                _ => ::core::result::Result::Err(#krate::no_node(node)),
            }
        }
    }
}

/// Writes what the graph ends with.
fn graph_outcome(graph: &Graph) -> TokenStream {
    let outcome = graph.outcome.as_ref();
    outcome.map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

/// Writes the call that picks the edge after a node.
fn pick(node: &Node) -> TokenStream {
    // What the compiler has to say of the type, it says of this as well, so at the same place.
    let (pick, ends) = (pick_name(node), Ends::of(&node.ty));
    let concluded = Ident::new("outcome", ends.last);
    let pick = ends.call(quote!(Self::#pick), quote!(state,), quote!(&#concluded));
    quote!({ let #concluded = outcome; #pick })
}

/// Writes what the runtime knows of a node.
fn known(graph: &Graph, node: &Node) -> TokenStream {
    let Graph { krate, state, .. } = graph;
    let field = &node.ident;
    let Some(subgraph) = &node.policy.subgraph else {
        return quote!(__run::<_, #state>(&self.#field).known());
    };
    let leave = leave_value(&leave_node(subgraph));
    quote! {{
        let mut known = __run::<_, #state>(&#leave).known();
        known.contract.reads = #krate::FieldSet::ALL;
        known.contract.item = false;
        known
    }}
}

/// Writes the `match` arms that list the items of each `each`.
fn items(model: &Model) -> TokenStream {
    let Graph {
        krate,
        state,
        nodes,
        ..
    } = &model.graph;
    let arms = model.topology.edges().filter_map(|(index, edge)| {
        let Some(Onward {
            to: To::Each { items, worker, .. },
            ..
        }) = model.onward(index)
        else {
            return None;
        };
        let fork = edge.route.fork()?;
        let node = nodes.get(usize::from(fork.entries().first()?.0))?;
        let ty = &node.ty;
        let item = quote_spanned!(worker.span()=> <#ty as #krate::Worker<#state>>::Item);
        let index = usize::from(index.0);
        let name = local("__items", items.span());
        let listed = quote_spanned! {items.span()=>
            let #name: fn(&#state) -> ::std::vec::Vec<#item> = #items;
        };
        Some(quote! {
            #index => {
                #listed
                #krate::items(#name(__state))
            }
        })
    });
    arms.collect()
}

/// Writes the `match` arms that make the question before each handoff which a person approves.
fn questions(model: &Model) -> TokenStream {
    let Graph { krate, state, .. } = &model.graph;
    let arms = model.topology.edges().filter_map(|(index, _)| {
        let question = &model.onward(index)?.approve.as_ref()?.question;
        let index = usize::from(index.0);
        let name = local("__question", question.span());
        let given = quote_spanned! {question.span()=>
            let #name: fn(&#state) -> _ = #question;
        };
        let seen = local("__state", question.span());
        let made = quote_spanned!(question.span()=> #krate::question(#name, #seen));
        Some(quote! {
            #index => {
                #given
                ::core::option::Option::Some(#made)
            }
        })
    });
    arms.collect()
}

/// Writes what the run ends with, edge by edge.
fn ends(model: &Model) -> TokenStream {
    let Some(ty) = &model.graph.outcome else {
        return TokenStream::new();
    };
    let outcome = |stop: &Stop| {
        let expr = stop.outcome.as_ref().filter(|_| stop.ident == END)?;
        Some(ended(ty, expr))
    };
    let mut arms: Vec<(TokenStream, TokenStream)> = Vec::new();
    for (index, _) in model.topology.edges() {
        let Some(onward) = model.onward(index) else {
            continue;
        };
        let index = usize::from(index.0);
        if let To::Stop(stop) = &onward.to
            && let Some(ended) = outcome(stop)
        {
            arms.push((quote!((#index, false)), ended));
        }
        if let Some(ended) = onward.otherwise.as_ref().and_then(outcome) {
            arms.push((quote!((#index, true)), ended));
        }
    }
    // A run ends along no other edge than these, so the last stands for all that is left.
    let last = arms.pop().map_or_else(
        || quote!(::core::unreachable!("this graph did not compile")),
        |(_, ended)| ended,
    );
    let arms = arms.iter().map(|(edge, ended)| quote!(#edge => #ended,));
    quote! {
        match (__edge, __otherwise) {
            #(#arms)*
            _ => #last,
        }
    }
}

fn ended(ty: &impl ToTokens, expr: &Expr) -> TokenStream {
    quote_spanned! {expr.span()=> {
        let __outcome: #ty = #expr;
        __outcome
    }}
}
