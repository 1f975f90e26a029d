//! From the tokens of a struct to nodes with arms, whose names are not looked up yet.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, Generics, LitStr, Meta, Path, Token, Type,
    Visibility, parenthesized,
};

use super::arm::{Arm, Onward, ROUTE, rest_of_argument};
use super::field::Policy;
use super::may::May;
use crate::krate::Krate;
use crate::mistakes::{Mistakes, arguments, skip_argument};
use crate::outcome::doc_text;

/// A graph as it is written.
pub(super) struct Graph {
    pub(super) krate: Krate,
    pub(super) ident: Ident,
    pub(super) vis: Visibility,
    pub(super) generics: Generics,
    pub(super) state: Type,
    pub(super) start: Option<Ident>,
    pub(super) given: Vec<Ident>,
    /// What the graph ends with.
    pub(super) outcome: Option<Type>,
    /// The enum of what its nodes may be allowed to do.
    pub(super) scopes: Option<Path>,
    /// The names that the graph had before.
    pub(super) renamed_from: Vec<LitStr>,
    pub(super) nodes: Vec<Node>,
}

impl Graph {
    /// Writes an `impl` for the graph: of `Trait for`, or of nothing for one of its own.
    pub(super) fn implement(&self, of: &TokenStream, items: &TokenStream) -> TokenStream {
        let ident = &self.ident;
        let (impl_generics, type_generics, where_clause) = self.generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #impl_generics #of #ident #type_generics #where_clause { #items }
        }
    }

    /// Returns where the edges lead, as they are written.
    pub(super) fn onwards(&self) -> impl Iterator<Item = &Onward> {
        self.nodes.iter().flat_map(|node| {
            let arms = node.arms.iter().map(|arm| &arm.onward);
            let arms = arms.flat_map(|onward| [onward].into_iter().chain(onward.if_missing()));
            arms.chain(&node.policy.on_error)
        })
    }

    /// Returns each scope as often as it is named.
    pub(super) fn named_scopes(&self) -> impl Iterator<Item = &Ident> {
        let may = self.nodes.iter().map(|node| &node.may);
        let may = may.flat_map(|may| may.uses.iter().chain(&may.grants));
        let grants = self.onwards().filter_map(|onward| onward.grant.as_ref());
        may.chain(grants.flat_map(|grant| &grant.scopes))
    }

    /// Returns the words with which scopes are named.
    pub(super) fn scope_keys(&self) -> impl Iterator<Item = &Ident> {
        let may = self.nodes.iter().filter_map(|node| node.may.key.as_ref());
        let grants = self.onwards().filter_map(|onward| onward.grant.as_ref());
        may.chain(grants.map(|grant| &grant.key))
    }
}

/// A field of the graph.
pub(super) struct Node {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    pub(super) doc: String,
    /// The names that the node had before.
    pub(super) renamed_from: Vec<LitStr>,
    pub(super) arms: Vec<Arm>,
    pub(super) policy: Policy,
    pub(super) may: May,
    /// Whether arms are missing because they could not be read.
    pub(super) broken: bool,
}

/// What the attribute on the struct says.
#[derive(Default)]
struct Keys {
    krate: Krate,
    state: Option<Type>,
    start: Option<Ident>,
    given: Vec<Ident>,
    outcome: Option<Type>,
    scopes: Option<Path>,
    renamed_from: Vec<LitStr>,
}

pub(super) fn parse(input: TokenStream, mistakes: &mut Mistakes) -> Option<Graph> {
    let input: DeriveInput = mistakes.take(syn::parse2(input))?;
    let Data::Struct(data) = &input.data else {
        mistakes.mend(
            &input.ident,
            "H011: a graph is a struct",
            "write one field for each node, with its route: `#[route(_ => end)] triage: Triage`",
        );
        return None;
    };
    let mut keys = Keys::default();
    let mut marked = false;
    for attr in attrs(&input.attrs, "graph") {
        marked = true;
        let read = attr.parse_args_with(|args: ParseStream<'_>| keys.read(args, mistakes));
        mistakes.take(read);
    }
    let Some(state) = keys.state else {
        mistakes.mend(
            &input.ident,
            "H011: the graph does not name its state",
            "write `#[graph(state = Ticket, start = triage)]` above the struct",
        );
        return None;
    };
    if keys.start.is_none() && marked {
        mistakes.mend(
            &input.ident,
            "H011: the graph does not name the node where a run starts",
            "write `#[graph(state = .., start = triage)]` above the struct",
        );
    }
    let fields = match &data.fields {
        Fields::Named(fields) if !fields.named.is_empty() => &fields.named,
        _ => {
            mistakes.mend(
                &input.ident,
                "H011: a graph has at least one node, and nodes have names",
                "write one named field for each node: `#[route(_ => end)] triage: Triage`",
            );
            return None;
        }
    };
    let mut nodes: Vec<Node> = Vec::new();
    for field in fields {
        let node = parse_node(field, mistakes);
        // That two fields have one name, the compiler says itself.
        nodes.extend(node.filter(|node| nodes.iter().all(|other| other.ident != node.ident)));
    }
    Some(Graph {
        krate: keys.krate,
        ident: input.ident,
        vis: input.vis,
        generics: input.generics,
        state,
        start: keys.start,
        given: keys.given,
        outcome: keys.outcome,
        scopes: keys.scopes,
        renamed_from: keys.renamed_from,
        nodes,
    })
}

fn attrs<'a>(attrs: &'a [Attribute], name: &str) -> impl Iterator<Item = &'a Attribute> {
    attrs.iter().filter(move |attr| attr.path().is_ident(name))
}

