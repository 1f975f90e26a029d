//! Graphs, states and nodes that a user's `macro_rules!` writes, of types and functions that its caller names: what
//! the macros write beside these is found, although the words come from two places.

use handoffs::prelude::*;
use handoffs::{Approval, Memory, MemoryCache, Route, Run};
use serde::{Deserialize, Serialize};

/// Writes a state with a field of a type that the caller names.
macro_rules! state {
    ($State:ident, $notes:ident: $Notes:ty) => {
        #[derive(State, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
        struct $State {
            $notes: $Notes,
            budget: u32,
            urgent: Option<bool>,
        }
    };
}

state!(Order, notes: Log<String>);
state!(Draft, lines: Log<String>);

/// Writes an outcome of the caller's variants.
macro_rules! outcome {
    ($Outcome:ident: $($Variant:ident),*) => {
        #[derive(Outcome, Debug, PartialEq)]
        enum $Outcome {
            $($Variant,)*
        }
    };
}

outcome!(Sorted: Large, Small);
outcome!(Written: Well, Badly);

/// Writes a node that adds to a list of the caller's state, and may do more.
macro_rules! node {
    ($State:ty: $node:ident($notes:ident, $word:expr $(, $($name:ident: $Type:ty),+)?) $(-> $Outcome:ty)? $does:block) => {
        #[node($State)]
        async fn $node($notes: &mut Log<String> $($(, $name: $Type)+)?) $(-> $Outcome)? {
            $notes.push($word.to_string());
            $does
        }
    };
}

node!(Order: sort(notes, "sorted", budget: &u32, urgent: Out<'_, bool>) -> Sorted {
    let mut urgent = urgent;
    urgent.set(*budget > 10);
    if *budget > 10 { Sorted::Large } else { Sorted::Small }
});
node!(Order: read(notes, format!("read {page}"), page: u32) {});
node!(Order: gather(notes, "gathered") {});
node!(Order: pay(notes, format!("paid {budget}, urgent {urgent}"), budget: &u32, urgent: &bool) {});
node!(Order: refuse(notes, "refused") {});
node!(Order: file(notes, format!("filed {} lines", draft.lines.len()), draft: Draft) {});
node!(Draft: write(lines, "written") -> Written { Written::Well });

fn pages(order: &Order) -> Vec<u32> {
    (1..=order.budget / 5).collect()
}

fn has_pages(order: &Order) -> bool {
    order.budget >= 5
}

fn price(order: &Order) -> u32 {
    order.budget
}

fn blank(_: &Order) -> Draft {
    Draft::default()
}

/// Writes a graph of the caller's nodes, patterns and functions.
macro_rules! desk {
    (
        $Desk:ident over $State:ty: $First:ty as $Sorted:ty,
        $small:pat, $large:pat if $guard:path,
        each $each:path: $Worker:ty, $Join:ty, by $key:path,
        ask $question:path: $Pay:ty, or $Refuse:ty,
        within $enter:path: $Inner:ty, $leave:path, $ended:expr,
    ) => {
        #[derive(AgentGraph)]
        #[graph(state = $State, start = first, outcome = $Sorted)]
        struct $Desk {
            #[route($large if $guard => each($each) worker join joiner, $small => refuse, _ => refuse)]
            first: $First,
            #[route(_ => joiner)]
            #[cache(key = $key, ttl = "1h")]
            worker: $Worker,
            #[route(_ => pay(approve = $question, else = refuse))]
            joiner: $Join,
            #[route(_ => inner)]
            pay: $Pay,
            #[route(_ => end($ended))]
            #[subgraph(enter = $enter, leave = $leave)]
            inner: $Inner,
            #[route(_ => end($ended))]
            refuse: $Refuse,
        }
    };
}

/// Writes a graph of one node.
macro_rules! alone {
    ($Alone:ident over $State:ty: $Node:ty) => {
        #[derive(AgentGraph)]
        #[graph(state = $State, start = only)]
        struct $Alone {
            #[route(_ => end)]
            only: $Node,
        }
    };
}

alone!(Pen over Draft: Write);

desk! {
    Desk over Order: Sort as Sorted,
    Sorted::Small, Sorted::Large if has_pages,
    each pages: Read, Gather, by price,
    ask price: Pay, or Refuse,
    within blank: Pen, file, Sorted::Large,
}

fn desk() -> Desk {
    Desk {
        first: Sort,
        worker: Read,
        joiner: Gather,
        pay: Pay,
        inner: Pen { only: Write },
        refuse: Refuse,
    }
}

#[tokio::test]
async fn a_graph_that_a_macro_of_the_users_writes_is_one_like_any_other() {
    let runtime = Runtime::new(desk())
        .journal(Memory::default())
        .cache(MemoryCache::default());
    let order = |budget| Order {
        budget,
        ..Order::default()
    };
    let thread = runtime.thread("large");
    let Run::Paused(ask) = thread.run(order(12)).await.unwrap() else {
        panic!("nobody was asked");
    };
    assert_eq!(ask.question.to::<u32>().unwrap(), 12);
    let run = thread.resume(ask.id, Approval::Approved).await.unwrap();
    let words = |run: Run<Order>| run.finished().unwrap().notes;
    let expected = [
        "sorted",
        "read 1",
        "read 2",
        "gathered",
        "paid 12, urgent true",
        "filed 1 lines",
    ];
    assert_eq!(words(run), expected);
    let small = runtime.thread("small").run(order(3)).await.unwrap();
    assert_eq!(words(small), ["sorted", "refused"]);
}

#[test]
fn its_edges_are_tested_like_any_other() {
    let order = Order {
        budget: 12,
        ..Order::default()
    };
    let large = Desk::after_first(&order, &Sorted::Large);
    assert_eq!(large.to_string(), "each(pages) worker join joiner");
    let small = Desk::after_first(&Order::default(), &Sorted::Large);
    assert_eq!(small, Route::to(DeskNode::Refuse));
}
