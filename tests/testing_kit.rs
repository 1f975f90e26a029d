//! The testing kit: edges, scripts, logs, coverage, and what they say when a test fails.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use handoffs::prelude::*;
use handoffs::testing::{Coverage, RunLog, ScriptedNode, assert_route};
use handoffs::{Approval, Execute, GraphBuilder, On, To};

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Ticket {
    notes: Log<String>,
    refund: Option<u32>,
    secret: u32,
}

#[derive(Outcome, Debug)]
enum Billed {
    #[outcome(gives(refund))]
    Refund,
    WrongDesk,
    Done,
}

#[node(Ticket)]
fn triage(notes: &mut Log<String>) {
    notes.push("triage".to_owned());
}

/// Talks to the world, so no test may come here.
#[node(Ticket)]
fn billing(_notes: &Log<String>, _refund: &mut Option<u32>) -> Billed {
    unreachable!("a script stands in for it")
}

#[node(Ticket)]
fn pay(_refund: &u32, notes: &mut Log<String>) {
    notes.push("paid".to_owned());
}

#[node(Ticket)]
fn look(notes: &mut Log<String>) {
    notes.push("looked".to_owned());
}

#[node(Ticket)]
fn file() {}

fn amount(ticket: &Ticket) -> u32 {
    ticket.refund.unwrap_or(0)
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk<B: Execute<Ticket, Outcome = Billed>> {
    #[route(_ => billing)]
    triage: Triage,
    #[route(
        Billed::Refund => pay(approve = amount, else = human),
        Billed::WrongDesk => triage(limit = 1, else = human),
        Billed::Done => all(left, right) join file,
    )]
    #[retry(times = 2)]
    #[timeout("1s")]
    #[on_error(then = human)]
    billing: B,
    #[route(_ => end)]
    pay: Pay,
    #[route(_ => file)]
    left: Look,
    #[route(_ => right_again)]
    right: Look,
    #[route(_ => file)]
    right_again: Look,
    #[route(_ => end)]
    file: File,
    #[route(_ => end)]
    human: Look,
}

type Script = ScriptedNode<Ticket, Billing>;

fn desk(billing: &Script) -> Desk<Script> {
    Desk {
        triage: Triage,
        billing: billing.clone(),
        pay: Pay,
        left: Look,
        right: Look,
        right_again: Look,
        file: File,
        human: Look,
    }
}

/// Runs a script with a journal, and sees to it that both ways to a log agree.
async fn log_of(script: Script) -> (RunLog, Result<Run<Ticket>, RunError>) {
    let runtime = Runtime::new(desk(&script)).journal(Memory::default());
    let thread = runtime.thread("t");
    let (log, run) = RunLog::and_run(thread.stream(Ticket::default())).await;
    let history = RunLog::of_history(&thread.history().await.unwrap());
    assert_eq!(history.lines()[0], "started");
    assert_eq!(history.lines()[1..], log.lines());
    (log, run)
}

fn complaint(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("the test fails");
    *panic.downcast::<String>().expect("it says why")
}

// ---- Edges.

#[test]
fn an_edge_is_told_in_the_words_of_the_route() {
    let ticket = Ticket::default();
    assert_route!(Desk::<Billing>::after_triage(&ticket, &()) => billing);
    assert_route!(Desk::<Billing>::after_billing(&ticket, &Billed::WrongDesk) => triage(limit = 1, else = human));
    assert_route!(Desk::<Billing>::after_billing(&ticket, &Billed::WrongDesk) => triage(else = human, limit = 1));
    assert_route!(Desk::<Billing>::after_billing(&ticket, &Billed::Refund) => pay(approve = amount, else = human));
    assert_route!(Desk::<Billing>::after_billing(&ticket, &Billed::Done) => all(left, right) join file);
    assert_route!(Desk::<Billing>::after_file(&ticket, &()) => end);
    let route = Route::each("items", "look", "file").or_end().concurrency(2);
    assert_route!(route => each(items) look join file(else = end, concurrency = 2));
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = look)]
struct Small {
    #[route(_ => look(limit = 2, else = end))]
    look: Look,
}

/// It is not `Debug`.
#[derive(State, Clone, Default)]
struct Silent {
    busy: bool,
}

