//! Agents: what a model is offered, what is done of what it says, and what is kept of it.
#![cfg(feature = "agents")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use handoffs::agent::{
    Agent, Call, Choice, Given, History, Message, Request, Said, Script, ScriptedModel, Tool,
    ToolAnswer, ToolAsks, ToolError, ToolSpec, tool,
};
use handoffs::prelude::*;
use handoffs::{Grant, Needs, async_trait};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
    #[state(progress)]
    refund: Option<u32>,
}

/// What triage can conclude.
#[derive(Outcome, Debug, PartialEq)]
enum Triaged {
    /// Charges, invoices and refunds.
    Billing {
        /// Why billing has to see it.
        reason: String,
    },
    /// Nobody here can help.
    Unclear,
    #[outcome(answer)]
    Answered(String),
}

#[derive(Outcome, Debug, PartialEq)]
enum Billed {
    #[outcome(answer)]
    Done(String),
    /// It is no matter of money.
    WrongDesk,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(
        Triaged::Billing { .. } => billing,
        Triaged::Unclear | Triaged::Answered(_) => end,
    )]
    triage: Agent<Ticket, Triaged>,
    #[route(
        Billed::Done(_) => end,
        Billed::WrongDesk => triage(limit = 1, else = end),
    )]
    billing: Agent<Ticket, Billed>,
}

fn desk(triage: &ScriptedModel, billing: &ScriptedModel) -> Runtime<Desk> {
    Runtime::new(Desk {
        triage: Agent::new(triage.clone()).instructions("You find the desk."),
        billing: Agent::new(billing.clone()).instructions("You handle money."),
    })
}

fn asked(text: &str) -> Ticket {
    let messages = Log::from(vec![Message::user(text)]);
    Ticket {
        messages,
        refund: None,
    }
}

async fn talk(desk: Runtime<Desk>, text: &str) -> Ticket {
    let run = desk.thread("t").run(asked(text)).await.unwrap();
    run.finished().unwrap()
}

fn tools(request: &Request) -> Vec<&str> {
    request.tools.iter().map(|tool| &*tool.name).collect()
}

fn turns(ticket: &Ticket) -> Vec<(String, String, Vec<Call>)> {
    let turns = ticket.messages.iter().filter_map(|message| match message {
        Message::Agent(turn) => Some((
            turn.agent.to_string(),
            turn.text.clone(),
            turn.calls.clone(),
        )),
        _ => None,
    });
    turns.collect()
}

#[tokio::test]
async fn an_outcome_is_what_a_model_can_do() {
    let billing = ScriptedModel::new([Script::say("Paid back.")]);
    let reason = json!({ "reason": "charged twice" });
    let triage = ScriptedModel::new([Script::call("transfer_to_billing", reason)]);
    let ticket = talk(desk(&triage, &billing), "I was charged twice").await;

    let asked = &triage.requests()[0];
    assert_eq!(asked.instructions, "You find the desk.");
    assert_eq!(tools(asked), ["transfer_to_billing", "transfer_to_unclear"]);
    assert_eq!(asked.tools[0].description, "Charges, invoices and refunds.");
    assert_eq!(
        asked.tools[0].parameters,
        json!({
            "type": "object",
            "properties": {
                "reason": { "type": "string", "description": "Why billing has to see it." },
            },
            "required": ["reason"],
            "additionalProperties": false,
        })
    );
    assert_eq!(billing.requests()[0].instructions, "You handle money.");
    let turns = turns(&ticket);
    assert_eq!(turns[0].2[0].given, Given::Handoff("billing".into()));
    assert_eq!(turns[1].1, "Paid back.");
}

