//! `derive(Outcome)`: the variants of an enum as the ways on from a node.

use std::collections::HashMap;

use proc_macro2::{TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::token::Paren;
use syn::{Attribute, Data, DataEnum, DeriveInput, Expr, Fields, Ident, Lit, Meta, Token};

use crate::case::snake;
use crate::krate::Krate;
use crate::mistakes::{Mistakes, arguments, skip_argument};
use crate::types::borrows;

/// A variant of the outcome.
struct Variant<'a> {
    ident: &'a Ident,
    fields: &'a Fields,
    doc: String,
    tool: String,
    gives: Vec<String>,
    answer: Option<TokenTree>,
}

pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let krate = parse_krate(&input, &mut mistakes);
    let variants = match &input.data {
        Data::Enum(data) => parse_variants(data, &mut mistakes),
        Data::Struct(_) | Data::Union(_) => {
            mistakes.mend(
                &input.ident,
                "H011: an outcome is an enum",
                "write one variant for each way on from the node; a node with one way on can return `()`",
            );
            let code = expand(&input, &krate, &[]);
            return quote!(#mistakes #code);
        }
    };
    if variants.is_empty() {
        mistakes.mend(
            &input.ident,
            "H011: an outcome has at least one variant",
            "a node with one way on can return `()`",
        );
    }
    let code = expand(&input, &krate, &variants);
    quote!(#mistakes #code)
}

fn parse_krate(input: &DeriveInput, mistakes: &mut Mistakes) -> Krate {
    let mut krate = Krate::default();
    for attr in outcome_attrs(&input.attrs) {
        let knows = "on the enum, `outcome` knows: `crate = path`";
        let read =
            attr.parse_args_with(|args: ParseStream<'_>| krate.read_alone(args, knows, mistakes));
        mistakes.take(read);
    }
    krate
}

fn outcome_attrs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("outcome"))
}

fn parse_variants<'a>(data: &'a DataEnum, mistakes: &mut Mistakes) -> Vec<Variant<'a>> {
    let mut tools: HashMap<String, &Ident> = HashMap::new();
    let mut variants = Vec::new();
    for variant in &data.variants {
        let ident = &variant.ident;
        let mut gives = Vec::new();
        let mut answer = None;
        for attr in outcome_attrs(&variant.attrs) {
            let read = attr.parse_args_with(|args: ParseStream<'_>| {
                read_variant(args, &mut gives, &mut answer, mistakes)
            });
            mistakes.take(read);
        }
        let tool = format!("transfer_to_{}", snake(&ident.unraw().to_string()));
        if let Some(first) = tools.insert(tool.clone(), ident) {
            mistakes.mend(
                ident,
                format_args!("H011: `{first}` and `{ident}` both become the tool `{tool}`"),
                "rename one of them, so that a model can tell them apart",
            );
        }
        let doc = doc_text(&variant.attrs);
        variants.push(Variant {
            ident,
            fields: &variant.fields,
            doc,
            tool,
            gives,
            answer,
        });
    }
    let mut answers = variants
        .iter()
        .filter_map(|variant| variant.answer.as_ref());
    if let (Some(_), Some(second)) = (answers.next(), answers.next()) {
        mistakes.mend(
            second,
            "H011: an outcome has one answer at most",
            "mark the variant that an agent concludes with its final text, and no other",
        );
    }
    variants
}

/// Reads what `#[outcome(..)]` says of a variant.
fn read_variant(
    args: ParseStream<'_>,
    gives: &mut Vec<String>,
    answer: &mut Option<TokenTree>,
    mistakes: &mut Mistakes,
) -> syn::Result<()> {
    arguments(args, || {
        let key: TokenTree = args.parse()?;
        if key.to_string() == "answer" {
            *answer = Some(key);
        } else if key.to_string() != "gives" {
            let knows = "on a variant, `outcome` knows: `answer`, `gives(field, ..)`";
            mistakes.unknown_key(&key, knows);
            skip_argument(args);
        } else if args.peek(Paren) {
            let content;
            syn::parenthesized!(content in args);
            let fields = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
            gives.extend(fields.iter().map(|field| field.unraw().to_string()));
        } else {
            mistakes.mend(
                &key,
                "H011: `gives` lists fields of the state",
                "write `gives(field)`, or `gives(one, another)`",
            );
            skip_argument(args);
        }
        Ok(())
    })
}

