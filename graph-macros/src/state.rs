//! `derive(State)`: the fields of a struct, one by one.

mod conversation;
mod serde;

use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, ExprPath, Fields, Ident, LitStr, Token, Type};

use crate::graph::text::text;
use crate::krate::Krate;
use crate::mistakes::{Mistakes, arguments, skip_argument};
use crate::types::borrows;
use serde::Missing;

/// A field of the state.
struct Field {
    ident: Ident,
    ty: Type,
    said: Said,
}

/// What `#[state(..)]` says of a field, and `#[serde(..)]` as far as a journal follows it.
#[derive(Default)]
struct Said {
    progress: bool,
    merge: Option<ExprPath>,
    /// The key that says that the field is the conversation.
    messages: Option<TokenTree>,
    /// The names under which older entries may keep the field.
    aliases: Vec<LitStr>,
    default: Option<Missing>,
}

/// The most fields that a `FieldSet` holds.
const MOST: usize = handoffs_core::FieldSet::CAPACITY;

pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let krate = parse_krate(&input, &mut mistakes);
    let fields = parse_fields(&input, &mut mistakes);
    let code = expand(&input, &krate, fields.as_deref());
    quote!(#mistakes #code)
}

fn parse_krate(input: &DeriveInput, mistakes: &mut Mistakes) -> Krate {
    let mut krate = Krate::default();
    for attr in input
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("state"))
    {
        let knows = "on the struct, `state` knows: `crate = path`";
        let read = attr.parse_args_with(|args: syn::parse::ParseStream<'_>| {
            krate.read_alone(args, knows, mistakes)
        });
        mistakes.take(read);
    }
    krate
}

fn parse_fields(input: &DeriveInput, mistakes: &mut Mistakes) -> Option<Vec<Field>> {
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            mistakes.mend(
                data.enum_token,
                "H011: a state is a struct with named fields",
                "put the enum into a field of a struct",
            );
            return None;
        }
        Data::Union(data) => {
            mistakes.mend(
                data.union_token,
                "H011: a state is a struct with named fields",
                "write `struct` in place of `union`",
            );
            return None;
        }
    };
    let Fields::Named(named) = fields else {
        mistakes.mend(
            &input.ident,
            "H011: the fields of a state have names",
            "nodes ask for fields by their names: `struct Name { field: Type }`",
        );
        return None;
    };
    if let Some(first_beyond) = named.named.iter().nth(MOST) {
        mistakes.mend(
            first_beyond,
            format_args!("H011: a state has at most {MOST} fields"),
            "put fields that belong together into a struct of their own",
        );
    }
    let all_default = serde::default_of_all(&input.attrs);
    let mut parsed = Vec::new();
    for field in &named.named {
        let Some(ident) = field.ident.clone() else {
            continue;
        };
        let mut said = read_attrs(&field.attrs, mistakes);
        said.default = said.default.or_else(|| all_default.clone());
        if borrows(&field.ty) {
            mistakes.mend(
                &field.ty,
                "H011: a field of a state owns what it holds, since a journal keeps it",
                "write `String` in place of `&str`, and the type itself in place of another reference",
            );
        }
        parsed.push(Field {
            ident,
            ty: field.ty.clone(),
            said,
        });
    }
    let mut conversations = parsed
        .iter()
        .filter_map(|field| field.said.messages.as_ref());
    if let (Some(_), Some(second)) = (conversations.next(), conversations.next()) {
        mistakes.mend(
            second,
            "H011: a state holds one conversation",
            "mark one field with `messages`; others are logs like any other",
        );
    }
    serde::check(&parsed, mistakes);
    Some(parsed)
}

/// Reads the attributes of a field.
fn read_attrs(attrs: &[Attribute], mistakes: &mut Mistakes) -> Said {
    let mut said = Said::default();
    for attr in attrs {
        if attr.path().is_ident("state") {
            let read = attr.parse_args_with(|args: syn::parse::ParseStream<'_>| {
                read_field(args, &mut said, mistakes)
            });
            mistakes.take(read);
        } else if attr.path().is_ident("serde") {
            serde::read(attr, &mut said, mistakes);
        }
    }
    said
}

/// Reads what `#[state(..)]` says of a field.
fn read_field(
    args: syn::parse::ParseStream<'_>,
    said: &mut Said,
    mistakes: &mut Mistakes,
) -> syn::Result<()> {
    arguments(args, || {
        let key: proc_macro2::TokenTree = args.parse()?;
        match key.to_string().as_str() {
            "progress" => {
                if !args.is_empty() && !args.peek(Token![,]) {
                    mistakes.mend(
                        &key,
                        "H011: `progress` takes no value",
                        "write `#[state(progress)]`",
                    );
                }
                said.progress = true;
            }
            "merge" => read_merge(&key, args, said, mistakes)?,
            "messages" => said.messages = Some(key),
            _ => {
                let knows = "on a field, `state` knows: `progress`, `merge = f`, `messages`";
                mistakes.unknown_key(&key, knows);
            }
        }
        skip_argument(args);
        Ok(())
    })
}

