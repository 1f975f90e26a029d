//! Times, durations and values in few words.

use std::time::Duration;

use jiff::{SpanRelativeTo, Timestamp};

use crate::{Status, Usage};

/// How many letters a value has in a table at most.
const WIDEST: usize = 60;

/// Writes a time of an entry, in UTC.
pub(super) fn time(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).map_or(Timestamp::MAX, |at_ms| {
        Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX)
    });
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Reads an age, as `30d` or `1w 12h`; a day has 24 hours.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    let wrong = |error: jiff::Error| format!("{error}; write it as 30d, 12h or 1w");
    let span: jiff::Span = text.parse().map_err(wrong)?;
    let age = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(wrong)?;
    age.try_into().map_err(wrong)
}

/// Writes how long something took.
pub(super) fn took(took_ms: u64) -> String {
    let seconds = took_ms / 1000;
    match seconds {
        0 => format!("{took_ms} ms"),
        1..60 => format!("{seconds}.{} s", took_ms % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Writes how many bytes there are.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Cuts a text off that is too long for a table.
pub(super) fn short(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    if text.chars().count() <= WIDEST {
        return text;
    }
    let cut: String = text.chars().take(WIDEST - 1).collect();
    format!("{cut}…")
}

/// Writes what was used up, or nothing.
pub(super) fn usage(usage: &Usage) -> String {
    let mut parts = Vec::new();
    if usage.calls > 0 {
        parts.push(count(usage.calls, "call"));
    }
    if usage.input_tokens + usage.output_tokens > 0 {
        parts.push(format!(
            "{} + {} tokens",
            usage.input_tokens, usage.output_tokens
        ));
    }
    if usage.cost_micros > 0 {
        parts.push(cost(usage.cost_micros));
    }
    parts.join(", ")
}

/// Writes a price in units of its currency.
pub(super) fn cost(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Writes a number with what it counts.
pub(super) fn count(number: u64, what: &str) -> String {
    let plural = match what.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{what}s"),
    };
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {plural}"),
    }
}

/// Writes where a thread stands.
pub(super) fn status(status: &Status<Vec<String>>) -> String {
    match status {
        Status::Unfinished(nodes) if nodes.is_empty() => "unfinished, at its start".to_owned(),
        Status::Unfinished(nodes) => format!("unfinished, at {}", nodes.join(", ")),
        Status::Paused(ask) => format!("paused, {} asks", ask.node),
        Status::Failed { node, error, .. } => match node.as_slice() {
            [] => format!("failed: {}", cause(error)),
            nodes => format!("failed at {}: {}", nodes.join(", "), cause(error)),
        },
        Status::Finished => "finished".to_owned(),
        Status::Abandoned { why, .. } => format!("abandoned: {why}"),
        _ => "new".to_owned(),
    }
}

/// Returns what a recorded error says behind what every failed node's does.
pub(super) fn cause(error: &str) -> &str {
    match error.split_once("`recover` tries it again: ") {
        Some((_, cause)) => cause,
        None => error,
    }
}

/// Names where a thread stands, for programs.
pub(super) const fn status_name(status: &Status<Vec<String>>) -> &'static str {
    match status {
        Status::Unfinished(_) => "unfinished",
        Status::Paused(_) => "paused",
        Status::Failed { .. } => "failed",
        Status::Finished => "finished",
        Status::Abandoned { .. } => "abandoned",
        _ => "new",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(time(0), "1970-01-01 00:00:00Z");
        assert_eq!(time(1_795_284_005_123), "2026-11-21 18:00:05Z");
        assert!(time(u64::MAX).starts_with("9999"));
    }

    #[test]
    fn an_age_is_a_number_with_a_unit() {
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(age("30d"), Ok(day * 30));
        assert_eq!(age("1w"), Ok(day * 7));
        assert_eq!(age("1h 30m"), Ok(Duration::from_secs(5400)));
        assert!(age("30").is_err());
        assert!(age("-1d").is_err());
    }

    #[test]
    fn how_long_and_how_much_are_written_in_few_words() {
        assert_eq!(took(12), "12 ms");
        assert_eq!(took(1_250), "1.2 s");
        assert_eq!(took(125_000), "2 min 5 s");
        assert_eq!(took(3_725_000), "1 h 2 min");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_250), "1.2 kB");
        assert_eq!(bytes(12_345_678), "12.3 MB");
        assert_eq!(cost(1_000_012), "1.000012");
        assert_eq!(
            (count(1, "entry"), count(2, "entry")),
            ("1 entry".into(), "2 entries".into())
        );
        assert_eq!(short(&"a".repeat(61)).chars().count(), 60);
    }
}
