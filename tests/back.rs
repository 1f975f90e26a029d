//! Handoffs that lead back: to whoever handed over, who then stands where it stood.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use common::{Tally, cut_off_anywhere, lines};
use handoffs::prelude::*;
use handoffs::testing::assert_route;
use handoffs::{GraphBuilder, On, Route, Target, To, Topology};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

// ---- An office in which each desk does what a script says.

#[derive(Outcome, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Turn {
    /// Hands over to the one.
    Left,
    /// Hands over to the other.
    Right,
    /// Goes back.
    Back,
    /// Is done.
    Done,
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Case {
    script: Vec<Turn>,
    at: usize,
    seen: Log<String>,
}

struct Desk(Tally);

#[node(Case)]
impl Desk {
    fn run(
        &self,
        script: &Vec<Turn>,
        at: &mut usize,
        seen: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Turn {
        self.0.count(cx.node());
        seen.push(cx.node().to_owned());
        let turn = script.get(*at).copied().unwrap_or(Turn::Done);
        *at += 1;
        turn
    }
}

#[derive(AgentGraph)]
#[graph(state = Case, start = boss)]
struct Office {
    #[route(
        Turn::Left => clerk(limit = 5, else = archive),
        Turn::Right => expert(limit = 5, else = archive),
        _ => archive,
    )]
    boss: Desk,
    #[route(
        Turn::Left | Turn::Right => expert(limit = 4, else = archive),
        Turn::Back => back(limit = 3, else = archive),
        Turn::Done => archive,
    )]
    clerk: Desk,
    #[route(
        Turn::Left => clerk(limit = 4, else = archive),
        Turn::Right => expert(limit = 2, else = archive),
        Turn::Back => back,
        Turn::Done => archive,
    )]
    expert: Desk,
    #[route(_ => end)]
    archive: Desk,
}

fn office(tally: &Tally) -> Office {
    let desk = || Desk(tally.clone());
    Office {
        boss: desk(),
        clerk: desk(),
        expert: desk(),
        archive: desk(),
    }
}

fn case(script: &[Turn]) -> Case {
    Case {
        script: script.to_vec(),
        ..Case::default()
    }
}

async fn visits(script: &[Turn]) -> Vec<String> {
    let runtime = Runtime::new(office(&Tally::default()));
    let case = runtime.thread("t").run(case(script)).await.unwrap();
    let case = case.finished().unwrap();
    case.seen.iter().cloned().collect()
}

#[tokio::test]
async fn who_goes_back_comes_to_whoever_handed_over() {
    use Turn::{Back, Left, Right};
    assert_eq!(
        visits(&[Left, Back, Right, Back]).await,
        ["boss", "clerk", "boss", "expert", "boss", "archive"]
    );
    assert_eq!(
        visits(&[Right, Left, Back, Back]).await,
        ["boss", "expert", "clerk", "expert", "boss", "archive"]
    );
}

#[tokio::test]
async fn whoever_is_gone_back_to_stands_where_it_stood() {
    use Turn::{Back, Left, Right};
    // The expert went back to the clerk, which then goes back to the boss and not to the expert.
    assert_eq!(
        visits(&[Left, Right, Back, Back]).await,
        ["boss", "clerk", "expert", "clerk", "boss", "archive"]
    );
    // To itself nobody hands over.
    assert_eq!(
        visits(&[Right, Right, Right, Back]).await,
        ["boss", "expert", "expert", "expert", "boss", "archive"]
    );
}

#[tokio::test]
async fn a_way_back_that_is_used_up_leads_to_its_else() {
    use Turn::{Back, Left};
    assert_eq!(
        visits(&[Left, Back, Left, Back, Left, Back, Left, Back]).await,
        [
            "boss", "clerk", "boss", "clerk", "boss", "clerk", "boss", "clerk", "archive"
        ]
    );
}