/// Reads what follows the key `merge`.
fn read_merge(
    key: &proc_macro2::TokenTree,
    args: syn::parse::ParseStream<'_>,
    said: &mut Said,
    mistakes: &mut Mistakes,
) -> syn::Result<()> {
    let value = args.parse::<Option<Token![=]>>()?.map(|_| args.parse());
    match value.transpose()? {
        Some(Expr::Path(function)) => {
            if said.merge.is_some() {
                mistakes.twice(key);
            }
            said.merge = Some(function);
        }
        Some(other) => mistakes.mend(
            other,
            "H011: `merge` names a function",
            "write the code into an `fn merged(so_far: &mut T, base: &T, branch: &T)`, and its name here",
        ),
        None => mistakes.mend(
            key,
            "H011: `merge` names a function",
            "write `merge = f`, with an `fn f(so_far: &mut T, base: &T, branch: &T)`",
        ),
    }
    Ok(())
}

/// Writes the impl; of what is no struct with named fields, one without fields.
fn expand(input: &DeriveInput, krate: &Krate, fields: Option<&[Field]>) -> TokenStream {
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let is_sound = fields.is_some_and(|fields| {
        fields.len() <= MOST && fields.iter().all(|field| !borrows(&field.ty))
    });
    let fields = fields.unwrap_or_default();
    let fields = fields.get(..MOST).unwrap_or(fields);
    let infos = fields.iter().map(|field| {
        let Field { ident, ty, said } = field;
        let (name, progress) = (ident.unraw().to_string(), said.progress);
        let merging = if said.merge.is_some() {
            quote!(__merged_by_function())
        } else {
            quote!(__merging(#krate::Merging::<#ty>::MERGES))
        };
        let (aliases, ty) = (&said.aliases, text(ty));
        quote! {
            #krate::Field::__new(#name, #progress).#merging.__aliases(&[#(#aliases),*]).__typed(#ty)
        }
    });
    let ask = |question: TokenStream| -> Vec<TokenStream> {
        let arm = |(index, field): (usize, &Field)| {
            let ident = &field.ident;
            quote!(#index => (&#krate::Probe(&self.#ident)).#question,)
        };
        fields.iter().enumerate().map(arm).collect()
    };
    let marks = ask(quote!(mark()));
    let sets = ask(quote!(is_set()));
    let fingerprints = ask(quote!(fingerprint()));
    let encodes = ask(quote!(encode(since, serializer)));
    let built = built(krate, fields, is_sound);
    let changes = changes(krate, fields);
    let forks = forks(krate, fields, is_sound);
    let conversation = conversation::expand(input, krate, fields);

    quote! {
        #conversation

        #[automatically_derived]
        impl #impl_generics #krate::State for #name #type_generics #where_clause {
            const FIELDS: &'static [#krate::Field] = {
                #[allow(unused_imports)]
                use #krate::Unmerging as _;
                &[#(#infos),*]
            };

            fn mark(&self, field: ::core::primitive::usize) -> ::core::option::Option<::core::primitive::usize> {
                #[allow(unused_imports)]
                use #krate::Plain as _;
                match field {
                    #(#marks)*
                    _ => ::core::option::Option::None,
                }
            }

            fn is_set(&self, field: ::core::primitive::usize) -> ::core::primitive::bool {
                #[allow(unused_imports)]
                use #krate::Plain as _;
                match field {
                    #(#sets)*
                    _ => false,
                }
            }

            // In the loop of its caller, the compiler would look at each field before any.
            #[inline(never)]
            fn fingerprint(&self, field: ::core::primitive::usize) -> ::core::option::Option<::core::primitive::u64> {
                #[allow(unused_imports)]
                use #krate::{Unkept as _, Whole as _};
                match field {
                    #(#fingerprints)*
                    _ => ::core::option::Option::None,
                }
            }

            fn encode<__Z: #krate::serde::Serializer>(
                &self,
                field: ::core::primitive::usize,
                since: ::core::primitive::usize,
                serializer: __Z,
            ) -> ::core::result::Result<__Z::Ok, __Z::Error> {
                #[allow(unused_imports)]
                use #krate::{Unkept as _, Whole as _};
                match field {
                    #(#encodes)*
                    _ => #krate::serde::Serializer::serialize_unit(serializer),
                }
            }

            fn decode<__F: #krate::FieldSource>(
                source: &mut __F,
            ) -> ::core::result::Result<Self, __F::Error> {
                #[allow(unused_imports)]
                use #krate::Unloaded as _;
                #built
            }

            #changes
            #forks
        }
    }
}

