//! What a state's fields say to serde, as far as a journal follows it: the older names of a field, and
//! what it is where a journal has no value of it.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::token::Paren;
use syn::{Attribute, Expr, ExprPath, Ident, LitStr, Token};

use super::{Field, Said};
use crate::mistakes::Mistakes;

/// What a field is where a journal has no value of it.
#[derive(Clone)]
pub(super) enum Missing {
    /// `#[serde(default)]`: what its type says.
    Default(Span),
    /// `#[serde(default = "path")]`: what a function says.
    Function(ExprPath),
    /// `#[serde(default)]` on the struct: what the field is in this value of the struct.
    Whole(TokenStream),
}

impl Missing {
    /// Writes the value.
    pub(super) fn value(&self, field: &Ident) -> TokenStream {
        match self {
            Self::Default(span) => quote_spanned!(*span=> ::core::default::Default::default()),
            Self::Function(path) => quote_spanned!(path.span()=> #path()),
            Self::Whole(whole) => quote!(#whole.#field),
        }
    }
}

/// Reads `#[serde(..)]` on a field, and refuses what would make a journal keep the field in another way
/// than the user believes.
pub(super) fn read(attr: &Attribute, said: &mut Said, mistakes: &mut Mistakes) {
    const IGNORED: [&str; 7] = [
        "skip",
        "skip_serializing",
        "skip_deserializing",
        "with",
        "serialize_with",
        "deserialize_with",
        "flatten",
    ];
    // What serde itself would refuse, it reports itself.
    let _ = attr.parse_nested_meta(|meta| {
        if let Some(key) = IGNORED.iter().find(|key| meta.path.is_ident(key)) {
            mistakes.mend(
                &meta.path,
                format_args!(
                    "H011: a journal keeps each field by its own type and would ignore `{key}`"
                ),
                "give the field a type of its own that serialises as you want",
            );
        }
        if meta.path.is_ident("alias") {
            said.aliases.push(meta.value()?.parse()?);
        } else if meta.path.is_ident("default") {
            let path = function(&meta)?;
            let default = Missing::Default(meta.path.span());
            said.default = Some(path.map_or(default, Missing::Function));
        } else {
            skip(&meta)?;
        }
        Ok(())
    });
}

/// Reads `#[serde(default)]` on the struct.
pub(super) fn default_of_all(attrs: &[Attribute]) -> Option<Missing> {
    let mut default = None;
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        let _ = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("default") {
                let span = meta.path.span();
                let plain = || quote_spanned!(span=> <Self as ::core::default::Default>::default());
                let path = function(&meta)?;
                let whole = path.map_or_else(plain, |path| quote_spanned!(path.span()=> #path()));
                default = Some(Missing::Whole(whole));
            } else {
                skip(&meta)?;
            }
            Ok(())
        });
    }
    default
}

/// Reads the function of `default = "path"`, if there is one.
fn function(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<ExprPath>> {
    if !meta.input.peek(Token![=]) {
        return Ok(None);
    }
    let path: LitStr = meta.value()?.parse()?;
    path.parse().map(Some)
}

/// Skips what else an attribute says, so that what stands behind it is read.
fn skip(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Paren) {
        meta.input.parse::<TokenTree>()?;
    } else if let Ok(value) = meta.value() {
        value.parse::<Expr>()?;
    }
    Ok(())
}

/// Refuses older names by which nobody could tell whose a value is.
pub(super) fn check(fields: &[Field], mistakes: &mut Mistakes) {
    let mut seen: Vec<String> = Vec::new();
    for field in fields {
        for alias in &field.said.aliases {
            let old = alias.value();
            if fields.iter().any(|field| field.ident.unraw() == old) {
                mistakes.mend(
                    alias,
                    format_args!(
                        "H011: `{old}` cannot be an older name of `{}`: a field has it now",
                        field.ident
                    ),
                    "remove it, or give that field another name: nobody could tell whose an old value is",
                );
            } else if seen.contains(&old) {
                let message = format_args!("H011: `{old}` is given twice as an older name");
                mistakes.mend(alias, message, "remove it");
            }
            seen.push(old);
        }
    }
}
