//! `http`: a request to the outside, through the egress guard.

mod answer;
mod body;
mod pages;

use std::collections::{BTreeMap, BTreeSet};

use ::http::Method;
use async_trait::async_trait;
use shared::{
    egress::{EgressRequest, EgressResponse, Error, MAX_TIMEOUT, Unanswered},
    graph::{HttpData, Pagination, ResponseFormat},
    ids::fingerprint,
    inputs::{Bindings, Template},
    retry::Transient,
};

use self::body::Body;
use super::{Call, Effect, Failure, Outcome, Prepared, Stop, stored};
use crate::AppState;

/// Makes a repeat of the request harmless at services that know the header
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const CONTENT_TYPE: &str = "content-type";

/// A request with its expressions resolved. It holds credentials: it cannot be logged.
pub(crate) struct HttpCall {
    method: Method,
    target: Target,
    /// By lower-case name.
    headers: BTreeMap<String, String>,
    body: Option<Body>,
    response: ResponseFormat,
    success_codes: Option<BTreeSet<u16>>,
    pagination: Option<Pagination>,
}

/// Where a request goes.
#[derive(Clone)]
struct Target {
    url: String,
    /// Added to the query of the URL.
    query: BTreeMap<String, String>,
}

pub(super) fn prepare(data: &HttpData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let method = Method::from_bytes(data.method.as_str().as_bytes());
    let mut headers: BTreeMap<String, String> = render_texts(&data.headers, bindings)?
        .into_iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    if let Some(auth) = &data.auth {
        headers.insert(
            "authorization".to_owned(),
            body::authorization(auth, bindings)?,
        );
    }
    let body = data.body.as_ref();
    let call = HttpCall {
        method: method.map_err(|_| invalid("`method` is unknown"))?,
        target: Target {
            url: data.url.render_text(bindings)?,
            query: render_texts(&data.query, bindings)?,
        },
        headers,
        body: body.map(|body| Body::render(body, bindings)).transpose()?,
        response: data.response,
        success_codes: data.success_codes.clone(),
        pagination: data.pagination.clone(),
    };
    Ok(Prepared::Effect(Box::new(call)))
}

#[async_trait]
impl Effect for HttpCall {
    fn request_hash(&self) -> String {
        let body = self.body.as_ref().map(Body::fingerprint);
        fingerprint(&[
            "http",
            self.method.as_str(),
            &self.target.url,
            &format!("{:?}", self.target.query),
            &body.unwrap_or_default(),
        ])
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let output = match &self.pagination {
            Some(pagination) => pages::collect(self, pagination, state, call).await?,
            None => {
                let key = self.key(call);
                let response = self.ask(state, call, self.target.clone(), key).await?;
                answer::output(self.response, response, state, call).await?
            }
        };
        Ok(Outcome::of(output))
    }
}

impl HttpCall {
    /// The node's own key, if it has one.
    fn key(&self, call: &Call) -> String {
        let own = self.headers.get(IDEMPOTENCY_KEY);
        own.unwrap_or(&call.idempotency_key).clone()
    }

    /// One request. A status that is not asked for fails the node, so that its policy decides
    /// what happens next.
    async fn ask(
        &self,
        state: &AppState,
        call: &Call,
        target: Target,
        key: String,
    ) -> Result<EgressResponse, Failure> {
        let mut headers = self.headers.clone();
        headers.insert(IDEMPOTENCY_KEY.to_owned(), key);
        let mut content = None;
        if let Some(body) = &self.body {
            let (content_type, bytes) = body.load(state, call).await?;
            let header = headers.entry(CONTENT_TYPE.to_owned());
            header.or_insert(content_type);
            content = Some(bytes);
        }
        let request = EgressRequest {
            method: self.method.clone(),
            url: target.url,
            headers,
            query: target.query,
            body: content,
            timeout: MAX_TIMEOUT,
        };
        let response = state.egress.send(request).await.map_err(to_failure)?;
        let failure = answer::failure_of(&response, self.success_codes.as_ref(), &state.clock);
        failure.map_or(Ok(response), Err)
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

fn to_failure(error: Unanswered) -> Failure {
    let code = match error.reason {
        Error::BodyTooLarge | Error::HeadersTooLarge => "limit_exceeded",
        _ if error.is_transient() => "unavailable",
        _ => "failed_precondition",
    };
    let failure = if error.is_transient() {
        Failure::transient(code, error.to_string())
    } else {
        Failure::permanent(code, error.to_string())
    };
    if error.may_have_reached {
        failure.perhaps_done()
    } else {
        failure
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::permanent("invalid_argument", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_whether_the_request_may_have_arrived() {
        for may_have_reached in [false, true] {
            let reason = Error::TimedOut;
            let failure = to_failure(Unanswered {
                reason,
                may_have_reached,
            });
            assert_eq!(failure.may_have_happened, may_have_reached);
            assert!(failure.is_transient());
        }
    }

    #[test]
    fn an_answer_that_is_too_large_has_a_code_of_its_own() {
        for (reason, code) in [
            (Error::BodyTooLarge, "limit_exceeded"),
            (Error::HeadersTooLarge, "limit_exceeded"),
            (Error::TooManyRedirects, "failed_precondition"),
            (Error::TimedOut, "unavailable"),
        ] {
            let may_have_reached = true;
            let failure = to_failure(Unanswered {
                reason,
                may_have_reached,
            });
            assert_eq!(failure.code, code);
        }
    }
}
