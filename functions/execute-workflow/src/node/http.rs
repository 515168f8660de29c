//! `http`: a request to the outside, through the egress guard.

use std::{collections::BTreeMap, time::Duration};

use ::http::{Method, StatusCode};
use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    egress::{EgressRequest, EgressResponse, MAX_TIMEOUT, Unanswered},
    graph::HttpData,
    ids::fingerprint,
    inputs::{Bindings, MAX_RESULT_BYTES, Template},
    retry::Transient,
};

use super::{Call, Effect, Failure, Outcome, Prepared, Stop};
use crate::AppState;

/// Makes a repeat of the request harmless at services that know the header
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const CONTENT_TYPE: &str = "content-type";

/// A request with its expressions resolved.
#[derive(Clone, Debug)]
pub(crate) struct HttpCall {
    method: Method,
    url: String,
    /// By lower-case name.
    headers: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    body: Option<Vec<u8>>,
}

pub(super) fn prepare(data: &HttpData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let method = Method::from_bytes(data.method.as_str().as_bytes());
    let headers = render_texts(&data.headers, bindings)?;
    let mut call = HttpCall {
        method: method.map_err(|_| invalid("`method` is unknown"))?,
        url: data.url.render_text(bindings)?,
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect(),
        query: render_texts(&data.query, bindings)?,
        body: None,
    };
    if let Some(body) = &data.body {
        call.set_body(body.render(bindings)?);
    }
    Ok(Prepared::Effect(Box::new(call)))
}

impl HttpCall {
    /// A string is sent as it is, anything else as JSON.
    fn set_body(&mut self, body: Value) {
        let (content_type, body) = match body {
            Value::String(text) => ("text/plain; charset=utf-8", text.into_bytes()),
            other => ("application/json", other.to_string().into_bytes()),
        };
        let header = self.headers.entry(CONTENT_TYPE.to_owned());
        header.or_insert_with(|| content_type.to_owned());
        self.body = Some(body);
    }
}

#[async_trait]
impl Effect for HttpCall {
    fn request_hash(&self) -> String {
        let body = self
            .body
            .as_deref()
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        fingerprint(&[
            "http",
            self.method.as_str(),
            &self.url,
            &format!("{:?}", self.query),
            &body,
        ])
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let mut headers = self.headers.clone();
        let key = headers.entry(IDEMPOTENCY_KEY.to_owned());
        key.or_insert_with(|| call.idempotency_key.clone());
        let request = EgressRequest {
            method: self.method.clone(),
            url: self.url.clone(),
            headers,
            query: self.query.clone(),
            body: self.body.clone(),
            timeout: MAX_TIMEOUT,
        };
        let response = state.egress.send(request).await.map_err(to_failure)?;
        if let Some(failure) = failure_of(&response) {
            return Err(failure.into());
        }
        Ok(Outcome::of(to_output(&response)?))
    }
}

fn render_texts(
    templates: &BTreeMap<String, Template>,
    bindings: &Bindings,
) -> Result<BTreeMap<String, String>, Failure> {
    let render =
        |(name, value): (&String, &Template)| Ok((name.clone(), value.render_text(bindings)?));
    templates.iter().map(render).collect()
}

/// An error status fails the node, so that its policy decides what happens next.
fn failure_of(response: &EgressResponse) -> Option<Failure> {
    let status = StatusCode::from_u16(response.status).ok()?;
    if status.is_success() || status.is_redirection() {
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
    let seconds = response
        .headers
        .get("retry-after")
        .and_then(|value| value.parse().ok());
    let retry_after = seconds.map(Duration::from_secs);
    Some(Failure::transient("unavailable", message).with_retry_after(retry_after))
}

/// `{ status, headers, body }`: the body parsed when it is JSON, text otherwise.
fn to_output(response: &EgressResponse) -> Result<Value, Failure> {
    let Ok(text) = std::str::from_utf8(&response.body) else {
        return Err(Failure::permanent(
            "failed_precondition",
            "the answer is not text",
        ));
    };
    if text.len() > MAX_RESULT_BYTES {
        let message = format!("the answer is larger than {MAX_RESULT_BYTES} bytes");
        return Err(Failure::permanent("limit_exceeded", message));
    }
    Ok(json!({
        "status": response.status,
        "headers": response.headers,
        "body": if is_json(response) { parse(text)? } else { Value::from(text) },
    }))
}

fn is_json(response: &EgressResponse) -> bool {
    let content_type = response.headers.get(CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json")
}

fn parse(text: &str) -> Result<Value, Failure> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    let refuse = |_| Failure::permanent("failed_precondition", "the answer is not valid JSON");
    serde_json::from_str(text).map_err(refuse)
}

fn to_failure(error: Unanswered) -> Failure {
    let message = error.to_string();
    let failure = if error.reason.is_transient() {
        Failure::transient("unavailable", message)
    } else {
        Failure::permanent("failed_precondition", message)
    };
    match error.may_have_reached {
        true => failure.perhaps_done(),
        false => failure,
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::permanent("invalid_argument", message)
}
