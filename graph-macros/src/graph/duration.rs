//! Durations as they are written in attributes: `"200ms"`, `"1m 30s"`.

use core::time::Duration;

/// The units, from the longest on, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads a duration: whole numbers with units, each unit shorter than the one before.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut units = UNITS.iter();
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let digits = split(rest, |letter| letter.is_ascii_digit());
        let unit = split(digits.1, |letter| letter.is_ascii_alphabetic());
        let number: u64 = digits.0.parse().ok()?;
        let (_, length) = units.find(|(name, _)| *name == unit.0)?;
        sum = sum.checked_add(number.checked_mul(*length)?)?;
        rest = unit.1.trim_start();
    }
    (!text.trim().is_empty()).then(|| Duration::from_millis(sum))
}

/// Splits a text behind the letters that fit.
fn split(text: &str, fits: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|letter| !fits(letter)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_the_sum_of_its_parts() {
        let millis = |text| parse(text).unwrap().as_millis();
        assert_eq!(millis("200ms"), 200);
        assert_eq!(millis("5s"), 5_000);
        assert_eq!(millis("1m 30s"), 90_000);
        assert_eq!(millis("1m30s"), 90_000);
        assert_eq!(millis("1h"), 3_600_000);
        assert_eq!(millis(" 2d 1ms "), 172_800_001);
        assert_eq!(millis("0s"), 0);
    }

    #[test]
    fn what_is_no_duration_is_none() {
        let most = "213503982334d 14h";
        assert!(parse(most).is_some());
        for text in [
            "",
            " ",
            "5",
            "s",
            "5 s",
            "1.5s",
            "-1s",
            "5sec",
            "5S",
            "30s 1m",
            "1s 1s",
            "s5",
            "5s!",
            "213503982335d",
            "99999999999999999999s",
            "µs",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
