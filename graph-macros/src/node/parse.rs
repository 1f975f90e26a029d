//! From the tokens of an `async fn` or an `impl` block to a node with parameters.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{
    FnArg, GenericArgument, Generics, ImplItem, Item, Pat, PathArguments, Receiver, ReceiverKind,
    ReturnType, Signature, Token, Type, TypeReference, Visibility,
};

use crate::krate::Krate;
use crate::mistakes::Mistakes;
use crate::types::{bare, borrows};

/// A node as its item describes it.
pub(super) struct NodeModel {
    pub(super) krate: Krate,
    /// The state, unless the user did not name it.
    pub(super) state: Option<Type>,
    pub(super) form: Form,
    /// Where the node's run is, for errors about it as a whole.
    pub(super) entry: Ident,
    pub(super) is_async: bool,
    pub(super) params: Vec<Param>,
    pub(super) output: Type,
    /// Whether each parameter was understood; if not, the node is written without a body.
    pub(super) sound: bool,
}

/// Which item carries the node.
pub(super) enum Form {
    /// A function: the node is a new unit struct, named after it.
    Function { vis: Visibility, function: Ident },
    /// An `impl` block: the node is its type.
    Impl {
        generics: Box<Generics>,
        ty: Box<Type>,
    },
}

/// A parameter of the node.
pub(super) enum Param {
    /// `&self`
    Receiver,
    /// `cx: &mut Context<'_>`
    Context,
    /// What the node works on, taken by value.
    Item {
        /// The parameter's name, unless it is taken apart.
        name: Option<Ident>,
        ty: Type,
    },
    /// A field of the state.
    Field {
        field: Ident,
        access: Access,
        ty: Type,
    },
}

/// How a parameter takes its field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    Out,
    Replace,
}

/// The method of an `impl` block that is the node.
const ENTRY: &str = "run";

const FORMS: &str = "a parameter is `field: &T`, `field: &mut T`, `field: Out<'_, T>`, `field: Replace<'_, T>`, `cx: &mut Context<'_>`, or by value the item of an `each`";

pub(super) fn parse(
    args_tokens: TokenStream,
    item: TokenStream,
    mistakes: &mut Mistakes,
) -> Option<NodeModel> {
    let item: Item = mistakes.take(syn::parse2(item))?;
    let args = |args: ParseStream<'_>| parse_args(args, mistakes);
    let args = args.parse2(args_tokens);
    let (state, krate) = mistakes.take(args).unwrap_or_default();
    let (form, signature) = match item {
        Item::Fn(function) => {
            let signature = function.sig;
            (
                Form::Function {
                    vis: function.vis,
                    function: signature.ident.clone(),
                },
                signature,
            )
        }
        Item::Impl(block) => {
            if let Some((of, _)) = &block.trait_ {
                mistakes.mend(
                    of,
                    "H011: `#[node]` goes on the type's own `impl`, not on that of a trait",
                    format_args!("write it on an `impl` without a trait, with an `async fn {ENTRY}(&self, ..)`"),
                );
                return None;
            }
            let entry = block.items.iter().find_map(|item| match item {
                ImplItem::Fn(method) if method.sig.ident == ENTRY => Some(method.sig.clone()),
                _ => None,
            });
            let Some(entry) = entry else {
                mistakes.mend(
                    &block.self_ty,
                    format_args!("H011: this `impl` has no `{ENTRY}`"),
                    format_args!(
                        "write `async fn {ENTRY}(&self, ..)`, the method that is the node"
                    ),
                );
                return None;
            };
            (
                Form::Impl {
                    generics: Box::new(block.generics),
                    ty: block.self_ty,
                },
                entry,
            )
        }
        other => {
            mistakes.mend(
                other,
                "H011: `#[node]` goes on an `async fn` or on an `impl` block",
                format_args!("of a type it goes on the `impl` block that has its `async fn {ENTRY}(&self, ..)`"),
            );
            return None;
        }
    };
    let sound = check_signature(&form, &signature, mistakes);
    let (params, params_sound) = parse_params(&form, &signature, mistakes);
    let entry = signature.ident;
    let output = match signature.output {
        ReturnType::Default => syn::parse_quote!(()),
        ReturnType::Type(_, ty) => *ty,
    };
    let is_async = signature.asyncness.is_some();
    Some(NodeModel {
        krate,
        state,
        form,
        entry,
        is_async,
        params,
        output,
        sound: sound && params_sound,
    })
}

fn parse_args(
    input: ParseStream<'_>,
    mistakes: &mut Mistakes,
) -> syn::Result<(Option<Type>, Krate)> {
    let mut krate = Krate::default();
    if input.is_empty() {
        mistakes.add(syn::Error::new(
            input.span(),
            "H011: the node does not name its state\nhelp: write `#[node(Ticket)]`, with your own state",
        ));
        return Ok((None, krate));
    }
    let state = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
        let knows = "after the state, `node` knows: `crate = path`";
        krate.read_alone(input, knows, mistakes)?;
    }
    Ok((Some(state), krate))
}

/// Returns whether the node can be called.
fn check_signature(form: &Form, signature: &Signature, mistakes: &mut Mistakes) -> bool {
    let takes_self = signature.receiver();
    match (form, takes_self) {
        (Form::Impl { .. }, None) => mistakes.mend(
            &signature.ident,
            "H011: the node's method must take `&self`",
            "a node is shared by all runs of its graph: `async fn run(&self, ..)`",
        ),
        (Form::Impl { .. }, Some(receiver)) if !is_shared(receiver) => mistakes.mend(
            receiver,
            "H011: the node's method must take `&self`",
            "a node is shared by all runs of its graph; what changes belongs into the state",
        ),
        (Form::Function { .. }, _) if signature.generics.type_params().next().is_some() => mistakes
            .mend(
                &signature.generics,
                "H011: a node function has no type parameters",
                "put `#[node]` on the `impl` block of a generic struct instead",
            ),
        _ => return true,
    }
    false
}

