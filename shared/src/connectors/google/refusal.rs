//! What Google means when it refuses: the Workspace APIs say why in `errors`, the newer ones in
//! `details` (<https://google.aip.dev/193>,
//! <https://developers.google.com/workspace/drive/api/guides/handle-errors>).

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::connectors::{Error, http::Answer};

/// Codes of 403 that pass by themselves. `dailyLimitExceeded` is not one: no retry lasts a day.
const RATE_LIMITS: [&str; 5] = [
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "quotaExceeded",
    "RATE_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
];

/// Codes of 403 for a scope that the user has not granted.
const MISSING_SCOPES: [&str; 3] = [
    "insufficientPermissions",
    "insufficientScopes",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
];

/// Codes of 403 for what the user may not do either.
const NOT_ALLOWED: [&str; 5] = [
    "PERMISSION_DENIED",
    "forbidden",
    "forbiddenForNonOrganizer",
    "insufficientFilePermissions",
    "appNotAuthorizedToFile",
];

/// Codes of 403 for one file that this user cannot read, or nobody can: others are read all the same
/// (<https://developers.google.com/workspace/drive/api/guides/handle-errors>). Gmail has none for one
/// mail (<https://developers.google.com/workspace/gmail/api/guides/handle-errors>).
const UNREADABLE: [&str; 8] = [
    "appNotAuthorizedToFile",
    "cannotDownloadAbusiveFile",
    "cannotDownloadFile",
    "cannotExportFile",
    "exportSizeLimitExceeded",
    "fileNotDownloadable",
    "fileNotExportable",
    "insufficientFilePermissions",
];

/// Whether it is the file that cannot be read, rather than all of them.
pub(super) fn is_unreadable(answer: &Answer) -> bool {
    let body: Value = answer.json().unwrap_or_default();
    let mut reasons = reasons(&body["error"]).into_iter();
    answer.status == StatusCode::FORBIDDEN && reasons.any(|reason| UNREADABLE.contains(&reason))
}

pub(super) fn from_refusal(answer: &Answer) -> Error {
    let body: Value = answer.json().unwrap_or_default();
    let error = &body["error"];
    let reasons = reasons(error);
    let is_any_of = |codes: &[&str]| reasons.iter().any(|reason| codes.contains(reason));
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => rate_limited(answer, error),
        StatusCode::FORBIDDEN if is_any_of(&RATE_LIMITS) => rate_limited(answer, error),
        StatusCode::FORBIDDEN if is_any_of(&MISSING_SCOPES) => Error::Forbidden {
            needs_consent: true,
        },
        StatusCode::FORBIDDEN => match reasons.first() {
            Some(reason) if !NOT_ALLOWED.contains(reason) => answer.refused(Some(reason)),
            _ => answer.refusal(None),
        },
        _ => answer.refusal(reasons.first().copied()),
    }
}

/// Its own words first, the status of all APIs last.
fn reasons(error: &Value) -> Vec<&str> {
    let lists = ["errors", "details"].map(|name| error[name].as_array());
    let items = lists.into_iter().flatten().flatten();
    let reasons = items.map(|item| &item["reason"]).chain([&error["status"]]);
    reasons.filter_map(Value::as_str).collect()
}

fn rate_limited(answer: &Answer, error: &Value) -> Error {
    Error::RateLimited {
        retry_after: answer
            .retry_after()
            .or_else(|| retry_delay(error))
            .or_else(|| told_instant(answer, error)),
    }
}

/// `google.rpc.RetryInfo`: a duration as `3.5s`.
fn retry_delay(error: &Value) -> Option<Duration> {
    let mut details = error["details"].as_array()?.iter();
    let delay = details.find_map(|detail| detail["retryDelay"].as_str())?;
    let seconds = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Gmail says it in words only: `User-rate limit exceeded.  Retry after 2026-11-26T12:00:30.000Z`.
fn told_instant(answer: &Answer, error: &Value) -> Option<Duration> {
    let (_, told) = error["message"].as_str()?.split_once("Retry after ")?;
    let instant: jiff::Timestamp = told.split_whitespace().next()?.parse().ok()?;
    answer.time_until(instant.as_second())
}
