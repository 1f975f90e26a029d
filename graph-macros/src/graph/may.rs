//! Who may do what: `#[may(..)]` on a field, and `grant(..)` on an edge.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, LitInt, Token, parenthesized};

use super::arm::{rest_of_argument, said};
use crate::krate::Krate;
use crate::mistakes::{Mistakes, arguments, skip_argument};

/// `#[may(use(A, B), grant(C))]`
#[derive(Default)]
pub(super) struct May {
    /// The attribute, if it is there.
    pub(super) key: Option<Ident>,
    pub(super) uses: Vec<Ident>,
    pub(super) grants: Vec<Ident>,
    /// Whether a part could not be read.
    pub(super) broken: bool,
}

/// `grant(A, B, spend = 5_000_000, calls = 3)`
pub(super) struct Granting {
    pub(super) key: Ident,
    pub(super) scopes: Vec<Ident>,
    pub(super) spend: Option<u64>,
    pub(super) calls: Option<u64>,
    pub(super) depth: Option<u32>,
    /// Whether a part could not be read.
    pub(super) broken: bool,
}

const MAY: &str = "write `#[may(use(A, B), grant(A))]` with scopes of the graph";
const GRANT: &str = "write `grant(A, B)`, perhaps with `spend = N`, `calls = N` or `depth = N`";

impl May {
    pub(super) fn read(attrs: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut may = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("may")) {
            let key = attr.path().get_ident().cloned();
            if may.key.is_some() {
                mistakes.twice(&key);
            }
            may.key = key;
            let mut broken = false;
            let read = attr.parse_args_with(|args: ParseStream<'_>| {
                arguments(args, || {
                    let key = args.call(Ident::parse_any)?;
                    let scopes = match key.to_string().as_str() {
                        "use" => &mut may.uses,
                        "grant" => &mut may.grants,
                        _ => {
                            let knows = "`may` knows: `use(A, B)`, `grant(A, B)`";
                            mistakes.unknown_key(&key, knows);
                            skip_argument(args);
                            broken = true;
                            return Ok(());
                        }
                    };
                    let list;
                    parenthesized!(list in args);
                    broken |= !read_scopes(&list, scopes, mistakes)?;
                    Ok(())
                })
            });
            if let Err(error) = read {
                may.broken = true;
                mistakes.mend(attr, error, MAY);
            }
            may.broken |= broken;
        }
        may
    }

    pub(super) fn shape(&self) -> handoffs_core::May {
        let names = |scopes: &[Ident]| -> Vec<String> {
            scopes
                .iter()
                .map(|scope| scope.unraw().to_string())
                .collect()
        };
        handoffs_core::May::new()
            .uses(names(&self.uses))
            .grants(names(&self.grants))
    }
}

impl Granting {
    /// Reads what stands behind `grant`.
    pub(super) fn read(
        key: Ident,
        options: ParseStream<'_>,
        mistakes: &mut Mistakes,
    ) -> syn::Result<Self> {
        let mut granting = Self {
            key,
            scopes: Vec::new(),
            spend: None,
            calls: None,
            depth: None,
            broken: false,
        };
        if !options.peek(syn::token::Paren) {
            return Err(said(options, "H011: `grant` does not say what", GRANT));
        }
        let list;
        parenthesized!(list in options);
        let whole = list.is_empty();
        arguments(&list, || {
            if !list.peek2(Token![=]) || list.peek2(Token![==]) {
                granting.broken |= !read_scope(&list, &mut granting.scopes, mistakes);
                return Ok(());
            }
            let key = list.call(Ident::parse_any)?;
            list.parse::<Token![=]>()?;
            granting.read_amount(&key, &list, mistakes);
            Ok(())
        })?;
        if granting.scopes.is_empty() && !granting.broken {
            granting.broken = true;
            let what = if whole {
                "says nothing"
            } else {
                "names no scope"
            };
            let message = format!("H011: this `grant` {what}");
            mistakes.mend(&granting.key, message, GRANT);
        }
        Ok(granting)
    }

