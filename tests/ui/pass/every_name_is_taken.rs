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
}

fn main() {
    let _ = agents::Runtime::new(shadowed::Desk { triage: shadowed::Triage });
}
