//! Who may do what at run time: what is held narrows with each handoff, comes back with `back`, and is never
//! spent twice.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use common::{Clock, Counting, Stopping};
use handoffs::prelude::*;
use handoffs::{
    Entry, Grant, GraphBuilder, Journal, May, Needs, NodeError, Recorded, RunError, Runnable,
    Thread, To,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

// ---- An office in which each desk spends and hands over as a script says.

#[derive(Scope)]
enum May_ {
    /// Pays.
    Pay,
    /// Reads what was ordered.
    Read,
}

/// Where money is really spent, outside of the run.
#[derive(Clone, Debug, Default)]
struct Bank(Arc<Mutex<u64>>);

impl Bank {
    fn spend(&self, micros: u64) {
        *self.0.lock().unwrap() += micros;
    }

    fn spent(&self) -> u64 {
        *self.0.lock().unwrap()
    }
}

#[derive(Outcome, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Turn {
    Left,
    Right,
    Fork,
    Back,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    turn: Turn,
    /// The most that it may cost, and how much of that it does.
    cost: u64,
    percent: u64,
    fails: bool,
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Case {
    script: Vec<Line>,
    at: usize,
    seen: Log<String>,
}

/// Spends as the line says, and returns what came of it.
async fn spend(line: Line, bank: &Bank, cx: &mut Context<'_>) -> Result<String, NodeError> {
    let needs = Needs::scope(May_::Pay).at_most(line.cost);
    let cost = line.cost * line.percent / 100;
    let paid = cx.charge("pay", &needs, async || {
        if line.fails {
            return Err("no connection");
        }
        bank.spend(cost);
        Ok((cost, cost))
    });
    let said = match paid.await {
        Ok(cost) => format!("paid {cost}"),
        Err(error) if error.is_unknown() => "unknown".to_owned(),
        Err(error) if error.denied().is_some() => "denied".to_owned(),
        Err(_) => "failed".to_owned(),
    };
    let held = cx.authority().held().map(ToString::to_string);
    Ok(format!(
        "{}: {said}, {}",
        cx.node(),
        held.unwrap_or_default()
    ))
}

struct Desk(Bank);

#[node(Case)]
impl Desk {
    async fn run(
        &self,
        script: &Vec<Line>,
        at: &mut usize,
        seen: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<Turn, NodeError> {
        let line = script.get(*at).copied().unwrap_or(DONE);
        *at += 1;
        seen.push(spend(line, &self.0, cx).await?);
        Ok(line.turn)
    }
}

/// Spends in a branch.
struct Side(Bank);

#[node(Case)]
impl Side {
    async fn run(
        &self,
        script: &Vec<Line>,
        at: &usize,
        seen: &mut Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        let line = script.get(*at).copied().unwrap_or(DONE);
        seen.push(spend(line, &self.0, cx).await?);
        Ok(())
    }
}

const DONE: Line = Line {
    turn: Turn::Done,
    cost: 0,
    percent: 0,
    fails: false,
};

#[derive(AgentGraph)]
#[graph(state = Case, start = boss, scopes = May_)]
struct Office {
    #[route(
        Turn::Left => clerk(limit = 4, grant(Pay, Read, spend = 300), else = archive),
        Turn::Right => expert(limit = 4, grant(Pay), else = archive),
        Turn::Fork => all(left, right) join clerk(limit = 3, grant(Pay, spend = 401, calls = 5), else = archive),
        _ => archive,
    )]
    #[may(use(Pay), grant(Pay, Read))]
    boss: Desk,
    #[route(
        Turn::Left => boss(limit = 2, grant(Pay), else = archive),
        Turn::Right => expert(limit = 4, grant(Pay, calls = 2), else = archive),
        Turn::Back => back(limit = 6, else = archive),
        _ => archive,
    )]
    #[may(use(Pay, Read), grant(Pay))]
    clerk: Desk,
    #[route(
        Turn::Left => clerk(limit = 3, grant(Pay, spend = 100), else = archive),
        Turn::Right => expert(limit = 2, else = archive),
        Turn::Back => back,
        _ => archive,
    )]
    #[may(use(Pay), grant(Pay))]
    expert: Desk,
    #[route(_ => clerk)]
    #[may(use(Pay))]
    left: Side,
    #[route(_ => clerk)]
    #[may(use(Pay))]
    right: Side,
    #[route(_ => end)]
    archive: Desk,
}