#[node(Silent)]
fn wait(_busy: &bool) {}

#[derive(AgentGraph)]
#[graph(state = Silent, start = wait)]
struct Waiting {
    #[route(_ => end)]
    wait: Wait,
}

#[test]
fn an_edge_that_leads_elsewhere_is_shown_with_what_it_was_given() {
    let ticket = Ticket::default();
    let text =
        complaint(|| assert_route!(Small::after_look(&ticket, &()) => look(limit = 3, else = end)));
    assert_eq!(
        text,
        "\
`Small::after_look` leads elsewhere
  expected: look(limit = 3, else = end)
     taken: look(limit = 2, else = end)
     state: Ticket { notes: [], refund: None, secret: 0 }
   outcome: ()"
    );

    let text = complaint(|| assert_route!(Waiting::after_wait(&Silent::default(), &()) => wait));
    assert_eq!(
        text,
        "`Waiting::after_wait` leads elsewhere\n  expected: wait\n     taken: end\n   outcome: ()"
    );
}

#[tokio::test]
async fn a_graph_that_was_built_is_tested_the_same_way() {
    let script = Script::new()
        .concludes(Billed::WrongDesk)
        .always(|_| Billed::Done);
    let built = GraphBuilder::new("Built")
        .node("triage", Triage)
        .node("billing", script.clone())
        .start("triage")
        .route("triage", "_", To::node("billing"))
        .route("billing", "WrongDesk", To::node("triage").limit(2).or_end())
        .route("billing", On::any(), To::end())
        .build()
        .unwrap();
    let ticket = Ticket::default();
    assert_route!(built.after("billing", "WrongDesk", &ticket) => triage(limit = 2, else = end));
    let text = complaint(|| assert_route!(built.after("biling", "Done", &ticket) => end));
    assert!(
        text.ends_with("expected: end\n     taken: no node and outcome of these names"),
        "{text}"
    );

    let coverage = Coverage::of_shape(built.topology().clone());
    coverage.add(&RunLog::of(Runtime::new(built).thread("t").stream(ticket)).await);
    assert_eq!(coverage.untaken(), ["billing: WrongDesk => else end"]);
    assert_eq!((script.visits(), script.left()), (2, 0));
}

// ---- Scripts, and logs of them.

