mod attempts;
mod stream;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Duration;

use self::attempts::{Attempt, Request};
pub use self::stream::MeteredStream;
use super::{
    Error,
    admissions::{Admission, FirestoreAdmissions, SharedAdmissions},
    routing::Routing,
    switch::Switches,
};
use crate::{
    clock::SharedClock,
    ids::{AgentId, ExecutionId, OrgId, RecordId, WorkflowId},
    llm::{
        self, ChatRequest, ChatResponse, EmbeddingRequest, EmbeddingResponse, SharedProvider,
        Usage,
        price::{self, Price},
    },
    models::{SystemPrincipal, Timestamp, UsageEntry, UsageState, Use},
    store::{
        self, Store,
        organizations::{day_of, period_of},
    },
};

/// No call lasts longer, so that it is settled well before its reservation expires.
const LONGEST_CALL: Duration = Duration::from_secs(780);

/// A call of a model and who it is for.
#[derive(Clone, Debug)]
pub struct Call<R = ChatRequest> {
    /// The organization that pays.
    pub org_id: OrgId,
    /// The agent that thinks, if any.
    pub agent_id: Option<AgentId>,
    /// The workflow that runs, if any.
    pub workflow_id: Option<WorkflowId>,
    /// The execution that runs, if any.
    pub execution_id: Option<ExecutionId>,
    /// What to ask.
    pub request: R,
}

/// What a model answered.
#[derive(Clone, Debug)]
pub struct Answer<T = ChatResponse> {
    /// The answer.
    pub response: T,
    /// What it cost, in micro-dollars.
    pub cost_micro_usd: i64,
}

/// The only way from a function to a model: reserve, call, settle.
///
/// The ledger entry is known by organization and idempotency key. A repeat of a call under way
/// or of unknown outcome takes its reservation over. A repeat of a settled call means that the
/// caller died before it kept the answer: the model is asked again, the organization pays once.
///
/// A switch that refuses calls works within 5 s, since it is kept in mind for so long.
#[derive(Clone)]
pub struct MeteredLlm {
    upstream: Upstream,
    admissions: SharedAdmissions,
    switches: Switches,
    store: Store,
    clock: SharedClock,
    /// Streams that were dropped before their end, to be booked by whoever calls next.
    dropped: Arc<Mutex<Vec<Dropped>>>,
}

/// Who is asked.
#[derive(Clone)]
enum Upstream {
    /// One provider, whatever the model.
    One(SharedProvider),
    /// Whoever a route names. Each attempt of a call has an admission and an entry in the ledger of
    /// its own.
    Routed(Box<Routing>),
}

/// A stream whose caller has gone.
struct Dropped {
    admission: Admission,
    booked: UsageEntry,
}

/// A call that may be made, and its price.
struct Admitted {
    admission: Admission,
    price: Price,
}

impl MeteredLlm {
    /// Metered access to one provider, whatever the model, admitted by the quota documents.
    #[must_use]
    pub fn new(provider: SharedProvider, store: Store, clock: SharedClock) -> Self {
        Self::to(Upstream::One(provider), store, clock)
    }

    /// Metered access to the providers that routes name, admitted by the quota documents.
    #[must_use]
    pub fn routed(routing: Routing, store: Store, clock: SharedClock) -> Self {
        Self::to(Upstream::Routed(Box::new(routing)), store, clock)
    }

    fn to(upstream: Upstream, store: Store, clock: SharedClock) -> Self {
        let admissions = FirestoreAdmissions::new(store.clone(), clock.clone());
        Self {
            upstream,
            admissions: Arc::new(admissions),
            switches: Switches::new(false, store.clone(), clock.clone()),
            store,
            clock,
            dropped: Arc::default(),
        }
    }

    /// The same with other admissions; `is_off` refuses every call.
    #[must_use]
    pub fn with_admissions(self, admissions: SharedAdmissions, is_off: bool) -> Self {
        Self {
            admissions,
            switches: Switches::new(is_off, self.store.clone(), self.clock.clone()),
            ..self
        }
    }