/// Returns whether a receiver is `&self`.
fn is_shared(receiver: &Receiver) -> bool {
    receiver.mutability.is_none() && matches!(receiver.kind, ReceiverKind::Reference(_, _, None))
}

fn parse_params(form: &Form, signature: &Signature, mistakes: &mut Mistakes) -> (Vec<Param>, bool) {
    let mut params: Vec<Param> = Vec::new();
    let mut sound = true;
    for input in &signature.inputs {
        let param = match input {
            FnArg::Receiver(_) if matches!(form, Form::Impl { .. }) => Some(Param::Receiver),
            // That a function outside of an `impl` has no `self`, the compiler says itself.
            FnArg::Receiver(_) => None,
            FnArg::Typed(typed) => parse_param(&typed.pat, &typed.ty, mistakes),
        };
        let Some(param) = param else {
            sound = false;
            continue;
        };
        let is_taken = params.iter().any(|known| match (known, &param) {
            (Param::Field { field, .. }, Param::Field { field: again, .. }) => field == again,
            (Param::Context, Param::Context) | (Param::Item { .. }, Param::Item { .. }) => true,
            _ => false,
        });
        if is_taken {
            let name = match (&param, input) {
                (Param::Field { field, .. }, _) => field.to_token_stream(),
                (_, FnArg::Typed(typed)) => typed.pat.to_token_stream(),
                (_, receiver) => receiver.to_token_stream(),
            };
            let (what, help) = match &param {
                Param::Field { field, .. } => (
                    format!("the node takes the field `{field}` twice"),
                    "take it once, by `&mut` if it is written to",
                ),
                Param::Item { .. } => (
                    "the node takes two items".to_owned(),
                    "by value it takes the item that an `each` hands it; a field of the state it takes by `&` or `&mut`",
                ),
                _ => (
                    "the node takes the context twice".to_owned(),
                    "take it once",
                ),
            };
            mistakes.mend(name, format_args!("H011: {what}"), help);
            sound = false;
            continue;
        }
        params.push(param);
    }
    (params, sound)
}

fn parse_param(pat: &Pat, ty: &Type, mistakes: &mut Mistakes) -> Option<Param> {
    let ty = bare(ty);
    let access = [("Out", Access::Out), ("Replace", Access::Replace)];
    let access = access.iter().find(|(name, _)| names(ty, name));
    let is_field = access.is_some() || matches!(ty, Type::Reference(_));
    let name = match pat {
        Pat::Ident(name) => Some(field_name(&name.ident)),
        _ if is_field => {
            mistakes.mend(
                pat,
                "H011: a parameter is named after the field that it takes",
                FORMS,
            );
            return None;
        }
        _ => None,
    };
    let taken = match (ty, access, name.clone()) {
        (Type::Reference(reference), _, Some(field)) => take_reference(field, reference),
        (_, Some((_, access)), Some(field)) => Some(Param::Field {
            field,
            access: *access,
            // That it lacks its type, the compiler says itself.
            ty: type_argument(ty)?,
        }),
        (Type::ImplTrait(_), ..) => None,
        _ if names(ty, "Context") => None,
        _ if borrows(ty) => {
            mistakes.mend(
                ty,
                "H011: an item owns what it holds, since a journal keeps it",
                "write `String` in place of `&str`, and the type itself in place of another reference",
            );
            return None;
        }
        _ => Some(Param::Item {
            name: name.clone(),
            ty: ty.clone(),
        }),
    };
    if taken.is_none() {
        let name = name.map_or_else(
            || pat.to_token_stream().to_string(),
            |name| name.to_string(),
        );
        mistakes.mend(
            ty,
            format_args!("H011: a node cannot take `{name}` like this"),
            FORMS,
        );
    }
    taken
}

fn take_reference(field: Ident, reference: &TypeReference) -> Option<Param> {
    let is_mut = reference.mutability.is_some();
    let ty = bare(&reference.elem);
    if names(ty, "Context") {
        return is_mut.then_some(Param::Context);
    }
    if names(ty, "Out") || names(ty, "Replace") || matches!(ty, Type::ImplTrait(_)) {
        return None;
    }
    Some(Param::Field {
        field,
        access: if is_mut { Access::Write } else { Access::Read },
        ty: ty.clone(),
    })
}

/// Returns whether a type's path ends in this name.
fn names(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

fn type_argument(ty: &Type) -> Option<Type> {
    match &last_segment(ty)?.arguments {
        PathArguments::AngleBracketed(args) => args.args.iter().find_map(|arg| match arg {
            GenericArgument::Type(ty) => Some(ty.clone()),
            _ => None,
        }),
        _ => None,
    }
}

/// Returns the field that a parameter names; an underscore in front only says that it is not used.
fn field_name(param: &Ident) -> Ident {
    let name = param.unraw().to_string();
    match name.strip_prefix('_') {
        Some(used) if syn::parse_str::<Ident>(used).is_ok() => Ident::new(used, param.span()),
        Some(used) if !used.is_empty() => Ident::new_raw(used, param.span()),
        _ => param.clone(),
    }
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}