#[tokio::test]
async fn a_script_is_played_turn_by_turn() {
    let script = Script::new()
        .concludes(Billed::WrongDesk)
        .fails("no connection")
        .does(|ticket| {
            ticket
                .notes
                .push("dropped: billing may not write here".to_owned());
            ticket.secret = 1;
            Billed::Done
        });
    let (log, run) = log_of(script.clone()).await;
    assert_eq!(
        log.to_string(),
        "\
triage: _ => billing
billing: Billed::WrongDesk => triage
triage: _ => billing
billing failed, and is tried again: the node returned an error: no connection
billing: Billed::Done => 2 branches
0 left: _ => file
1 right: _ => right_again
1 right_again: _ => file
joined at file
file: _ => end
"
    );
    let ticket = run.unwrap().finished().unwrap();
    assert_eq!(ticket.notes.len(), 5);
    assert_eq!(ticket.secret, 0);
    assert_eq!((script.visits(), script.left()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_script_can_take_too_long_and_come_to_its_end() {
    let hangs = Script::new()
        .hangs()
        .concludes(Billed::Done)
        .taking(Duration::from_secs(9));
    let (log, _) = log_of(hangs).await;
    let lines = log.lines();
    assert!(
        lines[1].starts_with("billing failed, and is tried again: "),
        "{log}"
    );
    assert!(lines[2].starts_with("billing failed => human: "), "{log}");

    let (log, _) = log_of(Script::new()).await;
    let line =
        "billing failed => human: the node returned an error: the script has no turn for visit 2";
    assert_eq!(log.lines()[2], line);
}

#[tokio::test]
async fn a_script_keeps_the_promises_of_its_node() {
    let (log, _) = log_of(Script::new().concludes(Billed::Refund)).await;
    assert!(log.lines()[1].contains("promised to set `refund`"), "{log}");
    log.expect_handoff("human");
}

fn refunds() -> Script {
    Script::new().does(|ticket| {
        ticket.refund = Some(12);
        Billed::Refund
    })
}

#[tokio::test]
async fn what_a_person_decides_is_a_turn() {
    for (approval, line) in [
        (Approval::Approved, "billing may hand over => pay"),
        (
            Approval::refused("too much"),
            "billing may not hand over => human: too much",
        ),
    ] {
        let thread = Runtime::new(desk(&refunds()))
            .journal(Memory::default())
            .thread("t");
        let (log, run) = RunLog::and_run(thread.stream(Ticket::default())).await;
        let lines = log.lines();
        assert_eq!(lines[1], "billing: Billed::Refund => pay, if approved: 12");
        assert_eq!(lines[2], "billing asks 12");
        log.never_hands_off_to("pay");

        let Run::Paused(ask) = run.unwrap() else {
            panic!("no question")
        };
        let rest = RunLog::of(thread.resume_stream(ask.id, &approval).unwrap()).await;
        assert_eq!(rest.lines()[0], line);
        let whole = RunLog::of_history(&thread.history().await.unwrap());
        assert!(whole.lines().contains(&line), "{whole}");

        // Both see the way that was taken, the stream without the step that asked.
        let (streamed, kept) = (
            Coverage::of::<Desk<Script>>(),
            Coverage::of::<Desk<Script>>(),
        );
        streamed.add(&log);
        streamed.add(&rest);
        kept.add(&whole);
        assert_eq!(streamed.to_string(), kept.to_string());
    }
}

// ---- Forks one after the other, and a graph within.

#[derive(AgentGraph)]
#[graph(state = Ticket, start = begin)]
struct Wide {
    #[route(_ => all(one, two) join between)]
    begin: Look,
    #[route(_ => between)]
    one: Look,
    #[route(_ => between)]
    two: Small,
    #[route(_ => all(three, four) join last)]
    between: Look,
    #[route(_ => last)]
    three: Look,
    #[route(_ => last)]
    four: Look,
    #[route(_ => end)]
    last: File,
}

#[tokio::test]
async fn branches_stand_behind_their_fork_and_a_graph_within_in_front_of_its_step() {
    const WIDE: Wide = Wide {
        begin: Look,
        one: Look,
        two: Small { look: Look },
        between: Look,
        three: Look,
        four: Look,
        last: File,
    };
    let expected = [
        "begin: _ => 2 branches",
        "0 one: _ => between",
        "1.0 look: _ => look",
        "1.0 look: _ => look",
        "1.0 look: _ => end, as its limit is used up",
        "1 two: _ => between",
        "joined at between",
        "between: _ => 2 branches",
        "0 three: _ => last",
        "1 four: _ => last",
        "joined at last",
        "last: _ => end",
    ];
    let unkept = Runtime::new(WIDE).thread("t");
    let unkept = RunLog::of(unkept.stream(Ticket::default())).await;
    let thread = Runtime::new(WIDE).journal(Memory::default()).thread("t");
    let streamed = RunLog::of(thread.stream(Ticket::default())).await;
    let kept = RunLog::of_history(&thread.history().await.unwrap());
    assert_eq!(unkept.lines(), expected);
    assert_eq!(streamed.lines(), expected);
    assert_eq!(kept.lines()[1..], expected);
    for log in [unkept, streamed, kept] {
        let coverage = Coverage::of::<Wide>();
        coverage.add(&log);
        coverage.deny();
    }
}

// ---- A script that takes items.

#[node(Ticket)]
fn count(_item: u32, _notes: &mut Log<String>) {}

fn items(_: &Ticket) -> Vec<u32> {
    vec![7, 8]
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = begin)]
struct Items<W: Execute<Ticket, Outcome = ()> + handoffs::Worker<Ticket, Item = u32>> {
    #[route(_ => each(items) count join last)]
    begin: File,
    #[route(_ => last)]
    count: W,
    #[route(_ => end)]
    last: File,
}

#[tokio::test]
async fn a_script_stands_in_for_a_worker() {
    let count = ScriptedNode::<Ticket, Count>::new().always(|ticket| {
        ticket.notes.push("counted".to_owned());
    });
    let graph = Items {
        begin: File,
        count: count.clone(),
        last: File,
    };
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let (log, run) = RunLog::and_run(thread.stream(Ticket::default())).await;
    assert_eq!(
        log.lines()[..2],
        ["begin: _ => 2 branches", "0 count: _ => last"]
    );
    assert_eq!(run.unwrap().finished().unwrap().notes.len(), 2);
    assert_eq!(count.visits(), 2);
}

// ---- What a run did not do.

#[tokio::test]
async fn a_handoff_that_did_not_happen_is_told_with_what_did() {
    let (log, _) = log_of(
        Script::new()
            .concludes(Billed::WrongDesk)
            .concludes(Billed::Done),
    )
    .await;
    log.expect_handoff("billing")
        .expect_handoff("triage")
        .expect_handoff("left");
    log.expect_handoff("right").expect_handoff("file");
    log.never_hands_off_to("human");
    let text = complaint(|| drop(log.expect_handoff("triage").expect_handoff("pay")));
    let told = "    1  triage: _ => billing\n    2  billing: Billed::WrongDesk => triage\n";
    assert!(
        text.starts_with(&format!(
            "no handoff to `pay` after turn 2; this happened:\n{told}"
        )),
        "{text}"
    );
    let text = complaint(|| log.never_hands_off_to("triage"));
    assert!(
        text.starts_with("turn 2 hands off to `triage`; this happened:\n"),
        "{text}"
    );
    assert!(
        text.contains("\n>   2  billing: Billed::WrongDesk => triage\n"),
        "{text}"
    );
}

#[tokio::test]
async fn the_next_handoff_is_the_next_one_and_no_other() {
    let (log, _) = log_of(Script::new().concludes(Billed::Done)).await;
    let rest = log
        .expect_next_handoff("billing")
        .expect_next_handoff("right");
    rest.expect_next_handoff("file");
    let text = complaint(|| drop(log.expect_next_handoff("left")));
    assert!(
        text.starts_with(
            "turn 1 hands off to `billing`, and not to `left`; this happened:\n>   1  triage"
        ),
        "{text}"
    );
    let last = log.expect_handoff("right_again").expect_handoff("file");
    let text = complaint(|| drop(last.expect_handoff("file").expect_next_handoff("file")));
    assert!(
        text.starts_with("no handoff to `file` after turn "),
        "{text}"
    );
}

#[tokio::test]
async fn a_pair_that_hands_over_to_each_other_too_often_is_told_with_its_turn() {
    let script = Script::new()
        .concludes(Billed::WrongDesk)
        .concludes(Billed::Done);
    let (log, _) = log_of(script).await;
    log.hands_off_at_most(2);
    let text = complaint(|| log.hands_off_at_most(1));
    assert!(
        text.starts_with(
            "turn 3 hands off from `triage` to `billing` for the 2. time; this happened:\n"
        ),
        "{text}"
    );
    // What was looked at already does not count.
    log.expect_handoff("billing").hands_off_at_most(1);
}

#[tokio::test]
async fn a_handoff_that_is_not_among_those_allowed_is_told_with_its_turn() {
    let script = Script::new()
        .concludes(Billed::WrongDesk)
        .concludes(Billed::Done);
    let (log, _) = log_of(script).await;
    let text = complaint(|| log.only_hands_off([("triage", "billing"), ("billing", "left")]));
    assert!(
        text.starts_with(
            "turn 2 hands off from `billing` to `triage`, which is not allowed; this happened:\n"
        ),
        "{text}"
    );
    let text = complaint(|| {
        log.only_hands_off([
            ("triage", "billing"),
            ("billing", "triage"),
            ("billing", "left"),
        ]);
    });
    assert!(
        text.starts_with("turn 4 hands off from `billing` to `right`, which"),
        "{text}"
    );
}

// ---- Coverage.

#[tokio::test]
async fn coverage_counts_edges_elses_and_errors() {
    let coverage = Coverage::of::<Desk<Script>>();
    let (log, _) = log_of(Script::new().concludes(Billed::Done)).await;
    coverage.add(&log);
    let missing = [
        "billing: Billed::Refund => pay",
        "billing: Billed::Refund => else human",
        "billing: Billed::WrongDesk => triage",
        "billing: Billed::WrongDesk => else human",
        "billing: error => human",
        "pay: _ => end",
        "human: _ => end",
    ];
    assert_eq!(coverage.untaken(), missing);
    let text = complaint(|| coverage.deny());
    assert_eq!(
        text,
        format!("no run of `Desk` took:\n  {}", missing.join("\n  "))
    );
    coverage.deny_but(missing);

    // Other tests bring the rest.
    let more = Coverage::of::<Desk<Script>>();
    let again = Script::new().always(|_| Billed::WrongDesk);
    more.add(&log_of(again).await.0);
    more.add(&log_of(Script::new()).await.0);
    coverage.merge(&more);
    coverage.merge(&more);
    assert_eq!(
        coverage.untaken(),
        [
            "billing: Billed::Refund => pay",
            "billing: Billed::Refund => else human",
            "pay: _ => end"
        ]
    );
    let text = coverage.to_string();
    assert!(
        text.starts_with("Desk: 10 of 13 ways taken\n   never  billing: Billed::Refund => pay\n"),
        "{text}"
    );
    assert!(
        text.contains("\n       2  billing: Billed::WrongDesk => else human\n"),
        "{text}"
    );
    let text = complaint(|| {
        coverage.deny_but([
            "pay: _ => end",
            "billing: Billed::Refund => pay",
            "billing: Billed::Refund => else human",
            "triage: _ => billing",
        ]);
    });
    assert!(
        text.ends_with("a run took it:\n  triage: _ => billing"),
        "{text}"
    );

    let text = complaint(|| Coverage::of::<Small>().add(&log));
    assert!(text.starts_with("`Small` has no such edge: "), "{text}");
    let text = complaint(|| coverage.merge(&Coverage::of::<Small>()));
    assert_eq!(text, "a coverage of `Small` is not one of `Desk`");
}

#[node(Ticket)]
fn count_up(secret: &mut u32) -> Billed {
    *secret += 1;
    if *secret < 3 {
        Billed::WrongDesk
    } else {
        Billed::Done
    }
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = count_up)]
struct Deep {
    #[route(
        Billed::Done => small,
        Billed::WrongDesk if is_untold => count_up(limit = 5, else = end),
        Billed::WrongDesk => count_up(limit = 5, else = end),
        Billed::Refund => end,
    )]
    count_up: CountUp,
    #[route(_ => end)]
    small: Small,
}