    /// Asks the model, if the organization's monthly limits allow the most that the call can use.
    ///
    /// After a failure that the provider does not bill, the reservation is released. After one of
    /// unknown outcome it is left to a repeat of the call, or to expire.
    ///
    /// # Errors
    /// Returns [`Error::Exhausted`], [`Error::SwitchedOff`] and [`Error::UnknownModel`] before the
    /// model is asked, [`Error::Llm`] when it does not answer, [`Error::Store`] when the call
    /// cannot be booked.
    pub async fn chat(&self, call: &Call) -> Result<Answer, Error> {
        self.ask(call, Self::chat_at).await
    }

    /// Asks the model and tells the answer as it comes. What was used is booked before the last
    /// piece is handed out.
    ///
    /// # Errors
    /// As [`MeteredLlm::chat`]; what goes wrong after the answer has begun is in the stream.
    pub async fn stream(&self, call: &Call) -> Result<MeteredStream, Error> {
        self.ask(call, Self::stream_at).await
    }

    /// Places texts in a model's space, on the same terms as [`MeteredLlm::chat`].
    ///
    /// # Errors
    /// As [`MeteredLlm::chat`].
    pub async fn embed(
        &self,
        call: &Call<EmbeddingRequest>,
    ) -> Result<Answer<EmbeddingResponse>, Error> {
        self.ask(call, Self::embed_at).await
    }

    /// The most that a call can use.
    ///
    /// # Errors
    /// Returns [`Error::UnknownModel`].
    pub fn ceiling(&self, request: &ChatRequest) -> Result<Use, Error> {
        self.price_at_most(&request.model, &Usage::ceiling(request))
    }

    /// The most that a call for embeddings can use.
    ///
    /// # Errors
    /// Returns [`Error::UnknownModel`].
    pub fn embedding_ceiling(&self, request: &EmbeddingRequest) -> Result<Use, Error> {
        self.price_at_most(&request.model, &Usage::embedding_ceiling(request))
    }

    fn price_at_most(&self, model: &str, ceiling: &Usage) -> Result<Use, Error> {
        let price = find_price(model, self.clock.now().into())?;
        Ok(Use {
            tokens: ceiling.total(),
            cost_micro_usd: price.cost_micro_usd(ceiling),
        })
    }

