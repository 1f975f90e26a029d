//! What can be read off the pattern of an arm.

use syn::Pat;
use syn::ext::IdentExt;

/// Returns whether a pattern may bind a value, or is one of a reference.
pub(super) fn needs_reference(pat: &Pat) -> bool {
    match pat {
        Pat::Wild(_) | Pat::Rest(_) | Pat::Path(_) | Pat::Lit(_) | Pat::Range(_) => false,
        Pat::Paren(paren) => needs_reference(&paren.pat),
        Pat::Or(or) => or.cases.iter().any(needs_reference),
        Pat::Struct(pat) => pat.fields.iter().any(|field| needs_reference(&field.pat)),
        Pat::TupleStruct(pat) => pat.elems.iter().any(needs_reference),
        Pat::Tuple(pat) => pat.elems.iter().any(needs_reference),
        _ => true,
    }
}

/// Returns the variants that a pattern names; none if it may match any.
pub(super) fn variants(pat: &Pat) -> Vec<String> {
    match pat {
        Pat::Path(path) => last(&path.path),
        Pat::Struct(pattern) => last(&pattern.path),
        Pat::TupleStruct(pattern) => last(&pattern.path),
        Pat::Ident(ident) if ident.subpat.is_none() => vec![ident.ident.unraw().to_string()],
        Pat::Ident(ident) => ident
            .subpat
            .iter()
            .flat_map(|(_, pat)| variants(pat))
            .collect(),
        Pat::Paren(paren) => variants(&paren.pat),
        Pat::Reference(reference) => variants(&reference.pat),
        Pat::Or(or) => {
            let cases: Vec<_> = or.cases.iter().map(variants).collect();
            if cases.iter().any(Vec::is_empty) {
                Vec::new()
            } else {
                cases.concat()
            }
        }
        _ => Vec::new(),
    }
}

fn last(path: &syn::Path) -> Vec<String> {
    path.segments
        .last()
        .map(|segment| segment.ident.unraw().to_string())
        .into_iter()
        .collect()
}