fn office(bank: &Bank) -> Office {
    let desk = || Desk(bank.clone());
    Office {
        boss: desk(),
        clerk: desk(),
        expert: desk(),
        left: Side(bank.clone()),
        right: Side(bank.clone()),
        archive: desk(),
    }
}

fn line(turn: Turn, cost: u64) -> Line {
    Line {
        turn,
        cost,
        percent: 50,
        fails: false,
    }
}

fn case(script: &[Line]) -> Case {
    Case {
        script: script.to_vec(),
        ..Case::default()
    }
}

fn root() -> Grant {
    Grant::all().spend_micros(1_000).calls(12)
}

async fn seen(script: &[Line], grant: Grant) -> (Vec<String>, u64) {
    let bank = Bank::default();
    let thread = Runtime::new(office(&bank)).thread("t").grant(grant);
    let case = thread.run(case(script)).await.unwrap().finished().unwrap();
    (case.seen.iter().cloned().collect(), bank.spent())
}

#[tokio::test]
async fn a_budget_is_split_at_a_handoff_and_what_is_left_comes_back() {
    let script = [
        line(Turn::Left, 100),
        line(Turn::Back, 200),
        line(Turn::Done, 10),
    ];
    let (seen, spent) = seen(&script, root()).await;
    assert_eq!(
        seen,
        [
            "boss: paid 50, grant(Pay, Read, spend = 950, calls = 11)",
            "clerk: paid 100, grant(Pay, Read, spend = 200, calls = 10)",
            "boss: paid 5, grant(Pay, Read, spend = 845, calls = 9)",
            "archive: denied, grant(spend = 0, calls = 0)",
        ]
    );
    assert_eq!(spent, 155);
}

#[tokio::test]
async fn what_was_not_granted_or_is_spent_or_has_ended_is_denied() {
    let without = Grant::of([May_::Read]);
    let (said, spent) = seen(&[line(Turn::Done, 10)], without).await;
    assert_eq!((said[0].as_str(), spent), ("boss: denied, grant(Read)", 0));

    let (said, _) = seen(&[line(Turn::Done, 1_001)], root()).await;
    assert!(said[0].starts_with("boss: denied"), "{said:?}");

    let (said, _) = seen(&[line(Turn::Done, 1)], Grant::all().calls(0)).await;
    assert!(said[0].starts_with("boss: denied"), "{said:?}");

    let script = [line(Turn::Right, 10), line(Turn::Done, 10)];
    let (said, _) = seen(&script, Grant::all().depth(0)).await;
    assert!(said[1].starts_with("expert: denied"), "{said:?}");
    let (said, _) = seen(&script, Grant::all().depth(1)).await;
    assert_eq!(said[1], "expert: paid 5, grant(Pay, depth = 0)");

    let clock = Clock::default();
    let bank = Bank::default();
    let until = UNIX_EPOCH + Duration::from_millis(clock.now_ms()) + Duration::from_mins(1);
    let runtime = Runtime::new(office(&bank)).clock(clock.tells());
    let thread = runtime.thread("t").grant(Grant::all().expires(until));
    let script = case(&[line(Turn::Done, 10)]);
    let _ = thread.run(script.clone()).await.unwrap();
    clock.seconds(60);
    let _ = thread.run(script).await.unwrap();
    assert_eq!(bank.spent(), 5, "it was over the second time");
}

