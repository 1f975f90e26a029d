//! What rig's model replied, in our words.

use handoffs::Usage;
use handoffs::agent::{ModelError, Reply, ToolCall};
use rig_core::completion::CompletionResponse;
use rig_core::message::turn_failure;

pub(crate) fn reply(response: &CompletionResponse) -> Result<Reply, ModelError> {
    let (stop, finish) = (response.stop(), response.finish_reason());
    if let Some(why) = turn_failure(&response.choice, Some(&stop), finish.as_ref()) {
        return Err(ModelError::Refused(why));
    }
    let mut reply = Reply::text(response.text());
    for call in response.tool_calls() {
        let function = &call.function;
        let arguments = match &function.invalid_arguments {
            // As the model wrote them: it is told what is wrong.
            Some(text) => text.clone(),
            None => function.arguments_value().to_string(),
        };
        reply = reply.call(ToolCall::new(
            call.id.to_string(),
            function.name.as_str(),
            arguments,
        ));
    }
    reply.usage = usage(&response.usage);
    Ok(reply)
}

/// Returns what was used up; none if the provider says nothing.
fn usage(usage: &rig_core::completion::Usage) -> Option<Usage> {
    if !usage.is_reported() {
        return None;
    }
    let (input, output) = (usage.input_tokens, usage.output_tokens);
    let tokens = Usage::tokens(input.unwrap_or(0), output.unwrap_or(0));
    let cost = usage.cost.map_or(0, |cost| micros(cost.total));
    Some(tokens + Usage::cost_micros(cost))
}

/// Returns dollars in millionths, rounded up: what was paid is never nothing.
fn micros(dollars: f64) -> u64 {
    let micros = (dollars * 1e6).ceil();
    if micros >= 1.0 {
        // Above 2^64 it is the highest.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is above zero, and a cast saturates"
        )]
        return micros as u64;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_paid_is_never_nothing() {
        assert_eq!(micros(0.0), 0);
        assert_eq!(micros(0.000_000_2), 1);
        assert_eq!(micros(1.25), 1_250_000);
        assert_eq!(micros(f64::NAN), 0);
        assert_eq!(micros(-1.0), 0);
        assert_eq!(micros(f64::INFINITY), u64::MAX);
    }

    #[test]
    fn a_provider_that_says_nothing_of_usage_has_not_said_zero() {
        let nothing = rig_core::completion::Usage::new();
        assert_eq!(usage(&nothing), None);
        let read = usage(&nothing.input_tokens(7)).unwrap_or_default();
        assert_eq!((read.input_tokens, read.output_tokens), (7, 0));
    }
}
