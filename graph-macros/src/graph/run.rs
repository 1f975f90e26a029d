//! How generated code uses a node, or a graph that is one, without saying twice that it is none.

use proc_macro2::TokenStream;
use quote::quote;

use super::parse::Graph;
use crate::krate::Krate;

/// Writes the call of a node: `execute` of [`Execute`](handoffs_core::Node), or, of a type that is no
/// node, which is reported where the route needs its outcome, a call that fits whatever is expected.
pub(super) fn run(graph: &Graph) -> TokenStream {
    let krate = &graph.krate;
    let has_graphs = graph
        .nodes
        .iter()
        .any(|node| node.policy.subgraph.is_some());
    let graph = has_graphs.then(|| run_graph(krate));
    let stand_in = stand_in(krate);
    quote! {
        struct __Run<'a, N, S>(&'a N, ::core::marker::PhantomData<fn(S)>);

        #[inline]
        fn __run<N, S>(node: &N) -> __Run<'_, N, S> {
            __Run(node, ::core::marker::PhantomData)
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

            fn known(self) -> #krate::Known {
                #krate::Known::of::<N, S>()
            }

            fn within(self) -> ::core::option::Option<#krate::Within<'a>> {
                #krate::Execute::within(self.0)
            }
        }

        impl<'a, G, S: #krate::State> __Run<'a, G, S> {
            #[inline]
            fn pass(
                self,
                edge: ::core::primitive::usize,
                state: &S,
                cx: &mut #krate::Context<'_>,
            ) -> ::core::option::Option<::core::primitive::usize> {
                cx.__pass(edge, state)
            }
        }

        #graph

        #stand_in
    }
}

/// Writes the call of a graph over another state.
fn run_graph(krate: &Krate) -> TokenStream {
    quote! {
        impl<'a, G: #krate::Runnable, S> __Run<'a, G, S> {
            fn run_graph(
                self,
                state: &mut G::State,
                cx: &mut #krate::Context<'_>,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<G::Outcome, #krate::NodeError>,
            > + ::core::marker::Send {
                #krate::subgraph(self.0, state, cx)
            }

            fn graph_within(self) -> ::core::option::Option<#krate::Within<'a>> {
                ::core::option::Option::Some(#krate::Within::of(self.0, false))
            }
        }
    }
}

/// Writes what the compiler takes where a type is not what it should be; no program reaches it.
fn stand_in(krate: &Krate) -> TokenStream {
    quote! {
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

            fn pass(
                self,
                _: ::core::primitive::usize,
                _: &S,
                _: &mut #krate::Context<'_>,
            ) -> ::core::option::Option<::core::primitive::usize> {
                ::core::unreachable!()
            }

            fn run_graph<I, O>(
                self,
                _: &mut I,
                _: &mut #krate::Context<'_>,
            ) -> ::core::future::Ready<::core::result::Result<O, #krate::NodeError>> {
                ::core::unreachable!()
            }

            fn graph_within(self) -> ::core::option::Option<#krate::Within<'static>> {
                ::core::unreachable!()
            }

            fn known(self) -> #krate::Known {
                ::core::unreachable!()
            }

            fn within(self) -> ::core::option::Option<#krate::Within<'static>> {
                ::core::unreachable!()
            }
        }

        impl<N, S> __NoNode<S> for __Run<'_, N, S> {}
    }
}
