//! From a node's parameters to its contract and its run.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::case::camel;

use super::parse::{Access, Form, NodeModel, Param};

pub(super) fn expand(model: &NodeModel) -> TokenStream {
    let NodeModel {
        krate,
        state,
        form,
        output,
        ..
    } = model;
    let contract = contract(model);
    let run = run(model);
    let (declaration, generics, ty) = match form {
        Form::Function { vis, function } => {
            let name = camel(function);
            let doc = format!("The node that [`{function}`](fn@{function}) is.");
            let declaration = quote! {
                #[doc = #doc]
                #[derive(Clone, Copy, Debug, Default)]
                #vis struct #name;
            };
            (declaration, None, name.to_token_stream())
        }
        Form::Impl { generics, ty } => (TokenStream::new(), Some(generics), ty.to_token_stream()),
    };
    let (impl_generics, where_clause) = match generics {
        Some(generics) => {
            let (impl_generics, _, where_clause) = generics.split_for_impl();
            (
                impl_generics.to_token_stream(),
                where_clause.to_token_stream(),
            )
        }
        None => (TokenStream::new(), TokenStream::new()),
    };
    let outcome = quote_spanned!(output.span()=> <#output as #krate::Conclusion>::Outcome);

    quote! {
        #declaration

        #[automatically_derived]
        impl #impl_generics #krate::Node<#state> for #ty #where_clause {
            type Outcome = #outcome;
            const CONTRACT: #krate::Contract = #contract;
        }

        #[automatically_derived]
        impl #impl_generics #krate::Execute<#state> for #ty #where_clause {
            async fn execute(
                &self,
                __state: &mut #state,
                __cx: &mut #krate::Context<'_>,
            ) -> ::core::result::Result<Self::Outcome, #krate::NodeError> {
                #run
            }
        }
    }
}

/// The parameters that are fields.
fn fields(model: &NodeModel) -> impl Iterator<Item = (&Ident, Access, &syn::Type)> {
    model.params.iter().filter_map(|param| match param {
        Param::Field { field, access, ty } => Some((field, *access, ty)),
        Param::Receiver | Param::Context => None,
    })
}

fn contract(model: &NodeModel) -> TokenStream {
    let NodeModel { krate, state, .. } = model;
    let named = |keep: &dyn Fn(Access) -> bool| {
        let names = fields(model)
            .filter(|(_, access, _)| keep(*access))
            .map(|(field, ..)| field.unraw().to_string());
        quote!(#krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#(#names),*]))
    };
    let reads = named(&|access| access == Access::Read);
    let writes = named(&|access| access != Access::Read);
    let gives = named(&|access| access == Access::Out);
    let needs = fields(model).filter(|(_, access, _)| *access != Access::Out).map(|(field, _, ty)| {
        let name = field.unraw().to_string();
        let needed = quote_spanned! {ty.span()=>
            #krate::needs::<#state, #ty, _>(|__state| &__state.#field)
        };
        quote! {
            .or(#krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#name]).when(#needed))
        }
    });
    quote! {
        #krate::Contract {
            reads: #reads,
            writes: #writes,
            needs: #krate::FieldSet::EMPTY #(#needs)*,
            gives: #gives,
        }
    }
}

/// Writes the body of `execute`: drafts, the call, the promises, the commit.
fn run(model: &NodeModel) -> TokenStream {
    let NodeModel {
        krate,
        state,
        form,
        is_async,
        params,
        sound,
        ..
    } = model;
    if !sound {
        return quote!(::core::panic!("this node did not compile"));
    }
    let written: Vec<_> = fields(model)
        .filter(|(_, access, _)| *access != Access::Read)
        .map(|(field, ..)| {
            (
                field,
                format_ident!("__draft_{}", field.unraw()),
                field.unraw().to_string(),
            )
        })
        .collect();
    let drafts = written.iter().map(
        |(field, draft, _)| quote!(let mut #draft = ::core::clone::Clone::clone(&__state.#field);),
    );
    let args = params.iter().map(|param| match param {
        Param::Receiver => quote!(self),
        Param::Context => quote!(&mut *__cx),
        Param::Field { field, access, ty } => {
            let name = field.unraw().to_string();
            let draft = format_ident!("__draft_{}", field.unraw());
            match access {
                Access::Read => quote_spanned! {ty.span()=>
                    #krate::read::<#ty, _>(&__state.#field, #name)?
                },
                Access::Write => quote_spanned! {ty.span()=>
                    #krate::write::<#ty, _>(&mut #draft, #name)?
                },
                Access::Out => quote_spanned! {ty.span()=>
                    #krate::Out::<#ty>::new(&mut #draft)
                },
            }
        }
    });
    let call = match form {
        Form::Function { function, .. } => quote!(#function(#(#args),*)),
        Form::Impl { .. } => quote!(Self::run(#(#args),*)),
    };
    let call = if *is_async { quote!(#call.await) } else { call };
    let gives = fields(model)
        .filter(|(_, access, _)| *access == Access::Out)
        .map(|(field, ..)| field.unraw().to_string());
    let set = written
        .iter()
        .map(|(_, draft, name)| quote!(#name => #krate::Probe(&#draft).is_set(),));
    let commits = written.iter().map(|(field, draft, name)| {
        quote! {
            __cx.__changed(
                const { #krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#name]) },
                (&#krate::Draft { before: &__state.#field, after: &#draft }).change(),
            );
            __state.#field = #draft;
        }
    });
    quote! {
        #[allow(unused_imports)]
        use #krate::{Compared as _, Plain as _, Uncompared as _};
        #(#drafts)*
        let __outcome = #krate::conclude(#call)?;
        #krate::keep_promises(&__outcome, &[#(#gives),*], |__name| match __name {
            #(#set)*
            _ => #krate::is_set(__state, __name),
        })?;
        #(#commits)*
        ::core::result::Result::Ok(__outcome)
    }
}