#[test]
fn an_edge_function_says_that_it_leads_back() {
    let case = Case::default();
    assert_route!(Office::after_expert(&case, &Turn::Back) => back);
    assert_route!(Office::after_clerk(&case, &Turn::Back) => back(limit = 3, else = archive));
    assert_eq!(
        Office::after_clerk(&case, &Turn::Back),
        Route::back().limit(3).or_else(OfficeNode::Archive)
    );
}

#[test]
fn a_way_back_is_an_edge_to_each_that_hands_over() {
    let topology = Office::topology();
    let back = topology.edges().filter(|(_, edge)| edge.is_back());
    let back: Vec<_> = back
        .map(|(_, edge)| {
            let Target::Node(to) = edge.route.target() else {
                panic!("it leads to a node")
            };
            let (from, to) = (topology.name_of(edge.from), topology.name_of(*to));
            format!("{from} => {to}: {} => {}", edge.label(), edge.route)
        })
        .collect();
    assert_eq!(
        back,
        [
            "clerk => boss: Turn::Back => back(limit = 3, else = 3)",
            "clerk => expert: Turn::Back => back(limit = 3, else = 3)",
            "expert => boss: Turn::Back => back",
            "expert => clerk: Turn::Back => back",
        ]
    );
}

#[test]
fn a_drawing_says_it_and_is_read_back() {
    let topology = Office::topology();
    let dot = topology.dot().to_string();
    assert!(
        dot.contains(r#""expert" -> "clerk" [label="Turn::Back\nback""#),
        "{dot}"
    );
    assert_eq!(Topology::from_dot(&dot).unwrap().dot().to_string(), dot);
    let mermaid = topology.mermaid().to_string();
    assert!(mermaid.contains("back"), "{mermaid}");
}

/// The same office by names.
fn built() -> impl handoffs::Runnable<State = Case> {
    let tally = Tally::default();
    let desk = || Desk(tally.clone());
    let shown = |name: &str| On::outcome(name).shown(format!("Turn::{name}"));
    let forward = On::any_of(["Left", "Right"]).shown("Turn::Left | Turn::Right");
    GraphBuilder::new("Office")
        .node("boss", desk())
        .node("clerk", desk())
        .node("expert", desk())
        .node("archive", desk())
        .start("boss")
        .route(
            "boss",
            shown("Left"),
            To::node("clerk").limit(5).or_else("archive"),
        )
        .route(
            "boss",
            shown("Right"),
            To::node("expert").limit(5).or_else("archive"),
        )
        .route("boss", "_", To::node("archive"))
        .route(
            "clerk",
            forward,
            To::node("expert").limit(4).or_else("archive"),
        )
        .route(
            "clerk",
            shown("Back"),
            To::back().limit(3).or_else("archive"),
        )
        .route("clerk", shown("Done"), To::node("archive"))
        .route(
            "expert",
            shown("Left"),
            To::node("clerk").limit(4).or_else("archive"),
        )
        .route(
            "expert",
            shown("Right"),
            To::node("expert").limit(2).or_else("archive"),
        )
        .route("expert", shown("Back"), To::back())
        .route("expert", shown("Done"), To::node("archive"))
        .route("archive", "_", To::end())
        .build()
        .unwrap_or_else(|errors| panic!("{errors}"))
}

#[tokio::test]
async fn a_built_graph_leads_back_as_a_derived_one() {
    use Turn::{Back, Left, Right};
    let script = case(&[Left, Right, Back, Back, Right, Back]);
    let (derived, built) = (
        Runtime::new(office(&Tally::default())),
        Runtime::new(built()),
    );
    let derived = derived.journal(Memory::default()).thread("t");
    let built = built.journal(Memory::default()).thread("t");
    let _ = derived.run(script.clone()).await.unwrap();
    let _ = built.run(script).await.unwrap();
    let (derived, built) = (
        derived.history().await.unwrap(),
        built.history().await.unwrap(),
    );
    assert_eq!(derived[0].graph, built[0].graph, "they are one graph");
    assert_eq!(lines(&derived), lines(&built));
    assert_eq!(
        lines(&derived)[3..5],
        ["expert: Turn::Back => clerk", "clerk: Turn::Back => boss"]
    );
}

// ---- Whatever the script says, and wherever the run is cut off.

/// Goes the way that the script says, with a stack.
fn expected(script: &[Turn]) -> Vec<&'static str> {
    let mut taken = std::collections::HashMap::new();
    let mut once = |edge: &'static str, to: &'static str, limit: u32| {
        let taken: &mut u32 = taken.entry((edge, to)).or_default();
        *taken += 1;
        *taken <= limit
    };
    let (mut seen, mut callers, mut at) = (vec!["boss"], Vec::<&str>::new(), "boss");
    let mut script = script.iter().copied();
    while at != "archive" {
        let turn = script.next().unwrap_or(Turn::Done);
        let to = match (at, turn) {
            ("boss", Turn::Left) if once("boss left", "clerk", 5) => "clerk",
            ("boss", Turn::Right) if once("boss right", "expert", 5) => "expert",
            ("clerk", Turn::Left | Turn::Right) if once("clerk", "expert", 4) => "expert",
            ("expert", Turn::Left) if once("expert left", "clerk", 4) => "clerk",
            ("expert", Turn::Right) if once("expert right", "expert", 2) => "expert",
            ("clerk", Turn::Back) if once("back", callers.last().unwrap(), 3) => "back",
            ("expert", Turn::Back) => "back",
            _ => "archive",
        };
        if to == "back" {
            at = callers.pop().unwrap();
        } else {
            if to != at {
                callers.push(at);
            }
            at = to;
        }
        seen.push(at);
    }
    seen
}

