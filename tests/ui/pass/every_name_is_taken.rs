//! A renamed dependency, and user types that shadow all names which generated code might use.
#![deny(warnings, missing_docs, unused, unreachable_pub)]
#![allow(dead_code, non_camel_case_types)]

extern crate handoffs as agents;

mod shadowed {
    mod handoffs {}
    mod core {}
    mod std {}
    mod serde {}

    struct Option;
    struct Result;
    struct String;
    struct Vec;
    struct Box;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct PhantomData;
    struct bool;
    struct usize;
    struct u64;
    struct str;
    trait Clone {}
    trait Debug {}
    trait Send {}
    trait Sync {}
    trait Sized {}
    trait Copy {}
    trait Default {}
    trait Into {}
    trait From {}
    trait Fn {}
    trait Future {}
    trait Node {}
    trait Execute {}
    trait Worker {}
    trait Merge {}
    struct Replace;
    struct FieldSet;
    trait Serialize {}
    trait Iterator {}
    trait IntoIterator {}
    struct Duration;
    struct Policy;
    struct Retry;
    struct Item;
    struct Json;
    struct Cow;
    struct Target;
    struct Edge;
    struct Route;
    struct NodeError;
    fn all() {}
    fn each() {}
    fn join() {}
    fn edge() {}
    fn state() {}
    fn outcome() {}
    fn cx() {}
    const FIELDS: u32 = 1;
    const FLOW: u32 = 1;
    const SET: u32 = 1;
    const HANDS: u32 = 1;

    #[derive(agents::State, ::core::clone::Clone)]
    #[state(crate = agents)]
    pub(super) struct Ticket {
        pub(super) account: ::core::option::Option<::std::string::String>,
        pub(super) log: agents::Log<u8>,
        #[state(merge = later)]
        pub(super) number: ::core::primitive::u8,
    }

    fn later(
        merged: &mut ::core::primitive::u8,
        _: &::core::primitive::u8,
        branch: &::core::primitive::u8,
    ) {
        *merged = *branch;
    }

    #[derive(agents::Outcome)]
    #[outcome(crate = agents)]
    pub(super) enum Triaged {
        Named { reason: ::std::string::String },
        Unnamed(u8, u8),
        #[outcome(gives(account))]
        Unit,
    }

    #[agents::node(Ticket, crate = agents)]
    pub(super) async fn triage(
        log: &mut agents::Log<u8>,
        mut account: agents::Out<'_, ::std::string::String>,
        _cx: &mut agents::Context<'_>,
    ) -> ::core::result::Result<Triaged, ::std::io::Error> {
        log.push(1);
        account.set(::std::string::String::new());
        ::core::result::Result::Ok(Triaged::Unit)
    }

    #[agents::node(Ticket, crate = agents)]
    pub(super) fn count(item: ::core::primitive::u8, mut number: agents::Replace<'_, ::core::primitive::u8>) {
        number.set(item);
    }

    fn is_long(ticket: &Ticket) -> ::core::primitive::bool {
        ticket.log.len() > 9
    }

    #[derive(agents::AgentGraph)]
    #[graph(crate = agents, state = Ticket, start = triage, given(account))]
    pub(super) struct Desk {
        #[route(
            Triaged::Named { .. } if is_long => end,
            Triaged::Named { reason } => triage(limit = 1, else = end),
            Triaged::Unnamed(1, _) | Triaged::Unnamed(_, 2..=9) => end,
            Triaged::Unnamed(..) => end,
            _ => end,
        )]
        pub(super) triage: Triage,
    }

    fn numbers(ticket: &Ticket) -> ::std::vec::Vec<::core::primitive::u8> {
        ::std::vec![ticket.number]
    }

    fn key(ticket: &Ticket) -> ::core::primitive::u8 {
        ticket.number
    }

    fn is_brief(_: &::std::io::Error) -> ::core::primitive::bool {
        true
    }

    #[agents::node(Ticket, crate = agents)]
    pub(super) fn rest() {}

    use super::Inner;

    fn enter(ticket: &Ticket) -> Inner {
        Inner {
            number: ticket.number,
        }
    }

    #[agents::node(Ticket, crate = agents)]
    pub(super) fn leave(inner: Inner, number: &mut ::core::primitive::u8) {
        *number = inner.number;
    }

    #[derive(agents::Outcome)]
    #[outcome(crate = agents)]
    pub(super) enum Worked {
        Well,
        Badly { number: ::core::primitive::u8 },
    }

    #[agents::node(Inner, crate = agents)]
    pub(super) fn work() -> Worked {
        Worked::Badly { number: 1 }
    }

    #[agents::node(Ticket, crate = agents)]
    pub(super) fn one(item: ::core::primitive::u8) {
        let _ = item;
    }

    #[derive(agents::AgentGraph)]
    #[graph(crate = agents, state = Inner, start = work, outcome = Worked)]
    pub(super) struct Within {
        #[route(
            Worked::Badly { .. } => work(limit = 1, else = end(Worked::Badly { number: 2 })),
            Worked::Well => end(Worked::Well),
        )]
        pub(super) work: Work,
    }

    #[derive(agents::AgentGraph)]
    #[graph(crate = agents, state = Ticket, start = first)]
    pub(super) struct Fork {
        #[route(_ => all(left, count) join middle(limit = 1, else = end, concurrency = 2))]
        #[retry(times = 2, backoff = "1ms", cap = "1s", jitter = false, on = is_brief)]
        #[timeout("1s", idle = "1ms")]
        first: Rest,
        #[route(_ => middle)]
        left: Within2,
        #[route(_ => middle)]
        #[cache(key = key, ttl = "1s")]
        count: Rest,
        #[route(_ => each(numbers) worker join last)]
        #[on_error(retry, then = last)]
        middle: Rest,
        #[route(_ => last)]
        worker: One,
        #[route(Worked::Well => end, _ => end)]
        #[on_error(then = back(limit = 1, else = end))]
        #[subgraph(enter = enter, leave = leave)]
        last: Within,
    }

    #[derive(agents::AgentGraph)]
    #[graph(crate = agents, state = Ticket, start = alone)]
    pub(super) struct Within2 {
        #[route(_ => end)]
        alone: Rest,
    }

    pub(super) fn fork() -> Fork {
        Fork {
            first: Rest,
            left: Within2 { alone: Rest },
            count: Rest,
            middle: Rest,
            worker: One,
            last: Within { work: Work },
        }
    }
}

#[derive(agents::State, Clone, serde::Serialize, serde::Deserialize)]
#[state(crate = agents)]
struct Inner {
    number: u8,
}

fn main() {
    let _ = agents::Runtime::new(shadowed::fork());
    let _ = agents::Runtime::new(shadowed::Desk { triage: shadowed::Triage });
}
