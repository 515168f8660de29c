//! One call, asked of one provider after the other until one answers.

use tokio::time::timeout;

use super::{Call, LONGEST_CALL, MeteredLlm, Upstream, find_price};
use crate::{
    llm::{
        self, ChatRequest, ChatStream, EmbeddingRequest, ProviderName, SharedProvider,
        price::{self, Price},
        router::{Candidate, Timeouts},
    },
    models::Timestamp,
    quota::Error,
    store::organizations::day_of,
};

/// A provider that is asked now.
pub(super) struct Attempt {
    pub(super) provider: SharedProvider,
    /// Which one it is, and how long it is waited for, where a route says so.
    routed: Option<(ProviderName, Timeouts)>,
}

/// What attempts and their admission need to know of a request.
pub(super) trait Request: Clone {
    fn model(&self) -> &str;
    fn idempotency_key(&self) -> &str;
    /// Its model and its idempotency key.
    fn known_by(&mut self) -> (&mut String, &mut String);

    /// The same for another candidate, as a call of its own unless it is the first. What a provider
    /// has not answered may have cost something all the same: the next attempt is booked beside it.
    fn at(&self, candidate: &Candidate, number: usize) -> Self {
        let mut other = self.clone();
        let (model, key) = other.known_by();
        model.clone_from(&candidate.model);
        if number > 0 {
            *key = format!("{key}:{number}");
        }
        other
    }
}

impl MeteredLlm {
    /// Asks whoever is to be asked, in turn. Only what a provider does wrong is asked of the next
    /// one; what is not admitted is not admitted there either.
    pub(super) async fn ask<R, T, F>(
        &self,
        call: &Call<R>,
        ask: impl Fn(Self, Attempt, Call<R>) -> F,
    ) -> Result<T, Error>
    where
        R: Request,
        F: Future<Output = Result<T, Error>>,
    {
        let routing = match &self.upstream {
            Upstream::One(provider) => {
                let provider = provider.clone();
                let routed = None;
                return ask(self.clone(), Attempt { provider, routed }, call.clone()).await;
            }
            Upstream::Routed(routing) => routing,
        };
        let (model, key) = (call.request.model(), call.request.idempotency_key());
        let route = routing.route(model, self.clock.now().into());
        let route = route.ok_or_else(|| Error::UnknownModel(model.to_owned()))?;
        let mut attempts = routing.attempts(&route, key);
        let (mut number, mut last, org_id) = (0, None, &call.org_id);
        while let Some(turn) = attempts.next_turn() {
            let candidate = turn.candidate();
            let Some(provider) = routing.provider(candidate.provider) else {
                continue;
            };
            let routed = Some((candidate.provider, route.timeouts));
            let request = call.request.at(candidate, number);
            number += 1;
            let call = call.with(request);
            match ask(self.clone(), Attempt { provider, routed }, call).await {
                Ok(answer) => {
                    turn.succeed();
                    return Ok(answer);
                }
                Err(Error::Llm(error)) => {
                    turn.fail(&error, org_id);
                    if !attempts.goes_on_after(&error) {
                        return Err(error.into());
                    }
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| attempts.none_left()).into())
    }
}

impl Attempt {
    pub(super) fn price(&self, model: &str, now: Timestamp) -> Result<Price, Error> {
        let Some((provider, _)) = self.routed else {
            return find_price(model, now);
        };
        let price = price::find_at(provider, model, &day_of(now));
        price.ok_or_else(|| Error::UnknownModel(model.to_owned()))
    }

    /// Waits for a whole answer, no longer than the route allows, nor than any call may take.
    pub(super) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, llm::Error>>,
    ) -> Result<T, llm::Error> {
        match &self.routed {
            Some((_, timeouts)) => bounded(timeouts.whole(answer)).await,
            None => bounded(answer).await,
        }
    }

    /// Waits for the beginning of a stream.
    pub(super) async fn begin(&self, request: &ChatRequest) -> Result<ChatStream, llm::Error> {
        let stream = self.provider.stream(request);
        match &self.routed {
            Some((_, timeouts)) => bounded(timeouts.stream(stream)).await,
            None => bounded(stream).await,
        }
    }
}

impl<R> Call<R> {
    fn with(&self, request: R) -> Self {
        Self {
            org_id: self.org_id.clone(),
            agent_id: self.agent_id.clone(),
            workflow_id: self.workflow_id.clone(),
            execution_id: self.execution_id.clone(),
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

    fn known_by(&mut self) -> (&mut String, &mut String) {
        (&mut self.model, &mut self.idempotency_key)
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, llm::Error>>) -> Result<T, llm::Error> {
    let answered = timeout(LONGEST_CALL, call).await;
    answered.unwrap_or_else(|elapsed| Err(llm::Error::Timeout(elapsed.into())))
}
