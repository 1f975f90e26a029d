//! Triage by what a sentence means.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use std::fs;
use std::sync::OnceLock;

use common::mini;
use handoffs::agent::Message;
use handoffs::prelude::*;
use handoffs_candle::{Embedder, LoadError, SemanticRouter, newest_question};

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
    desk: Option<String>,
}

#[derive(Outcome, Clone, Debug, PartialEq)]
enum Triaged {
    Cards,
    Transfers,
    Unclear,
}

struct Desk(&'static str);

#[node(Ticket)]
impl Desk {
    async fn run(&self, mut desk: Out<'_, String>) {
        desk.set(self.0.to_owned());
    }
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Support {
    #[route(
        Triaged::Cards => cards,
        Triaged::Transfers => transfers,
        Triaged::Unclear => person,
    )]
    triage: SemanticRouter<Ticket, Triaged>,
    #[route(_ => end)]
    cards: Desk,
    #[route(_ => end)]
    transfers: Desk,
    #[route(_ => end)]
    person: Desk,
}

/// Returns the model, which is loaded once.
fn embedder() -> Option<Embedder> {
    static LOADED: OnceLock<Option<Embedder>> = OnceLock::new();
    let load = || mini().map(|folder| Embedder::open(folder).unwrap());
    LOADED.get_or_init(load).clone()
}

fn router(embedder: Embedder) -> SemanticRouter<Ticket, Triaged> {
    let cards = [
        "Where is my new card?",
        "My card was swallowed by the machine.",
        "I have forgotten the PIN of my card.",
        "The card was stolen!",
    ];
    let transfers = [
        "My transfer has not arrived.",
        "How long does it take to send money abroad?",
        "The money that I sent is still pending.",
        "Can I cancel a bank transfer?",
    ];
    let router = SemanticRouter::new(embedder, newest_question);
    let router = router.route(Triaged::Cards, cards).unwrap();
    let router = router.route(Triaged::Transfers, transfers).unwrap();
    router.below(0.3, Triaged::Unclear)
}

#[test]
fn sentences_that_mean_alike_lie_near() {
    let Some(embedder) = embedder() else { return };
    let point = |text: &str| embedder.embed(text).unwrap();
    let near =
        |a: &str, b: &str| -> f32 { point(a).iter().zip(point(b)).map(|(a, b)| a * b).sum() };
    let same = near(
        "How do I change my PIN?",
        "I want another secret number for my card.",
    );
    let other = near("How do I change my PIN?", "The weather is lovely today.");
    assert!(same > other + 0.2, "{same} {other}");
    let itself = near("How do I change my PIN?", "How do I change my PIN?");
    assert!((itself - 1.0).abs() < 1e-5, "{itself}");
    let long = "money ".repeat(2_000);
    assert_eq!(point(&long).len(), 384, "what is too long is cut");
}

#[tokio::test]
async fn a_question_finds_its_desk_and_what_fits_nowhere_the_named_outcome() {
    let Some(embedder) = embedder() else { return };
    let runtime = Runtime::new(Support {
        triage: router(embedder),
        cards: Desk("cards"),
        transfers: Desk("transfers"),
        person: Desk("person"),
    });
    for (question, desk) in [
        ("the ATM ate my card", "cards"),
        (
            "I sent money to my brother and he did not get it",
            "transfers",
        ),
        ("What is the best recipe for apple pie?", "person"),
    ] {
        let messages = Log::from(vec![Message::user("Hello!"), Message::user(question)]);
        let ticket = Ticket {
            messages,
            desk: None,
        };
        let run = runtime.thread("t").run(ticket).await.unwrap();
        let ticket = run.finished().unwrap();
        assert_eq!(ticket.desk.as_deref(), Some(desk), "{question}");
    }
}

#[test]
fn without_examples_there_is_no_way() {
    let Some(embedder) = embedder() else { return };
    let router = SemanticRouter::<Ticket, Triaged>::new(embedder, newest_question);
    let error = router.outcome_of("Where is my card?").unwrap_err();
    assert!(matches!(error, LoadError::Unfit(_)), "{error}");
}

#[test]
fn what_is_no_model_is_an_error_that_names_the_file() {
    let error = Embedder::open("/no/such/folder").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`/no/such/folder/config.json` cannot be read"
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), "{}").unwrap();
    let error = Embedder::open(folder.path()).unwrap_err();
    assert!(matches!(error, LoadError::Unfit(_)), "{error}");
}
