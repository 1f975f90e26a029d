//! The path that a thread took, told by its journal and drawn into its graph.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

#[macro_use]
mod common;
#[path = "common/shop.rs"]
mod shop;

use common::Clock;
use handoffs::prelude::*;
use handoffs::{Approval, EdgeIndex, Thread, Trail, trail_of};
use shop::{Bill, Clerk, Order, Shop, Weigh, Weighed, order, shop};

type Line = Thread<Shop, Memory>;

/// A shop whose clock stands still but for the hours in which somebody thinks.
fn open_shop(clock: &Clock) -> Runtime<Shop, Memory> {
    Runtime::new(shop())
        .journal(Memory::default())
        .clock(clock.tells())
}

/// Runs a thread to its end: the customer answers after two hours, and the handoff at the end is refused.
async fn sell(thread: &Line, clock: &Clock, name: &str) {
    let ask = thread.run(order()).await.unwrap().paused().unwrap();
    clock.hours(2);
    let ask = thread.resume(ask.id, name).await.unwrap().paused().unwrap();
    clock.hours(1);
    let refused = Approval::refused("too dear");
    thread
        .resume(ask.id, refused)
        .await
        .unwrap()
        .finished()
        .unwrap();
}

/// The edge from the clerk to the shipping.
const CLERK: EdgeIndex = EdgeIndex(7);

