//! What all adapters need of HTTP: a request is sent once, its answer is bounded, and failures are
//! told apart by whether anything can have happened.

use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{HeaderMap, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::Error;
use crate::config::{self, Env};

/// Longest wait for a whole answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Answers above this many bytes are not read on.
const MAX_ANSWER_BYTES: usize = 10 * 1024 * 1024;

/// Codes above this many bytes are none.
const MAX_REASON_BYTES: usize = 64;

/// Codes below this many bytes do not give a key away.
const MIN_ECHO_BYTES: usize = 8;

/// What stands for itself in a path: the unreserved characters of RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Where a service is called.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What paths are appended to, without a slash at its end.
    pub base_url: String,
    /// Longest wait for a whole answer; 30 s.
    pub timeout: Duration,
}

/// Whether a request changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// It only asks: whatever breaks, nothing has happened.
    Read,
    /// It may have been carried out although no answer came.
    Write,
}

/// A failure that the service tells of by its status.
#[derive(Debug, thiserror::Error)]
#[error("status {status}")]
pub(super) struct Failed {
    status: u16,
    /// How long it asked to wait.
    pub(super) retry_after: Option<Duration>,
}

/// An answer, whatever its status.
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// All of the body.
    pub(super) body: Bytes,
    headers: HeaderMap,
    nature: Nature,
    /// The credentials that were sent: no refusal may repeat them.
    secrets: Vec<HeaderValue>,
}

impl Endpoint {
    /// The service's own address, unless a variable names a stub of a developer's machine.
    ///
    /// # Errors
    /// Returns the variable when it is no address, or not allowed here.
    pub fn load(env: &Env, name: &'static str, default: &str) -> Result<Self, config::Error> {
        let url = match env.development_only(name)? {
            Some(_) => env.required_parsed::<Url>(name)?.to_string(),
            None => default.to_owned(),
        };
        Ok(Self {
            base_url: url.trim_end_matches('/').to_owned(),
            timeout: TIMEOUT,
        })
    }
}

/// Sends a request once.
///
/// # Errors
/// Returns [`Error`] when no whole answer came.
pub(super) async fn send(request: RequestBuilder, nature: Nature) -> Result<Answer, Error> {
    let answer = send_up_to(request, nature, MAX_ANSWER_BYTES).await?;
    answer.ok_or(Error::Malformed)
}

/// Sends a request once whose answer has a limit of its own; none when the answer is larger, of which
/// no more than the limit is read.
///
/// # Errors
/// Returns [`Error`] when no whole answer came.
pub(super) async fn send_up_to(
    request: RequestBuilder,
    nature: Nature,
    max_bytes: usize,
) -> Result<Option<Answer>, Error> {
    let broken = |error| from_transport(error, nature);
    let (client, request) = request.build_split();
    let request = request.map_err(broken)?;
    let secrets = secrets_of(request.headers());
    let response = client.execute(request).await.map_err(broken)?;
    let status = response.status();
    let headers = response.headers().clone();
    let max_bytes = match status.is_success() {
        true => max_bytes,
        false => MAX_ANSWER_BYTES,
    };
    let body = read_body(response, nature, max_bytes).await?;
    Ok(body.map(|body| Answer {
        status,
        body,
        headers,
        nature,
        secrets,
    }))
}

impl Answer {
    /// The body as JSON; fields that are not known are passed over.
    pub(super) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|_| Error::Malformed)
    }

    /// A header that is plain text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the service asked to wait: `Retry-After` in seconds, or as a date against the
    /// answer's own (<https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>).
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let asked = self.header("retry-after")?.trim();
        if let Ok(seconds) = asked.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = jiff::fmt::rfc2822::parse(asked).ok()?;
        self.time_until(until.timestamp().as_second())
    }

    /// The time from the answer's `Date` to an instant in Unix seconds.
    pub(super) fn time_until(&self, unix_seconds: i64) -> Option<Duration> {
        let date = jiff::fmt::rfc2822::parse(self.header("date")?).ok()?;
        let seconds = unix_seconds.saturating_sub(date.timestamp().as_second());
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// What a refusal means wherever the service gives its status no meaning of its own.
    pub(super) fn refusal(&self, reason: Option<&str>) -> Error {
        match self.status {
            StatusCode::UNAUTHORIZED => Error::Unauthorized,
            StatusCode::FORBIDDEN => Error::Forbidden {
                needs_consent: false,
            },
            StatusCode::TOO_MANY_REQUESTS => self.rate_limited(),
            StatusCode::REQUEST_TIMEOUT => self.failed(),
            status if status.is_server_error() => self.failed(),
            _ => self.refused(reason),
        }
    }

    /// The service refuses it for good.
    pub(super) fn refused(&self, reason: Option<&str>) -> Error {
        Error::Rejected {
            status: self.status.as_u16(),
            reason: reason.and_then(|reason| self.safe_reason(reason)),
        }
    }

    /// A service's code for its refusal, if it looks like one: nothing that people write does, and
    /// no code is a part of what was sent as credentials, or the other way round.
    fn safe_reason(&self, code: &str) -> Option<String> {
        let is_code = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let is_safe = (1..=MAX_REASON_BYTES).contains(&code.len()) && code.bytes().all(is_code);
        let is_echo = self.secrets.iter().any(|secret| overlaps(secret, code));
        (is_safe && !is_echo).then(|| code.to_owned())
    }

    /// The service wants to be left alone for a while.
    pub(super) fn rate_limited(&self) -> Error {
        Error::RateLimited {
            retry_after: self.retry_after(),
        }
    }

    /// The service failed, or something between us did.
    pub(super) fn failed(&self) -> Error {
        let failed = Failed {
            status: self.status.as_u16(),
            retry_after: self.retry_after(),
        };
        broken(Box::new(failed), self.nature)
    }
}

