//! The mistakes found so far, to be reported all in one go.

use core::fmt::Display;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Token;
use syn::parse::ParseStream;

/// A collection of errors, each at its own token.
#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    /// Adds a mistake at a token.
    pub(crate) fn at(&mut self, token: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(token, message));
    }

    /// Adds a mistake at a token, with a line that says how to mend it.
    pub(crate) fn mend(&mut self, token: impl ToTokens, message: impl Display, help: impl Display) {
        self.at(token, format_args!("{message}\nhelp: {help}"));
    }

    /// Adds a key that an attribute does not know, and lists those that it knows.
    pub(crate) fn unknown_key(&mut self, key: &impl ToTokens, knows: &str) {
        let name = key.to_token_stream();
        self.mend(key, format_args!("H011: unknown key `{name}`"), knows);
    }

    /// Adds a key that was given before.
    pub(crate) fn twice(&mut self, key: &impl ToTokens) {
        let name = key.to_token_stream();
        self.mend(
            key,
            format_args!("H011: `{name}` is given twice"),
            "remove one of them",
        );
    }

    /// Adds an error that a parser found.
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Takes the value of a result, or adds its error.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }
}

impl ToTokens for Mistakes {
    /// Writes the errors for the compiler to report.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(errors) = &self.0 {
            errors.to_compile_error().to_tokens(tokens);
        }
    }
}

/// Reads the arguments of an attribute one by one; commas separate them.
pub(crate) fn arguments(
    args: ParseStream<'_>,
    mut read: impl FnMut() -> syn::Result<()>,
) -> syn::Result<()> {
    while !args.is_empty() {
        read()?;
        if !args.is_empty() {
            args.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

/// Skips what is left of an argument, so that one mistake hides none of those behind it.
pub(crate) fn skip_argument(args: ParseStream<'_>) {
    while !args.is_empty() && !args.peek(Token![,]) {
        // A token tree is read whatever it is, so this always gets on.
        if args.parse::<TokenTree>().is_err() {
            return;
        }
    }
}