#[tokio::test]
async fn tools_come_first_and_one_handoff_is_made() {
    #[derive(Deserialize, JsonSchema)]
    struct Look {
        /// The invoice.
        number: u32,
    }

    let triage =
        ScriptedModel::new([
            Script::call("transfer_to_billing", json!({ "reason": "money" }))
                .and_call("look", json!({ "number": 7 }))
                .and_call("transfer_to_unclear", json!({})),
        ]);
    let billing = ScriptedModel::new([Script::say("Done.")]);
    let look = tool("look", "Looks an invoice up.", async |look: Look| {
        Ok::<_, std::io::Error>(format!("invoice {}", look.number))
    });
    let runtime = Runtime::new(Desk {
        triage: Agent::new(triage.clone()).tool(look),
        billing: Agent::new(billing.clone()),
    });
    let ticket = talk(runtime, "hello").await;
    let turns = turns(&ticket);
    let given: Vec<_> = turns[0].2.iter().map(|call| call.given.clone()).collect();
    let expected = [
        Given::Handoff("billing".into()),
        Given::Result("invoice 7".into()),
        Given::Passed,
    ];
    assert_eq!(given, expected);
    // The receiver reads what was said and found, and none of the calls.
    let seen = &billing.requests()[0].messages;
    assert_eq!(seen[0], Said::User("hello".into()));
    assert_eq!(
        seen[1..],
        [
            Said::User("[triage] said: (look returned: invoice 7)".into()),
            Said::User("[triage] hands over to you.\nWhy: {\"reason\":\"money\"}".into()),
        ]
    );
}

#[tokio::test]
async fn a_mistake_goes_back_to_the_model_and_too_many_end_the_run() {
    let wrong = || Script::call("transfer_to_billing", json!({ "reason": 12 }));
    let triage = ScriptedModel::new([wrong(), Script::say("It is the weather.")]);
    let none = ScriptedModel::new([]);
    let ticket = talk(desk(&triage, &none), "why?").await;
    let Given::Error(error) = &turns(&ticket)[0].2[0].given else {
        panic!("{ticket:?}")
    };
    assert!(error.contains("do not fit"), "{error}");
    assert_eq!(turns(&ticket)[1].1, "It is the weather.");

    let triage = ScriptedModel::new([wrong(), wrong(), wrong(), wrong()]);
    let run = desk(&triage, &none).thread("t").run(asked("why?")).await;
    let error = run.unwrap_err();
    assert_eq!(error.node(), Some("triage"));
    assert_eq!(triage.left(), 0, "one more than the three it may make");
}

#[tokio::test]
async fn an_edge_that_is_used_up_is_not_offered_and_refused_if_asked_for() {
    let over = || Script::call("transfer_to_billing", json!({ "reason": "money" }));
    let triage = ScriptedModel::new([over(), over()]);
    let billing = ScriptedModel::new([
        Script::call("transfer_to_wrong_desk", json!({})),
        Script::call("transfer_to_wrong_desk", json!({})),
        Script::say("Then I do it."),
    ]);
    let ticket = talk(desk(&triage, &billing), "help").await;
    let requests = billing.requests();
    assert_eq!(tools(&requests[0]), ["transfer_to_wrong_desk"]);
    assert!(tools(&requests[1]).is_empty(), "its limit is used up");
    let turns = turns(&ticket);
    let refused = &turns[3].2[0].given;
    assert!(
        matches!(refused, Given::Error(text) if text.contains("not possible any more")),
        "{refused:?}"
    );
    assert_eq!(turns[4].1, "Then I do it.");
}

#[tokio::test]
async fn an_agent_that_must_hand_over_is_asked_to_call_and_told_when_its_last_turn_comes() {
    #[derive(Outcome)]
    enum Sorted {
        One,
        Two,
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = sort)]
    struct Sorting {
        #[route(Sorted::One | Sorted::Two => end)]
        sort: Agent<Ticket, Sorted>,
    }

    let model = ScriptedModel::new([
        Script::say("Hm."),
        Script::call("transfer_to_two", json!({})),
    ]);
    let sort = Agent::new(model.clone())
        .max_turns(2)
        .history(History::none());
    let runtime = Runtime::new(Sorting { sort });
    let run = runtime.thread("t").run(asked("sort it")).await.unwrap();
    assert!(run.finished().is_some());
    let requests = model.requests();
    assert_eq!(requests[0].choice, Choice::Required);
    let last = requests[1].messages.last().unwrap();
    assert!(matches!(last, Said::User(text) if text.contains("last turn")));
}

