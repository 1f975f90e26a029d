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

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    #[state(messages)]
    messages: Log<Message>,
}

#[derive(Outcome, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Triaged {
    Cards,
    Transfers,
    Charges,
    Access,
    /// It is nothing that a desk was ever asked.
    Unclear,
}

impl From<intents::Desk> for Triaged {
    fn from(desk: intents::Desk) -> Self {
        match desk {
            intents::Desk::Cards => Self::Cards,
            intents::Desk::Transfers => Self::Transfers,
            intents::Desk::Charges => Self::Charges,
            intents::Desk::Access => Self::Access,
        }
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
    let triage = learn(embedder, Path::new(train))?;
    if Path::new(asked).is_file() {
        return examine(&triage, Path::new(asked));
    }
    let runtime = Runtime::new(Support {
        triage,
        cards: Desk("The cards desk"),
        transfers: Desk("The transfers desk"),
        charges: Desk("The charges desk"),
        access: Desk("The access desk"),
        person: Desk("A person"),
    });
    let messages = Log::from(vec![Message::user(asked.as_str())]);
    let run = runtime.thread("one").run(Ticket { messages }).await?;
    let ticket = run.finished().ok_or("nobody was asked anything")?;
    if let Some(answer) = ticket.messages.last() {
        println!("{}", answer.text());
    }
    Ok(())
}

/// Learns the first questions of each intent.
fn learn(
    embedder: Embedder,
    train: &Path,
) -> Result<SemanticRouter<Ticket, Triaged>, Box<dyn Error>> {
    let began = Instant::now();
    let mut kept = BTreeMap::<_, usize>::new();
    let mut sentences = BTreeMap::<Triaged, Vec<String>>::new();
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
        router = router.route(desk, sentences)?;
    }
    println!("{count} sentences learned in {:.1?}", began.elapsed());
    Ok(router.below(LEAST, Triaged::Unclear))
}

/// Says how often the triage is right.
fn examine(triage: &SemanticRouter<Ticket, Triaged>, dev: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    // By desk: how many questions, how many of them went there, how many to a person.
    let mut desks = BTreeMap::<Triaged, [u32; 3]>::new();
    for Question { text, desk, .. } in questions(dev)? {
        let found = triage.outcome_of(&text)?;
        let [all, right, unclear] = desks.entry(desk).or_default();
        *all += 1;
        *right += u32::from(found == desk);
        *unclear += u32::from(found == Triaged::Unclear);
    }
    let mut sum = [0; 3];
    for counts in desks.values() {
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    for (name, [all, right, unclear]) in desks
        .iter()
        .map(|(desk, counts)| (format!("{desk:?}"), *counts))
        .chain([("all".to_owned(), sum)])
    {
        let percent = |count: u32| 100.0 * f64::from(count) / f64::from(all.max(1));
        println!(
            "{name:>9}: {all:>4} questions, {:>5.1} % right, {:>4.1} % to a person, {:>4.1} % wrong",
            percent(right),
            percent(unclear),
            percent(all - right - unclear),
        );
    }
    let took = began.elapsed();
    println!("{:.1?} a question", took / sum[0].max(1));
    Ok(())
}

/// Somebody's question, and what it was about.
struct Question {
    text: String,
    category: String,
    desk: Triaged,
}

fn questions(file: &Path) -> Result<Vec<Question>, Box<dyn Error>> {
    let mut rows = csv::Reader::from_path(file)?;
    let questions = rows.deserialize().map(|row| {
        let (text, category): (String, String) = row?;
        let (_, desk) = intent(&category).ok_or_else(|| format!("no desk for `{category}`"))?;
        let desk = desk.into();
        Ok(Question {
            text,
            category,
            desk,
        })
    });
    questions.collect()
}
