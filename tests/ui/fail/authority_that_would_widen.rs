use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[derive(Outcome)]
enum Said {
    Yes,
    No,
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

#[derive(Scope)]
enum Scopes {
    Read,
    Write,
    Refund,
}

/// The edge grants what its node may not.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage, scopes = Scopes)]
struct Beyond {
    #[route(Said::Yes => billing(grant(Read, Refund)), Said::No => clerk)]
    #[may(use(Read), grant(Read))]
    triage: Triage,
    #[route(_ => clerk)]
    #[may(use(Read, Refund))]
    billing: Billing,
    #[route(_ => end)]
    clerk: Clerk,
}

/// Nobody grants what is used, and one cause is one error.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage, scopes = Scopes)]
struct Ungranted {
    #[route(Said::Yes => billing(limit = 2, grant(Read), else = clerk), Said::No => clerk)]
    #[may(grant(Read, Write))]
    triage: Triage,
    #[route(Said::Yes => clerk(grant(Read, Write)), Said::No => back)]
    #[may(use(Read), grant(Write, Read))]
    billing: Billing,
    #[route(_ => end)]
    #[may(use(Read, Write))]
    clerk: Clerk,
}

/// Two that would get it from each other.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage, scopes = Scopes)]
struct Ring {
    #[route(_ => billing)]
    triage: Triage,
    #[route(Said::Yes => clerk(limit = 2, grant(Refund), else = end), Said::No => end)]
    #[may(grant(Refund))]
    billing: Billing,
    #[route(_ => billing(grant(Refund)))]
    #[may(use(Refund), grant(Refund))]
    clerk: Clerk,
}

/// What is named once may be misspelt, and then nothing else is wrong with it.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage, scopes = Scopes)]
struct Once {
    #[route(Said::Yes => billing(grant(Read)), Said::No => clerk)]
    #[may(grant(Read))]
    triage: Triage,
    #[route(_ => clerk)]
    #[may(use(Read, Refunds))]
    billing: Billing,
    #[route(_ => end)]
    #[may(use(Write))]
    clerk: Clerk,
}

fn main() {}
