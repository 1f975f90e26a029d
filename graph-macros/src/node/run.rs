//! The body of `execute`: drafts, the call, the promises, the commit.
//!
//! A wrong name or type of a parameter is reported in the contract; what is written here fits any type, and names a
//! field by the same words as the contract does.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::Type;
use syn::ext::IdentExt;

use super::expand::{fields, item};
use super::parse::{Access, Form, NodeModel, Param};

/// Writes the body.
///
/// A node that fails leaves the state as it was: what it changes is a draft, and what it sets is put back.
pub(super) fn run(model: &NodeModel, state: &Type) -> TokenStream {
    let NodeModel {
        krate,
        form,
        is_async,
        params,
        ..
    } = model;
    let drafts = drafted(model).map(|(field, _)| {
        let draft = draft_of(field);
        quote!(let mut #draft = ::core::clone::Clone::clone(&(*__state).#field);)
    });
    let undos = outs(model).map(|field| {
        let undo = undo_of(field);
        quote!(let mut #undo = #krate::Undo::new(&mut (*__state).#field);)
    });
    let takes = fields(model).map(|(field, access, ty)| take(model, field, access, ty));
    let args = params.iter().map(|param| match param {
        Param::Receiver => quote!(self),
        Param::Context => quote!(&mut *__cx),
        Param::Item { .. } => quote!(__item),
        Param::Field { field, .. } => arg_of(field).into_token_stream(),
    });
    let call = match form {
        Form::Function { function, .. } => quote!(#function(#(#args),*)),
        Form::Impl { .. } => quote!(Self::run(#(#args),*)),
    };
    let call = if *is_async { quote!(#call.await) } else { call };
    let promises = promises(model);
    let commits = drafted(model).map(|(field, access)| commit(model, state, field, access));
    let settled = outs(model).map(|field| settle(model, state, field));
    let fetch = item(model)
        .map(|item| quote!(let __item = #krate::Fetch::<#item>::new().fetched(__cx.item())?;));
    quote! {
        #[allow(unused_imports)]
        use #krate::{
            Compared as _, Fit as _, Plain as _, Uncompared as _, Unconcluded as _, Unfetched as _,
            Untaken as _,
        };
        #fetch
        #(#drafts)*
        #(#undos)*
        #(#takes)*
        let __outcome = #krate::conclude(#krate::Returned(#call).concluded())?;
        #promises
        #(#commits)*
        #(#settled)*
        ::core::result::Result::Ok(#krate::Returned(__outcome).outcome())
    }
}

/// Returns the fields of which the node changes a draft.
fn drafted(model: &NodeModel) -> impl Iterator<Item = (&Ident, Access)> {
    let written = fields(model).map(|(field, access, _)| (field, access));
    written.filter(|(_, access)| !matches!(access, Access::Read | Access::Out))
}

/// Returns the fields that the node sets where they stand.
fn outs(model: &NodeModel) -> impl Iterator<Item = &Ident> {
    let outs = fields(model).filter(|(_, access, _)| *access == Access::Out);
    outs.map(|(field, ..)| field)
}

/// Writes what sees to it that the node has kept its promises: what it has set stays, or is put back.
fn promises(model: &NodeModel) -> TokenStream {
    let krate = &model.krate;
    let kept = outs(model).map(|field| {
        let (before, undo) = (before_of(field), undo_of(field));
        quote!(let #before = #undo.kept();)
    });
    let gives = outs(model).map(|field| field.unraw().to_string());
    let is_set = |field: &Ident, value: TokenStream| {
        let name = field.unraw().to_string();
        quote!(#name => #krate::Probe(&#value).is_set(),)
    };
    let drafts = drafted(model).map(|(field, _)| is_set(field, draft_of(field).to_token_stream()));
    let set = outs(model).map(|field| is_set(field, quote!((*__state).#field)));
    let promised = quote! {
        #krate::keep_promises(&__outcome, &[#(#gives),*], |__name| match __name {
            #(#drafts)*
            #(#set)*
            _ => #krate::is_set(__state, __name),
        })
    };
    let back = outs(model).map(|field| {
        let before = before_of(field);
        quote! {
            if let ::core::option::Option::Some(__before) = #before {
                (*__state).#field = __before;
            }
        }
    });
    let back: TokenStream = back.collect();
    if back.is_empty() {
        return quote!(#promised?;);
    }
    quote! {
        #(#kept)*
        if let ::core::result::Result::Err(__broken) = #promised {
            #back
            return ::core::result::Result::Err(__broken);
        }
    }
}

/// Writes what makes a draft the value of its field, if it is another.
fn commit(model: &NodeModel, state: &Type, field: &Ident, access: Access) -> TokenStream {
    let krate = &model.krate;
    let (draft, index) = (draft_of(field), index_of(model, state, field));
    let note = (access == Access::Replace).then(|| {
        let noted = noted_of(field);
        quote! {
            let __change = if #noted {
                __cx.__replaced(#index);
                __change.or_set()
            } else {
                __change
            };
        }
    });
    quote! {{
        let __change = (&#krate::Draft { before: &(*__state).#field, after: &#draft }).change();
        #note
        if __change.is_one() {
            __cx.__changed(#index, __change);
            (*__state).#field = #draft;
        }
    }}
}

/// Writes what notes that a field was set.
fn settle(model: &NodeModel, state: &Type, field: &Ident) -> TokenStream {
    let krate = &model.krate;
    let (before, index) = (before_of(field), index_of(model, state, field));
    quote! {
        if let ::core::option::Option::Some(__before) = #before {
            let __change = if __cx.__compares() {
                (&#krate::Draft { before: &__before, after: &(*__state).#field }).change()
            } else {
                #krate::Change::Set
            };
            __cx.__changed(#index, __change);
        }
    }
}

/// Writes a field as a set of one.
fn index_of(model: &NodeModel, state: &Type, field: &Ident) -> TokenStream {
    let krate = &model.krate;
    let name = field.unraw().to_string();
    quote!(const { #krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#name]) })
}

/// Writes the statements that make the argument for a field.
fn take(model: &NodeModel, field: &Ident, access: Access, ty: &Type) -> TokenStream {
    let krate = &model.krate;
    let name = field.unraw().to_string();
    let (draft, undo, arg) = (draft_of(field), undo_of(field), arg_of(field));
    let taken = format_ident!("__taken_{}", field.unraw());
    match access {
        Access::Read => quote! {
            let #taken = #krate::Take::<_, #ty>::new(&(*__state).#field).read();
            let #arg = *#krate::read::<&#ty, _>(&#taken, #name)?;
        },
        Access::Write => quote! {
            let mut #taken = #krate::Take::<_, #ty>::new(&mut #draft).write();
            let #arg = &mut **#krate::write::<&mut #ty, _>(&mut #taken, #name)?;
        },
        Access::Out => quote! {
            let #arg = #krate::Take::<_, #ty>::new(&mut #undo).out();
        },
        Access::Replace => {
            let noted = noted_of(field);
            quote! {
                let mut #noted = false;
                let #arg = #krate::Take::<_, #ty>::new(&mut #draft).replace(&mut #noted);
            }
        }
    }
}

fn draft_of(field: &Ident) -> Ident {
    format_ident!("__draft_{}", field.unraw())
}

/// Puts a field that the node sets back, unless it concludes.
fn undo_of(field: &Ident) -> Ident {
    format_ident!("__undo_{}", field.unraw())
}

/// What a field was that the node has set.
fn before_of(field: &Ident) -> Ident {
    format_ident!("__before_{}", field.unraw())
}

/// Says whether the node has replaced the field.
fn noted_of(field: &Ident) -> Ident {
    format_ident!("__noted_{}", field.unraw())
}

fn arg_of(field: &Ident) -> Ident {
    format_ident!("__arg_{}", field.unraw())
}