#[tokio::test]
async fn what_the_runtime_grants_holds_for_each_of_its_threads_and_theirs_only_narrow_it() {
    let bank = Bank::default();
    let runtime = Runtime::new(office(&bank)).grant(Grant::of([May_::Pay]).spend_micros(100));
    let held = async |name: &str, grant: Option<Grant>| {
        let thread = runtime.thread(name);
        let thread = match grant {
            Some(grant) => thread.grant(grant),
            None => thread,
        };
        let run = thread.run(case(&[line(Turn::Done, 80)])).await.unwrap();
        run.finished().unwrap().seen[0].clone()
    };
    let paid = "boss: paid 40, grant(Pay, spend = 60)";
    assert_eq!(held("one", None).await, paid);
    assert_eq!(held("another", None).await, paid, "each run has all of it");
    assert_eq!(
        held("wider", Some(Grant::all().spend_micros(1_000))).await,
        paid
    );
    assert_eq!(
        held("narrower", Some(root().spend_micros(50))).await,
        "boss: denied, grant(Pay, spend = 50, calls = 12)"
    );
    let reads = Grant::of([May_::Read]);
    assert_eq!(
        held("elsewhere", Some(reads)).await,
        "boss: denied, grant(spend = 100)"
    );
    assert_eq!(bank.spent(), 120);
}

#[tokio::test]
async fn branches_share_what_the_fork_grants_and_what_is_left_goes_to_the_join() {
    let mut script = vec![
        line(Turn::Fork, 0),
        line(Turn::Back, 200),
        line(Turn::Done, 0),
    ];
    script[1].percent = 100;
    let (seen, spent) = seen(&script, root()).await;
    assert_eq!(
        seen[1..],
        [
            "left: paid 200, grant(Pay, spend = 1, calls = 2)",
            "right: paid 200, grant(Pay, spend = 0, calls = 1)",
            "clerk: denied, grant(Pay, spend = 1, calls = 3)",
            "boss: paid 0, grant(Pay, Read, spend = 600, calls = 8)",
            "archive: denied, grant(spend = 0, calls = 0)",
        ]
    );
    assert_eq!(spent, 400);
}

#[tokio::test]
async fn the_journal_says_what_was_granted_reserved_spent_and_held() {
    let bank = Bank::default();
    let runtime = Runtime::new(office(&bank)).journal(Memory::default());
    let thread = runtime.thread("t").grant(root());
    let script = [line(Turn::Left, 100), line(Turn::Back, 200)];
    let _ = thread.run(case(&script)).await.unwrap();
    let history = thread.history().await.unwrap();
    let said = |entry: &Entry| match &entry.event {
        Recorded::Started { grant, .. } => grant.as_ref().map(ToString::to_string),
        Recorded::Once { charge, .. } => charge.as_ref().map(|charge| {
            let (reserved, spent) = (charge.reserved_micros, charge.spent_micros);
            format!("{} {reserved} {spent:?}", charge.scope)
        }),
        Recorded::Stepped { authority, .. } => authority.as_ref().map(ToString::to_string),
        _ => None,
    };
    let said: Vec<_> = history.iter().filter_map(said).collect();
    assert_eq!(
        said[..7],
        [
            "grant(_, spend = 1000, calls = 12)",
            "Pay 100 None",
            "Pay 100 Some(50)",
            "grant(Read, Pay, spend = 300, calls = 11)"
                .replace("Read, Pay", "Pay, Read")
                .as_str(),
            "Pay 200 None",
            "Pay 200 Some(100)",
            "grant(Pay, Read, spend = 850, calls = 10)",
        ]
    );
    assert!(thread.verify(None).await.is_ok());
}

#[tokio::test]
async fn a_graph_without_scopes_says_nothing_of_authority() {
    let bank = Bank::default();
    let builder = GraphBuilder::new("Plain")
        .node("a", Desk(bank.clone()))
        .start("a");
    let graph = builder.route("a", "_", To::end()).build().unwrap();
    let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
    let _ = thread.run(case(&[line(Turn::Done, 10)])).await.unwrap();
    for entry in thread.history().await.unwrap() {
        let json = serde_json::to_string(&entry).unwrap();
        assert!(
            !json.contains("authority") && !json.contains("grant"),
            "{json}"
        );
    }
    assert_eq!(bank.spent(), 5, "and does what it likes");
}

