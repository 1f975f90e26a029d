//! What the tokens of a type tell before the compiler knows the type.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;

/// Returns whether a value of the type holds a reference, as far as its tokens tell.
pub(crate) fn borrows(ty: &Type) -> bool {
    let tokens = ty.to_token_stream();
    // What is only named in a `PhantomData` is not held.
    let is_phantom =
        |tree: &TokenTree| matches!(tree, TokenTree::Ident(name) if name == "PhantomData");
    has(
        tokens.clone(),
        &|tree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == '&'),
    ) && !has(tokens, &is_phantom)
}

/// Returns whether one of the tokens is such a one.
fn has(tokens: TokenStream, is_such: &dyn Fn(&TokenTree) -> bool) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Group(group) => has(group.stream(), is_such),
        tree => is_such(&tree),
    })
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn a_reference_is_found_wherever_it_stands() {
        assert!(borrows(&parse_quote!(&'static str)));
        assert!(borrows(&parse_quote!(Vec<(u8, [&'static str; 2])>)));
        assert!(!borrows(&parse_quote!(Cow<'static, str>)));
        assert!(!borrows(&parse_quote!(PhantomData<fn(&str)>)));
    }
}
