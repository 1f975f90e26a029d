//! What of a conversation a model sees.
//!
//! The shared log is never changed: each agent sees it in its own way, its own turns as its own, and
//! those of others as things that were said to it.

use std::fmt;
use std::sync::Arc;

use super::message::{Call, Given, Message, Turn};
use super::model::{Said, ToolCall};

/// How much of the conversation an agent's model sees.
///
/// Whatever is left out, it sees the newest message of the user, and what came with the handoff to it.
///
/// ```
/// use handoffs_runtime::agent::{History, Message};
///
/// fn short(left_out: &[&Message]) -> String {
///     format!("{} messages came before.", left_out.len())
/// }
///
/// let history = History::last(20).summary(short).without_tools();
/// ```
#[derive(Clone, Default)]
pub struct History {
    /// How many messages; none for all.
    most: Option<usize>,
    /// How many tokens at most, by what counts them.
    tokens: Option<(usize, Count)>,
    summary: Option<Summary>,
    hides_tools: bool,
}

type Count = Arc<dyn Fn(&str) -> usize + Send + Sync>;
type Summary = Arc<dyn Fn(&[&Message]) -> String + Send + Sync>;

impl History {
    /// Shows all that was said. This is the default.
    pub fn full() -> Self {
        Self::default()
    }

    /// Shows nothing that was said before.
    pub fn none() -> Self {
        Self::last(0)
    }

    /// Shows the last so many messages.
    pub fn last(messages: usize) -> Self {
        Self {
            most: Some(messages),
            ..Self::default()
        }
    }

    /// Shows in place of what is left out what this makes of it; nothing if that is empty.
    pub fn summary(
        mut self,
        summary: impl Fn(&[&Message]) -> String + Send + Sync + 'static,
    ) -> Self {
        self.summary = Some(Arc::new(summary));
        self
    }

    /// Shows as many of the newest messages as have so many tokens at most, by what counts the tokens
    /// of a text.
    pub fn tokens(
        mut self,
        most: usize,
        count: impl Fn(&str) -> usize + Send + Sync + 'static,
    ) -> Self {
        self.tokens = Some((most, Arc::new(count)));
        self
    }

    /// Shows neither calls of tools nor their results, but for those of the visit that is under way.
    pub fn without_tools(mut self) -> Self {
        self.hides_tools = true;
        self
    }

    /// Returns what an agent's model sees of what was said before its turn.
    pub(super) fn view(&self, agent: &str, messages: &[&Message]) -> Vec<Said> {
        let begin = self.begin(messages);
        let (left_out, shown) = messages.split_at(begin);
        let mut seen = Vec::new();
        let newest = left_out
            .iter()
            .rposition(|message| matches!(message, Message::User(_)));
        let has_user = shown
            .iter()
            .any(|message| matches!(message, Message::User(_)));
        let summary = self.summary.as_ref().filter(|_| !left_out.is_empty());
        let summary = summary.map(|summary| summary(left_out));
        seen.extend(summary.filter(|text| !text.is_empty()).map(Said::User));
        if let (false, Some(newest)) = (has_user, newest) {
            seen.push(Said::User(left_out[newest].text().to_owned()));
        }
        for message in shown {
            match message {
                Message::User(text) | Message::Note(text) => seen.push(Said::User(text.clone())),
                Message::Agent(turn) if turn.agent == agent => self.own(turn, &mut seen),
                Message::Agent(turn) => self.foreign(turn, &mut seen),
            }
        }
        seen.extend(package(agent, messages).map(Said::User));
        seen
    }

    /// Returns from which message on is shown.
    fn begin(&self, messages: &[&Message]) -> usize {
        let len = messages.len();
        let mut begin = self.most.map_or(0, |most| len.saturating_sub(most));
        if let Some((most, count)) = &self.tokens {
            let mut used = 0;
            for (place, message) in messages.iter().enumerate().skip(begin).rev() {
                used += count(message.text());
                if let Message::Agent(turn) = message {
                    let calls = turn.calls.iter();
                    let of_call = |call: &Call| count(&call.arguments) + count(&call.given.text());
                    used += calls.map(of_call).sum::<usize>();
                }
                if used > *most {
                    begin = place + 1;
                    break;
                }
            }
        }
        begin
    }

    fn own(&self, turn: &Turn, seen: &mut Vec<Said>) {
        if self.hides_tools {
            if !turn.text.trim().is_empty() {
                seen.push(Said::Assistant {
                    text: turn.text.clone(),
                    calls: Vec::new(),
                });
            }
        } else {
            own(turn, seen);
        }
    }

    /// Shows an agent what another one said: neither its handoffs, which would invite to copy them, nor
    /// calls of tools that it may not have.
    fn foreign(&self, turn: &Turn, seen: &mut Vec<Said>) {
        let mut lines = Vec::new();
        if !turn.text.trim().is_empty() {
            lines.push(turn.text.clone());
        }
        for call in &turn.calls {
            if let (Given::Result(result), false) = (&call.given, self.hides_tools) {
                lines.push(format!("({} returned: {result})", call.tool));
            }
        }
        if !lines.is_empty() {
            let said = lines.join("\n");
            seen.push(Said::User(format!("[{}] said: {said}", turn.agent)));
        }
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("most", &self.most)
            .field("tokens", &self.tokens.as_ref().map(|(most, _)| most))
            .finish_non_exhaustive()
    }
}

