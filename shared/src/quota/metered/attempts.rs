//! One call, asked of one provider after the other until one answers.

use std::time::Duration;

use futures::future::try_join_all;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use tracing::{Instrument, Span};

use super::{Call, LONGEST_CALL, MeteredLlm, call::entry_id, find_price, span};
use crate::{
    ids::OrgId,
    llm::{
        self, ChatRequest, ChatStream, EmbeddingRequest, SharedProvider, Usage,
        price::Price,
        router::{Candidate, Timeouts},
    },
    models::Timestamp,
    quota::{Error, admissions, routing::Way},
    retry::{Transient, retry},
};

/// What a temperature is refused with that nobody on the way would look at.
const UNSUPPORTED_TEMPERATURE: &str = "unsupported_temperature";

/// A provider that is asked now.
pub(super) struct Attempt {
    pub(super) provider: SharedProvider,
    /// Whether the call was answered and paid before, by whichever candidate.
    pub(super) is_paid: bool,
    /// Whether the organization pays the provider itself.
    pub(super) is_own_key: bool,
    candidate: Candidate,
    /// What the model was tuned from, if it was.
    base_model: Option<String>,
    timeouts: Timeouts,
}

/// Nobody has answered.
struct Unanswered {
    error: Error,
    /// Whether certainly nobody has worked on it.
    is_unused: bool,
}

/// What attempts and their admission need to know of a request.
pub(super) trait Request: Clone {
    fn model(&self) -> &str;
    fn idempotency_key(&self) -> &str;
    /// Whether it asks for a temperature, or `top_p`, that is not the usual one.
    fn has_temperature(&self) -> bool;
    /// Its model and its idempotency key.
    fn known_by(&mut self) -> (&mut String, &mut String);

    /// The same for another candidate, as a call of its own unless it is the first. What a provider
    /// has not answered may have cost something all the same: the next attempt is booked beside it.
    fn at(&self, candidate: &Candidate, number: usize) -> Self {
        let mut other = self.clone();
        let key_of_it = key_of(self.idempotency_key(), number);
        let (model, key) = other.known_by();
        model.clone_from(&candidate.model);
        *key = key_of_it;
        other
    }
}

impl MeteredLlm {
    /// Asks whoever is to be asked, in turn, and all of them again as long as certainly nobody has
    /// worked on it. A repeat after a broken connection may be billed twice, so whoever reserved the
    /// tokens decides about it.
    pub(super) async fn ask<R, T, F>(
        &self,
        call: &Call<R>,
        way: &Way,
        ask: impl Fn(Self, Attempt, Call<R>) -> F,
    ) -> Result<T, Error>
    where
        R: Request,
        F: Future<Output = Result<T, Error>>,
    {
        let ask = &ask;
        let answer = retry(self.repeats, move || self.ask_in_turn(call, way, ask));
        answer.await.map_err(|unanswered| unanswered.error)
    }