/// Returns the text of the doc comments, line by line, without the space that follows `///`.
pub(crate) fn doc_text(attrs: &[Attribute]) -> String {
    let lines: Vec<String> = attrs
        .iter()
        .filter_map(|attr| match &attr.meta {
            Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
                Expr::Lit(text) => match &text.lit {
                    Lit::Str(line) => Some(line.value().trim().to_owned()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
        .collect();
    lines.join("\n").trim().to_owned()
}

fn expand(input: &DeriveInput, krate: &Krate, variants: &[Variant<'_>]) -> TokenStream {
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let infos = variants.iter().map(
        |Variant {
             ident,
             doc,
             tool,
             gives,
             fields,
             answer,
         }| {
            let name = ident.unraw().to_string();
            let fields = fields.iter().enumerate().map(|(place, field)| {
                let name = field
                    .ident
                    .as_ref()
                    .map_or_else(|| place.to_string(), |ident| ident.unraw().to_string());
                let doc = doc_text(&field.attrs);
                quote!(#krate::VariantField::__new(#name, #doc))
            });
            let answer = answer.as_ref().map(|_| quote!(.__answer()));
            quote! {
                #krate::Variant::__new(#name, #tool, #doc, &[#(#gives),*])
                    .__fields(&[#(#fields),*])
                    #answer
            }
        },
    );
    let indices = variants.iter().enumerate().map(|(index, variant)| {
        let ident = variant.ident;
        quote!(Self::#ident { .. } => #index,)
    });
    let encodes = variants.iter().map(|variant| encode(krate, variant));
    let decodes = variants
        .iter()
        .enumerate()
        .map(|(index, variant)| decode(krate, index, variant));
    let schemas = variants.iter().enumerate().flat_map(|(index, variant)| {
        let fields = variant.fields.iter().enumerate();
        fields.map(move |(place, field)| {
            let ty = &field.ty;
            quote!((#index, #place) => #krate::Schemed::<#ty>::new().schema(),)
        })
    });
    // The one place that says which types an outcome can carry.
    let carried = variants
        .iter()
        .flat_map(|variant| variant.fields)
        .map(|field| {
            let ty = &field.ty;
            let carried = quote_spanned!(ty.span()=> <#ty as #krate::Carried>::CARRIED);
            quote!(let () = #carried;)
        });
    // A reference to an enum without variants is still a value to a `match`.
    let none = variants
        .is_empty()
        .then(|| quote!(_ => ::core::unreachable!(),));

    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Outcome for #name #type_generics #where_clause {
            const VARIANTS: &'static [#krate::Variant] = &[#(#infos),*];

            fn variant(&self) -> ::core::primitive::usize {
                match self { #(#indices)* #none }
            }

            fn encode<__Z: #krate::serde::Serializer>(
                &self,
                __serializer: __Z,
            ) -> ::core::result::Result<__Z::Ok, __Z::Error> {
                #[allow(unused_imports)]
                use #krate::Uncarried as _;
                #(#carried)*
                match self { #(#encodes)* #none }
            }

            fn schema(
                __variant: ::core::primitive::usize,
                __field: ::core::primitive::usize,
            ) -> ::core::option::Option<::std::string::String> {
                #[allow(unused_imports)]
                use #krate::Unschemed as _;
                match (__variant, __field) {
                    #(#schemas)*
                    _ => ::core::option::Option::None,
                }
            }

            fn decode<'__de, __D: #krate::serde::Deserializer<'__de>>(
                __variant: ::core::primitive::usize,
                __payload: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                #[allow(unused_imports)]
                use #krate::Unrecalled as _;
                match __variant {
                    #(#decodes)*
                    _ => #krate::no_variant(__variant, __payload),
                }
            }
        }
    }
}

/// Writes the arm that serialises a variant's fields.
fn encode(krate: &Krate, variant: &Variant<'_>) -> TokenStream {
    let Variant { ident, fields, .. } = variant;
    let name = ident.unraw().to_string();
    let len = fields.len();
    match fields {
        Fields::Unit => quote! {
            Self::#ident => #krate::serde::Serializer::serialize_unit(__serializer),
        },
        Fields::Named(fields) => {
            let idents: Vec<_> = fields
                .named
                .iter()
                .filter_map(|field| field.ident.as_ref())
                .collect();
            let bound: Vec<_> = idents
                .iter()
                .map(|ident| format_ident!("__{}", ident.unraw()))
                .collect();
            let names = idents.iter().map(|ident| ident.unraw().to_string());
            quote! {
                Self::#ident { #(#idents: #bound),* } => {
                    #[allow(unused_mut)]
                    let mut fields = #krate::serde::Serializer::serialize_struct(__serializer, #name, #len)?;
                    #(#krate::serde::ser::SerializeStruct::serialize_field(&mut fields, #names, #krate::Carry(#bound).value())?;)*
                    #krate::serde::ser::SerializeStruct::end(fields)
                }
            }
        }
        Fields::Unnamed(fields) => {
            let bound: Vec<_> = (0..fields.unnamed.len())
                .map(|at| format_ident!("__{at}"))
                .collect();
            quote! {
                Self::#ident(#(#bound),*) => {
                    #[allow(unused_mut)]
                    let mut fields = #krate::serde::Serializer::serialize_tuple(__serializer, #len)?;
                    #(#krate::serde::ser::SerializeTuple::serialize_element(&mut fields, #krate::Carry(#bound).value())?;)*
                    #krate::serde::ser::SerializeTuple::end(fields)
                }
            }
        }
    }
}

/// Writes the arm that reads a variant's fields back.
fn decode(krate: &Krate, index: usize, variant: &Variant<'_>) -> TokenStream {
    let Variant { ident, fields, .. } = variant;
    let name = ident.unraw().to_string();
    let bound: Vec<_> = (0..fields.len())
        .map(|at| format_ident!("__{at}"))
        .collect();
    let slots = fields.iter().rev().fold(quote!(()), |rest, field| {
        let ty = &field.ty;
        // Whether a reference outlives what it is read from is no question that the choice of a
        // method depends on, so it is answered here.
        let cell = if borrows(ty) {
            quote!(lost)
        } else {
            quote!(cell)
        };
        quote!((#krate::Recall::<#ty>::new().#cell(), #rest))
    });
    let values = bound
        .iter()
        .rev()
        .fold(quote!(()), |rest, value| quote!((#value, #rest)));
    let (names, built) = match fields {
        Fields::Unit => {
            return quote! {
                #index => {
                    <() as #krate::serde::Deserialize>::deserialize(__payload)?;
                    ::core::result::Result::Ok(Self::#ident)
                }
            };
        }
        Fields::Named(fields) => {
            let idents: Vec<_> = fields
                .named
                .iter()
                .filter_map(|field| field.ident.as_ref())
                .collect();
            let names = idents.iter().map(|ident| ident.unraw().to_string());
            (
                quote!(::core::option::Option::Some(&[#(#names),*])),
                quote!(Self::#ident { #(#idents: #bound),* }),
            )
        }
        Fields::Unnamed(_) => (
            quote!(::core::option::Option::None),
            quote!(Self::#ident(#(#bound),*)),
        ),
    };
    quote! {
        #index => {
            let #values = #krate::recall(__payload, #name, #names, #slots)?;
            ::core::result::Result::Ok(#built)
        }
    }
}
