//! From a node's parameters to its contract.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Generics, Type, parse_quote};

use crate::case::camel;
use crate::ends::Ends;

use super::parse::{Access, Form, NodeModel, Param};
use super::run::run;

pub(super) fn expand(model: &NodeModel) -> TokenStream {
    let NodeModel {
        krate,
        form,
        entry,
        output,
        ..
    } = model;
    let (declaration, mut generics, ty) = match form {
        Form::Function { vis, function } => {
            let name = camel(function);
            let doc = format!("The node that [`{function}`](fn@{function}) is.");
            let declaration = quote! {
                #[doc = #doc]
                #[derive(Clone, Copy, Debug, Default)]
                #vis struct #name;
            };
            (declaration, Generics::default(), name.to_token_stream())
        }
        Form::Impl { generics, ty } => (
            TokenStream::new(),
            (**generics).clone(),
            ty.to_token_stream(),
        ),
    };
    // A node without a state, which is reported, is one of any, so that no graph complains of it.
    let state: Type = if let Some(state) = &model.state {
        state.clone()
    } else {
        generics.params.push(parse_quote!(__S: #krate::State));
        parse_quote!(__S)
    };
    let contract = match &model.state {
        Some(state) if model.sound => contract(model, state),
        Some(state) => {
            let known = contract(model, state);
            quote!(#krate::Contract { gives: #krate::FieldSet::ALL, ..#known })
        }
        None => {
            let item = item(model).is_some();
            quote! {
                #krate::Contract {
                    gives: #krate::FieldSet::ALL,
                    item: #item,
                    ..#krate::Contract::EMPTY
                }
            }
        }
    };
    let run = match &model.state {
        Some(state) if model.sound => run(model, state),
        _ => quote!(::core::panic!("this node did not compile")),
    };
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let ends = Ends::of(output);
    let outcome = ends.around(quote!(<), output, quote!(as #krate::Conclusion>::Outcome));
    let returned = ends.put(quote!(::core::result::Result<Self::Outcome, #krate::NodeError>));
    let body = ends.body(run);
    // Errors about the node as a whole point at its function.
    let (imp, execute) = (
        quote_spanned!(entry.span()=> impl),
        quote_spanned!(entry.span()=> async fn execute),
    );

    let worker = item(model).map(|item| {
        // The one place that says which types can be items.
        let item = Ends::of(item).around(quote!(<), item, quote!(as #krate::Handed>::Item));
        quote! {
            #[automatically_derived]
            #imp #impl_generics #krate::Worker<#state> for #ty #where_clause {
                type Item = #item;
            }
        }
    });

    quote! {
        #declaration

        #[automatically_derived]
        #imp #impl_generics #krate::Node<#state> for #ty #where_clause {
            type Outcome = #outcome;
            const CONTRACT: #krate::Contract = #contract;
        }

        #[automatically_derived]
        #imp #impl_generics #krate::Execute<#state> for #ty #where_clause {
            const REPORTS: ::core::primitive::bool = true;

            #execute(
                &self,
                __state: &mut #state,
                __cx: &mut #krate::Context<'_>,
            ) -> #returned #body
        }

        #worker
    }
}

/// The parameters that are fields.
pub(super) fn fields(model: &NodeModel) -> impl Iterator<Item = (&Ident, Access, &Type)> {
    model.params.iter().filter_map(|param| match param {
        Param::Field { field, access, ty } => Some((field, *access, ty)),
        Param::Receiver | Param::Context | Param::Item { .. } => None,
    })
}

/// The type of the item, if the node takes one.
pub(super) fn item(model: &NodeModel) -> Option<&Type> {
    model.params.iter().find_map(|param| match param {
        Param::Item { ty, .. } => Some(ty),
        Param::Receiver | Param::Context | Param::Field { .. } => None,
    })
}

/// Writes the contract: the one place that says which field a parameter takes, and as which type.
fn contract(model: &NodeModel, state: &Type) -> TokenStream {
    let NodeModel { krate, .. } = model;
    let named = |keep: &dyn Fn(Access) -> bool| {
        let names: Vec<_> = fields(model)
            .filter(|(_, access, _)| keep(*access))
            .map(|(field, ..)| field.unraw().to_string())
            .collect();
        if names.is_empty() {
            return quote!(#krate::FieldSet::EMPTY);
        }
        quote!(#krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#(#names),*]))
    };
    let asserted = |wanted: &[Access]| -> TokenStream {
        fields(model)
            .filter(|(_, access, _)| wanted.contains(access))
            .map(|(field, access, ty)| {
                let name = field.unraw().to_string();
                let assertion = match access {
                    Access::Read => quote!(needs),
                    Access::Write => quote!(needs_mut),
                    Access::Out => quote!(gives),
                    Access::Replace => quote!(replaces),
                };
                let holds = quote_spanned! {ty.span()=>
                    #krate::#assertion::<#state, #ty, _>(|__state| &(*__state).#field)
                };
                quote! {
                    .or(#krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#name]).when(#holds))
                }
            })
            .collect()
    };
    let reads = named(&|access| access == Access::Read);
    let writes = named(&|access| access != Access::Read);
    let needs = asserted(&[Access::Read, Access::Write]);
    let gives = asserted(&[Access::Out]);
    let replaces = asserted(&[Access::Replace]);
    let item = item_of_contract(model, state);
    quote! {
        #krate::Contract {
            reads: #reads,
            writes: #writes,
            needs: #krate::FieldSet::EMPTY #needs,
            gives: #krate::FieldSet::EMPTY #gives,
            replaces: #krate::FieldSet::EMPTY #replaces,
            item: #item,
            ..#krate::Contract::EMPTY
        }
    }
}

/// Writes whether the node takes an item, which is refused if it looks like a forgotten `&`.
fn item_of_contract(model: &NodeModel, state: &Type) -> TokenStream {
    let krate = &model.krate;
    let item = model.params.iter().find_map(|param| match param {
        Param::Item { name, ty } => Some((name, ty)),
        Param::Receiver | Param::Context | Param::Field { .. } => None,
    });
    match item {
        None => quote!(false),
        Some((None, _)) => quote!(true),
        Some((Some(name), ty)) => {
            let name = name.unraw().to_string();
            let message = format!(
                "H011: the node takes `{name}` by value, as the item of an `each`, and the state has a \
                 field of that name\n\
                 help: write `{name}: &..` or `{name}: &mut ..` for the field, or give the item another name"
            );
            let refused = Ends::of(ty).put(quote!(::core::panic!(#message)));
            quote! {{
                if !#krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#name]).is_empty() {
                    #refused
                }
                true
            }}
        }
    }
}
