//! From the tokens of an `async fn` or an `impl` block to a node with parameters.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{
    FnArg, GenericArgument, Generics, ImplItem, Item, Pat, PathArguments, Receiver, ReceiverKind,
    ReturnType, Signature, Token, Type, Visibility,
};

use crate::krate::Krate;
use crate::mistakes::Mistakes;

/// A node as its item describes it.
pub(super) struct NodeModel {
    pub(super) krate: Krate,
    pub(super) state: Type,
    pub(super) form: Form,
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
}

/// The method of an `impl` block that is the node.
const ENTRY: &str = "run";

const FORMS: &str =
    "a parameter is `field: &T`, `field: &mut T`, `field: Out<'_, T>` or `cx: &mut Context<'_>`";

pub(super) fn parse(
    args: TokenStream,
    item: TokenStream,
    mistakes: &mut Mistakes,
) -> Option<NodeModel> {
    let args = mistakes.take(parse_args.parse2(args));
    let item: Item = mistakes.take(syn::parse2(item))?;
    let (state, krate) = args?;
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
                mistakes.at(
                    of,
                    "H011: `#[node]` goes on the type's own `impl`, not on that of a trait",
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
            mistakes.at(
                other,
                "H011: `#[node]` goes on an `async fn` or on an `impl` block",
            );
            return None;
        }
    };
    check_signature(&form, &signature, mistakes);
    let (params, sound) = parse_params(&form, &signature, mistakes);
    let output = match signature.output {
        ReturnType::Default => syn::parse_quote!(()),
        ReturnType::Type(_, ty) => *ty,
    };
    let is_async = signature.asyncness.is_some();
    Some(NodeModel {
        krate,
        state,
        form,
        is_async,
        params,
        output,
        sound,
    })
}

fn parse_args(input: ParseStream<'_>) -> syn::Result<(Type, Krate)> {
    if input.is_empty() {
        return Err(input.error("H011: name the state that the node works on: `#[node(Ticket)]`"));
    }
    let state = input.parse()?;
    let mut krate = Krate::default();
    while !input.is_empty() {
        input.parse::<Token![,]>()?;
        if input.is_empty() {
            break;
        }
        if !input.peek(Token![crate]) {
            return Err(
                input.error("H011: unknown key; after the state, `node` knows: `crate = path`")
            );
        }
        krate = Krate::parse(input)?;
    }
    Ok((state, krate))
}

fn check_signature(form: &Form, signature: &Signature, mistakes: &mut Mistakes) {
    let takes_self = signature.receiver();
    match (form, takes_self) {
        (Form::Impl { .. }, None) => mistakes.mend(
            &signature.ident,
            "H011: the node's method must take `&self`",
            "a node is shared by all runs of its graph: `async fn run(&self, ..)`",
        ),
        (Form::Impl { .. }, Some(receiver)) if !is_shared(receiver) => {
            mistakes.mend(
                receiver,
                "H011: the node's method must take `&self`",
                "a node is shared by all runs of its graph; what changes belongs into the state",
            );
        }
        (Form::Function { .. }, _) if signature.generics.type_params().next().is_some() => mistakes
            .mend(
                &signature.generics,
                "H011: a node function has no type parameters",
                "put `#[node]` on the `impl` block of a generic struct instead",
            ),
        _ => {}
    }
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
            FnArg::Receiver(receiver) => {
                mistakes.at(
                    receiver,
                    "H011: a node function takes fields of the state, not `self`",
                );
                None
            }
            FnArg::Typed(typed) => parse_param(&typed.pat, &typed.ty, mistakes),
        };
        let Some(param) = param else {
            sound = false;
            continue;
        };
        if let Param::Field { field, .. } = &param
            && params
                .iter()
                .any(|known| matches!(known, Param::Field { field: other, .. } if other == field))
        {
            mistakes.at(
                field,
                format_args!("H011: the node takes the field `{field}` twice"),
            );
            sound = false;
            continue;
        }
        params.push(param);
    }
    (params, sound)
}

fn parse_param(pat: &Pat, ty: &Type, mistakes: &mut Mistakes) -> Option<Param> {
    let Pat::Ident(name) = pat else {
        mistakes.mend(
            pat,
            "H011: a parameter is named after the field that it takes",
            FORMS,
        );
        return None;
    };
    let field = field_name(&name.ident);
    match ty {
        Type::Reference(reference) if reference.mutability.is_some() => {
            if last_segment(&reference.elem).is_some_and(|segment| segment.ident == "Context") {
                return Some(Param::Context);
            }
            Some(Param::Field {
                field,
                access: Access::Write,
                ty: (*reference.elem).clone(),
            })
        }
        Type::Reference(reference) => Some(Param::Field {
            field,
            access: Access::Read,
            ty: (*reference.elem).clone(),
        }),
        other => {
            let of = last_segment(other)
                .filter(|segment| segment.ident == "Out")
                .and_then(|segment| match &segment.arguments {
                    PathArguments::AngleBracketed(args) => {
                        args.args.iter().find_map(|arg| match arg {
                            GenericArgument::Type(ty) => Some(ty.clone()),
                            _ => None,
                        })
                    }
                    _ => None,
                });
            let Some(ty) = of else {
                mistakes.mend(
                    other,
                    format_args!("H011: a node cannot take `{field}` like this"),
                    FORMS,
                );
                return None;
            };
            Some(Param::Field {
                field,
                access: Access::Out,
                ty,
            })
        }
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
