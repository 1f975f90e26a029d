//! What a run tells, on the terminal.

use std::io::{self, Write};

use handoffs::agent::AgentEvent;
use handoffs::prelude::*;

use crate::graph::SupportDesk;

/// Shows an event; pieces of a text as they come.
pub(crate) fn event(event: &Event<SupportDesk>) {
    match event {
        Event::Entered { node, .. } => println!("[{node}]"),
        Event::Stepped { to, masked, .. } => match masked {
            Some(masked) => println!("  -> {to}, as the way there is closed: {masked:?}"),
            None => println!("  -> {to}"),
        },
        Event::Attempted { error, delay, .. } => {
            println!("  failed: {error}; again in {delay:?}");
        }
        Event::Caught { error, to, .. } => println!("  failed: {error}\n  -> {to}"),
        Event::Agent { event, .. } => agent(event),
        _ => {}
    }
}

fn agent(event: &AgentEvent) {
    match event {
        AgentEvent::Said(piece) => {
            print!("{piece}");
            // A terminal that is gone is no reason to stop.
            let _ = io::stdout().flush();
        }
        AgentEvent::Called(call) => println!("  {}({})", call.tool, call.arguments),
        AgentEvent::Returned { given, .. } => println!("  = {}", given.text()),
        AgentEvent::Mistake { told, .. } => println!("  told: {told}"),
        _ => {}
    }
}
