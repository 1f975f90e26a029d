//! From the tokens of a struct to nodes with arms, whose names are not looked up yet.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, Generics, LitInt, Pat, Path, Token, Type,
    Visibility, parenthesized,
};

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
    pub(super) guard: Guard,
    pub(super) target: Ident,
    pub(super) limit: Option<Limit>,
    pub(super) otherwise: Option<Ident>,
}

/// What must hold as well.
pub(super) enum Guard {
    None,
    Function(Path),
    /// Something must, but what was not understood.
    Broken,
}

/// How often an edge may be taken; one that was not understood counts as one.
pub(super) struct Limit {
    pub(super) times: u32,
    pub(super) token: TokenStream,
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
            "given" => {
                let content;
                parenthesized!(content in args);
                let fields = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
                self.given.extend(fields);
                false
            }
            _ => {
                let knows = "`graph` knows: `state = Type`, `start = node`, `given(field, ..)`, \
                             `crate = path`";
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
        arms,
        broken,
    })
}

const ROUTE: &str = "write `#[route(Pattern => node, _ => end)]`";

impl Arm {
    fn read(input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Self> {
        let pat = Pat::parse_multi_with_leading_vert(input)?;
        let guard = Guard::read(input, mistakes)?;
        if !input.peek(Token![=>]) {
            return Err(said(input, "H011: an arm is `Pattern => node`", ROUTE));
        }
        input.parse::<Token![=>]>()?;
        if !input.peek(Ident::peek_any) {
            let help = "name a field of the graph, or `end`";
            return Err(said(
                input,
                "H011: the arm does not name a node to go to",
                help,
            ));
        }
        let target: Ident = input.parse()?;
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
            if arm.target == END {
                let all: TokenStream = options.parse()?;
                mistakes.mend(
                    all,
                    "H011: `end` takes no options",
                    "a run ends at most once; write `=> end`",
                );
            } else {
                arm.read_options(&options, mistakes)?;
            }
        }
        if !input.is_empty() && !input.peek(Token![,]) {
            let help = "put a comma between two arms";
            return Err(said(input, "H011: the arm should end here", help));
        }
        Ok(arm)
    }

    fn read_options(
        &mut self,
        options: ParseStream<'_>,
        mistakes: &mut Mistakes,
    ) -> syn::Result<()> {
        while !options.is_empty() {
            let key = options.call(Ident::parse_any)?;
            let is_again = match key.to_string().as_str() {
                "limit" => {
                    options.parse::<Token![=]>()?;
                    self.limit.replace(Limit::read(options, mistakes)).is_some()
                }
                "else" => {
                    options.parse::<Token![=]>()?;
                    self.otherwise.replace(options.parse()?).is_some()
                }
                _ => {
                    mistakes.unknown_key(&key, "an edge knows: `limit = N`, `else = node`");
                    // Perhaps it was to be the limit; then nothing is said of a loop.
                    let limit = || Limit {
                        times: 1,
                        token: key.to_token_stream(),
                    };
                    self.limit.get_or_insert_with(limit);
                    skip_argument(options);
                    false
                }
            };
            if is_again {
                mistakes.twice(&key);
            }
            if !options.is_empty() {
                options.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }
}

impl Guard {
    fn read(input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Self> {
        if !input.peek(Token![if]) {
            return Ok(Self::None);
        }
        input.parse::<Token![if]>()?;
        let path = input.fork();
        if path.call(Path::parse_mod_style).is_ok() && path.peek(Token![=>]) {
            return Ok(Self::Function(input.call(Path::parse_mod_style)?));
        }
        let mut condition = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![=>]) && !input.peek(Token![,]) {
            condition.extend(Some(input.parse::<TokenTree>()?));
        }
        if condition.is_empty() {
            return Err(said(input, "H011: the guard is missing", GUARD));
        }
        mistakes.mend(
            condition,
            "H011: a guard is the name of a function from the state to `bool`",
            GUARD,
        );
        Ok(Self::Broken)
    }
}

const GUARD: &str =
    "put the condition into an `fn(&State) -> bool`, whose name then stands in the drawing";

impl Limit {
    fn read(options: ParseStream<'_>, mistakes: &mut Mistakes) -> Self {
        let mut token = TokenStream::new();
        while !options.is_empty() && !options.peek(Token![,]) {
            token.extend(options.parse::<TokenTree>());
        }
        let number = syn::parse2::<LitInt>(token.clone());
        let times = number.and_then(|number| number.base10_parse());
        let times = times.unwrap_or_else(|_| {
            mistakes.mend(
                &token,
                format_args!("H011: a limit is a whole number from 1 to {}", u32::MAX),
                "write it out, for example `limit = 3`: the compiler counts handoffs with it",
            );
            1
        });
        Self { times, token }
    }
}

/// Returns an error at the next token.
fn said(input: ParseStream<'_>, message: &str, help: &str) -> syn::Error {
    syn::Error::new(input.span(), format!("{message}\nhelp: {help}"))
}

/// The name of the target that is no node.
pub(super) const END: &str = "end";
