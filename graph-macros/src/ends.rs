//! Where some tokens begin and end, so that an error about generated code underlines all of them.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// Puts generated tokens at another place, where they mean what they meant: within a `macro_rules!`, a name that
/// stands at a token of its caller is otherwise looked for among the caller's.
pub(crate) fn at(place: Span, tokens: TokenStream) -> TokenStream {
    let put = |mut tree: TokenTree| {
        tree.set_span(tree.span().located_at(place));
        tree
    };
    tokens.into_iter().map(put).collect()
}

/// Writes the name of a variable of the generated code at another place.
pub(crate) fn local(name: &str, place: Span) -> Ident {
    Ident::new(name, Span::call_site().located_at(place))
}

/// The spans of the first and the last token.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) first: Span,
    pub(crate) last: Span,
}

impl Ends {
    pub(crate) fn of(tokens: &impl ToTokens) -> Self {
        let tokens: Vec<TokenTree> = tokens.to_token_stream().into_iter().collect();
        let open = |tree: &TokenTree| match tree {
            TokenTree::Group(group) => group.span_open(),
            tree => tree.span(),
        };
        let close = |tree: &TokenTree| match tree {
            TokenTree::Group(group) => group.span_close(),
            tree => tree.span(),
        };
        Self {
            first: tokens.first().map_or_else(Span::call_site, open),
            last: tokens.last().map_or_else(Span::call_site, close),
        }
    }

    /// Puts generated tokens around those that stand there.
    pub(crate) fn around(
        self,
        before: TokenStream,
        tokens: &impl ToTokens,
        after: TokenStream,
    ) -> TokenStream {
        let moved = |tokens: TokenStream, span| {
            tokens.into_iter().map(move |mut tree| {
                tree.set_span(span);
                tree
            })
        };
        let before = moved(before, self.first);
        let after = moved(after, self.last);
        before
            .chain(tokens.to_token_stream())
            .chain(after)
            .collect()
    }

    /// Puts generated tokens into braces at the place, since the compiler checks a function's signature
    /// once more where its body is.
    pub(crate) fn body(self, tokens: TokenStream) -> Group {
        let mut body = Group::new(Delimiter::Brace, tokens);
        body.set_span(self.first);
        body
    }

    /// Writes a call at the place, which its last argument alone underlines as a whole: the compiler
    /// checks the type of each argument once more where the argument is.
    ///
    /// The last argument is what its names mean at the place, and the others what they meant.
    pub(crate) fn call(
        self,
        function: TokenStream,
        args: TokenStream,
        last_arg: TokenStream,
    ) -> TokenStream {
        let mut all = at(self.last, args);
        all.extend(self.put(last_arg));
        let mut group = Group::new(Delimiter::Parenthesis, all);
        group.set_span(self.last);
        let mut call = self.put(function);
        call.extend([TokenTree::from(group)]);
        call
    }

    /// Moves generated tokens to the place: the first of them to its beginning, the rest to its end.
    pub(crate) fn put(self, tokens: TokenStream) -> TokenStream {
        let mut span = self.first;
        tokens
            .into_iter()
            .map(|mut tree| {
                tree.set_span(span);
                span = self.last;
                tree
            })
            .collect()
    }
}
