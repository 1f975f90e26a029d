//! Of the expansion only what no compiled program shows: that it holds no root but the one it is
//! given, and that it is Rust even where the input was not right.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

/// The expansion of each macro, of input that names `root` if it names any.
fn expansions(root: Option<&TokenStream>) -> Vec<TokenStream> {
    let alone = root.map(|root| quote!(crate = #root));
    let behind = root.map(|root| quote!(, crate = #root));
    let state = alone.as_ref().map(|root| quote!(#[state(#root)]));
    let outcome = alone.as_ref().map(|root| quote!(#[outcome(#root)]));
    vec![
        crate::state::derive(quote! {
            #state
            pub struct Ticket<T> where T: Clone {
                #[state(progress)]
                r#type: Option<T>,
                messages: Log<String>,
            }
        }),
        crate::outcome::derive(quote! {
            #outcome
            enum Triaged {
                /// Charges.
                #[outcome(gives(account))]
                Billing { reason: String },
                Access(u8, u8),
                Unclear,
            }
        }),
        crate::node::expand(
            quote!(Ticket #behind),
            &quote! {
                pub async fn triage(
                    messages: &Log<String>,
                    account: Out<'_, Account>,
                    refund: &mut u32,
                    cx: &mut Context<'_>,
                ) -> Result<Triaged, Error> {
                    todo()
                }
            },
        ),
        crate::node::expand(
            quote!(Ticket<T> #behind),
            &quote!(
                impl<T: Clone> Billing<T> {
                    fn run(&self, _account: &Account) {}
                }
            ),
        ),
        crate::graph::derive(quote! {
            #[graph(state = Ticket, start = triage, given(account) #behind)]
            pub struct Desk<L: Ledger> {
                #[route(
                    Triaged::Billing { reason } if is_long => billing,
                    Triaged::Access(..) | Triaged::Unclear => end,
                    _ => triage(limit = 2, else = billing),
                )]
                triage: Triage,
                #[route(_ => end)]
                billing: Billing<L>,
            }
        }),
        crate::graph::derive(quote! {
            #[graph(state = Ticket, start = plan, outcome = Verdict #behind)]
            pub struct Research {
                #[route(
                    Planned::Both => all(web, papers) join sum(limit = 2, else = end(Verdict::No)),
                    Planned::Each => each(crate::questions) ask join sum(concurrency = 8),
                )]
                #[retry]
                #[timeout("1m 30s", idle = "5s")]
                plan: Plan,
                #[route(_ => sum)]
                #[retry(times = 3, backoff = "200ms", cap = "10s", jitter = false, on = is_brief)]
                #[on_error(retry, then = papers(limit = 1, else = sum))]
                web: Web,
                #[route(_ => sum)]
                #[cache(key = key_of, ttl = "1h")]
                papers: Papers,
                #[route(_ => sum)]
                ask: Ask,
                #[route(Summed::Done => end(Verdict::Yes { sure: true }), _ => plan(limit = 1, else = end(Verdict::No)))]
                #[subgraph(enter = enter, leave = crate::leave)]
                #[on_error(then = end(Verdict::No))]
                sum: Sum,
            }
        }),
    ]
}

/// Input that is refused, and whose impls are written all the same.
fn refused() -> Vec<TokenStream> {
    vec![
        crate::state::derive(quote!(
            enum Ticket {
                Open,
            }
        )),
        crate::outcome::derive(quote!(
            struct Triaged;
        )),
        crate::node::expand(
            quote!(),
            &quote!(
                fn triage(count: u32, (a, b): &(u8, u8)) {}
            ),
        ),
        crate::graph::derive(quote! {
            #[graph(begin = triage, state = Ticket, start = nowhere)]
            struct Desk {
                #[route(_ -> end, Triaged::Access if !is_long => biling(limit = 0))]
                triage: Triage,
                billing: Billing,
            }
        }),
        crate::graph::derive(quote! {
            #[graph(state = Ticket, start = plan)]
            struct Research {
                #[route(A => all(web, papers), B => each items ask join sum, C => all() join sum, _ => end(A))]
                #[timeout]
                #[retry(often = 3)]
                plan: Plan,
                #[route(_ => back)]
                #[on_error(then = back)]
                web: Web,
                #[route(_ => all(ask) join end)]
                #[cache(key = |s| s, ttl = 5)]
                #[subgraph(enter = f)]
                sum: Sum,
            }
        }),
    ]
}

fn names(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => names(group.stream(), name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[test]
fn the_default_root_does_not_occur_beside_another_one() {
    let root = quote!(::agents::of_mine);
    for expansion in expansions(Some(&root)) {
        assert!(!names(expansion.clone(), "handoffs"), "{expansion}");
        assert!(names(expansion.clone(), "of_mine"), "{expansion}");
    }
}

#[test]
fn without_another_root_the_default_one_is_used() {
    for expansion in expansions(None) {
        assert!(names(expansion.clone(), "handoffs"), "{expansion}");
    }
}

#[test]
fn all_that_is_written_is_rust() {
    for expansion in [expansions(None), refused()].concat() {
        if let Err(error) = syn::parse_file(&expansion.to_string()) {
            panic!("{error}\n{expansion}");
        }
    }
}

#[test]
fn what_is_right_is_not_refused_and_what_is_wrong_is() {
    for expansion in expansions(None) {
        assert!(!names(expansion.clone(), "compile_error"), "{expansion}");
    }
    for expansion in refused() {
        assert!(names(expansion.clone(), "compile_error"), "{expansion}");
    }
}