#[tokio::test]
async fn a_check_of_the_input_rewrites_blocks_or_hands_over_before_the_model_is_asked() {
    use handoffs::agent::Verdict;

    let check = |_: &Ticket, text: &str| match text {
        "card 4111" => Verdict::Rewrite("card ****".to_owned()),
        "bomb" => Verdict::Block("we do not talk of bombs".to_owned()),
        "human" => Verdict::HandOver(Triaged::Unclear),
        _ => Verdict::Pass,
    };
    let runtime = |model: &ScriptedModel| {
        Runtime::new(Desk {
            triage: Agent::new(model.clone()).input(check),
            billing: Agent::new(ScriptedModel::new([])),
        })
    };
    let model = ScriptedModel::new([Script::say("Thank you.")]);
    let ticket = talk(runtime(&model), "card 4111").await;
    let seen = &model.requests()[0].messages;
    assert_eq!(*seen, [Said::User("card ****".into())]);
    let kept = ticket.messages.get(0).unwrap();
    assert_eq!(*kept, Message::user("card 4111"), "the log is as it was");

    let model = ScriptedModel::new([]);
    let ticket = talk(runtime(&model), "human").await;
    assert_eq!((model.requests().len(), ticket.messages.len()), (0, 1));
    let error = runtime(&model).thread("t").run(asked("bomb")).await;
    let error = common::chain(&error.unwrap_err());
    assert!(error.ends_with("a check of the input blocked: we do not talk of bombs"));
}

#[tokio::test]
async fn a_check_of_the_output_rewrites_an_answer_or_hands_over_in_its_place() {
    use handoffs::agent::Verdict;

    let check = |_: &Ticket, text: &str| match text {
        "I promise." => Verdict::Rewrite("I shall try.".to_owned()),
        _ => Verdict::HandOver(Triaged::Unclear),
    };
    for (said, expected) in [("I promise.", Some("I shall try.")), ("Never.", None)] {
        let model = ScriptedModel::new([Script::say(said)]);
        let runtime = Runtime::new(Desk {
            triage: Agent::new(model.clone()).output(check),
            billing: Agent::new(ScriptedModel::new([])),
        });
        let ticket = talk(runtime, "will you?").await;
        let said = turns(&ticket).pop().map(|(_, text, _)| text);
        assert_eq!(said.as_deref(), expected);
    }
}

/// A safe that wants to know its number, and again if that is wrong.
struct Safe;

#[async_trait]
impl Tool for Safe {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new("open", "Opens the safe.", json!({ "type": "object" }))
    }

    async fn call(&self, _: &str) -> Result<String, ToolError> {
        let question = json!("Which number?");
        Err(ToolAsks::new(question, json!({ "tried": 0 })).into())
    }

    async fn answered(
        &self,
        _: &str,
        asked: &ToolAsks,
        answer: &ToolAnswer,
    ) -> Result<String, ToolError> {
        let tried = asked.state["tried"].as_u64().unwrap() + 1;
        match answer {
            ToolAnswer::Accept { content, .. } if content == 17 => Ok(format!("open at {tried}")),
            ToolAnswer::Accept { .. } => {
                let question = json!("Which number really?");
                Err(ToolAsks::new(question, json!({ "tried": tried })).into())
            }
            _ => Err(ToolError::Failed("nobody knows the number".into())),
        }
    }
}