/// Writes the state as it is built of a source's fields.
fn built(krate: &Krate, fields: &[Field], is_sound: bool) -> TokenStream {
    let decodes = fields
        .iter()
        .enumerate()
        .map(|(index, Field { ident, ty, said })| {
            // The one place that says which types a journal can keep.
            let kept = quote_spanned!(ty.span()=> <#ty as #krate::Kept>::KEPT);
            let read = quote! {{
                let () = #kept;
                #krate::Load::<#ty>::new().load(source, &<Self as #krate::State>::FIELDS[#index])?
            }};
            let Some(missing) = &said.default else {
                return quote!(#ident: #read);
            };
            let default = missing.value(ident);
            quote! {
                #ident: if #krate::FieldSource::has(source, &<Self as #krate::State>::FIELDS[#index]) {
                    #read
                } else {
                    #default
                }
            }
        });
    if is_sound {
        quote!(::core::result::Result::Ok(Self { #(#decodes),* }))
    } else {
        quote!(::core::unreachable!())
    }
}

/// Writes the method that tells what a node has made of a field.
fn changes(krate: &Krate, fields: &[Field]) -> TokenStream {
    let changes = fields.iter().enumerate().map(|(index, Field { ident, .. })| {
        quote! {
            #index => (&#krate::Draft { before: &self.#ident, after: &__after.#ident }).change(),
        }
    });
    quote! {
        #[allow(unused_variables)]
        fn change(&self, __field: ::core::primitive::usize, __after: &Self) -> #krate::Change {
            #[allow(unused_imports)]
            use #krate::{Compared as _, Uncompared as _};
            match __field {
                #(#changes)*
                _ => #krate::Change::None,
            }
        }
    }
}

/// Writes the methods by which a state forks and its branches meet.
fn forks(krate: &Krate, fields: &[Field], is_sound: bool) -> TokenStream {
    let copies = fields
        .iter()
        .enumerate()
        .map(|(index, Field { ident, .. })| {
            quote! {
                #ident: if #krate::FieldSet::contains(__fields, #index) {
                    (&#krate::Needed(&self.#ident)).copy()
                } else {
                    (&#krate::Spare(&self.#ident)).copy()
                }
            }
        });
    let branch = if is_sound {
        quote!(Self { #(#copies),* })
    } else {
        quote!(::core::unreachable!())
    };
    let arms = |arm: &dyn Fn(usize, &Field) -> TokenStream| -> Vec<TokenStream> {
        let arm = |(index, field)| {
            let code = arm(index, field);
            quote!(#index => #code,)
        };
        fields.iter().enumerate().map(arm).collect()
    };
    let takes = arms(
        &|_, Field { ident, .. }| quote!(::core::mem::swap(&mut self.#ident, &mut __from.#ident)),
    );
    let merges = arms(&|_, Field { ident, ty, said }| {
        let Some(function) = &said.merge else {
            return quote! {
                (&mut #krate::Joined {
                    so_far: &mut self.#ident,
                    base: &__base.#ident,
                    branch: &__branch.#ident,
                }).merge(__appended)
            };
        };
        // Where the function is another, the compiler says so at its name.
        quote_spanned! {function.span()=> {
            let __merge: fn(&mut #ty, &#ty, &#ty) = #function;
            __merge(&mut self.#ident, &__base.#ident, &__branch.#ident);
            true
        }}
    });
    let loads = arms(&|index, Field { ident, ty, .. }| {
        if borrows(ty) {
            return quote!(::core::unreachable!());
        }
        quote! {
            (&mut #krate::Loading(&mut self.#ident))
                .load(__appended, __source, &<Self as #krate::State>::FIELDS[#index])
        }
    });
    quote! {
        #[allow(unused_variables)]
        fn branch(&self, __fields: #krate::FieldSet) -> Self {
            #[allow(unused_imports)]
            use #krate::{Copied as _, Uncopied as _};
            #branch
        }

        #[allow(unused_variables)]
        fn take(&mut self, __field: ::core::primitive::usize, __from: &mut Self) {
            match __field {
                #(#takes)*
                _ => {}
            }
        }

        #[allow(unused_variables)]
        fn merge(
            &mut self,
            __field: ::core::primitive::usize,
            __base: &Self,
            __branch: &Self,
            __appended: ::core::primitive::bool,
        ) -> ::core::primitive::bool {
            #[allow(unused_imports)]
            use #krate::{Merged as _, Unmerged as _};
            match __field {
                #(#merges)*
                _ => false,
            }
        }

        #[allow(unused_variables)]
        fn load<__F: #krate::FieldSource>(
            &mut self,
            __field: ::core::primitive::usize,
            __appended: ::core::primitive::bool,
            __source: &mut __F,
        ) -> ::core::result::Result<(), __F::Error> {
            #[allow(unused_imports)]
            use #krate::{Loaded as _, Unkeepable as _};
            match __field {
                #(#loads)*
                _ => ::core::result::Result::Ok(()),
            }
        }
    }
}
