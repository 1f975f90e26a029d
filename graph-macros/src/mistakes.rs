//! The mistakes found so far, to be reported all in one go.

use core::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

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
