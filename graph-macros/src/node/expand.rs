//! From a node's parameters to its contract and its run.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Generics, Type, parse_quote};

use crate::case::camel;
use crate::ends::Ends;

use super::parse::{Access, Form, NodeModel, Param};

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
fn fields(model: &NodeModel) -> impl Iterator<Item = (&Ident, Access, &Type)> {
    model.params.iter().filter_map(|param| match param {
        Param::Field { field, access, ty } => Some((field, *access, ty)),
        Param::Receiver | Param::Context | Param::Item { .. } => None,
    })
}

/// Returns whether the node takes a field in this way.
fn is_taken(model: &NodeModel, field: &Ident, way: Access) -> bool {
    fields(model).any(|(other, access, _)| other == field && access == way)
}

/// The type of the item, if the node takes one.
fn item(model: &NodeModel) -> Option<&Type> {
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

/// Writes the body of `execute`: drafts, the call, the promises, the commit.
///
/// A wrong name or type of a parameter is reported in the contract; what is written here fits any
/// type, and names a field by the same words as the contract does.
fn run(model: &NodeModel, state: &Type) -> TokenStream {
    let NodeModel {
        krate,
        form,
        is_async,
        params,
        ..
    } = model;
    let written: Vec<_> = fields(model)
        .filter(|(_, access, _)| *access != Access::Read)
        .map(|(field, ..)| (field, draft_of(field), field.unraw().to_string()))
        .collect();
    let drafts = written.iter().map(|(field, draft, _)| {
        if is_taken(model, field, Access::Out) {
            quote!(let mut #draft = #krate::Unset(&(*__state).#field).draft();)
        } else {
            quote!(let mut #draft = ::core::clone::Clone::clone(&(*__state).#field);)
        }
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
    let gives = fields(model)
        .filter(|(_, access, _)| *access == Access::Out)
        .map(|(field, ..)| field.unraw().to_string());
    let set = written.iter().map(|(field, draft, name)| {
        let before = is_taken(model, field, Access::Out)
            .then(|| quote!(|| #krate::Probe(&(*__state).#field).is_set()));
        quote!(#name => #krate::Probe(&#draft).is_set() #before,)
    });
    let commits = written.iter().map(|(field, draft, name)| {
        let index = quote! {
            const { #krate::FieldSet::named(<#state as #krate::State>::FIELDS, &[#name]) }
        };
        let is_out = is_taken(model, field, Access::Out);
        let unless_unset = is_out.then(|| quote!(if #krate::Probe(&#draft).is_set()));
        let note = is_taken(model, field, Access::Replace).then(|| {
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
        quote! {
            #unless_unset {
                let __change =
                    (&#krate::Draft { before: &(*__state).#field, after: &#draft }).change();
                #note
                if __change.is_one() {
                    __cx.__changed(#index, __change);
                    (*__state).#field = #draft;
                }
            }
        }
    });
    let fetch = item(model)
        .map(|item| quote!(let __item = #krate::Fetch::<#item>::new().fetched(__cx.item())?;));
    quote! {
        #[allow(unused_imports)]
        use #krate::{
            Compared as _, Fit as _, Plain as _, Uncompared as _, Unconcluded as _, Undrafted as _,
            Unfetched as _, Untaken as _,
        };
        #fetch
        #(#drafts)*
        #(#takes)*
        let __outcome = #krate::conclude(#krate::Returned(#call).concluded())?;
        #krate::keep_promises(&__outcome, &[#(#gives),*], |__name| match __name {
            #(#set)*
            _ => #krate::is_set(__state, __name),
        })?;
        #(#commits)*
        ::core::result::Result::Ok(#krate::Returned(__outcome).outcome())
    }
}

/// Writes the statements that make the argument for a field.
fn take(model: &NodeModel, field: &Ident, access: Access, ty: &Type) -> TokenStream {
    let krate = &model.krate;
    let name = field.unraw().to_string();
    let (draft, arg) = (draft_of(field), arg_of(field));
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
            let #arg = #krate::Take::<_, #ty>::new(&mut #draft).out(&(*__state).#field);
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

/// Says whether the node has replaced the field.
fn noted_of(field: &Ident) -> Ident {
    format_ident!("__noted_{}", field.unraw())
}

fn arg_of(field: &Ident) -> Ident {
    format_ident!("__arg_{}", field.unraw())
}