fn is_untold(ticket: &Ticket) -> bool {
    ticket.secret == 1
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = deep)]
struct Deepest {
    #[route(_ => once_more)]
    deep: Deep,
    #[route(_ => end)]
    once_more: Deep,
}

fn deepest() -> Deepest {
    let deep = || Deep {
        count_up: CountUp,
        small: Small { look: Look },
    };
    Deepest {
        deep: deep(),
        once_more: deep(),
    }
}

#[tokio::test]
async fn coverage_counts_the_edges_of_graphs_within_each_graph_once() {
    let thread = Runtime::new(deepest())
        .watch_loops(false)
        .journal(Memory::default())
        .thread("t");
    let log = RunLog::of(thread.stream(Ticket::default())).await;
    let kept = RunLog::of_history(&thread.history().await.unwrap());
    assert_eq!(kept.lines()[1..], log.lines());
    for log in [log, kept] {
        let coverage = Coverage::of::<Deepest>();
        coverage.add(&log);
        // Of the two edges that lead to one node, each is known by itself.
        assert_eq!(
            coverage.to_string(),
            "\
Deepest: 8 of 11 ways taken
   never  Deep/count_up: Billed::WrongDesk if is_untold => else end
   never  Deep/count_up: Billed::WrongDesk => else end
   never  Deep/count_up: Billed::Refund => end
       1  deep: _ => once_more
       1  once_more: _ => end
       2  Deep/count_up: Billed::Done => small
       1  Deep/count_up: Billed::WrongDesk if is_untold => count_up
       1  Deep/count_up: Billed::WrongDesk => count_up
       2  Deep/small: _ => end
       4  Small/look: _ => look
       2  Small/look: _ => else end
"
        );
    }
}

#[test]
fn the_last_of_the_tests_that_share_a_coverage_denies() {
    static SHARED: Coverage = Coverage::of::<Small>();
    SHARED.deny_after(2);
    let text = complaint(|| SHARED.deny_after(2));
    assert!(
        text.starts_with("no run of `Small` took:\n  look: _ => look\n"),
        "{text}"
    );
}