fn script() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        3 => Just(Turn::Left),
        3 => Just(Turn::Right),
        4 => Just(Turn::Back),
        1 => Just(Turn::Done),
    ];
    proptest::collection::vec(turn, 0..24)
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_goes_as_a_stack_of_callers_says(script in script()) {
        prop_assert_eq!(tokio().block_on(visits(&script)), expected(&script));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_that_is_cut_off_goes_back_as_if_it_had_not_been(script in script()) {
        tokio().block_on(cut_off_anywhere(office, case(&script), &|_| None));
    }
}

// ---- Forks, approvals and graphs within.

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Study {
    drafts: u32,
    notes: Log<String>,
}

#[derive(Outcome)]
enum Judged {
    Good,
    Bad,
}

#[node(Study)]
fn plan(notes: &mut Log<String>) {
    notes.push("plan".to_owned());
}

#[node(Study)]
fn web(notes: &mut Log<String>) {
    notes.push("web".to_owned());
}

#[node(Study)]
fn papers(notes: &mut Log<String>) {
    notes.push("papers".to_owned());
}

#[node(Study)]
fn judge(drafts: &mut u32) -> Judged {
    *drafts += 1;
    if *drafts > 2 {
        Judged::Good
    } else {
        Judged::Bad
    }
}

#[derive(AgentGraph)]
#[graph(state = Study, start = plan)]
struct Research {
    #[route(_ => all(web, papers) join judge)]
    plan: Plan,
    #[route(_ => judge)]
    web: Web,
    #[route(_ => judge)]
    papers: Papers,
    // Who forked has handed over to the join.
    #[route(Judged::Good => end, Judged::Bad => back(limit = 5, else = end))]
    judge: Judge,
}

fn research(_: &Tally) -> Research {
    Research {
        plan: Plan,
        web: Web,
        papers: Papers,
        judge: Judge,
    }
}

#[tokio::test]
async fn a_join_leads_back_to_whoever_forked() {
    let runtime = Runtime::new(research(&Tally::default())).journal(Memory::default());
    let thread = runtime.thread("t");
    let study = thread.run(Study::default()).await.unwrap();
    let Run::Finished(study) = study else {
        panic!("nobody asks")
    };
    assert_eq!((study.drafts, study.notes.len()), (3, 9));
    cut_off_anywhere(research, Study::default(), &|_| None).await;
}
