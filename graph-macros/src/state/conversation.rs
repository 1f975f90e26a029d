//! The field that holds the conversation of agents.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::DeriveInput;
use syn::spanned::Spanned;

use super::Field;
use crate::krate::Krate;

/// Writes that a field holds the conversation.
pub(super) fn expand(input: &DeriveInput, krate: &Krate, fields: &[Field]) -> Option<TokenStream> {
    let mut fields = fields.iter().enumerate();
    let (index, (field, key)) =
        fields.find_map(|(index, field)| Some((index, (field, field.said.messages.as_ref()?))))?;
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let Field { ident, ty, .. } = field;
    // The macro is at hand or says which cargo feature is missing, at this key.
    let with_agents = quote_spanned!(key.span()=> with_agents!);
    // A type that holds none is told at the type.
    let read = quote_spanned!(ty.span()=> <#ty as #krate::Messages>::messages);
    let write = quote_spanned!(ty.span()=> <#ty as #krate::Messages>::messages_mut);
    Some(quote! {
        #krate::#with_agents {
            #[automatically_derived]
            impl #impl_generics #krate::Conversation for #name #type_generics #where_clause {
                const MESSAGES: ::core::primitive::usize = #index;

                fn messages(&self) -> &#krate::MessageLog {
                    #read(&self.#ident)
                }

                fn messages_mut(&mut self) -> &mut #krate::MessageLog {
                    #write(&mut self.#ident)
                }
            }
        }
    })
}
