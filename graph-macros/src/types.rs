//! What the tokens of a type tell before the compiler knows the type.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;

/// Returns the type itself of one that stands for a `$name:ty` of a `macro_rules!`, or in parentheses.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

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
    use proc_macro2::{Delimiter, Group};
    use quote::quote;
    use syn::parse_quote;

    use super::*;

    #[test]
    fn the_type_that_a_macro_was_given_is_seen_within_its_group() {
        let group = TokenTree::Group(Group::new(Delimiter::None, quote!(&u32)));
        let ty: Type = parse_quote!((#group));
        assert!(matches!(bare(&ty), Type::Reference(_)));
    }

    #[test]
    fn a_reference_is_found_wherever_it_stands() {
        assert!(borrows(&parse_quote!(&'static str)));
        assert!(borrows(&parse_quote!(Vec<(u8, [&'static str; 2])>)));
        assert!(!borrows(&parse_quote!(Cow<'static, str>)));
        assert!(!borrows(&parse_quote!(PhantomData<fn(&str)>)));
    }
}
