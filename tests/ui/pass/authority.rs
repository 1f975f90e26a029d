use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[derive(Outcome)]
enum Said {
    Yes,
    No,
    Fork,
}

#[node(Ticket)]
async fn triage() -> Said {
    Said::Yes
}

#[node(Ticket)]
async fn billing() -> Said {
    Said::Yes
}

#[node(Ticket)]
async fn clerk() {}

mod scopes {
    /// A name that is a keyword, and one that is never used.
    #[derive(handoffs::Scope, Debug, PartialEq)]
    pub enum Scopes {
        Read,
        r#Self_,
        Refund,
        Never,
    }
}

/// Authority goes through a fork to its join, through an error edge, an `else`, a loop, and comes back.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage, scopes = scopes::Scopes)]
struct Desk {
    #[route(
        Said::Yes => billing(limit = 2, grant(Read, Refund, spend = 5_000_000, calls = 3, depth = 1), else = clerk),
        Said::No => clerk,
        Said::Fork => all(left, right) join clerk(grant(Read, Refund)),
    )]
    #[may(use(Self_), grant(Read, Refund, Self_))]
    triage: Triage,
    #[route(Said::Yes => triage(limit = 1, grant(Read), else = clerk), _ => back)]
    #[may(use(Read), grant(Read, Refund))]
    #[on_error(then = clerk(grant(Refund)))]
    billing: Billing,
    #[route(_ => clerk)]
    #[may(use(Read))]
    left: Clerk,
    #[route(_ => clerk)]
    #[may(use(Refund))]
    right: Clerk,
    #[route(_ => end)]
    #[may(use(Read, Refund))]
    clerk: Clerk,
}

/// Scopes of which nothing is made.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = clerk, scopes = scopes::Scopes)]
struct Idle {
    #[route(_ => end)]
    clerk: Clerk,
}

fn main() {
    let topology = Desk::topology();
    let scopes: Vec<_> = topology.scopes().iter().map(|scope| &*scope.name).collect();
    assert_eq!(scopes, ["Read", "Self_", "Refund", "Never"]);
    assert!(handoffs::check(&topology).is_empty());
    assert!(handoffs::check(&Idle::topology()).is_empty());
}
