//! Where an edge forks: `all(a, b) join d`, `each(items) worker join d`.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::token::Paren;
use syn::{Path, Token, parenthesized};

use super::{ALL, EACH, END, Onward, To, at, said, whole};

/// Reads `(a, b) join d`.
pub(super) fn read_all(all: &Ident, input: ParseStream<'_>) -> syn::Result<To> {
    if !input.peek(Paren) {
        return Err(at(all, "H011: `all` does not list its branches", ALL));
    }
    let content;
    parenthesized!(content in input);
    let branches = whole(&content, |content| {
        let mut branches = Vec::new();
        while !content.is_empty() {
            branches.push(read_branch(content)?);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        Ok(branches)
    })?;
    let join = read_join(all, input, ALL)?;
    Ok(To::All {
        all: all.clone(),
        branches,
        join,
    })
}

/// Reads the node where a branch begins.
fn read_branch(input: ParseStream<'_>) -> syn::Result<Ident> {
    if !input.peek(Ident::peek_any) {
        let help = "name fields of the graph: `all(a, b) join d`";
        return Err(said(input, "H011: a branch begins at a node", help));
    }
    let branch: Ident = input.parse()?;
    if branch == END {
        let help = "a branch begins at a node, and ends when it would hand off to the join";
        return Err(at(&branch, "H011: `end` cannot be a branch", help));
    }
    if matches!(branch.to_string().as_str(), "all" | "each") {
        let help = "lead the branch to a node, which forks by its own route";
        return Err(at(&branch, "H011: a branch begins at a node", help));
    }
    if input.peek(Paren) {
        let help = "put them behind the join: `all(a, b) join d(limit = 2)`";
        return Err(said(input, "H011: a branch takes no options", help));
    }
    Ok(branch)
}

/// Reads `(items) worker join d`.
pub(super) fn read_each(each: &Ident, input: ParseStream<'_>) -> syn::Result<To> {
    if !input.peek(Paren) {
        let message = "H011: `each` does not say of what";
        return Err(at(each, message, EACH));
    }
    let content;
    let paren = parenthesized!(content in input);
    if content.is_empty() {
        let message = format!("H011: `each` does not say of what\nhelp: {EACH}");
        return Err(syn::Error::new(paren.span.join(), message));
    }
    let path = content.fork();
    if path.call(Path::parse_mod_style).is_err() || !path.is_empty() {
        let all: TokenStream = content.parse()?;
        let message = "H011: `each` takes the name of a function from the state to a `Vec`";
        return Err(at(&all, message, EACH));
    }
    let items = content.call(Path::parse_mod_style)?;
    let is_join = |input: ParseStream<'_>| {
        let next = input.fork().call(Ident::parse_any);
        next.is_ok_and(|next| next == "join")
    };
    if !input.peek(Ident::peek_any) || (is_join(input) && !input.peek2(Token![=>])) {
        let message = "H011: `each` does not name its worker";
        return Err(said(input, message, EACH));
    }
    let worker = read_branch(input)?;
    let join = read_join(each, input, EACH)?;
    Ok(To::Each {
        items,
        worker,
        join,
    })
}

/// Reads `join d`.
fn read_join(fork: &Ident, input: ParseStream<'_>, help: &str) -> syn::Result<Ident> {
    if input.peek(Paren) {
        let message = "H011: the options of a fork stand behind its join";
        let there = "write `all(a, b) join d(limit = 2, else = end)`";
        return Err(said(input, message, there));
    }
    if !input.peek(Ident::peek_any) {
        return Err(at(fork, "H011: the fork has no join", help));
    }
    let keyword = input.call(Ident::parse_any)?;
    if keyword != "join" {
        return Err(at(&keyword, "H011: here `join` is expected", help));
    }
    if !input.peek(Ident::peek_any) {
        return Err(at(&keyword, "H011: `join` does not name a node", help));
    }
    let join: Ident = input.parse()?;
    if join == END {
        let node = "join the branches at a node, whose route is `_ => end`";
        return Err(at(&join, "H011: `end` cannot be a join", node));
    }
    Ok(join)
}

/// Refuses a join behind what is no fork.
pub(super) fn no_join(onward: Onward, input: ParseStream<'_>) -> syn::Result<Onward> {
    let next = input.fork().call(Ident::parse_any);
    if let (Ok(next), To::Stop(stop)) = (next, &onward.to)
        && next == "join"
    {
        let message = format!("H011: `{}` has no branches to join", stop.ident);
        return Err(said(input, &message, ALL));
    }
    Ok(onward)
}