    fn read_amount(&mut self, key: &Ident, list: ParseStream<'_>, mistakes: &mut Mistakes) {
        let token = rest_of_argument(list);
        let number = syn::parse2::<LitInt>(token.clone());
        let number = number.and_then(|number| number.base10_parse::<u64>()).ok();
        let was = match key.to_string().as_str() {
            "spend" => self.spend.replace(number.unwrap_or(0)).is_some(),
            "calls" => self.calls.replace(number.unwrap_or(0)).is_some(),
            "depth" => {
                let depth = number.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
                self.depth.replace(depth.unwrap_or(0)).is_some()
            }
            _ => {
                let knows = "`grant` knows, beside scopes: `spend = N`, `calls = N`, `depth = N`";
                mistakes.unknown_key(key, knows);
                self.broken = true;
                return;
            }
        };
        if was {
            mistakes.twice(key);
        }
        if number.is_none() {
            mistakes.mend(
                &token,
                format_args!("H011: `{key}` is a whole number"),
                "money is counted in millionths of the currency's unit: `spend = 5_000_000`",
            );
        }
    }

    pub(super) fn grant(&self) -> handoffs_core::Grant {
        let scopes = self.scopes.iter().map(|scope| scope.unraw().to_string());
        let mut grant = handoffs_core::Grant::of(scopes);
        grant.spend_micros = self.spend;
        grant.calls = self.calls;
        grant.depth = self.depth;
        grant
    }
}

/// Reads a list of scopes, and returns whether all could be read.
fn read_scopes(
    list: ParseStream<'_>,
    scopes: &mut Vec<Ident>,
    mistakes: &mut Mistakes,
) -> syn::Result<bool> {
    let mut all = true;
    arguments(list, || {
        all &= read_scope(list, scopes, mistakes);
        Ok(())
    })?;
    Ok(all)
}

fn read_scope(list: ParseStream<'_>, scopes: &mut Vec<Ident>, mistakes: &mut Mistakes) -> bool {
    let token = rest_of_argument(list);
    let Ok(scope) = syn::parse2::<Ident>(token.clone()) else {
        mistakes.mend(
            &token,
            "H011: this is no scope",
            "name a variant of the graph's scopes, without the name of the enum",
        );
        return false;
    };
    if scopes.contains(&scope) {
        mistakes.twice(&scope);
    } else {
        scopes.push(scope);
    }
    true
}

/// Writes what a node may do.
pub(super) fn may(krate: &Krate, may: &handoffs_core::May) -> TokenStream {
    let (uses, grants) = (may.uses.iter(), may.grants.iter());
    let (uses, grants) = (
        uses.map(AsRef::<str>::as_ref),
        grants.map(AsRef::<str>::as_ref),
    );
    let none = quote!(::core::primitive::str);
    quote! {
        #krate::May::new()
            .uses([#(#uses),*] as [&'static #none; _])
            .grants([#(#grants),*] as [&'static #none; _])
    }
}

/// Writes what an edge grants.
pub(super) fn grant(krate: &Krate, grant: &handoffs_core::Grant) -> TokenStream {
    let scopes = grant.named().iter().map(AsRef::<str>::as_ref);
    let amount = |amount: Option<TokenStream>| {
        let none = quote!(::core::option::Option::None);
        amount.map_or(none, |amount| quote!(::core::option::Option::Some(#amount)))
    };
    let spend = amount(grant.spend_micros.map(|most| most.to_token_stream()));
    let calls = amount(grant.calls.map(|most| most.to_token_stream()));
    let depth = amount(grant.depth.map(|most| most.to_token_stream()));
    quote! {
        #krate::Grant::__new(
            &[#(::std::borrow::Cow::Borrowed(#scopes)),*], #spend, #calls, #depth,
        )
    }
}
