//! Keywords as fields, nodes, variants and functions.
#![deny(warnings, missing_docs, unused, unreachable_pub)]

use handoffs::prelude::*;

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    r#type: Option<String>,
    r#match: u32,
}

#[derive(Outcome)]
#[allow(non_camel_case_types)]
enum Sorted {
    #[outcome(gives(r#type))]
    r#yield,
    Other {
        r#fn: u8,
    },
}

#[node(Ticket)]
async fn r#loop(_type: Out<'_, String>, r#match: &mut u32) -> Sorted {
    *r#match += 1;
    if *r#match > 1 { Sorted::r#yield } else { Sorted::Other { r#fn: 1 } }
}

#[node(Ticket)]
async fn r#async(r#type: &mut String, _match: &u32) {
    r#type.push('!');
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = r#loop)]
struct Desk {
    #[route(Sorted::r#yield => r#async, Sorted::Other { r#fn: 0 } => end, Sorted::Other { r#fn: _ } => r#async)]
    r#loop: Loop,
    #[route(_ => end)]
    r#async: Async,
}

fn main() {
    let _ = Desk { r#loop: Loop, r#async: Async };
    let route = Desk::after_loop(&Ticket::default(), &Sorted::r#yield);
    assert_eq!(route.to_string(), "async");
}
