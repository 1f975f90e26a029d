//! `derive(AgentGraph)`: fields become nodes, arms become edges.

mod arm;
mod check;
mod context;
mod duration;
mod edges;
mod expand;
mod field;
mod may;
mod model;
mod nested;
mod parse;
mod pattern;
mod policy;
mod region;
mod run;
mod step;
mod table;
pub(crate) mod text;

use proc_macro2::TokenStream;
use quote::quote;

use crate::mistakes::Mistakes;

pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let code = parse::parse(input, &mut mistakes)
        .and_then(|parsed| model::resolve(parsed, &mut mistakes))
        .map(|mut model| {
            check::check(&mut model, &mut mistakes);
            expand::expand(&model)
        });
    quote!(#mistakes #code)
}
