//! Forks in branches, loops in branches, branches of other forks with the same join, and errors that
//! arrive.
#![deny(warnings)]

use handoffs::prelude::*;
use handoffs::Execute;

#[derive(State, Clone, Default)]
struct Ticket {
    topics: Vec<String>,
    facts: Log<String>,
    account: Option<String>,
    count: u32,
}

mod lists {
    pub(super) fn topics(ticket: &super::Ticket) -> Vec<String> {
        ticket.topics.clone()
    }
}

#[derive(Outcome)]
enum Step {
    On,
    Again,
    Elsewhere(u8),
}

#[node(Ticket)]
async fn plan(mut account: Out<'_, String>) -> Step {
    account.set("Ada".to_owned());
    Step::On
}

#[node(Ticket)]
async fn look(facts: &mut Log<String>) -> Step {
    facts.push("a fact".to_owned());
    Step::On
}

#[node(Ticket)]
async fn research(topic: String, facts: &mut Log<String>) -> Step {
    facts.push(topic);
    Step::On
}

#[node(Ticket)]
async fn count(account: &str, count: &mut u32) {
    *count += u32::from(!account.is_empty());
}

#[node(Ticket)]
async fn rest() {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plan)]
struct Nested {
    #[route(
        Step::On => all(web, papers, sums) join end_of_day(limit = 2, else = end, concurrency = 2),
        Step::Again => all(web) join end_of_day(limit = 1, else = rest),
        Step::Elsewhere(1..=3) => each(lists::topics) research join end_of_day,
        Step::Elsewhere(_) => rest,
    )]
    plan: Plan,
    #[route(
        Step::On => each(lists::topics) inner join met,
        Step::Again => web(limit = 3, else = met),
        Step::Elsewhere(_) => end_of_day,
    )]
    #[on_error(then = end_of_day)]
    web: Look,
    #[route(Step::On => met, _ => deeper)]
    inner: Research,
    #[route(Step::Again => inner(limit = 2), _ => all(left, right) join deepest)]
    deeper: Look,
    #[route(_ => deepest)]
    left: Rest,
    #[route(_ => deepest)]
    right: Rest,
    #[route(_ => deeper(limit = 1, else = met))]
    deepest: Rest,
    #[route(_ => end_of_day)]
    met: Rest,
    #[route(Step::On => end_of_day, _ => end_of_day)]
    papers: Look,
    #[route(Step::Again => research(limit = 1, else = end_of_day), _ => end_of_day)]
    research: Research,
    #[route(_ => end_of_day)]
    sums: Count,
    #[route(_ => rest)]
    end_of_day: Rest,
    #[route(_ => end)]
    #[on_error(then = back(limit = 1, else = end))]
    rest: Rest,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = start_here)]
struct Generic<A: Execute<Ticket, Outcome = ()>, B>
where
    B: Execute<Ticket, Outcome = Step>,
{
    #[route(_ => all(left, right) join last)]
    start_here: A,
    #[route(_ => last)]
    left: B,
    #[route(_ => last)]
    right: Rest,
    #[route(_ => end)]
    last: Rest,
}

fn main() {
    let edge = Nested::after_plan(&Ticket::default(), &Step::On);
    let names: Vec<_> = edge.fork().map(|fork| fork.entries().to_vec()).unwrap_or_default();
    assert_eq!(names, [NestedNode::Web, NestedNode::Papers, NestedNode::Sums]);
    assert_eq!(
        Nested::after_plan(&Ticket::default(), &Step::Elsewhere(2)).to_string(),
        "each(lists::topics) research join end_of_day"
    );
    let regions = Nested::topology().regions();
    assert_eq!(regions.list.len(), 3);
    let nested = Nested {
        plan: Plan,
        web: Look,
        inner: Research,
        deeper: Look,
        left: Rest,
        right: Rest,
        deepest: Rest,
        met: Rest,
        papers: Look,
        research: Research,
        sums: Count,
        end_of_day: Rest,
        rest: Rest,
    };
    let _ = Runtime::new(nested);
    let _ = Runtime::new(Generic {
        start_here: Rest,
        left: Look,
        right: Rest,
        last: Rest,
    });
}
