use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[derive(Outcome)]
enum Found {
    Yes,
    No,
}

#[node(Ticket)]
async fn plan() -> Found {
    Found::Yes
}

#[node(Ticket)]
async fn work() -> Found {
    Found::Yes
}

#[node(Ticket)]
async fn mend() {}

macro_rules! graph {
    ($name:ident, plan: ($($plan:tt)*), work: ($($work:tt)*)) => {
        #[derive(AgentGraph)]
        #[graph(state = Ticket, start = plan)]
        struct $name {
            #[route($($plan)*)]
            plan: Plan,
            #[route($($work)*)]
            work: Work,
            #[route(_ => end)]
            mend: Mend,
        }
    };
}

graph!(FromTheStart, plan: (Found::Yes => work, Found::No => back(limit = 2, else = mend)), work: (_ => plan(limit = 2, else = mend)));
graph!(NobodyHandsOver, plan: (Found::Yes => back, Found::No => mend), work: (_ => mend));
graph!(WithoutABound, plan: (Found::Yes => work, Found::No => mend), work: (Found::Yes => mend, Found::No => back));
graph!(Stranded, plan: (_ => work), work: (_ => back(limit = 2)));
graph!(UnknownOption, plan: (_ => work), work: (Found::Yes => mend, Found::No => back(times = 2)));
graph!(WithANode, plan: (_ => work), work: (Found::Yes => mend, Found::No => back(mend)));

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct FromABranch {
    #[route(_ => all(work, other) join mend)]
    plan: Plan,
    #[route(Found::Yes => mend, Found::No => back)]
    work: Work,
    #[route(_ => mend)]
    other: Work,
    #[route(_ => end)]
    mend: Mend,
}

fn main() {}
