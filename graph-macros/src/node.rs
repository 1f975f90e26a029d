//! `#[node(State)]`: a signature becomes a contract.
//!
//! The item stays as the user wrote it. Beside it stand the node's contract, read off the
//! parameters, and a run on copies of the fields that may be written, which enter the state only
//! when the node has concluded. What an `Out` sets enters it at once, and is taken back otherwise: to
//! move a value that was made just now costs more than to make most of them.

mod expand;
mod parse;
mod run;

use proc_macro2::TokenStream;
use quote::quote;

use crate::mistakes::Mistakes;

pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let model = parse::parse(args, item.clone(), &mut mistakes);
    let code = model.map(|model| expand::expand(&model));
    quote! {
        #[allow(
            clippy::needless_pass_by_value,
            clippy::ptr_arg,
            clippy::ref_option,
            clippy::trivially_copy_pass_by_ref,
            clippy::unused_async,
            reason = "the signature of a node is its contract with the state"
        )]
        #item
        #mistakes
        #code
    }
}
