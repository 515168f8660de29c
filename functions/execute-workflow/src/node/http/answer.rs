//! What comes back.

use std::{collections::BTreeSet, time::Duration};

use ::http::StatusCode;
use jiff::fmt::rfc2822;
use serde_json::{Value, json};
use shared::{
    clock::SharedClock,
    egress::EgressResponse,
    graph::ResponseFormat,
    inputs::{Extent, MAX_RESULT_BYTES},
};

use super::{CONTENT_TYPE, Call, Failure, stored};
use crate::AppState;

/// Why an answer fails the node; `None` if it does not.
pub(super) fn failure_of(
    response: &EgressResponse,
    success_codes: Option<&BTreeSet<u16>>,
    clock: &SharedClock,
) -> Option<Failure> {
    let status = StatusCode::from_u16(response.status).ok()?;
    let is_success = match success_codes {
        Some(codes) => codes.contains(&response.status),
        None => status.is_success() || status.is_redirection(),
    };
    if is_success {
        return None;
    }
    let message = format!("the server answered {status}");
    let may_help = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
    if !may_help {
        return Some(Failure::permanent("failed_precondition", message));
    }
    // These come from something between: nobody knows how far the request has got.
    let is_unknown = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT
    );
    let retry_after = response.headers.get("retry-after");
    let retry_after = retry_after.and_then(|value| parse_retry_after(value, clock));
    let failure = Failure::transient("unavailable", message).with_retry_after(retry_after);
    Some(match is_unknown {
        true => failure.perhaps_done(),
        false => failure,
    })
}

/// `{ status, headers, body }`: a body that is too large or binary is stored.
pub(super) async fn output(
    format: ResponseFormat,
    response: EgressResponse,
    state: &AppState,
    call: &Call,
) -> Result<Value, Failure> {
    let body = match inline(format, &response)? {
        Some(body) => body,
        None => {
            let content_type = response.headers.get(CONTENT_TYPE);
            let content_type = content_type
                .map_or(stored::OCTET_STREAM, String::as_str)
                .to_owned();
            stored::keep(response.body, &content_type, state, call).await?
        }
    };
    Ok(json!({ "status": response.status, "headers": response.headers, "body": body }))
}

/// The body of a page, whatever its size.
pub(super) fn page(format: ResponseFormat, response: &EgressResponse) -> Result<Value, Failure> {
    match decode(format, response)? {
        Some(body) => Ok(body),
        None => Err(precondition("a page is not text")),
    }
}

/// Whether a value fits into the journal beside the headers of its answer.
pub(super) fn fits(value: &Value, headers: &Value) -> bool {
    Extent::of(value).bytes + Extent::of(headers).bytes < MAX_RESULT_BYTES
}

/// The body as a part of the output, unless it has to be stored.
fn inline(format: ResponseFormat, response: &EgressResponse) -> Result<Option<Value>, Failure> {
    if response.body.len() > MAX_RESULT_BYTES {
        return Ok(None);
    }
    let body = decode(format, response)?;
    Ok(body.filter(|body| fits(body, &json!(response.headers))))
}

/// The body as a value; `None` if it is binary.
fn decode(format: ResponseFormat, response: &EgressResponse) -> Result<Option<Value>, Failure> {
    let text = std::str::from_utf8(&response.body).ok();
    match format {
        ResponseFormat::Binary => Ok(None),
        ResponseFormat::Json => parse(text).map(Some),
        ResponseFormat::Text => match text {
            Some(text) => Ok(Some(Value::from(text))),
            None => Err(precondition("the answer is not text")),
        },
        ResponseFormat::Auto if is_json(response) => parse(text).map(Some),
        // A zero byte is text in name only.
        ResponseFormat::Auto => Ok(text.filter(|text| !text.contains('\0')).map(Value::from)),
    }
}

fn is_json(response: &EgressResponse) -> bool {
    let content_type = response.headers.get(CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json")
}

fn parse(text: Option<&str>) -> Result<Value, Failure> {
    let value = match text {
        Some(text) if text.trim().is_empty() => Some(Value::Null),
        text => text.and_then(|text| serde_json::from_str(text).ok()),
    };
    value.ok_or_else(|| precondition("the answer is not valid JSON"))
}

/// Seconds or a date (<https://www.rfc-editor.org/rfc/rfc9110#name-retry-after>).
fn parse_retry_after(value: &str, clock: &SharedClock) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(value.trim());
    let wait = at.ok()?.duration_since(clock.now());
    Some(Duration::try_from(wait).unwrap_or_default())
}

pub(super) fn precondition(message: &str) -> Failure {
    Failure::permanent("failed_precondition", message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::{retry::Transient, testing::FixedClock};

    use super::*;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_until_a_date() {
        let clock = FixedClock::at("2026-11-23T12:00:00Z").shared();
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Mon, 23 Nov 2026 12:02:00 GMT", Some(120)),
            ("Mon, 23 Nov 2026 11:00:00 GMT", Some(0)),
            ("-1", None),
            ("2026-11-23T12:02:00Z", None),
            ("", None),
        ] {
            let response = EgressResponse {
                status: 503,
                headers: BTreeMap::from([("retry-after".to_owned(), value.to_owned())]),
                body: Vec::new(),
                url: String::new(),
            };
            let failure = failure_of(&response, None, &clock).unwrap();
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(failure.retry_after(), expected, "{value}");
            // The server has answered: it is known what came of the request.
            assert!(!failure.may_have_happened);
        }
    }
}
