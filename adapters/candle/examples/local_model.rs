//! Talks to a language model in this process, or has it choose a desk for questions of banking77.
//!
//! `local_model MODEL.gguf QUESTION`, or `local_model MODEL.gguf DEV.csv` to see how often its choice is right: of the
//! file, every twentieth question is asked.
//!
//! Set `RAYON_NUM_THREADS=1` where the cores are shared.
#![expect(clippy::print_stdout, reason = "a program for people prints")]

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use handoffs::agent::{Choice, Model, Request, Said, ToolSpec};
use handoffs_candle::LocalModel;
use serde_json::json;

#[path = "../../../examples/support_desk/intents.rs"]
#[allow(dead_code, reason = "the support desk prints more of them")]
mod intents;

use intents::{Desk, intent};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [model, asked] = &words[..] else {
        return Err("usage: local_model MODEL.gguf (QUESTION | DEV.csv)".into());
    };
    let began = Instant::now();
    let model = LocalModel::open(model)?;
    println!("loaded in {:.1?}", began.elapsed());
    if Path::new(asked).is_file() {
        return choose(&model, Path::new(asked)).await;
    }
    let began = Instant::now();
    let said = |piece: &str| {
        print!("{piece}");
        // A terminal that is gone is nobody to tell.
        drop(io::stdout().flush());
    };
    let reply = model.turn(&request(asked), &said).await?;
    let seconds = began.elapsed().as_secs_f64();
    let usage = reply.usage.unwrap_or_default();
    let (read, wrote) = (usage.input_tokens, usage.output_tokens);
    println!("\n\n{read} tokens read, {wrote} written in {seconds:.1} s");
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let memory = status.lines().find(|line| line.starts_with("VmHWM"));
        println!("{}", memory.unwrap_or_default());
    }
    Ok(())
}

fn request(question: &str) -> Request {
    let mut request = Request::default();
    request.instructions = String::from("You are a helpful assistant of a bank.");
    request.messages = vec![Said::User(question.to_owned())];
    request
}

/// Has the model choose a desk, as an agent at the door would.
async fn choose(model: &LocalModel, dev: &Path) -> Result<(), Box<dyn Error>> {
    let about = |desk| match desk {
        Desk::Cards => "the card itself: delivery, PIN, loss, a card that is refused",
        Desk::Transfers => "money on its way: transfers, top-ups, the balance",
        Desk::Charges => "what something cost: fees, refunds, exchange rates, disputes",
        Desk::Access => "the account: sign-in, identity, opening and closing",
    };
    let nothing = json!({ "type": "object", "properties": {}, "required": [] });
    let tool = |desk: Desk| format!("transfer_to_{}", desk.name());
    let tools = Desk::ALL.map(|desk| ToolSpec::new(tool(desk), about(desk), nothing.clone()));
    let began = Instant::now();
    let (mut all, mut right) = (0_u32, 0_u32);
    let mut rows = csv::Reader::from_path(dev)?;
    for row in rows.deserialize().step_by(20) {
        let (text, category): (String, String) = row?;
        let (_, desk) = intent(&category).ok_or_else(|| format!("no desk for `{category}`"))?;
        let mut request = request(&text);
        request.tools = tools.to_vec();
        request.choice = Choice::Required;
        let reply = model.turn(&request, &|_| {}).await?;
        all += 1;
        right += u32::from(reply.calls.iter().any(|call| call.tool == tool(desk)));
    }
    let each = began.elapsed() / all.max(1);
    println!("{right} of {all} went to the right desk, {each:.1?} a question");
    Ok(())
}
