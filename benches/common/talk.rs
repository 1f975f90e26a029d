//! Threads of many entries that wait for an answer.

use handoffs::prelude::*;

/// Steps between two questions, each an entry.
const STEPS: u64 = 7;

#[derive(State, Clone, Debug, Default)]
pub(crate) struct Talk {
    messages: Log<String>,
    steps: u64,
}

#[derive(Outcome)]
pub(crate) enum Next {
    Again,
    Ask,
}

/// Says something of this many bytes.
pub(crate) struct Speak(usize);

#[node(Talk)]
impl Speak {
    async fn run(&self, messages: &mut Log<String>, steps: &mut u64) -> Next {
        if self.0 > 0 {
            messages.push("m".repeat(self.0));
        }
        *steps += 1;
        if steps.is_multiple_of(STEPS) {
            Next::Ask
        } else {
            Next::Again
        }
    }
}

pub(crate) struct Listen;

#[node(Talk)]
impl Listen {
    async fn run(&self, cx: &mut Context<'_>) -> Result<(), handoffs::NodeError> {
        let _: String = cx.ask("next", "And then?").await?;
        Ok(())
    }
}

#[derive(AgentGraph)]
#[graph(state = Talk, start = speak)]
pub(crate) struct Conversation {
    #[route(Next::Again => speak(limit = 1_000_000, else = end), Next::Ask => listen)]
    speak: Speak,
    #[route(_ => speak(limit = 1_000_000, else = end))]
    listen: Listen,
}

/// A conversation in which each message has so many bytes.
pub(crate) fn conversation(message: usize) -> Runtime<Conversation> {
    Runtime::new(Conversation {
        speak: Speak(message),
        listen: Listen,
    })
}

/// Holds a conversation of so many entries in the thread `t`, which ends with a question.
pub(crate) async fn hold(message: usize, entries: u64) -> Memory {
    let journal = Memory::default();
    let thread = conversation(message).journal(journal.clone()).thread("t");
    let mut run = thread.run(Talk::default()).await.expect("a run");
    loop {
        let ask = run.paused().expect("a question");
        if ask.id.get() >= entries {
            return journal;
        }
        run = thread.resume(ask.id, "And then?").await.expect("a run");
    }
}
