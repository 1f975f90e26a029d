use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[node(Ticket)]
async fn triage() {}

#[node(Ticket)]
async fn billing() {}

#[derive(Scope)]
enum Scopes {
    Read,
    Refund,
}

#[derive(Scope)]
struct NoEnum;

#[derive(Scope)]
enum Nothing {}

#[derive(Scope)]
enum WithFields {
    Refund(u32),
}

enum NoScope {
    Read,
}

macro_rules! graph {
    ($name:ident, $scopes:path, ($($route:tt)*), $(#[$may:meta])*) => {
        #[derive(AgentGraph)]
        #[graph(state = Ticket, start = triage, scopes = $scopes)]
        struct $name {
            #[route(_ => $($route)*)]
            #[may(grant(Read, Refund))]
            triage: Triage,
            #[route(_ => end)]
            $(#[$may])*
            billing: Billing,
        }
    };
}

graph!(UnknownKey, Scopes, (billing(grant(Read))), #[may(uses(Read))]);
graph!(NoList, Scopes, (billing(grant(Read))), #[may(use = Read)]);
graph!(MayTwice, Scopes, (billing(grant(Read))), #[may(use(Read))] #[may(use(Read))]);
graph!(ScopeTwice, Scopes, (billing(grant(Read, Read))), #[may(use(Read))]);
graph!(APath, Scopes, (billing(grant(Scopes::Read))), #[may(use(Scopes::Read))]);
graph!(NoScopes, Scopes, (billing(grant(spend = 5))), );
graph!(NothingGranted, Scopes, (billing(grant())), );
graph!(NotSaid, Scopes, (billing(grant)), );
graph!(NoNumber, Scopes, (billing(grant(Read, spend = "5"))), );
graph!(UnknownAmount, Scopes, (billing(grant(Read, money = 5))), );
graph!(Unknown, Scopes, (billing(grant(Raed))), #[may(use(Refunt))]);
graph!(NoScopesAtAll, NoScope, (billing(grant(Read))), #[may(use(Read))]);

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct WithoutScopes {
    #[route(_ => billing(grant(Read)))]
    #[may(grant(Read))]
    triage: Triage,
    #[route(_ => end)]
    billing: Billing,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage, scopes = Scopes)]
struct ToNobody {
    #[route(_ => billing(limit = 2, else = end))]
    #[may(grant(Read))]
    triage: Triage,
    #[route(_ => back(grant(Read)))]
    billing: Billing,
}

fn main() {}