/// Shows an agent its own turn, with its calls and their results. One without either is not shown:
/// providers refuse a conversation with an empty turn.
pub(super) fn own(turn: &Turn, seen: &mut Vec<Said>) {
    if turn.text.trim().is_empty() && turn.calls.is_empty() {
        return;
    }
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

/// Puts together what comes with the handoff to an agent: by whom and why, and what the sender has
/// tried in vain. None if the conversation did not come by a handoff of another agent.
fn package(agent: &str, messages: &[&Message]) -> Option<String> {
    let Message::Agent(last) = messages.last()? else {
        return None;
    };
    let handoff = last
        .calls
        .iter()
        .find(|call| matches!(call.given, Given::Handoff(_)));
    let handoff = handoff.filter(|_| last.agent != agent)?;
    let mut lines = vec![format!("[{}] hands over to you.", last.agent)];
    let payload = handoff.arguments.trim();
    if !matches!(payload, "" | "{}") {
        lines.push(format!("Why: {payload}"));
    }
    let visit = messages.iter().rev().map_while(|message| match message {
        Message::Agent(turn) if turn.agent == last.agent => Some(turn),
        _ => None,
    });
    let mut visit: Vec<_> = visit.collect();
    visit.reverse();
    for call in visit.iter().flat_map(|turn| &turn.calls) {
        if let Given::Error(error) = &call.given {
            lines.push(format!(
                "Tried in vain: {}({}): {error}",
                call.tool, call.arguments
            ));
        }
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> Vec<Message> {
        let found = Call::new("1", "search", "{}", Given::Result("found".into()));
        let failed = Call::new("2", "pay", r#"{"sum":3}"#, Given::Error("declined".into()));
        let over = Call::new(
            "3",
            "transfer_to_b",
            r#"{"reason":"money"}"#,
            Given::Handoff("b".into()),
        );
        vec![
            Message::user("what is it?"),
            Message::Agent(Turn::new("a", "let me see", vec![found, failed])),
            Message::Agent(Turn::new("a", "", vec![over])),
        ]
    }

    fn seen(history: &History, agent: &str, messages: &[Message]) -> Vec<Said> {
        let messages: Vec<_> = messages.iter().collect();
        history.view(agent, &messages)
    }

    fn user(text: &str) -> Said {
        Said::User(text.to_owned())
    }

    const PACKAGE: &str = "[a] hands over to you.\nWhy: {\"reason\":\"money\"}\n\
        Tried in vain: pay({\"sum\":3}): declined";

    #[test]
    fn an_agent_sees_its_own_calls_with_their_results() {
        let seen = seen(&History::full(), "a", &conversation());
        assert_eq!(seen.len(), 6);
        assert!(matches!(&seen[1], Said::Assistant { calls, .. } if calls.len() == 2));
        assert!(
            matches!(&seen[5], Said::Result { id, text } if id == "3" && text.contains("\"b\""))
        );
    }

    #[test]
    fn the_turns_of_others_are_things_that_were_said_and_not_handoffs() {
        let said = "[a] said: let me see\n(search returned: found)";
        let expected = [user("what is it?"), user(said), user(PACKAGE)];
        assert_eq!(seen(&History::full(), "b", &conversation()), expected);
        let expected = [
            user("what is it?"),
            user("[a] said: let me see"),
            user(PACKAGE),
        ];
        let quiet = History::full().without_tools();
        assert_eq!(seen(&quiet, "b", &conversation()), expected);
    }

    #[test]
    fn whatever_is_left_out_the_user_and_the_package_are_seen() {
        let expected = [user("what is it?"), user(PACKAGE)];
        assert_eq!(seen(&History::none(), "b", &conversation()), expected);
        assert_eq!(seen(&History::last(1), "b", &conversation()), expected);
    }

    #[test]
    fn a_summary_stands_for_what_is_left_out() {
        let history = History::last(1).summary(|left_out| format!("{} before", left_out.len()));
        let expected = [user("2 before"), user("what is it?"), user(PACKAGE)];
        assert_eq!(seen(&history, "b", &conversation()), expected);
        let all = History::last(3).summary(|_| "unused".to_owned());
        assert_eq!(seen(&all, "b", &conversation())[0], user("what is it?"));
    }

    #[test]
    fn the_newest_messages_are_shown_as_far_as_their_tokens_go() {
        let words = |text: &str| text.split_whitespace().count();
        let talk: Vec<_> = ["one", "two words", "three more words"]
            .map(Message::user)
            .into();
        let with = |most| seen(&History::full().tokens(most, words), "b", &talk).len();
        assert_eq!((with(6), with(5), with(4), with(3)), (3, 2, 1, 1));
        let none = seen(&History::full().tokens(0, words), "b", &talk);
        assert_eq!(none, [user("three more words")], "the newest of the user");
    }

    #[test]
    fn an_agent_to_which_nobody_handed_over_gets_no_package() {
        let talk = [Message::user("hello")];
        assert_eq!(seen(&History::full(), "a", &talk), [user("hello")]);
        let mut talk = conversation();
        talk.push(Message::user("well?"));
        let last = seen(&History::full(), "b", &talk).pop();
        assert_eq!(last, Some(user("well?")));
    }

    #[test]
    fn a_blank_turn_is_shown_to_nobody() {
        let blank = Turn::new("a", " ", Vec::new());
        let talk = [Message::user("hello"), Message::Agent(blank)];
        for history in [History::full(), History::full().without_tools()] {
            for agent in ["a", "b"] {
                assert_eq!(seen(&history, agent, &talk), [user("hello")]);
            }
        }
    }
}
