//! From a resolved graph to its enum of nodes, its table of edges, its edge functions and its steps.

use handoffs_core::{NodeIndex, Route, Target, max_handoffs};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::context::{flow_check, generic_context};
use super::model::Model;
use super::parse::{Graph, Guard, Node};
use super::pattern::needs_reference;
use crate::case::camel;
use crate::ends::Ends;
use crate::krate::Krate;

pub(super) fn expand(model: &Model) -> TokenStream {
    let names = Names::new(&model.graph);
    let nodes = node_enum(model, &names);
    let graph = graph_impl(model, &names);
    let edges = edge_functions(model, &names);
    let steps = step_impl(model, &names);
    let flow = flow_check(model);
    quote!(#nodes #graph #edges #steps #flow)
}

/// The identifiers that generated code is about.
struct Names {
    node_enum: Ident,
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

    fn node(&self, index: usize) -> TokenStream {
        let Self {
            node_enum,
            variants,
        } = self;
        let variant = variants.get(index).or(variants.first());
        quote!(#node_enum::#variant)
    }
}

/// Writes an item of a node's type as a node of the graph's state, in the same words and at the same
/// place wherever it is needed, so that the compiler reports a type that is none only once.
pub(super) fn of_node(graph: &Graph, ty: &Type, item: &str) -> TokenStream {
    let Graph { krate, state, .. } = graph;
    let ends = Ends::of(ty);
    let item = format_ident!("{item}");
    ends.around(quote!(<), ty, quote!(as #krate::Node<#state>>::#item))
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
        generics,
        nodes,
        given,
        ..
    } = graph;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let node_enum = &names.node_enum;
    let name = ident.unraw().to_string();
    let start = names.node(
        model
            .topology
            .start_node()
            .map_or(0, |start| usize::from(start.0)),
    );
    let edges = model.topology.edges().map(|(_, edge)| {
        let from = names.node(usize::from(edge.from.0));
        let on = edge.on.as_ref();
        let guard = if let Some(guard) = &edge.guard {
            quote!(::core::option::Option::Some(#guard))
        } else {
            quote!(::core::option::Option::None)
        };
        let route = route(krate, names, &edge.route);
        quote!(#krate::Edge::__new(#from, #on, #guard, #route))
    });
    let given = given.iter().map(|field| field.unraw().to_string());
    let most = max_handoffs(&model.topology).unwrap_or(u64::MAX);
    let context = generic_context(model);
    let shapes = nodes.iter().map(|node| {
        let (name, doc) = (
            node.ident.unraw().to_string(),
            node.doc.lines().next().unwrap_or_default(),
        );
        let kind = of_node(graph, &node.ty, "KIND");
        quote!(#krate::NodeShape::new(#name).doc(#doc).kind(#kind))
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::AgentGraph for #ident #type_generics #where_clause {
            type State = #state;
            type Node = #node_enum;

            const NAME: &'static ::core::primitive::str = #name;
            const START: #node_enum = #start;
            const EDGES: &'static [#krate::Edge<#node_enum>] = &[#(#edges),*];
            const GIVEN: #krate::FieldSet =
                #krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#(#given),*]);
            const MAX_HANDOFFS: ::core::primitive::u64 = #most;
            #context

            fn shapes() -> ::std::vec::Vec<#krate::NodeShape> {
                ::std::vec![#(#shapes),*]
            }
        }
    }
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
    let limit = if let Some(times) = route.times() {
        quote!(::core::option::Option::Some(#times))
    } else {
        quote!(::core::option::Option::None)
    };
    let otherwise = if let Some(otherwise) = route.otherwise() {
        let otherwise = target(otherwise);
        quote!(::core::option::Option::Some(#otherwise))
    } else {
        quote!(::core::option::Option::None)
    };
    quote!(#krate::Route::__new(#to, #limit, #otherwise))
}

/// Writes, for each node, the `match` that picks the edge, and the public function that shows its route.
fn edge_functions(model: &Model, names: &Names) -> TokenStream {
    let graph = &model.graph;
    let Graph {
        krate,
        ident,
        vis,
        state,
        generics,
        nodes,
        ..
    } = graph;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let node_enum = &names.node_enum;
    let mut first_edge = 0_usize;
    let functions = nodes.iter().map(|node| {
        let after = format_ident!("after_{}", node.ident.unraw(), span = node.ident.span());
        let pick = pick_name(node);
        let doc = format!(
            "Returns where a run goes after `{}`, as long as no limit is used up.",
            node.ident
        );
        let outcome = of_node(graph, &node.ty, "Outcome");
        let by_reference = Ends::of(&node.ty).put(quote!(&));
        let outcome = quote!(#by_reference #outcome);
        let call = Ends::of(&node.ty).call(quote!(Self::#pick), quote!(state,), quote!(&*outcome));
        let arms = node.arms.iter().enumerate().map(|(at, arm)| {
            let (pat, edge) = (&arm.pat, first_edge + at);
            let guard = match &arm.guard {
                Guard::None => TokenStream::new(),
                Guard::Function(guard) => quote_spanned! {guard.span()=> if {
                    let __guard: fn(&#state) -> ::core::primitive::bool = #guard;
                    __guard(__state)
                }},
                Guard::Broken => quote!(if true),
            };
            quote!(#pat #guard => #edge,)
        });
        let arms: Vec<_> = arms.collect();
        first_edge += node.arms.len();
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
        let ends = Ends::of(&node.ty);
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
                outcome: #outcome,
            ) -> #krate::Route<#node_enum> #shown

            #[doc(hidden)]
            #[#unreachable]
            #[allow(unused_variables, clippy::all, clippy::pedantic)]
            fn #pick(__state: &#state, #scrutinee: #outcome) -> ::core::primitive::usize #picked
        }
    });
    let functions: Vec<_> = functions.collect();
    let most_doc =
        "The most handoffs that a run can take, from node to node; the step to the end is none.";
    quote! {
        #[automatically_derived]
        impl #impl_generics #ident #type_generics #where_clause {
            #[doc = #most_doc]
            #vis const MAX_HANDOFFS: ::core::primitive::u64 = <Self as #krate::AgentGraph>::MAX_HANDOFFS;

            #(#functions)*
        }
    }
}

fn pick_name(node: &Node) -> Ident {
    format_ident!("__pick_after_{}", node.ident.unraw())
}

/// Writes the step: run the node, then pick the edge. One `match`, no box; and on to the next node
/// as long as nobody has to be told of it.
fn step_impl(model: &Model, names: &Names) -> TokenStream {
    let Graph {
        krate,
        ident,
        state,
        generics,
        nodes,
        ..
    } = &model.graph;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let node_enum = &names.node_enum;
    let arms = nodes.iter().enumerate().map(|(index, node)| {
        let (name, field, ty, pick) = (names.node(index), &node.ident, &node.ty, pick_name(node));
        // What the compiler has to say of the type, it says of this as well, so at the same place.
        let pick = Ends::of(ty).call(quote!(Self::#pick), quote!(state,), quote!(&outcome));
        quote! {
            #name => {
                let outcome = __Run::<_, #state>::new(&self.#field).execute(state, cx).await?;
                __Run::<_, #state>::new(&self.#field).settle(&outcome, state, cx)?;
                let edge = #pick;
                cx.__concluded(&outcome);
                edge
            }
        }
    });
    let run = run(krate);
    quote! {
        const _: () = {
        #run

        #[automatically_derived]
        impl #impl_generics #krate::Runnable for #ident #type_generics #where_clause {
            async fn step(
                &self,
                mut node: #node_enum,
                state: &mut #state,
                cx: &mut #krate::Context<'_>,
            ) -> ::core::result::Result<::core::primitive::usize, #krate::NodeError> {
                loop {
                    let edge = match node { #(#arms)* };
                    match cx.__pass::<Self>(edge, state) {
                        ::core::option::Option::Some(next) => node = next,
                        ::core::option::Option::None => return ::core::result::Result::Ok(edge),
                    }
                }
            }
        }
        };
    }
}

/// Writes the call of a node: `execute` of [`Execute`](handoffs_core::Node), or, of a type that is no
/// node, which is reported where the route needs its outcome, a call that fits whatever is expected.
fn run(krate: &Krate) -> TokenStream {
    quote! {
        struct __Run<'a, N, S>(&'a N, ::core::marker::PhantomData<fn(S)>);

        impl<'a, N, S> __Run<'a, N, S> {
            fn new(node: &'a N) -> Self {
                Self(node, ::core::marker::PhantomData)
            }
        }

        impl<'a, N: #krate::Execute<S>, S: #krate::State> __Run<'a, N, S> {
            #[inline]
            fn execute(
                self,
                state: &mut S,
                cx: &mut #krate::Context<'_>,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<N::Outcome, #krate::NodeError>,
            > + ::core::marker::Send {
                #krate::Execute::execute(self.0, state, cx)
            }

            #[inline]
            fn settle(
                self,
                outcome: &N::Outcome,
                state: &S,
                cx: &mut #krate::Context<'_>,
            ) -> ::core::result::Result<(), #krate::NodeError> {
                #krate::settle::<N, S>(outcome, state, cx)
            }
        }

        #[allow(dead_code)]
        trait __NoNode<S>: ::core::marker::Sized {
            fn execute<O>(
                self,
                _: &mut S,
                _: &mut #krate::Context<'_>,
            ) -> ::core::future::Ready<::core::result::Result<O, #krate::NodeError>> {
                ::core::unreachable!()
            }

            fn settle<O>(
                self,
                _: &O,
                _: &S,
                _: &mut #krate::Context<'_>,
            ) -> ::core::result::Result<(), #krate::NodeError> {
                ::core::unreachable!()
            }
        }

        impl<N, S> __NoNode<S> for __Run<'_, N, S> {}
    }
}