    /// Clears up what dead callers have left in at most `limit` organizations, and counts what is
    /// not counted; tells how many it looked at. One that fails is logged and left for the next
    /// time.
    ///
    /// # Errors
    /// Returns the database's error when the organizations cannot be listed.
    pub async fn sweep(&self, caller: &SystemPrincipal, limit: u32) -> Result<usize, store::Error> {
        self.book_dropped().await;
        let now = self.clock.now().into();
        let due = self.store.list_due_token_quotas(caller, now, limit).await?;
        for org_id in &due {
            if let Err(error) = self.admissions.sweep(org_id).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(org.id = %org_id, error, "usage left for the next sweep");
            }
        }
        Ok(due.len())
    }

    /// Books the streams that were dropped before their end. Every call and every sweep does it;
    /// a function that ends does it last.
    pub async fn book_dropped(&self) {
        let dropped = std::mem::take(&mut *self.lock_dropped());
        for Dropped { admission, booked } in dropped {
            if let Err(error) = self.admissions.settle(&admission, &booked).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(usage.id = %booked.id, error, "stream left to be estimated");
            }
        }
    }

    async fn chat_at(self, attempt: Attempt, call: Call) -> Result<Answer, Error> {
        let ceiling = Usage::ceiling(&call.request);
        let admitted = self.admit(&attempt, &call, &ceiling, false).await?;
        let response = attempt.provider.chat(&call.request);
        let response = attempt.in_time(response).await;
        self.end(&admitted, response, |response| response.usage)
            .await
    }

    async fn stream_at(self, attempt: Attempt, call: Call) -> Result<MeteredStream, Error> {
        let ceiling = Usage::ceiling(&call.request);
        let admitted = self.admit(&attempt, &call, &ceiling, true).await?;
        match attempt.begin(&call.request).await {
            Ok(deltas) => Ok(MeteredStream::new(self, admitted, deltas)),
            Err(error) => Err(self.fail(&admitted, error).await),
        }
    }

    async fn embed_at(
        self,
        attempt: Attempt,
        call: Call<EmbeddingRequest>,
    ) -> Result<Answer<EmbeddingResponse>, Error> {
        let ceiling = Usage::embedding_ceiling(&call.request);
        let admitted = self.admit(&attempt, &call, &ceiling, false).await?;
        let response = attempt.provider.embed(&call.request);
        let response = attempt.in_time(response).await;
        self.end(&admitted, response, |response| response.usage)
            .await
    }

    async fn admit<R: Request>(
        &self,
        attempt: &Attempt,
        call: &Call<R>,
        ceiling: &Usage,
        is_stream: bool,
    ) -> Result<Admitted, Error> {
        let now = Timestamp::from(self.clock.now());
        let request = &call.request;
        let price = attempt.price(request.model(), now)?;
        self.switches.check(&call.org_id).await?;
        let entry = UsageEntry {
            id: entry_id(&call.org_id, request.idempotency_key()),
            org_id: call.org_id.clone(),
            agent_id: call.agent_id.clone(),
            workflow_id: call.workflow_id.clone(),
            execution_id: call.execution_id.clone(),
            model: request.model().to_owned(),
            input_tokens: ceiling.input_tokens,
            output_tokens: ceiling.output_tokens,
            cost_micro_usd: price.cost_micro_usd(ceiling),
            state: UsageState::Reserved,
            is_estimated: false,
            is_stream,
            hold: None,
            period: period_of(now),
            day: day_of(now),
            created_at: now,
        };
        let reserved = self.admissions.reserve(&entry);
        let (admission, ()) = futures::join!(reserved, self.book_dropped());
        Ok(Admitted {
            admission: admission?,
            price,
        })
    }

    async fn end<T>(
        &self,
        admitted: &Admitted,
        response: Result<T, llm::Error>,
        usage: impl FnOnce(&T) -> Usage,
    ) -> Result<Answer<T>, Error> {
        match response {
            Ok(response) => {
                let booked = admitted.book(&usage(&response));
                self.admissions.settle(&admitted.admission, &booked).await?;
                Ok(Answer {
                    response,
                    cost_micro_usd: booked.cost_micro_usd,
                })
            }
            Err(error) => Err(self.fail(admitted, error).await),
        }
    }

    async fn fail(&self, admitted: &Admitted, error: llm::Error) -> Error {
        let admission = &admitted.admission;
        if error.is_unused()
            && let Err(error) = self.admissions.release(admission).await
        {
            let error = &error as &dyn std::error::Error;
            let org_id = &admission.entry().org_id;
            tracing::warn!(org.id = %org_id, error, "reservation left to expire");
        }
        error.into()
    }

    fn lock_dropped(&self) -> std::sync::MutexGuard<'_, Vec<Dropped>> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted {
    fn book(&self, usage: &Usage) -> UsageEntry {
        let cost = self.price.cost_micro_usd(usage);
        self.admission.book(usage, cost)
    }
}

impl Answer {
    /// What the call has used.
    #[must_use]
    pub fn used(&self) -> Use {
        Use {
            tokens: self.response.usage.total(),
            cost_micro_usd: self.cost_micro_usd,
        }
    }
}

impl Answer<EmbeddingResponse> {
    /// What the call has used.
    #[must_use]
    pub fn used(&self) -> Use {
        Use {
            tokens: self.response.usage.total(),
            cost_micro_usd: self.cost_micro_usd,
        }
    }
}

fn find_price(model: &str, now: Timestamp) -> Result<Price, Error> {
    let price = price::find(model, &day_of(now));
    price.ok_or_else(|| Error::UnknownModel(model.to_owned()))
}

fn entry_id(org_id: &OrgId, key: &str) -> RecordId {
    RecordId::derive(&["usage", org_id.as_str(), key])
}
