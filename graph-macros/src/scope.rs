//! `derive(Scope)`: the variants of an enum as the names of what nodes may do.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Data, DeriveInput, Fields, Ident};

use crate::krate::Krate;
use crate::mistakes::Mistakes;
use crate::outcome::doc_text;

pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut krate = Krate::default();
    for attr in input
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("scope"))
    {
        let knows = "on the enum, `scope` knows: `crate = path`";
        let read = attr
            .parse_args_with(|args: ParseStream<'_>| krate.read_alone(args, knows, &mut mistakes));
        mistakes.take(read);
    }
    let mut scopes: Vec<(&Ident, String)> = Vec::new();
    match &input.data {
        Data::Enum(data) => {
            for variant in &data.variants {
                if !matches!(variant.fields, Fields::Unit) {
                    mistakes.mend(
                        &variant.fields,
                        "H011: a scope has no fields",
                        "name one thing that may be done; how much of it, a grant says",
                    );
                }
                let doc = doc_text(&variant.attrs);
                scopes.push((
                    &variant.ident,
                    doc.lines().next().unwrap_or_default().to_owned(),
                ));
            }
        }
        Data::Struct(_) | Data::Union(_) => mistakes.mend(
            &input.ident,
            "H011: scopes are an enum",
            "write one variant for each thing that nodes may be allowed to do",
        ),
    }
    if scopes.is_empty() && matches!(input.data, Data::Enum(_)) {
        mistakes.mend(
            &input.ident,
            "H011: there is at least one scope",
            "write one variant for each thing that nodes may be allowed to do",
        );
    }
    let code = expand(&input, &krate, &scopes);
    quote!(#mistakes #code)
}

fn expand(input: &DeriveInput, krate: &Krate, scopes: &[(&Ident, String)]) -> TokenStream {
    let ident = &input.ident;
    let names: Vec<_> = scopes
        .iter()
        .map(|(name, _)| name.unraw().to_string())
        .collect();
    let docs = scopes.iter().map(|(_, doc)| doc);
    let variants = scopes.iter().map(|(variant, _)| variant);
    let places = 0..scopes.len();
    // A variant that has fields, which was reported, matches as well.
    let index = if matches!(input.data, Data::Enum(_)) {
        quote!(match *self { #(Self::#variants { .. } => #places,)* })
    } else {
        quote!(0)
    };
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Scope for #ident #type_generics #where_clause {
            const SCOPES: &'static [(&'static ::core::primitive::str, &'static ::core::primitive::str)] =
                &[#((#names, #docs)),*];

            fn index(&self) -> ::core::primitive::usize {
                #index
            }
        }

        #[automatically_derived]
        impl #impl_generics ::core::convert::From<#ident #type_generics>
            for ::std::borrow::Cow<'static, ::core::primitive::str> #where_clause
        {
            fn from(scope: #ident #type_generics) -> Self {
                ::std::borrow::Cow::Borrowed(#krate::Scope::name(&scope))
            }
        }
    }
}
