//! From the tokens of a struct to nodes with arms, whose names are not looked up yet.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, Generics, LitInt, Pat, Path, Token, Type,
    Visibility, parenthesized,
};

use crate::krate::Krate;
use crate::mistakes::Mistakes;
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
    pub(super) nodes: Vec<Node>,
}

/// A field of the graph.
pub(super) struct Node {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    pub(super) doc: String,
    pub(super) arms: Vec<Arm>,
    /// Whether arms are missing because they could not be read.
    pub(super) broken: bool,
}

/// `Pat if guard => target(limit = N, else = other)`
pub(super) struct Arm {
    pub(super) pat: Pat,
    pub(super) guard: Option<Path>,
    pub(super) target: Ident,
    pub(super) limit: Option<LitInt>,
    pub(super) otherwise: Option<Ident>,
}

/// What the attribute on the struct says.
#[derive(Default)]
struct Keys {
    krate: Krate,
    state: Option<Type>,
    start: Option<Ident>,
    given: Vec<Ident>,
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
        mistakes.take(attr.parse_args_with(|args: ParseStream<'_>| keys.read(args)));
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
    let nodes = fields
        .iter()
        .filter_map(|field| parse_node(field, mistakes))
        .collect();
    Some(Graph {
        krate: keys.krate,
        ident: input.ident,
        vis: input.vis,
        generics: input.generics,
        state,
        start: keys.start,
        given: keys.given,
        nodes,
    })
}

fn attrs<'a>(attrs: &'a [Attribute], name: &str) -> impl Iterator<Item = &'a Attribute> {
    attrs.iter().filter(move |attr| attr.path().is_ident(name))
}

impl Keys {
    fn read(&mut self, args: ParseStream<'_>) -> syn::Result<()> {
        while !args.is_empty() {
            if args.peek(Token![crate]) {
                self.krate = Krate::parse(args)?;
            } else {
                let key = args.call(Ident::parse_any)?;
                match key.to_string().as_str() {
                    "state" => {
                        args.parse::<Token![=]>()?;
                        self.state = Some(args.parse()?);
                    }
                    "start" => {
                        args.parse::<Token![=]>()?;
                        self.start = Some(args.parse()?);
                    }
                    "given" => {
                        let content;
                        parenthesized!(content in args);
                        let fields = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
                        self.given.extend(fields);
                    }
                    _ => {
                        return Err(syn::Error::new(
                            key.span(),
                            format!(
                                "H011: unknown key `{key}`\nhelp: `graph` knows: `state = Type`, \
                                 `start = node`, `given(field, ..)`, `crate = path`"
                            ),
                        ));
                    }
                }
            }
            if !args.is_empty() {
                args.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }
}

fn parse_node(field: &Field, mistakes: &mut Mistakes) -> Option<Node> {
    let ident = field.ident.clone()?;
    let mut arms = Vec::new();
    let mut broken = false;
    for attr in attrs(&field.attrs, "route") {
        let parsed = attr.parse_args_with(|args: ParseStream<'_>| {
            while !args.is_empty() {
                arms.push(args.parse()?);
                if !args.is_empty() {
                    args.parse::<Token![,]>()?;
                }
            }
            Ok(())
        });
        broken |= mistakes.take(parsed).is_none();
    }
    Some(Node {
        ident,
        ty: field.ty.clone(),
        doc: doc_text(&field.attrs),
        arms,
        broken,
    })
}

impl Parse for Arm {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let pat = Pat::parse_multi_with_leading_vert(input)?;
        let guard = if input.peek(Token![if]) {
            input.parse::<Token![if]>()?;
            let guard = input.call(Path::parse_mod_style)?;
            if !input.peek(Token![=>]) {
                return Err(input.error(
                    "H011: a guard is the name of a function from the state to `bool`\n\
                     help: put the condition into an `fn(&State) -> bool`, whose name then stands \
                     in the drawing",
                ));
            }
            Some(guard)
        } else {
            None
        };
        input.parse::<Token![=>]>()?;
        let target = input.parse()?;
        let mut arm = Self {
            pat,
            guard,
            target,
            limit: None,
            otherwise: None,
        };
        if input.peek(syn::token::Paren) {
            let options;
            parenthesized!(options in input);
            arm.options(&options)?;
        }
        Ok(arm)
    }
}

impl Arm {
    fn options(&mut self, options: ParseStream<'_>) -> syn::Result<()> {
        if self.target == END {
            return Err(options.error("H011: `end` takes no options"));
        }
        while !options.is_empty() {
            let key = options.call(Ident::parse_any)?;
            match key.to_string().as_str() {
                "limit" => {
                    options.parse::<Token![=]>()?;
                    self.limit = Some(options.parse()?);
                }
                "else" => {
                    options.parse::<Token![=]>()?;
                    self.otherwise = Some(options.parse()?);
                }
                _ => {
                    return Err(syn::Error::new(
                        key.span(),
                        format!(
                            "H011: unknown key `{key}`\nhelp: an edge knows: `limit = N`, `else = node`"
                        ),
                    ));
                }
            }
            if !options.is_empty() {
                options.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }
}

/// The name of the target that is no node.
pub(super) const END: &str = "end";
