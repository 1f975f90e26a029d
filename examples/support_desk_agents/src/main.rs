//! A support desk whose nodes are agents: `cargo run -p support_desk_agents`.
//!
//! Without more, scripted models speak, so it needs neither a key nor a network. With `HANDOFFS_MODEL` (and
//! `HANDOFFS_BASE_URL`, `HANDOFFS_API_KEY`) it is a model of any endpoint that speaks OpenAI's chat
//! completions; with `--features local` and `HANDOFFS_LOCAL_MODEL`, a GGUF file, one on this machine.
#![allow(clippy::print_stdout, reason = "a program of the command line")]

mod bank;
mod graph;
mod models;
mod show;
#[cfg(test)]
mod tests;

use std::env;
use std::error::Error;

use futures::StreamExt;
use handoffs::prelude::*;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use bank::Bank;
use graph::{SupportDesk, Ticket};
use models::{Models, QUESTION};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let question = if arguments.is_empty() {
        QUESTION.to_owned()
    } else {
        arguments.join(" ")
    };
    let desk = SupportDesk::new(Models::from_env()?, &Bank::default());
    let journal = Sqlite::open("support_desk_agents.db").await?;
    let runtime = Runtime::new(desk).journal(journal);
    let thread = runtime.thread("customer-42");

    // Whoever asks again goes on with the conversation.
    let ticket = match thread.status().await? {
        Status::Finished => thread.state().await?,
        _ => Ticket {
            customer: "customer-42".to_owned(),
            ..Ticket::default()
        },
    };
    println!("> {question}");
    let mut events = match thread.status().await? {
        // Cut off, by a crash or by Ctrl-C: nothing that was done is done again.
        Status::Unfinished(_) | Status::Failed { .. } => thread.recover_stream(),
        Status::Paused(ask) => thread.resume_stream(ask.id, answer(&ask).await?)?,
        _ => thread.stream(ticket.ask(&question)),
    };
    loop {
        let mut paused = None;
        while let Some(event) = events.next().await {
            let event = event?;
            show::event(&event);
            if let Event::Paused(ask) = event {
                paused = Some(ask);
            }
        }
        let Some(ask) = paused else { break };
        events = thread.resume_stream(ask.id, answer(&ask).await?)?;
    }
    println!(
        "\n{}\n\n{}",
        thread.state().await?.answer(),
        thread.meter().await?
    );
    Ok(())
}

/// Asks whoever sits at the terminal.
async fn answer(ask: &Ask) -> Result<serde_json::Value, Box<dyn Error>> {
    println!("{} asks: {}", ask.node, ask.question);
    let mut line = String::new();
    BufReader::new(stdin()).read_line(&mut line).await?;
    Ok(serde_json::json!({ "text": line.trim() }))
}