#[tokio::test]
async fn a_built_graph_has_the_authority_that_names_say() {
    let bank = Bank::default();
    let builder = || {
        GraphBuilder::new("Office")
            .scopes::<May_>()
            .node("boss", Desk(bank.clone()))
            .node("clerk", Desk(bank.clone()))
            .start("boss")
            .may("clerk", May::new().uses(["Pay"]))
            .route("clerk", "_", To::end())
    };
    let errors = builder()
        .route("boss", "_", To::node("clerk"))
        .build()
        .unwrap_err();
    assert_eq!(
        errors.to_string(),
        "the graph cannot be built\n\
         H010: `clerk` uses `Pay`, and no path grants it: `boss -> clerk` does not\n  \
         help: write `clerk(grant(Pay))` in the route of `boss`, and let `boss` grant it; or remove it here"
    );
    let granting = |scope: &'static str| To::node("clerk").grant(Grant::of([scope]));
    let errors = builder()
        .route("boss", "_", granting("Pai"))
        .build()
        .unwrap_err();
    assert!(
        errors
            .to_string()
            .contains("H011: no scope is named `Pai`\n  help: did you mean `Pay`?"),
        "{errors}"
    );
    let graph = builder()
        .may("boss", May::new().grants([May_::Pay]))
        .route("boss", "_", granting("Pay"))
        .build()
        .unwrap();
    let thread = Runtime::new(graph).thread("t").grant(root());
    let case = thread
        .run(case(&[line(Turn::Done, 0), line(Turn::Done, 10)]))
        .await
        .unwrap();
    let seen = case.finished().unwrap().seen;
    assert_eq!(
        seen.last().unwrap(),
        "clerk: paid 5, grant(Pay, spend = 995, calls = 11)"
    );
}

// ---- A graph within, which has no scopes of its own.

#[derive(AgentGraph)]
#[graph(state = Case, start = first)]
struct Department {
    #[route(Turn::Left => second, _ => end)]
    first: Desk,
    #[route(_ => end)]
    second: Desk,
}

#[derive(AgentGraph)]
#[graph(state = Case, start = boss, scopes = May_)]
struct Firm {
    #[route(
        Turn::Done => end,
        _ => department(limit = 4, grant(Pay, spend = 400), else = end),
    )]
    #[may(use(Pay), grant(Pay))]
    boss: Desk,
    #[route(_ => back)]
    #[may(use(Pay))]
    department: Department,
}

fn firm(bank: &Bank) -> Firm {
    let desk = || Desk(bank.clone());
    Firm {
        boss: desk(),
        department: Department {
            first: desk(),
            second: desk(),
        },
    }
}

#[tokio::test]
async fn a_graph_within_spends_what_its_node_holds_and_leaves_the_rest() {
    let bank = Bank::default();
    let runtime = Runtime::new(firm(&bank)).journal(Memory::default());
    let thread = runtime.thread("t").grant(root());
    let script = [
        line(Turn::Right, 0),
        line(Turn::Left, 300),
        line(Turn::Right, 300),
        line(Turn::Done, 0),
    ];
    let seen = thread
        .run(case(&script))
        .await
        .unwrap()
        .finished()
        .unwrap()
        .seen;
    assert_eq!(
        seen,
        [
            "boss: paid 0, grant(Pay, spend = 1000, calls = 11)",
            "first: paid 150, grant(Pay, spend = 250, calls = 10)",
            "second: denied, grant(Pay, spend = 250, calls = 10)",
            "boss: paid 0, grant(Pay, spend = 850, calls = 9)",
        ]
    );
}

// ---- Whatever is spent, wherever it is cut off.

fn script() -> impl Strategy<Value = Vec<Line>> {
    let turn = prop_oneof![
        3 => Just(Turn::Left),
        3 => Just(Turn::Right),
        2 => Just(Turn::Fork),
        4 => Just(Turn::Back),
    ];
    // The boss goes on where it cannot go back.
    let cost = prop_oneof![1 => Just(0_u64), 4 => 0..300_u64, 1 => 300..1_200_u64];
    let line = (turn, cost, 0..=100_u64, prop::bool::weighted(0.2));
    let line = line.prop_map(|(turn, cost, percent, fails)| Line {
        turn,
        cost,
        percent,
        fails,
    });
    proptest::collection::vec(line, 0..10)
}

