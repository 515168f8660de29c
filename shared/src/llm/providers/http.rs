//! What all vendors need of HTTP: a request is sent once, and answers are bounded.

use std::time::Duration;

use reqwest::{
    Client, RequestBuilder, Response,
    header::{HeaderMap, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use tracing::{Instrument, field::Empty};
use url::Url;

use crate::{
    config::{self, Env},
    llm::Error,
    telemetry::{TRACE, fail},
};

/// Answers above this many bytes are not read on: a hundred vectors of 3,072 numbers take 6 MB.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Audio above this many bytes is not read on: Cloud Run answers 32 MiB at most, and 4,096 characters
/// take 5 MB at OpenAI, four times that at the slowest
/// (<https://docs.cloud.google.com/run/quotas#request_limits>).
const MAX_AUDIO_BYTES: usize = 30 * 1024 * 1024;

/// Error bodies above this many bytes are not read.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// Longest time of a stream, which is that of a request on Cloud Run. The router has shorter ones
/// (<https://cloud.google.com/run/docs/configuring/request-timeout>).
const STREAM_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Longest code that an error keeps.
const MAX_CODE_BYTES: usize = 64;

/// A call that awaits one whole answer, or a stream of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Whole,
    Stream,
}

/// A base URL without a slash at its end, from a variable or else the vendor's own.
pub(super) fn base_url(
    env: &Env,
    name: &'static str,
    default: &str,
) -> Result<String, config::Error> {
    let url = match env.optional(name) {
        Some(_) => env.required_parsed::<Url>(name)?.to_string(),
        None => default.to_owned(),
    };
    Ok(url.trim_end_matches('/').to_owned())
}

/// `LLM_TIMEOUT_SECS`: the longest wait for a whole answer; default 120.
pub(super) fn timeout(env: &Env) -> Result<Duration, config::Error> {
    Ok(Duration::from_secs(env.parsed("LLM_TIMEOUT_SECS", 120)?))
}

/// A POST of JSON, with the time that its mode has.
pub(super) fn post(
    client: &Client,
    url: &str,
    body: &impl Serialize,
    mode: Mode,
    timeout: Duration,
) -> RequestBuilder {
    let timeout = match mode {
        Mode::Whole => timeout,
        Mode::Stream => STREAM_TIMEOUT,
    };
    client.post(url).json(body).timeout(timeout)
}

/// A header that is not shown.
pub(super) fn secret_header(secret: &SecretString) -> Result<HeaderValue, Error> {
    let value = HeaderValue::from_str(secret.expose_secret());
    // A key that is no header is none that the vendor has given out.
    let mut value = value.map_err(|_| Error::Unauthenticated)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Sends a request once; the answer may be a refusal.
pub(super) async fn send(request: RequestBuilder) -> Result<Response, Error> {
    let (client, request) = request.build_split();
    let request = request.map_err(from_transport)?;
    let span = tracing::info_span!(
        target: TRACE,
        "request",
        otel.name = request.method().as_str(),
        otel.kind = "client",
        http.request.method = request.method().as_str(),
        server.address = request.url().host_str(),
        http.response.status_code = Empty,
    );
    let response = client.execute(request).instrument(span.clone()).await;
    match &response {
        Ok(response) => {
            let status = response.status();
            span.record("http.response.status_code", status.as_u16());
            if !status.is_success() {
                fail(&span, status.as_str());
            }
        }
        Err(_) => fail(&span, "unavailable"),
    }
    response.map_err(from_transport)
}

/// The whole answer, as JSON.
pub(super) async fn read_json<T: DeserializeOwned>(response: Response) -> Result<T, Error> {
    let body = read_body(response, MAX_ANSWER_BYTES).await?;
    parse(&body)
}

/// The whole answer, as it is.
pub(super) async fn read_audio(response: Response) -> Result<Vec<u8>, Error> {
    let body = read_body(response, MAX_AUDIO_BYTES).await?;
    if body.is_empty() {
        return Err(malformed("the answer has no audio"));
    }
    Ok(body)
}

/// What a refusal says, if it says it in JSON.
pub(super) async fn read_refusal<T: DeserializeOwned + Default>(response: Response) -> T {
    let body = read_body(response, MAX_REFUSAL_BYTES).await;
    let body = body.unwrap_or_default();
    serde_json::from_slice(&body).unwrap_or_default()
}

/// JSON of a provider's. What does not fit is not shown: `serde_json` quotes values.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        malformed(format!("no such JSON at {line}:{column}"))
    })
}

pub(super) fn malformed(reason: impl Into<String>) -> Error {
    Error::Malformed(reason.into().into())
}

pub(super) fn invalid(code: &str) -> Error {
    let code = code.to_owned();
    Error::InvalidRequest { code }
}

/// A connection that failed.
pub(super) fn from_transport(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if error.is_connect() {
        return Error::Unavailable {
            retry_after: None,
            source: Box::new(error),
        };
    }
    if error.is_builder() {
        return invalid("unsendable");
    }
    if error.is_timeout() {
        return Error::Timeout(Box::new(error));
    }
    Error::Interrupted(Box::new(error))
}

/// How long the provider asks to wait, by its headers.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let millis = header(headers, "retry-after-ms").and_then(|value| value.parse().ok());
    let seconds = || header(headers, "retry-after").and_then(|value| value.parse().ok());
    millis
        .map(Duration::from_millis)
        .or_else(|| seconds().map(Duration::from_secs))
}

/// A header that is plain text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a text is a name, as codes of errors are, and not a message that may quote the request.
pub(super) fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !text.is_empty() && text.len() <= MAX_CODE_BYTES && text.chars().all(is_part)
}

async fn read_body(mut response: Response, limit: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(from_transport)? {
        body.extend_from_slice(&chunk);
        if body.len() > limit {
            return Err(malformed("the answer is too large"));
        }
    }
    Ok(body)
}