    /// Only what a provider does wrong is asked of the next one; what is not admitted is not admitted
    /// there either.
    async fn ask_in_turn<R, T, F>(
        &self,
        call: &Call<R>,
        way: &Way,
        ask: impl Fn(Self, Attempt, Call<R>) -> F,
    ) -> Result<T, Unanswered>
    where
        R: Request,
        F: Future<Output = Result<T, Error>>,
    {
        let (org_id, key) = (&call.org_id, call.request.idempotency_key());
        let mut candidates = way.route.candidates();
        if call.request.has_temperature() && !candidates.any(Candidate::takes_temperature) {
            let code = UNSUPPORTED_TEMPERATURE.to_owned();
            return Err(Error::Llm(llm::Error::InvalidRequest { code }).into());
        }
        let is_paid = self.is_paid(org_id, key, way).await?;
        let mut attempts = self.routing.attempts(way, key);
        let (mut number, mut is_unused, mut last) = (0, true, None);
        while let Some(turn) = attempts.next_turn().or_else(|| attempts.last_resort()) {
            let candidate = turn.candidate().clone();
            let name = candidate.provider;
            let caller = match self.routing.caller(org_id, name, way).await {
                Ok(Some(caller)) => caller,
                Ok(None) => continue,
                Err(error) => {
                    last = Some(error);
                    match attempts.goes_on_after(&llm::Error::Unauthenticated) {
                        true => continue,
                        false => break,
                    }
                }
            };
            let request = call.request.at(&candidate, number);
            number += 1;
            let attempt = Attempt {
                provider: caller.provider,
                is_paid,
                is_own_key: caller.own_key.is_some(),
                candidate,
                base_model: way.base_model.clone(),
                timeouts: way.route.timeouts,
            };
            match ask(self.clone(), attempt, call.with(request)).await {
                Ok(answer) => {
                    turn.succeed();
                    return Ok(answer);
                }
                Err(Error::Llm(error)) => {
                    turn.fail(&error, org_id);
                    is_unused &= error.is_unused();
                    let goes_on = attempts.goes_on_after(&error);
                    last = Some(match (error, &caller.own_key) {
                        (llm::Error::Unauthenticated, Some(key)) => {
                            self.routing.refuse(org_id, name, key).await
                        }
                        (error, Some(key)) => without(error, key).into(),
                        (error, None) => error.into(),
                    });
                    if !goes_on {
                        break;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        let error = last.unwrap_or_else(|| attempts.none_left().into());
        Err(Unanswered { error, is_unused })
    }

    /// Whether one of several candidates has answered the call before: it is paid then, whoever
    /// answers a repeat. With one candidate, its admission tells.
    async fn is_paid(&self, org_id: &OrgId, key: &str, way: &Way) -> Result<bool, Error> {
        let count = way.route.candidates().count();
        if count < 2 {
            return Ok(false);
        }
        let entries = (0..count).map(|number| {
            let id = entry_id(org_id, &key_of(key, number));
            async move { self.store.find_usage_entry(org_id, &id).await }
        });
        let entries = try_join_all(entries).await?;
        let mut entries = entries.iter().flatten();
        Ok(entries.any(|entry| admissions::is_paid(&entry.value)))
    }
}

impl Attempt {
    pub(super) fn price(&self, now: Timestamp) -> Result<Price, Error> {
        find_price(&self.candidate, self.base_model.as_deref(), now)
    }

    /// The span of a call that this attempt makes.
    pub(super) fn span(&self, operation: &'static str) -> Span {
        span::of_call(operation, &self.candidate)
    }

    /// Waits for a whole answer, no longer than the route allows, nor than any call may take.
    pub(super) async fn whole<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = Result<T, llm::Error>>,
        usage: impl FnOnce(&T) -> Usage,
    ) -> Result<T, llm::Error> {
        let span = self.span(operation);
        let answer = bounded(self.timeouts.whole(answer)).instrument(span.clone());
        let answer = answer.await;
        span::end(&span, answer.as_ref().map(usage));
        answer
    }

    /// Waits for the beginning of a stream.
    pub(super) async fn begin(&self, request: &ChatRequest) -> Result<ChatStream, llm::Error> {
        let stream = self.provider.stream(request);
        bounded(self.timeouts.stream(stream)).await
    }
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        let is_unused = false;
        Self { error, is_unused }
    }
}

impl Transient for Unanswered {
    fn is_transient(&self) -> bool {
        self.is_unused && self.error.is_transient()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.error.retry_after()
    }
}

impl<R> Call<R> {
    fn with(&self, request: R) -> Self {
        Self {
            org_id: self.org_id.clone(),
            agent_id: self.agent_id.clone(),
            workflow_id: self.workflow_id.clone(),
            execution_id: self.execution_id.clone(),
            uid: self.uid.clone(),
            request,
        }
    }
}

impl Request for ChatRequest {
    fn model(&self) -> &str {
        &self.model
    }

    fn idempotency_key(&self) -> &str {
        &self.idempotency_key
    }

    fn has_temperature(&self) -> bool {
        let is_unusual = |number: &Option<f64>| number.is_some_and(|number| number != 1.0);
        is_unusual(&self.temperature) || is_unusual(&self.top_p)
    }

    fn known_by(&mut self) -> (&mut String, &mut String) {
        (&mut self.model, &mut self.idempotency_key)
    }
}

impl Request for EmbeddingRequest {
    fn model(&self) -> &str {
        &self.model
    }

    fn idempotency_key(&self) -> &str {
        &self.idempotency_key
    }

    fn has_temperature(&self) -> bool {
        false
    }

    fn known_by(&mut self) -> (&mut String, &mut String) {
        (&mut self.model, &mut self.idempotency_key)
    }
}

/// What a call is known by at one of its candidates.
fn key_of(key: &str, number: usize) -> String {
    match number {
        0 => key.to_owned(),
        number => format!("{key}:{number}"),
    }
}

/// An error whose code does not hold a key, whatever a provider repeats.
fn without(error: llm::Error, key: &SecretString) -> llm::Error {
    match error {
        llm::Error::InvalidRequest { code } if code.contains(key.expose_secret()) => {
            let code = "unknown".to_owned();
            llm::Error::InvalidRequest { code }
        }
        error => error,
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, llm::Error>>) -> Result<T, llm::Error> {
    let answered = timeout(LONGEST_CALL, call).await;
    answered.unwrap_or_else(|elapsed| Err(llm::Error::Timeout(elapsed.into())))
}
