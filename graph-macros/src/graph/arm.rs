//! An arm of a route: a pattern, perhaps a guard, and where the edge leads.

mod forks;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::token::Paren;
use syn::{Expr, LitInt, Pat, Path, Token, parenthesized};

use super::may::Granting;
use crate::mistakes::{Mistakes, skip_argument};
use forks::{no_join, read_all, read_each};

/// `Pat if guard => target(limit = N, approve = f, missing = a, else = b)`
pub(super) struct Arm {
    pub(super) pat: Pat,
    pub(super) guard: Guard,
    pub(super) onward: Onward,
}

/// What must hold as well.
pub(super) enum Guard {
    None,
    Function(Path),
    /// Something must, but what was not understood.
    Broken,
}

/// Where an edge leads, with its options.
pub(super) struct Onward {
    pub(super) to: To,
    pub(super) limit: Option<Limit>,
    pub(super) otherwise: Option<Stop>,
    pub(super) missing: Option<Missing>,
    pub(super) approve: Option<Approve>,
    pub(super) concurrency: Option<Limit>,
    pub(super) grant: Option<Granting>,
    /// Whether an option could not be read.
    pub(super) broken: bool,
    is_error: bool,
}

/// Where an edge leads.
pub(super) enum To {
    Stop(Stop),
    /// `all(a, b) join d`
    All {
        all: Ident,
        branches: Vec<Ident>,
        join: Ident,
    },
    /// `each(items) worker join d`
    Each {
        items: Path,
        worker: Ident,
        join: Ident,
    },
    /// `back`: to whoever handed over to this node.
    Back(Ident),
}

/// A node, or the end: `triage`, `end`, `end(Verdict::Yes)`.
pub(super) struct Stop {
    pub(super) ident: Ident,
    pub(super) outcome: Option<Expr>,
    /// Whether what was said of the outcome could not be read.
    pub(super) broken: bool,
}

/// Where to go if a field that the node needs is not set.
pub(super) struct Missing {
    pub(super) key: Ident,
    /// None if it could not be read.
    pub(super) onward: Option<Box<Onward>>,
}

/// The function that says what a person is asked before the handoff.
pub(super) struct Approve {
    pub(super) key: Ident,
    pub(super) question: Path,
}

/// How often an edge may be taken, or how many branches run at once; a number that was not understood
/// counts as one.
pub(super) struct Limit {
    pub(super) times: u32,
    pub(super) token: TokenStream,
}

pub(super) const ROUTE: &str = "write `#[route(Pattern => node, _ => end)]`";
const ALL: &str =
    "write `all(a, b) join d`: when all branches have arrived, the run goes on at `d`";
const EACH: &str =
    "write `each(items) worker join d`, where `items` is an `fn(&State) -> Vec<Item>`";
const NAME: &str = "name a field of the graph, or `end`";
const ERROR: &str = "write `then = node`, `then = back` or `then = end`";

/// The name of the target that is no node.
pub(super) const END: &str = "end";

/// The word that leads to whoever handed over.
pub(super) const BACK: &str = "back";

impl Arm {
    pub(super) fn read(input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Self> {
        let pat = Pat::parse_multi_with_leading_vert(input)?;
        let guard = Guard::read(input, mistakes)?;
        if !input.peek(Token![=>]) {
            return Err(said(input, "H011: an arm is `Pattern => node`", ROUTE));
        }
        input.parse::<Token![=>]>()?;
        let onward = Onward::read(input, mistakes)?;
        if !input.is_empty() && !input.peek(Token![,]) {
            let help = "put a comma between two arms";
            return Err(said(input, "H011: the arm should end here", help));
        }
        Ok(Self { pat, guard, onward })
    }
}

impl Onward {
    /// Reads what stands behind `=>`.
    fn read(input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            let message = "H011: the arm does not name a node to go to";
            return Err(said(input, message, NAME));
        }
        Self::read_any(input, false, mistakes)
    }

