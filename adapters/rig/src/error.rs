//! What went wrong at rig's model, in our words.

use std::time::{Duration, SystemTime};

use handoffs::agent::ModelError;
use http::{HeaderMap, StatusCode, header};
use rig_core::ProviderResponseError;
use rig_core::error::{ProviderError, transient_transport};
use rig_core::http_client;

/// Says what went wrong with a reply in one piece: one that breaks off was sent so, and will be again.
pub(crate) fn of_whole(error: ProviderError) -> ModelError {
    match error {
        ProviderError::Truncated => unreadable(&error),
        error => model_error(error),
    }
}

pub(crate) fn model_error(error: ProviderError) -> ModelError {
    match &error {
        ProviderError::ProviderResponse(response) => refused(response, &error),
        ProviderError::Http(cause) => match &**cause {
            http_client::Error::InvalidContentType(_) => unreadable(&error),
            cause if transient_transport(cause) => ModelError::Unreachable(error.into()),
            _ => ModelError::Refused(error.to_string()),
        },
        ProviderError::Truncated => ModelError::Unreachable(error.into()),
        ProviderError::Json(_) | ProviderError::Response(_) => unreadable(&error),
        ProviderError::Relayed(report) if report.retryable => ModelError::Unreachable(error.into()),
        _ => ModelError::Refused(error.to_string()),
    }
}

fn unreadable(error: &ProviderError) -> ModelError {
    ModelError::Unreadable(error.to_string())
}

/// Tells apart who is to ask later, ask again or not ask again.
fn refused(response: &ProviderResponseError, error: &ProviderError) -> ModelError {
    const OVERLOADED: u16 = 529;
    let status = response.status.map_or(0, |status| status.as_u16());
    let is_busy = StatusCode::TOO_MANY_REQUESTS == status
        || StatusCode::SERVICE_UNAVAILABLE == status
        || OVERLOADED == status;
    // OpenAI says so of an account without money, in the words of a limit.
    let is_for_good = response.machine_code().as_deref() == Some("insufficient_quota");
    if is_for_good || !error.is_retryable() {
        ModelError::Refused(error.to_string())
    } else if is_busy {
        let headers = response.headers.as_ref();
        ModelError::busy(headers.and_then(|headers| retry_after(headers, SystemTime::now())))
    } else {
        ModelError::Unreachable(error.clone().into())
    }
}

/// Reads when to ask again: in milliseconds, as OpenAI and Azure say it, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let millis = text(header::HeaderName::from_static("retry-after-ms"));
    if let Some(millis) = millis.and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let text = text(header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn response(status: u16, body: &str, headers: &[(&'static str, &'static str)]) -> ModelError {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, header::HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let response = ProviderResponseError::new(status, body).with_headers(Some(map));
        model_error(ProviderError::ProviderResponse(response))
    }

    fn busy(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        match response(429, "slow down", headers) {
            ModelError::Busy { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_busy_model_says_when_to_ask_again() {
        assert_eq!(busy(&[]), None);
        let seconds = Duration::from_secs;
        assert_eq!(busy(&[("retry-after", "20")]), Some(seconds(20)));
        assert_eq!(
            busy(&[("retry-after", "1"), ("retry-after-ms", "250")]),
            Some(Duration::from_millis(250))
        );
        let past = [("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")];
        assert_eq!(busy(&past), Some(Duration::ZERO));
        for nonsense in ["soon", "-3", "NaN", ""] {
            assert_eq!(busy(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }

    #[test]
    fn a_date_is_as_long_as_it_is_from_now() -> Result<(), Box<dyn Error>> {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT")?;
        let mut headers = HeaderMap::new();
        let at = header::HeaderValue::from_static("Wed, 21 Oct 2015 07:29:30 GMT");
        headers.insert(header::RETRY_AFTER, at);
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(90)));
        Ok(())
    }

    #[test]
    fn what_may_succeed_later_is_transient_and_nothing_else() {
        for status in [408, 425, 429, 500, 502, 503, 504, 529] {
            assert!(response(status, "", &[]).is_transient(), "{status}");
        }
        for status in [400, 401, 403, 404, 413, 422] {
            let error = response(status, "no such model", &[]);
            assert!(matches!(&error, ModelError::Refused(text) if text.contains("no such model")));
        }
        let broke = r#"{"error":{"code":"insufficient_quota","message":"pay"}}"#;
        assert!(!response(429, broke, &[]).is_transient());
    }

    #[test]
    fn what_was_cut_off_is_unreachable_and_nonsense_unreadable() {
        let error = model_error(ProviderError::Truncated);
        assert!(matches!(error, ModelError::Unreachable(_)));
        let error = of_whole(ProviderError::Truncated);
        assert!(matches!(error, ModelError::Unreadable(_)));
        let error = model_error(ProviderError::Response("no choices".to_owned()));
        assert!(matches!(error, ModelError::Unreadable(_)));
    }
}
