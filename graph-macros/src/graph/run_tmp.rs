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
