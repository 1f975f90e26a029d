//! Graphs of more kinds of nodes than one function runs: their steps go from block to block.

use handoffs::prelude::*;
use handoffs::{Execute, NodeError};

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Trip {
    seen: Log<String>,
    rounds: u32,
    ticket: Option<String>,
}

#[derive(Outcome)]
enum Onward {
    Round,
    Home,
}

/// Writes a node of a type of its own for each name.
macro_rules! stops {
    ($($stop:ident $Stop:ident,)*) => {
        $(
            #[node(Trip)]
            async fn $stop(seen: &mut Log<String>) {
                seen.push(stringify!($stop).to_owned());
            }
        )*

        const STOPS: &[&str] = &[$(stringify!($stop)),*];
    };
}

stops! {
    a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6, a7 A7, a8 A8, a9 A9, b0 B0,
    b1 B1, b2 B2, b3 B3, b4 B4, b5 B5, b6 B6, b7 B7, b8 B8, b9 B9, c0 C0, c1 C1,
    c2 C2, c3 C3, c4 C4, c5 C5, c6 C6, c7 C7, c8 C8, c9 C9, d0 D0, d1 D1, d2 D2,
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = a0)]
#[rustfmt::skip]
struct Tour<L: Execute<Trip, Outcome = Onward>> {
    #[route(_ => a1)] a0: A0,
    #[route(_ => a2)] a1: A1,
    #[route(_ => a3)] a2: A2,
    #[route(_ => a4)] a3: A3,
    #[route(_ => a5)] a4: A4,
    #[route(_ => a6)] a5: A5,
    #[route(_ => a7)] a6: A6,
    #[route(_ => a8)] a7: A7,
    #[route(_ => a9)] a8: A8,
    #[route(_ => b0)] a9: A9,
    #[route(_ => b1)] b0: B0,
    #[route(_ => b2)] b1: B1,
    #[route(_ => b3)] b2: B2,
    #[route(_ => b4)] b3: B3,
    #[route(_ => b5)] b4: B4,
    #[route(_ => b6)] b5: B5,
    #[route(_ => b7)] b6: B6,
    #[route(_ => b8)] b7: B7,
    #[route(_ => b9)] b8: B8,
    #[route(_ => c0)] b9: B9,
    #[route(_ => c1)] c0: C0,
    #[route(_ => c2)] c1: C1,
    #[route(_ => c3)] c2: C2,
    #[route(_ => c4)] c3: C3,
    #[route(_ => c5)] c4: C4,
    #[route(_ => c6)] c5: C5,
    #[route(_ => c7)] c6: C6,
    #[route(_ => c8)] c7: C7,
    #[route(_ => c9)] c8: C8,
    #[route(_ => d0)] c9: C9,
    #[route(_ => d1)] d0: D0,
    #[route(_ => d2)] d1: D1,
    #[route(_ => hotel)] d2: D2,
    #[route(_ => lobby)] hotel: Hotel,
    #[route(Onward::Round => a0(limit = 1, else = end), Onward::Home => end)] lobby: L,
}

#[rustfmt::skip]
fn tour<L: Execute<Trip, Outcome = Onward>>(lobby: L) -> Tour<L> {
    Tour {
        a0: A0, a1: A1, a2: A2, a3: A3, a4: A4, a5: A5, a6: A6, a7: A7,
        a8: A8, a9: A9, b0: B0, b1: B1, b2: B2, b3: B3, b4: B4, b5: B5,
        b6: B6, b7: B7, b8: B8, b9: B9, c0: C0, c1: C1, c2: C2, c3: C3,
        c4: C4, c5: C5, c6: C6, c7: C7, c8: C8, c9: C9, d0: D0, d1: D1,
        d2: D2,
        hotel: Hotel { desk: Desk, room: Room },
        lobby,
    }
}

#[node(Trip)]
async fn desk(seen: &mut Log<String>, mut ticket: Out<'_, String>) {
    seen.push("desk".to_owned());
    ticket.set("one way".to_owned());
}

#[node(Trip)]
async fn room(seen: &mut Log<String>, ticket: &String) {
    seen.push(format!("room, {ticket}"));
}

#[derive(AgentGraph)]
#[graph(state = Trip, start = desk)]
struct Hotel {
    #[route(_ => room)]
    desk: Desk,
    #[route(_ => end)]
    room: Room,
}

#[node(Trip)]
async fn decide(rounds: &mut u32, cx: &mut Context<'_>) -> Result<Onward, NodeError> {
    if *rounds == 1 && cx.ask::<_, bool>("home", "Home?").await? {
        return Ok(Onward::Home);
    }
    *rounds += 1;
    Ok(Onward::Round)
}

#[node(Trip)]
async fn wander(rounds: &mut u32) -> Onward {
    *rounds += 1;
    Onward::Round
}

/// What is seen in so many rounds.
fn seen(rounds: usize) -> Vec<String> {
    let stops = STOPS.iter().chain(&["desk", "room, one way"]);
    let round: Vec<_> = stops.map(|stop| (*stop).to_owned()).collect();
    std::iter::repeat_n(round, rounds).flatten().collect()
}

#[tokio::test]
async fn a_run_goes_through_all_blocks_and_round_until_the_limit() {
    let runtime = Runtime::new(tour(Wander));
    let run = runtime.thread("t").run(Trip::default()).await.unwrap();
    let trip = run.finished().unwrap();
    assert!(trip.seen.iter().eq(&seen(2)), "{:?}", trip.seen);
    assert_eq!(trip.rounds, 2);
}

#[tokio::test]
async fn a_run_that_waits_in_the_last_block_is_taken_up_there() {
    let journal = Memory::default();
    let runtime = Runtime::new(tour(Decide)).journal(journal.clone());
    let thread = runtime.thread("t");
    let run = thread.run(Trip::default()).await.unwrap();
    assert!(run.finished().is_none(), "it waits");

    let runtime = Runtime::new(tour(Decide)).journal(journal);
    let thread = runtime.thread("t");
    let ask = thread.asks().await.unwrap().remove(0);
    let run = thread.resume(ask.id, true).await.unwrap();
    let trip = run.finished().unwrap();
    assert!(trip.seen.iter().eq(&seen(2)), "{:?}", trip.seen);
    assert_eq!(trip.ticket.as_deref(), Some("one way"));
}

#[test]
fn its_edges_are_told_by_name() {
    let edges = Tour::<Wander>::edges();
    assert_eq!(edges.len(), STOPS.len() + 3);
    for (edge, stop) in edges.iter().zip(STOPS) {
        assert_eq!(edge.from.to_string(), *stop);
    }
    let last: Vec<_> = edges[STOPS.len()..]
        .iter()
        .map(|edge| format!("{}: {} => {}", edge.from, edge.label(), edge.route))
        .collect();
    assert_eq!(
        last,
        [
            "hotel: _ => lobby",
            "lobby: Onward::Round => a0(limit = 1, else = end)",
            "lobby: Onward::Home => end",
        ]
    );
}