impl Keys {
    fn read(&mut self, args: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<()> {
        arguments(args, || {
            if args.peek(Token![crate]) {
                self.krate = Krate::parse(args)?;
                return Ok(());
            }
            self.read_key(args, mistakes)
        })
    }

    fn read_key(&mut self, args: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<()> {
        let key = args.call(Ident::parse_any)?;
        let is_again = match key.to_string().as_str() {
            "state" => {
                args.parse::<Token![=]>()?;
                self.state.replace(args.parse()?).is_some()
            }
            "start" => {
                args.parse::<Token![=]>()?;
                self.start.replace(args.parse()?).is_some()
            }
            "outcome" => {
                args.parse::<Token![=]>()?;
                self.outcome.replace(args.parse()?).is_some()
            }
            "scopes" => {
                args.parse::<Token![=]>()?;
                self.scopes.replace(args.parse()?).is_some()
            }
            "renamed_from" => {
                // As an alias of serde's, it may be given more than once.
                self.renamed_from.extend(read_name(args, mistakes)?);
                false
            }
            "given" => {
                let content;
                parenthesized!(content in args);
                let fields = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
                self.given.extend(fields);
                false
            }
            _ => {
                let knows = "`graph` knows: `state = Type`, `start = node`, `given(field, ..)`, \
                             `outcome = Type`, `scopes = Type`, `renamed_from = \"Old\"`, `crate = path`";
                mistakes.unknown_key(&key, knows);
                skip_argument(args);
                false
            }
        };
        if is_again {
            mistakes.twice(&key);
        }
        Ok(())
    }
}

/// Reads `= "old"`.
fn read_name(args: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Option<LitStr>> {
    args.parse::<Token![=]>()?;
    let token = rest_of_argument(args);
    let name = syn::parse2::<LitStr>(token.clone());
    if name.is_err() {
        mistakes.mend(
            &token,
            "H011: `renamed_from` is the old name, as a text",
            "write `renamed_from = \"old_name\"`",
        );
    }
    Ok(name.ok())
}

/// Reads what `#[node(..)]` says of a field of the graph.
fn read_former(attrs: &[Attribute], mistakes: &mut Mistakes) -> Vec<LitStr> {
    const NODE: &str = "on a field, `node` knows: `renamed_from = \"old_name\"`";
    let mut names = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("node")) {
        if !matches!(attr.meta, Meta::List(_)) {
            let message = "H011: on a field, `node` says what name the node had before";
            mistakes.mend(
                attr.path(),
                message,
                "write `#[node(renamed_from = \"old_name\")]`",
            );
            continue;
        }
        let read = attr.parse_args_with(|args: ParseStream<'_>| {
            arguments(args, || {
                let key = args.call(Ident::parse_any)?;
                if key == "renamed_from" {
                    names.extend(read_name(args, mistakes)?);
                } else {
                    mistakes.unknown_key(&key, NODE);
                    skip_argument(args);
                }
                Ok(())
            })
        });
        mistakes.take(read);
    }
    names
}

fn parse_node(field: &Field, mistakes: &mut Mistakes) -> Option<Node> {
    let ident = field.ident.clone()?;
    let mut arms = Vec::new();
    let mut broken = false;
    for attr in attrs(&field.attrs, "route") {
        let parsed = attr.parse_args_with(|args: ParseStream<'_>| {
            while !args.is_empty() {
                let arm = Arm::read(args, mistakes).and_then(|arm| {
                    if !args.is_empty() {
                        args.parse::<Token![,]>()?;
                    }
                    Ok(arm)
                });
                if let Some(arm) = mistakes.take(arm) {
                    arms.push(arm);
                } else {
                    broken = true;
                    skip_argument(args);
                    args.parse::<Option<Token![,]>>()?;
                }
            }
            Ok(())
        });
        if let Err(error) = parsed {
            broken = true;
            mistakes.mend(attr, error, ROUTE);
        }
    }
    Some(Node {
        ident,
        ty: field.ty.clone(),
        doc: doc_text(&field.attrs),
        renamed_from: read_former(&field.attrs, mistakes),
        arms,
        policy: Policy::read(&field.attrs, mistakes),
        may: May::read(&field.attrs, mistakes),
        broken,
    })
}