/// Returns what a trail says of the nodes.
fn nodes(trail: &Trail) -> Vec<String> {
    let nodes = trail.nodes();
    nodes
        .map(|(node, visits, time)| format!("{node} {visits} {}", time.as_secs()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_trail_tells_of_forks_graphs_within_masked_edges_errors_and_questions() {
    let clock = Clock::default();
    let thread = open_shop(&clock).thread("t");
    sell(&thread, &clock, "light").await;
    let trail = thread.trail().await.unwrap();
    assert_eq!(trail.remarks(), [""; 0]);
    let drawn = Shop::topology().ascii().trail(&trail).to_string();
    assert_eq!(
        drawn,
        "Shop: at most 9 handoffs

   ● start
   counter (graph)  1×, 2 h 0 min
   │ ┊    ● start
   │ ┊    greet  1×
   │ ┊    └─ 1× ─▶ look
   │ ┊
   │ ┊    look  1×, 2 h 0 min
   │ ┊    └─ 1× ─▶ end
   └─ 1× ─▶ split

╭▶ split  2×
│  └─ 2× ─▶ each(pieces) pack join weigh
│
│  pack  4×
│  └─ 4× ─▶ join weigh
│
│  weigh  2×
│  ├─ Weighed::Fine ───────────▶ clerk
╰┄ └─ Weighed::Light, ≤ 1, 1× ┄▶ split ↑
      else, 1× ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▶ bill

   bill  1×
   ├─────────────▶ ship
   └─ error, 1× ─▶ clerk

   clerk  1×
   └─ approve = is_dear ─▶ ship
      else, 1× ┄┄┄┄┄┄┄┄┄┄▶ end

   ship
   └──▶ end

⟲ split, pack, weigh: at most 1 lap
"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_at_which_a_thread_is_still_counts_as_visited() {
    let clock = Clock::default();
    let thread = open_shop(&clock).thread("t");
    let ask = thread.run(order()).await.unwrap().paused().unwrap();
    clock.hours(2);
    let trail = thread.trail().await.unwrap();
    assert_eq!(
        nodes(&trail),
        ["counter 1 0", "counter/greet 1 0", "counter/look 1 0"]
    );

    // Of what waits for an approval, nobody knows yet where it leads.
    let ask = thread
        .resume(ask.id, "fine")
        .await
        .unwrap()
        .paused()
        .unwrap();
    let trail = thread.trail().await.unwrap();
    assert_eq!(trail.visits("clerk").0, 1);
    let handed_over = |trail: &Trail, is_else| trail.taken("", CLERK, is_else);
    assert_eq!(
        (handed_over(&trail, false), handed_over(&trail, true)),
        (0, 0)
    );
    let _ = thread.resume(ask.id, Approval::Approved).await.unwrap();
    let trail = thread.trail().await.unwrap();
    assert_eq!(
        (handed_over(&trail, false), handed_over(&trail, true)),
        (1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn the_entries_alone_tell_the_same_once_they_name_the_first_node() {
    let clock = Clock::default();
    let thread = open_shop(&clock).thread("t");
    let ask = thread.run(order()).await.unwrap().paused().unwrap();
    let entries = thread.history().await.unwrap();
    let trail = trail_of(&entries, None);
    assert!(trail.is_empty());
    let remark = "3 entries of a graph within a node that is not known";
    assert_eq!(trail.remarks(), [remark]);

    let _ = thread.resume(ask.id, "fine").await.unwrap();
    let entries = thread.history().await.unwrap();
    assert_eq!(trail_of(&entries, None), thread.trail().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_failed_node_counts_once_however_often_it_is_tried() {
    #[derive(AgentGraph)]
    #[graph(state = Order, start = bill)]
    struct Office {
        #[route(_ => end)]
        #[retry(times = 2)]
        bill: Bill,
    }
    let office = Runtime::new(Office { bill: Bill }).journal(Memory::default());
    let thread = office.thread("t");
    thread.run(order()).await.unwrap_err();
    thread.recover().await.unwrap_err();
    assert_eq!(nodes(&thread.trail().await.unwrap()), ["bill 1 0"]);
    thread.run(order()).await.unwrap_err();
    assert_eq!(nodes(&thread.trail().await.unwrap()), ["bill 2 0"]);
}

#[tokio::test(start_paused = true)]
async fn a_trail_says_what_was_copied_and_what_was_trimmed() {
    let clock = Clock::default();
    let shop = open_shop(&clock);
    let thread = shop.thread("t");
    sell(&thread, &clock, "fine").await;
    let whole = thread.trail().await.unwrap();
    let last = thread.history().await.unwrap().len() as u64;

    let copy = thread.fork(last, "copy").await.unwrap();
    let copied = copy.trail().await.unwrap();
    assert_eq!(nodes(&copied), nodes(&whole));
    let remark = format!("entries 1 to {last} are of thread t");
    assert_eq!(copied.remarks(), [remark]);

    sell(&thread, &clock, "fine").await;
    let all = thread.history().await.unwrap().len() as u64;
    thread.trim(all - last).await.unwrap();
    let rest = thread.trail().await.unwrap();
    assert_eq!(nodes(&rest), nodes(&whole));
    let remark = format!("entries 1 to {last} are missing");
    assert_eq!(rest.remarks().join(", "), remark);
    for drawn in [
        Shop::topology().ascii().trail(&rest).to_string(),
        Shop::topology().dot().trail(&rest).to_string(),
        Shop::topology().mermaid().trail(&rest).to_string(),
        Shop::topology().svg().trail(&rest).to_string(),
    ] {
        assert!(drawn.contains(&remark), "{drawn}");
    }
}

#[tokio::test(start_paused = true)]
async fn entries_of_an_older_version_are_told_by_names() {
    mod old {
        use super::*;

        #[derive(AgentGraph)]
        #[graph(state = Order, start = packer, given(name))]
        pub(super) struct Mill {
            #[route(_ => end)]
            pub(super) lost: Clerk,
            #[route(Weighed::Light => packer(limit = 1, else = lost), Weighed::Fine => end)]
            pub(super) packer: Weigh,
        }
    }
    #[derive(AgentGraph)]
    #[graph(state = Order, start = weigh, given(name))]
    struct Mill {
        #[node(renamed_from = "packer")]
        #[route(Weighed::Light => weigh(limit = 1, else = end), Weighed::Fine => end)]
        weigh: Weigh,
    }
    let journal = Memory::default();
    let mill = old::Mill {
        lost: Clerk,
        packer: Weigh,
    };
    let thread = Runtime::new(mill).journal(journal).thread("t");
    let order = Order {
        name: Some("light".to_owned()),
        ..order()
    };
    let _ = thread.run(order).await.unwrap();
    let entries = thread.history().await.unwrap();
    let trail = trail_of(&entries, Some(&Mill::topology()));
    assert_eq!(trail.visits("weigh").0, 2);
    assert_eq!(trail.taken("", EdgeIndex(0), false), 1);
    assert_eq!(trail.taken("", EdgeIndex(0), true), 1);
    let remarks = [
        "not in this graph: lost",
        "1 step along edges that this graph does not have",
    ];
    assert_eq!(trail.remarks(), remarks);
}