async fn finish<G: Runnable<State = Case>, J: Journal>(
    thread: &Thread<G, J>,
    state: &Case,
) -> Result<Case, RunError> {
    let run = thread.run_once(state.clone()).await?;
    Ok(run.finished().unwrap())
}

/// Cuts a run off at each append, and once more at each append after that, and counts the money.
async fn check_spending<G: Runnable<State = Case>>(
    office: impl Fn(&Bank) -> G,
    state: Case,
    again: u64,
) {
    let granted = 1_000;
    let bank = Bank::default();
    let counting = Counting::<Memory>::default();
    let thread = Runtime::new(office(&bank)).journal(counting.clone());
    let thread = thread.thread("t").grant(root());
    let whole = finish(&thread, &state).await.unwrap();
    assert!(bank.spent() <= granted);
    for last in 0..counting.appends() {
        for keeps_last in [false, true] {
            let (bank, disk) = (Bank::default(), Memory::default());
            let mut cuts = vec![last];
            cuts.extend((again > 0).then_some(again % 4));
            for last in cuts {
                let stopping = Stopping::after(disk.clone(), last, keeps_last);
                let cut = Runtime::new(office(&bank)).journal(stopping);
                let cut = cut.thread("t").grant(root());
                let _ = finish(&cut, &state).await;
                assert!(bank.spent() <= granted, "{} at {last}", bank.spent());
            }
            let thread = Runtime::new(office(&bank))
                .journal(disk)
                .thread("t")
                .grant(root());
            let ended = finish(&thread, &state).await.unwrap();
            assert!(bank.spent() <= granted, "{} at {last}", bank.spent());
            let is_unknown = ended.seen.iter().any(|seen| seen.contains("unknown"));
            if !is_unknown {
                assert_eq!(ended, whole, "cut off at {last}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_handoffs_crashes_and_retries_spends_more_than_was_granted(
        script in script(),
        again in 0..8_u64,
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(check_spending(office, case(&script), again));
        tokio.block_on(check_spending(firm, case(&script), again));
    }
}

// ---- Agents: what is checked before a tool runs.

#[cfg(feature = "agents")]
mod agents {
    use std::sync::atomic::{AtomicU32, Ordering};

    use handoffs::agent::{
        Agent, Decision, Given, Message, Script, ScriptedModel, Tool, ToolPolicy, ToolRequest, tool,
    };
    use handoffs::{Approval, async_trait};
    use schemars::JsonSchema;
    use serde_json::json;

    use super::*;

    #[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
    struct Ticket {
        #[state(messages)]
        messages: Log<Message>,
    }

    #[derive(Outcome, Debug, PartialEq)]
    enum Said {
        #[outcome(answer)]
        Done(String),
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = billing, scopes = May_)]
    struct Support {
        #[route(Said::Done(_) => end)]
        #[may(use(Pay))]
        billing: Agent<Ticket, Said>,
    }

    #[derive(Deserialize, JsonSchema)]
    struct Refund {
        cents: u64,
    }

    /// Pays back, and counts how often.
    fn refund(paid: &Arc<AtomicU32>) -> impl Tool + use<> {
        let paid = Arc::clone(paid);
        let refund = tool("refund", "Pays money back.", move |refund: Refund| {
            paid.fetch_add(1, Ordering::Relaxed);
            async move { Ok::<_, std::io::Error>(format!("paid {}", refund.cents)) }
        });
        refund.needing(Needs::scope(May_::Pay).at_most(400))
    }

    fn support(model: &ScriptedModel, paid: &Arc<AtomicU32>) -> Support {
        let billing = Agent::new(model.clone()).tool(refund(paid));
        Support { billing }
    }

    fn twice() -> ScriptedModel {
        let call = || Script::call("refund", json!({ "cents": 12 }));
        ScriptedModel::new([call(), call(), Script::say("Done.")])
    }

    fn given(ticket: &Ticket) -> Vec<Given> {
        let turns = ticket.messages.iter().filter_map(|message| match message {
            Message::Agent(turn) => Some(turn.calls.iter().map(|call| call.given.clone())),
            _ => None,
        });
        turns.flatten().collect()
    }

    fn asked() -> Ticket {
        Ticket {
            messages: Log::from(vec![Message::user("Pay it back.")]),
        }
    }

    #[tokio::test]
    async fn a_tool_that_costs_more_than_is_left_is_not_called_and_the_model_is_told() {
        let (model, paid) = (twice(), Arc::default());
        let runtime = Runtime::new(support(&model, &paid)).journal(Memory::default());
        let thread = runtime.thread("t").grant(Grant::all().spend_micros(700));
        let ticket = thread.run(asked()).await.unwrap().finished().unwrap();
        assert_eq!(paid.load(Ordering::Relaxed), 1);
        let given = given(&ticket);
        assert!(
            matches!(&given[0], Given::Result(text) if text == "paid 12"),
            "{given:?}"
        );
        let Given::Error(text) = &given[1] else {
            panic!("{given:?}")
        };
        assert_eq!(
            text,
            "this call is not allowed: `Pay` may cost 0.000400, and 0.000300 is left of what \
             `billing` was granted"
        );
        let history = thread.history().await.unwrap();
        let refused = history.iter().any(|entry| {
            matches!(&entry.event, Recorded::Once { key, .. } if key == "turn 2, call 1, refused")
        });
        assert!(refused, "the journal keeps it");
    }

    /// Denies the first call, and asks a person about each other.
    struct Strict;

    #[async_trait]
    impl ToolPolicy for Strict {
        async fn check(&self, request: &ToolRequest<'_>) -> Decision {
            assert_eq!((request.tool, request.node), ("refund", "billing"));
            assert_eq!(request.needs.unwrap().cost_micros, 400);
            if request.held.unwrap().spend_micros == Some(1_000) && request.arguments.contains("12")
            {
                Decision::needs_approval("it is money")
            } else {
                Decision::deny("not twice")
            }
        }
    }

    #[tokio::test]
    async fn a_policy_denies_or_asks_a_person_and_nothing_is_done_twice() {
        for approved in [true, false] {
            let (model, paid) = (twice(), Arc::<AtomicU32>::default());
            let strict = || Support {
                billing: Agent::new(model.clone()).tool(refund(&paid)).policy(Strict),
            };
            let disk = Memory::default();
            let thread = Runtime::new(strict()).journal(disk.clone()).thread("t");
            let thread = thread.grant(Grant::all().spend_micros(1_000));
            let ask = thread.run(asked()).await.unwrap().paused().unwrap();
            let question = ask.question.as_str();
            assert_eq!(
                question,
                r#"{"tool":"refund","arguments":"{\"cents\":12}","why":"it is money"}"#
            );
            assert_eq!(paid.load(Ordering::Relaxed), 0);
            let answer = if approved {
                Approval::Approved
            } else {
                Approval::refused("not today")
            };
            // Another process takes it up.
            let thread = Runtime::new(strict()).journal(disk).thread("t");
            let run = thread.resume(ask.id, answer).await.unwrap();
            let run = match run {
                // What was refused cost nothing, so the second call is asked about as well.
                Run::Paused(again) => {
                    assert!(!approved);
                    thread
                        .resume(again.id, Approval::refused("no"))
                        .await
                        .unwrap()
                }
                run @ Run::Finished(_) => run,
            };
            let given = given(&run.finished().unwrap());
            assert_eq!(paid.load(Ordering::Relaxed), u32::from(approved));
            let texts: Vec<_> = given
                .iter()
                .map(|given| match given {
                    Given::Result(text) | Given::Error(text) => text.as_str(),
                    other => panic!("{other:?}"),
                })
                .collect();
            let expected = if approved {
                ["paid 12", "this call is not allowed: not twice"]
            } else {
                [
                    "this call is not allowed: not today",
                    "this call is not allowed: no",
                ]
            };
            assert_eq!(texts, expected);
            assert_eq!(model.requests().len(), 3, "no turn was asked for twice");
        }
    }
}