/// The value of `Authorization` for a key. What cannot stand in a header is no key of anybody's.
pub(super) fn bearer(key: &SecretString) -> Result<HeaderValue, Error> {
    secret_header(&format!("Bearer {}", key.expose_secret()))
}

/// A value of a header that is never shown.
pub(super) fn secret_header(value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::Unauthorized)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Text as one segment of a path. Dots alone are not encoded: `.` and `..` are up to the caller.
pub(super) fn path_segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// What [`secret_header`] has made.
fn secrets_of(headers: &HeaderMap) -> Vec<HeaderValue> {
    let secrets = headers.values().filter(|value| value.is_sensitive());
    secrets.cloned().collect()
}

/// Whether the one holds the other. Short codes are in keys by chance.
fn overlaps(secret: &HeaderValue, code: &str) -> bool {
    let Ok(secret) = secret.to_str() else {
        return false;
    };
    let bare = secret.rsplit_once(' ').map_or(secret, |(_, bare)| bare);
    code.contains(bare) || (code.len() >= MIN_ECHO_BYTES && secret.contains(code))
}

/// The whole body, if it has no more bytes than that.
async fn read_body(
    mut response: Response,
    nature: Nature,
    max_bytes: usize,
) -> Result<Option<Bytes>, Error> {
    let broken = |error| from_transport(error, nature);
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > max_bytes {
        return Ok(None);
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > max_bytes {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.into()))
}

/// Only a connection that never stood proves that nothing was handed in.
fn from_transport(error: reqwest::Error, nature: Nature) -> Error {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        Error::Unavailable(Box::new(error))
    } else {
        broken(Box::new(error), nature)
    }
}

fn broken(source: Box<dyn std::error::Error + Send + Sync>, nature: Nature) -> Error {
    match nature {
        Nature::Read => Error::Unavailable(source),
        Nature::Write => Error::Unknown(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&'static str, &str)]) -> Answer {
        let header = |(name, value): &(&'static str, &str)| {
            let name = reqwest::header::HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        };
        Answer {
            status: StatusCode::TOO_MANY_REQUESTS,
            body: Bytes::new(),
            headers: headers.iter().map(header).collect(),
            nature: Nature::Read,
            secrets: vec![bearer(&"sk_live_canary_key".into()).unwrap()],
        }
    }

    #[test]
    fn waits_are_told_in_seconds_or_as_a_date() {
        let date = ("date", "Mon, 23 Nov 2026 22:00:00 GMT");
        let rows = [
            (vec![("retry-after", "7")], Some(7)),
            (
                vec![("retry-after", "Mon, 23 Nov 2026 22:00:30 GMT"), date],
                Some(30),
            ),
            (
                vec![("retry-after", "Mon, 23 Nov 2026 21:59:00 GMT"), date],
                Some(0),
            ),
            (vec![("retry-after", "Mon, 23 Nov 2026 22:00:30 GMT")], None),
            (vec![("retry-after", "soon"), date], None),
            (vec![date], None),
        ];
        for (headers, seconds) in rows {
            let found = answer(&headers).retry_after();
            assert_eq!(found, seconds.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn only_codes_are_reasons() {
        let answer = answer(&[]);
        for code in ["resource_missing", "notFound", "21211", "key", "live_c"] {
            assert_eq!(answer.safe_reason(code).as_deref(), Some(code));
        }
        for text in ["", "No such customer: 'cus_1'", "é", &"a".repeat(65)] {
            assert_eq!(answer.safe_reason(text), None, "{text}");
        }
    }

    #[test]
    fn a_reason_that_repeats_the_credentials_is_none() {
        let answer = answer(&[]);
        for code in [
            "sk_live_canary_key",
            "field.sk_live_canary_key",
            "sk_live_",
            "canary_key",
        ] {
            assert_eq!(answer.safe_reason(code), None, "{code}");
        }
    }

    #[test]
    fn an_address_of_a_stub_is_refused_on_cloud_run() {
        let stub = ("CONNECTOR_STRIPE_URL", "http://127.0.0.1:1/");
        let load = |pairs: &[(&str, &str)]| {
            let env = Env::from_pairs(pairs.iter().copied());
            Endpoint::load(&env, stub.0, "https://api.stripe.com").map(|found| found.base_url)
        };
        assert_eq!(load(&[]).unwrap(), "https://api.stripe.com");
        assert_eq!(load(&[stub]).unwrap(), "http://127.0.0.1:1");
        let refused = load(&[stub, ("K_SERVICE", "api")]);
        assert!(matches!(refused, Err(config::Error::DevelopmentOnly(_))));
        let refused = load(&[(stub.0, "nowhere")]);
        assert!(matches!(refused, Err(config::Error::Invalid { .. })));
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_refused_without_being_shown() {
        let error = bearer(&"canary\r\nX-Other: 1".into()).unwrap_err();
        assert!(matches!(error, Error::Unauthorized));
        let value = bearer(&"canary".into()).unwrap();
        assert!(!format!("{value:?}").contains("canary"));
    }
}
