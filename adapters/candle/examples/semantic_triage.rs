//! The triage of the support desk by what a question means, learned from examples of the banking77 data set.
//!
//! `semantic_triage MODEL TRAIN.csv QUESTION`, or `semantic_triage MODEL TRAIN.csv DEV.csv` to see how often it is
//! right. MODEL is the folder `all-MiniLM-L6-v2`; the files have the columns `text,category`.
//!
//! Set `RAYON_NUM_THREADS=1` where the cores are shared.
#![expect(clippy::print_stdout, reason = "a program for people prints")]

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use handoffs::agent::Message;
use handoffs::eval::{Case, Eval};
use handoffs::prelude::*;
use handoffs_candle::{Embedder, SemanticRouter, newest_question};

#[path = "../../../examples/support_desk/intents.rs"]
#[allow(dead_code, reason = "the support desk prints more of them")]
mod intents;

use intents::intent;

/// So many sentences of each intent are learned, the first of the file.
const EXAMPLES: usize = 40;

/// What is no nearer to an example than this is for a person.
const LEAST: f32 = 0.4;

#[derive(State, Clone)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
}

#[derive(Outcome, Clone)]
enum Triaged {
    Cards,
    Transfers,
    Charges,
    Access,
    /// It is nothing that a desk was ever asked.
    Unclear,
}

/// Returns what triage concludes of a question for this desk.
fn concluded(desk: intents::Desk) -> Triaged {
    match desk {
        intents::Desk::Cards => Triaged::Cards,
        intents::Desk::Transfers => Triaged::Transfers,
        intents::Desk::Charges => Triaged::Charges,
        intents::Desk::Access => Triaged::Access,
    }
}

/// A desk that says who it is.
struct Desk(&'static str);

#[node(Ticket)]
impl Desk {
    async fn run(&self, messages: &mut Log<Message>) {
        messages.push(Message::note(format!("{} will answer.", self.0)));
    }
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Support {
    #[route(
        Triaged::Cards => cards,
        Triaged::Transfers => transfers,
        Triaged::Charges => charges,
        Triaged::Access => access,
        Triaged::Unclear => person,
    )]
    triage: SemanticRouter<Ticket, Triaged>,
    #[route(_ => end)]
    cards: Desk,
    #[route(_ => end)]
    transfers: Desk,
    #[route(_ => end)]
    charges: Desk,
    #[route(_ => end)]
    access: Desk,
    #[route(_ => end)]
    person: Desk,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [model, train, asked] = &words[..] else {
        return Err("usage: semantic_triage MODEL TRAIN.csv (QUESTION | DEV.csv)".into());
    };
    let began = Instant::now();
    let embedder = Embedder::open(model)?;
    println!("loaded in {:.1?}", began.elapsed());
    let support = Support {
        triage: learn(embedder, Path::new(train))?,
        cards: Desk("The cards desk"),
        transfers: Desk("The transfers desk"),
        charges: Desk("The charges desk"),
        access: Desk("The access desk"),
        person: Desk("A person"),
    };
    if Path::new(asked).is_file() {
        let questions = questions(Path::new(asked))?.into_iter();
        let cases = questions.map(|it| Case::new(ticket(&it.text), it.desk.name()).named(it.text));
        let eval = Eval::new(&support, "triage")?.show_progress();
        println!("{}", eval.run(cases).await?);
        return Ok(());
    }
    let run = Runtime::new(support)
        .thread("one")
        .run(ticket(asked))
        .await?;
    let answered = run.finished().ok_or("nobody was asked anything")?;
    if let Some(answer) = answered.messages.last() {
        println!("{}", answer.text());
    }
    Ok(())
}

fn ticket(question: &str) -> Ticket {
    Ticket {
        messages: Log::from(vec![Message::user(question)]),
    }
}

/// Learns the first questions of each intent.
fn learn(
    embedder: Embedder,
    train: &Path,
) -> Result<SemanticRouter<Ticket, Triaged>, Box<dyn Error>> {
    let began = Instant::now();
    let mut kept = BTreeMap::<_, usize>::new();
    let mut sentences = BTreeMap::<_, Vec<String>>::new();
    for question in questions(train)? {
        let count = kept.entry(question.category).or_default();
        *count += 1;
        if *count <= EXAMPLES {
            let sentences = sentences.entry(question.desk).or_default();
            sentences.push(question.text);
        }
    }
    let count: usize = sentences.values().map(Vec::len).sum();
    let mut router = SemanticRouter::new(embedder, newest_question);
    for (desk, sentences) in sentences {
        router = router.route(concluded(desk), sentences)?;
    }
    println!("{count} sentences learned in {:.1?}", began.elapsed());
    Ok(router.below(LEAST, Triaged::Unclear))
}

/// Somebody's question, and what it was about.
struct Question {
    text: String,
    category: String,
    desk: intents::Desk,
}

fn questions(file: &Path) -> Result<Vec<Question>, Box<dyn Error>> {
    let mut rows = csv::Reader::from_path(file)?;
    let questions = rows.deserialize().map(|row| {
        let (text, category): (String, String) = row?;
        let (_, desk) = intent(&category).ok_or_else(|| format!("no desk for `{category}`"))?;
        Ok(Question {
            text,
            category,
            desk,
        })
    });
    questions.collect()
}
