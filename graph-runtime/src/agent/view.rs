//! What of a conversation a model sees.
//!
//! The shared log is never changed: each agent sees it in its own way, its own turns as its own, and
//! those of others as things that were said to it.

use super::message::{Given, Message, Turn};
use super::model::{Said, ToolCall};

/// How much of the conversation an agent's model sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum History {
    /// All that was said.
    #[default]
    Full,
    /// Nothing but the newest message of the user.
    None,
    /// The last so many messages.
    Last(usize),
}

impl History {
    /// Returns what an agent's model sees of what was said before its turn.
    pub(super) fn view<'a>(
        self,
        agent: &str,
        messages: impl DoubleEndedIterator<Item = &'a Message> + ExactSizeIterator + Clone,
    ) -> Vec<Said> {
        let newest = messages
            .clone()
            .rposition(|message| matches!(message, Message::User(_)));
        let len = messages.len();
        let begin = match self {
            Self::Full => 0,
            Self::None => newest.unwrap_or(len),
            // Whatever is left out, what the user wants is seen.
            Self::Last(most) => len.saturating_sub(most).min(newest.unwrap_or(len)),
        };
        let mut seen = Vec::new();
        for (place, message) in messages.enumerate() {
            let is_within = match self {
                Self::None => Some(place) == newest,
                Self::Last(most) => place + most >= len || Some(place) == newest,
                Self::Full => true,
            };
            if place < begin || !is_within {
                continue;
            }
            match message {
                Message::User(text) | Message::Note(text) => seen.push(Said::User(text.clone())),
                Message::Agent(turn) if turn.agent == agent => own(turn, &mut seen),
                Message::Agent(turn) => foreign(turn, &mut seen),
            }
        }
        seen
    }
}

/// Shows an agent its own turn, with its calls and their results.
pub(super) fn own(turn: &Turn, seen: &mut Vec<Said>) {
    let calls = turn.calls.iter();
    let calls = calls.map(|call| ToolCall::new(&*call.id, &*call.tool, &*call.arguments));
    seen.push(Said::Assistant {
        text: turn.text.clone(),
        calls: calls.collect(),
    });
    for call in &turn.calls {
        seen.push(Said::Result {
            id: call.id.clone(),
            text: call.given.text().into_owned(),
        });
    }
}

/// Shows an agent what another one said: neither its handoffs, which would invite to copy them, nor
/// calls of tools that it has not.
fn foreign(turn: &Turn, seen: &mut Vec<Said>) {
    let mut text = turn.text.clone();
    for call in &turn.calls {
        if let Given::Result(result) = &call.given {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("({} returned: {result})", call.tool));
        }
    }
    if !text.is_empty() {
        seen.push(Said::User(format!("[{}] said: {text}", turn.agent)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Call;
    use super::*;

    fn conversation() -> Vec<Message> {
        let call = Call::new("1", "search", "{}", Given::Result("found".into()));
        let over = Call::new("2", "transfer_to_b", "{}", Given::Handoff("b".into()));
        vec![
            Message::user("what is it?"),
            Message::Agent(Turn::new("a", "let me see", vec![call, over])),
        ]
    }

    #[test]
    fn an_agent_sees_its_own_calls_with_their_results() {
        let seen = History::Full.view("a", conversation().iter());
        assert_eq!(seen.len(), 4);
        assert!(matches!(&seen[1], Said::Assistant { calls, .. } if calls.len() == 2));
        assert!(
            matches!(&seen[3], Said::Result { id, text } if id == "2" && text.contains("\"b\""))
        );
    }

    #[test]
    fn the_turns_of_others_are_things_that_were_said_and_not_handoffs() {
        let seen = History::Full.view("b", conversation().iter());
        let said = "[a] said: let me see\n(search returned: found)";
        assert_eq!(
            seen,
            [Said::User("what is it?".into()), Said::User(said.into())]
        );
    }

    #[test]
    fn whatever_is_left_out_what_the_user_wants_is_seen() {
        let talk = conversation();
        assert_eq!(
            History::None.view("b", talk.iter()),
            [Said::User("what is it?".into())]
        );
        assert_eq!(History::Last(1).view("b", talk.iter()).len(), 2);
    }
}
