//! The one place that knows by which path the user's crate reaches ours.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Path, Token, parse::ParseStream};

use crate::mistakes::{Mistakes, arguments, skip_argument};

/// The path of the facade: `::handoffs`, or what `crate = path` says.
#[derive(Clone, Default)]
pub(crate) struct Krate(Option<Path>);

impl Krate {
    /// Parses `crate = path`.
    pub(crate) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse::<Token![crate]>()?;
        input.parse::<Token![=]>()?;
        Ok(Self(Some(input.call(Path::parse_mod_style)?)))
    }

    /// Reads the arguments of an attribute that knows `crate = path` and nothing else.
    pub(crate) fn read_alone(
        &mut self,
        args: ParseStream<'_>,
        knows: &str,
        mistakes: &mut Mistakes,
    ) -> syn::Result<()> {
        arguments(args, || {
            if args.peek(Token![crate]) {
                *self = Self::parse(args)?;
            } else {
                let key: TokenTree = args.parse()?;
                mistakes.unknown_key(&key, knows);
                skip_argument(args);
            }
            Ok(())
        })
    }
}

impl ToTokens for Krate {
    /// Writes the path of the module that holds all that generated code may name.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(path) = &self.0 {
            quote!(#path::__private)
        } else {
            quote!(::handoffs::__private)
        }
        .to_tokens(tokens);
    }
}