#[tokio::test]
async fn a_tool_asks_a_person_and_goes_on_with_the_answer_in_another_process() {
    let store = Memory::default();
    let thread = |script: &[Script]| {
        let model = ScriptedModel::new(script.to_vec());
        let graph = Desk {
            triage: Agent::new(model).tool(Safe),
            billing: Agent::new(ScriptedModel::new([])),
        };
        Runtime::new(graph).journal(store.clone()).thread("t")
    };
    let question = |ask: &Ask| ask.question.as_str().to_owned();
    let first = thread(&[Script::call("open", json!({}))]);
    let ask = first.run(asked("open it")).await.unwrap();
    let ask = ask.paused().unwrap();
    assert_eq!(question(&ask), r#"{"tool":"open","asks":"Which number?"}"#);

    let thread = thread(&[Script::say("Done.")]);
    let wrong = thread.resume(ask.id, 17).await;
    assert!(
        matches!(wrong, Err(RunError::WrongAnswer { .. })),
        "{wrong:?}"
    );
    let twelve = ToolAnswer::accept(json!(12));
    let ask = thread.resume(ask.id, twelve).await.unwrap();
    let ask = ask.paused().unwrap();
    assert_eq!(
        question(&ask),
        r#"{"tool":"open","asks":"Which number really?"}"#
    );
    let seventeen = ToolAnswer::accept(json!(17));
    let run = thread.resume(ask.id, seventeen).await.unwrap();
    let said = turns(&run.finished().unwrap());
    assert_eq!(said[0].2[0].given, Given::Result("open at 2".into()));
    assert!(thread.verify(None).await.is_ok());
}

#[tokio::test]
async fn a_tool_that_asks_needs_another_call_to_go_on() {
    for (calls, expected) in [(1, "no call is left"), (2, "open at 1")] {
        let model = ScriptedModel::new([Script::call("open", json!({})), Script::say("Done.")]);
        let graph = Desk {
            triage: Agent::new(model).tool(Safe.needing(Needs::scope("Open"))),
            billing: Agent::new(ScriptedModel::new([])),
        };
        let thread = Runtime::new(graph).journal(Memory::default()).thread("t");
        let thread = thread.grant(Grant::all().calls(calls));
        let ask = thread.run(asked("open it")).await.unwrap();
        let ask = ask.paused().unwrap();
        let run = thread.resume(ask.id, ToolAnswer::accept(json!(17))).await;
        let said = turns(&run.unwrap().finished().unwrap());
        let given = said[0].2[0].given.text();
        assert!(given.contains(expected), "{given}");
    }
}

/// A model whose turns are counted beyond the reach of journal and state.
#[tokio::test]
async fn a_visit_that_is_taken_up_again_repeats_neither_turns_nor_tools() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Deserialize, JsonSchema)]
    struct Pay {
        sum: u32,
    }

    for whole in 0..7 {
        let script = [
            Script::call("pay", json!({ "sum": 12 })),
            Script::call("transfer_to_unclear", json!({})),
        ];
        let model = ScriptedModel::new(script);
        let paid = Arc::new(AtomicU32::new(0));
        let store = Memory::default();
        let runtime = |journal: common::Stopping<Memory>| {
            let paid = Arc::clone(&paid);
            let pay = tool("pay", "Pays back.", move |pay: Pay| {
                let paid = Arc::clone(&paid);
                async move {
                    paid.fetch_add(pay.sum, Ordering::Relaxed);
                    Ok::<_, std::io::Error>("paid")
                }
            });
            Runtime::new(Desk {
                triage: Agent::new(model.clone()).tool(pay),
                billing: Agent::new(ScriptedModel::new([])),
            })
            .journal(journal)
        };
        let down = common::Stopping::after(store.clone(), whole, true);
        let died = runtime(down).thread("t").run(asked("pay")).await;
        let up = common::Stopping::after(store, u64::MAX, true);
        let again = runtime(up).thread("t").run_once(asked("pay")).await;
        let case = format!("after {whole} appends: {died:?}, {again:?}");
        let sum = paid.load(Ordering::Relaxed);
        match again {
            Ok(run) => {
                let said = turns(&run.finished().unwrap());
                assert_eq!(said[0].2[0].given, Given::Result("paid".into()), "{case}");
                assert_eq!((said.len(), sum), (2, 12), "{case}");
            }
            // It was begun, and nobody knows whether it was done.
            Err(error) => {
                assert!(matches!(error, RunError::Unknown { .. }), "{case}");
                assert!(sum <= 12, "{case}");
            }
        }
    }
}