    /// Reads what stands behind `then =`, where an error leads.
    pub(super) fn read_error(input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Self> {
        if !input.peek(syn::Ident) {
            return Err(said(input, "H011: `then` does not name a node", ERROR));
        }
        let next: Ident = input.fork().parse()?;
        if next == "all" || next == "each" {
            let help = "lead the error to a node, which then forks by its own route";
            return Err(said(input, "H011: an error leads to one node", help));
        }
        Self::read_any(input, true, mistakes)
    }

    fn to(to: To, is_error: bool) -> Self {
        Self {
            is_error,
            to,
            limit: None,
            otherwise: None,
            missing: None,
            approve: None,
            concurrency: None,
            grant: None,
            broken: false,
        }
    }

    fn read_any(
        input: ParseStream<'_>,
        is_error: bool,
        mistakes: &mut Mistakes,
    ) -> syn::Result<Self> {
        let ident: Ident = input.parse()?;
        let to = match ident.to_string().as_str() {
            "all" => read_all(&ident, input)?,
            "each" => read_each(&ident, input)?,
            BACK => To::Back(ident),
            "join" => {
                let message = "H011: `join` stands behind the branches of a fork";
                return Err(at(&ident, message, ALL));
            }
            _ => {
                let stop = Stop::read(ident, input, mistakes)?;
                let is_end = stop.ident == END;
                let mut onward = Self::to(To::Stop(stop), is_error);
                if !is_end {
                    onward.read_options(input, mistakes)?;
                }
                return no_join(onward, input);
            }
        };
        let mut onward = Self::to(to, is_error);
        onward.read_options(input, mistakes)?;
        Ok(onward)
    }

    /// Reads the options, if there are any.
    fn read_options(&mut self, input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<()> {
        if !input.peek(Paren) {
            return Ok(());
        }
        let options;
        parenthesized!(options in input);
        whole(&options, |options| {
            while !options.is_empty() {
                let key = options.call(Ident::parse_any)?;
                if self.read_option(&key, options, mistakes)? {
                    mistakes.twice(&key);
                }
                if !options.is_empty() {
                    options.parse::<Token![,]>()?;
                }
            }
            Ok(())
        })
    }

    /// Reads an option, and returns whether it was there before.
    fn read_option(
        &mut self,
        key: &Ident,
        options: ParseStream<'_>,
        mistakes: &mut Mistakes,
    ) -> syn::Result<bool> {
        let is_fork = matches!(self.to, To::All { .. } | To::Each { .. });
        match key.to_string().as_str() {
            "limit" => {
                options.parse::<Token![=]>()?;
                let limit = Limit::read(options, LIMIT, mistakes);
                Ok(self.limit.replace(limit).is_some())
            }
            "else" => {
                options.parse::<Token![=]>()?;
                let ident = options.parse()?;
                let stop = Stop::read(ident, options, mistakes)?;
                Ok(self.otherwise.replace(stop).is_some())
            }
            "missing" => {
                let onward = self.read_missing(key, options, mistakes)?;
                let key = key.clone();
                Ok(self.missing.replace(Missing { key, onward }).is_some())
            }
            "approve" => {
                options.parse::<Token![=]>()?;
                let Some(question) = mistakes.take(read_function(options)) else {
                    // What it asks, nobody knows; that it asks, is said by the `else`.
                    self.broken = true;
                    return Ok(self.approve.is_some());
                };
                let key = key.clone();
                let approve = Approve { key, question };
                Ok(self.approve.replace(approve).is_some())
            }
            "grant" => {
                let granting = Granting::read(key.clone(), options, mistakes)?;
                self.broken |= granting.broken;
                Ok(self.grant.replace(granting).is_some())
            }
            "concurrency" if is_fork => {
                options.parse::<Token![=]>()?;
                let most = Limit::read(options, CONCURRENCY, mistakes);
                Ok(self.concurrency.replace(most).is_some())
            }
            "concurrency" => {
                mistakes.mend(
                    key,
                    "H011: `concurrency` says how many branches of a fork run at once, and this is no fork",
                    "remove it, or fork: `all(a, b) join d(concurrency = 8)`",
                );
                skip_argument(options);
                Ok(false)
            }
            _ => {
                let knows = if self.is_error {
                    "an error edge knows: `limit = N`, `grant(A)`, `else = node`"
                } else if is_fork {
                    "a fork knows: `limit = N`, `grant(A)`, `else = node`, `concurrency = N`"
                } else {
                    "an edge knows: `limit = N`, `approve = f`, `grant(A)`, `missing = node`, `else = node`"
                };
                mistakes.unknown_key(key, knows);
                // Perhaps it was to be the limit; then nothing is said of a loop.
                let limit = || Limit {
                    times: 1,
                    token: key.to_token_stream(),
                };
                self.limit.get_or_insert_with(limit);
                self.broken = true;
                skip_argument(options);
                Ok(false)
            }
        }
    }
}

impl Onward {
    /// Reads where to go if something is missing.
    fn read_missing(
        &self,
        key: &Ident,
        options: ParseStream<'_>,
        mistakes: &mut Mistakes,
    ) -> syn::Result<Option<Box<Self>>> {
        let elsewhere = match self.to {
            To::Stop(_) if self.is_error => {
                Some("lead the error to a node that needs nothing, and decide there")
            }
            To::Stop(_) => None,
            To::Back(_) => Some("remove it: who handed over had all that it needs"),
            To::All { .. } | To::Each { .. } => {
                Some("put a node before the fork, and say it of the handoff to that node")
            }
        };
        if let Some(help) = elsewhere {
            let message = "H011: `missing` is for an arm that hands over to one node, by its name";
            mistakes.mend(key, message, help);
            skip_argument(options);
            return Ok(None);
        }
        let is_named = options.peek(Token![=]) && options.peek2(Ident::peek_any);
        if !is_named {
            let message = "H011: `missing` does not name a node to go to";
            mistakes.mend(key, message, "write `missing = node`, or `missing = end`");
            skip_argument(options);
            return Ok(None);
        }
        options.parse::<Token![=]>()?;
        let stop = Stop::read(options.call(Ident::parse_any)?, options, mistakes)?;
        Ok(Some(Box::new(Self::to(To::Stop(stop), false))))
    }

    /// Returns where the arm leads if something is missing.
    pub(super) fn if_missing(&self) -> Option<&Self> {
        self.missing.as_ref()?.onward.as_deref()
    }
}

impl Stop {
    /// Reads what stands behind the name: of `end`, what the run ends with.
    fn read(ident: Ident, input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Self> {
        let mut stop = Self {
            ident,
            outcome: None,
            broken: false,
        };
        if stop.ident != END || !input.peek(Paren) {
            return Ok(stop);
        }
        let content;
        let paren = parenthesized!(content in input);
        stop.broken = true;
        if content.is_empty() {
            let message = "H011: `end()` says nothing";
            let help = "write `end`, or `end(Verdict::Yes)` in a graph with `outcome = Verdict`";
            mistakes.add(syn::Error::new(
                paren.span.join(),
                format!("{message}\nhelp: {help}"),
            ));
        } else if content.peek(Ident::peek_any) && content.peek2(Token![=]) {
            let all: TokenStream = content.parse()?;
            mistakes.mend(
                all,
                "H011: `end` takes no options",
                "a run ends at most once; write `=> end`",
            );
        } else {
            stop.outcome = whole(&content, |content| {
                let outcome = content.parse()?;
                if content.is_empty() {
                    return Ok(Some(outcome));
                }
                let help = "write `end(Verdict::Yes)`";
                Err(said(content, "H011: a run ends with one outcome", help))
            })?;
        }
        Ok(stop)
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

const LIMIT: [&str; 2] = [
    "a limit",
    "write it out, for example `limit = 3`: the compiler counts handoffs with it",
];
const CONCURRENCY: [&str; 2] = [
    "how many branches run at once",
    "write it out, for example `concurrency = 8`",
];

impl Limit {
    fn read(options: ParseStream<'_>, [what, help]: [&str; 2], mistakes: &mut Mistakes) -> Self {
        let (token, times) = read_number(options);
        let times = times.unwrap_or_else(|| {
            let most = u32::MAX;
            mistakes.mend(
                &token,
                format_args!("H011: {what} is a whole number from 1 to {most}"),
                help,
            );
            1
        });
        Self { times, token }
    }
}

/// Reads the value of an option, and what number it is.
pub(super) fn read_number(options: ParseStream<'_>) -> (TokenStream, Option<u32>) {
    let token = rest_of_argument(options);
    let number = syn::parse2::<LitInt>(token.clone());
    let number = number.and_then(|number| number.base10_parse()).ok();
    (token, number)
}

/// Reads what is left of an argument.
pub(super) fn rest_of_argument(args: ParseStream<'_>) -> TokenStream {
    let mut token = TokenStream::new();
    while !args.is_empty() && !args.peek(Token![,]) {
        token.extend(args.parse::<TokenTree>());
    }
    token
}

/// Reads the name of a function.
pub(super) fn read_function(args: ParseStream<'_>) -> syn::Result<Path> {
    let path = args.fork();
    let is_path = path.call(Path::parse_mod_style).is_ok();
    if is_path && (path.is_empty() || path.peek(Token![,])) {
        return args.call(Path::parse_mod_style);
    }
    let message = "H011: here the name of a function is expected";
    let help = "put the expression into a function, and write its name";
    let error = said(args, message, help);
    skip_argument(args);
    Err(error)
}

/// Reads what stands in parentheses. Of a mistake the rest is skipped, so that it is one error.
fn whole<T>(
    content: ParseStream<'_>,
    read: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let result = read(content);
    if result.is_err() {
        content.parse::<TokenStream>()?;
    }
    result
}

/// Returns an error at the next token.
pub(super) fn said(input: ParseStream<'_>, message: &str, help: &str) -> syn::Error {
    syn::Error::new(input.span(), format!("{message}\nhelp: {help}"))
}

/// Returns an error at a token.
fn at(token: &impl ToTokens, message: &str, help: &str) -> syn::Error {
    syn::Error::new_spanned(token, format!("{message}\nhelp: {help}"))
}
