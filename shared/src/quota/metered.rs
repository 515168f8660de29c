mod attempts;
mod call;
mod dropped;
mod meter;
mod open;
mod span;
mod speech;
mod stream;

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Duration;
use tracing::Instrument;

use self::{
    attempts::{Attempt, Request},
    dropped::Dropped,
    meter::Meter,
    open::Open,
};
pub use self::{
    call::{Answer, Call},
    stream::MeteredStream,
};
use super::{
    Error,
    admissions::{Admission, AdmissionConfig, FirestoreAdmissions, SharedAdmissions},
    cache::Place,
    routing::{Routing, Way},
    switch::Switches,
};
use crate::{
    clock::SharedClock,
    config,
    ids::OrgId,
    llm::{
        EmbeddingRequest, EmbeddingResponse, ProviderName, Providers, SharedOrgKeys, Usage,
        price::{self, Price, TunedPrice},
        providers::Speakers,
        router::Candidate,
    },
    models::{Timestamp, UsageEntry, Use},
    retry::Policy,
    store::{Store, organizations::day_of},
};

/// No call lasts longer, so that it is settled well before its reservation expires.
const LONGEST_CALL: Duration = Duration::from_secs(780);

/// The only way from a function to a model: reserve, call, settle.
///
/// The ledger entry is known by organization and idempotency key. A repeat of a call under way
/// shares its reservation. A repeat of a call that was answered means that the caller died before it
/// kept the answer: the model is asked again, the organization pays once.
///
/// A call of unknown outcome is settled by an estimate: its time is up, the connection broke, or
/// its future was dropped. A repeat of it is admitted like a new call, and pays what it uses above
/// the estimate. What a caller has left is booked by the next call or sweep.
///
/// A switch that refuses calls works within 5 s, since it is kept in mind for so long.
#[derive(Clone)]
pub struct MeteredLlm {
    routing: Routing,
    /// When a call that nobody has answered is made again.
    repeats: Policy,
    admissions: SharedAdmissions,
    switches: Switches,
    store: Store,
    clock: SharedClock,
    /// Calls that were dropped before they were booked, to be booked by whoever calls next.
    dropped: Arc<Dropped>,
    speakers: Speakers,
}

/// A call that may be made, and its price.
struct Admitted {
    admission: Admission,
    /// None for what costs all that was reserved for it.
    price: Option<Price>,
}

impl MeteredLlm {
    /// The way to `providers` that services use: with the `keys` of organizations where they have
    /// any, admitted as they are configured for it, and waiting for providers that are busy for a
    /// moment.
    ///
    /// # Errors
    /// Returns the variable of `config` that is invalid.
    pub fn of(
        providers: Providers,
        keys: Option<SharedOrgKeys>,
        config: &AdmissionConfig,
        store: Store,
        clock: SharedClock,
    ) -> Result<Self, config::Error> {
        let admissions = config.admissions(store.clone(), clock.clone())?;
        let llm = Self::routed(Routing::new(providers).with_keys(keys), store, clock);
        let llm = llm.with_admissions(admissions, config.is_off);
        Ok(llm.with_repeats(Policy::REMOTE_CALL))
    }

    /// Metered access to the providers that routes name, admitted by the quota documents.
    #[must_use]
    pub fn routed(routing: Routing, store: Store, clock: SharedClock) -> Self {
        let admissions = FirestoreAdmissions::new(store.clone(), clock.clone());
        Self {
            routing,
            repeats: Policy::NEVER,
            admissions: Arc::new(admissions),
            switches: Switches::new(false, store.clone(), clock.clone()),
            store,
            clock,
            dropped: Arc::default(),
            speakers: Speakers::default(),
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

    /// The same, where a call that certainly nobody has worked on is made again as `policy` says.
    #[must_use]
    pub fn with_repeats(self, policy: Policy) -> Self {
        let repeats = policy;
        Self { repeats, ..self }
    }

    /// Refuses what a switch is against: for what costs money at a provider without being a call.
    ///
    /// # Errors
    /// Returns [`Error::SwitchedOff`], or [`Error::Store`].
    pub async fn require_on(&self, org_id: &OrgId) -> Result<(), Error> {
        self.switches.check(org_id).await
    }

    /// Asks the model, if the organization's monthly limits allow the most that the call can use. An
    /// answer that the model's route has kept for the same question is given again.
    ///
    /// After a failure that the provider does not bill, the reservation is released. After one of
    /// unknown outcome an estimate is booked.
    ///
    /// # Errors
    /// Returns [`Error::Exhausted`], [`Error::SwitchedOff`] and [`Error::UnknownModel`] before the
    /// model is asked, [`Error::Llm`] when it does not answer, [`Error::Store`] when the call
    /// cannot be booked.
    pub async fn chat(&self, call: &Call) -> Result<Answer, Error> {
        let way = self.way(call).await?;
        let Some(place) = Place::of(call, &way) else {
            return self.ask_beside(call, &way, Self::chat_at).await;
        };
        self.switches.check(&call.org_id).await?;
        let now = self.clock.now().into();
        if let Some(answer) = place.find(&self.store, now).await {
            return Ok(answer);
        }
        let answer = self.ask_beside(call, &way, Self::chat_at).await?;
        place.keep(&self.store, &answer.response, now).await;
        Ok(answer)
    }

    /// The same, whatever is kept; nor is the answer.
    ///
    /// # Errors
    /// As [`MeteredLlm::chat`].
    pub async fn chat_anew(&self, call: &Call) -> Result<Answer, Error> {
        let way = self.way(call).await?;
        self.ask_beside(call, &way, Self::chat_at).await
    }

    /// Asks the model and tells the answer as it comes. What was used is booked before the last
    /// piece is handed out.
    ///
    /// # Errors
    /// As [`MeteredLlm::chat`]; what goes wrong after the answer has begun is in the stream.
    pub async fn stream(&self, call: &Call) -> Result<MeteredStream, Error> {
        let way = self.way(call).await?;
        self.ask_beside(call, &way, Self::stream_at).await
    }

    /// Places texts in a model's space, on the same terms as [`MeteredLlm::chat`].
    ///
    /// # Errors
    /// As [`MeteredLlm::chat`].
    pub async fn embed(
        &self,
        call: &Call<EmbeddingRequest>,
    ) -> Result<Answer<EmbeddingResponse>, Error> {
        let way = self.way(call).await?;
        self.ask_beside(call, &way, Self::embed_at).await
    }

    /// The most that a call can use, with whichever candidate it is.
    ///
    /// # Errors
    /// Returns [`Error::UnknownModel`] and [`Error::Store`].
    pub async fn ceiling(&self, call: &Call) -> Result<Use, Error> {
        self.price_at_most(call, &Usage::ceiling(&call.request))
            .await
    }

    /// The most that a call for embeddings can use, with whichever candidate it is.
    ///
    /// # Errors
    /// Returns [`Error::UnknownModel`] and [`Error::Store`].
    pub async fn embedding_ceiling(&self, call: &Call<EmbeddingRequest>) -> Result<Use, Error> {
        self.price_at_most(call, &Usage::embedding_ceiling(&call.request))
            .await
    }

    async fn price_at_most<R: Request>(
        &self,
        call: &Call<R>,
        ceiling: &Usage,
    ) -> Result<Use, Error> {
        let (way, now) = (self.way(call).await?, self.clock.now().into());
        let mut cost_micro_usd = 0;
        for candidate in way.route.candidates() {
            let price = find_price(candidate, way.base_model.as_deref(), now)?;
            cost_micro_usd = price.cost_micro_usd(ceiling).max(cost_micro_usd);
        }
        Ok(Use {
            tokens: ceiling.total(),
            cost_micro_usd,
        })
    }

    /// What an organization can ask for as a model, and who runs it; its own names for models have
    /// nobody.
    ///
    /// # Errors
    /// Returns [`Error::Store`].
    pub async fn models(
        &self,
        org_id: &OrgId,
    ) -> Result<BTreeMap<String, Option<ProviderName>>, Error> {
        let now = self.clock.now().into();
        self.routing.models(&self.store, org_id, now).await
    }

    /// Where a call goes, for as long as it takes.
    async fn way<R: Request>(&self, call: &Call<R>) -> Result<Way, Error> {
        let (model, now) = (call.request.model(), self.clock.now().into());
        self.routing
            .way(&self.store, &call.org_id, model, now)
            .await
    }

    async fn chat_at(self, attempt: Attempt, call: Call) -> Result<Answer, Error> {
        let ceiling = Usage::ceiling(&call.request);
        let admitted = self.admit(&attempt, &call, &ceiling, false).await?;
        let meter = Meter::of_whole(Usage::unseen(&call.request));
        let open = Open::new(self, admitted, meter);
        let response = attempt.provider.chat(&call.request);
        let response = attempt
            .whole("chat", response, |response| response.usage)
            .await;
        open.end(response, |response| response.usage).await
    }

    async fn stream_at(self, attempt: Attempt, call: Call) -> Result<MeteredStream, Error> {
        let ceiling = Usage::ceiling(&call.request);
        let admitted = self.admit(&attempt, &call, &ceiling, true).await?;
        let unseen = Usage::unseen(&call.request);
        let meter = Meter::of_stream(unseen, ceiling.output_tokens);
        let mut open = Open::new(self, admitted, meter);
        let span = attempt.span("chat");
        match attempt.begin(&call.request).instrument(span.clone()).await {
            Ok(deltas) => Ok(MeteredStream::new(open, deltas, span)),
            Err(error) => {
                span::end(&span, Err(&error));
                Err(open.fail(error).await)
            }
        }
    }

    async fn embed_at(
        self,
        attempt: Attempt,
        call: Call<EmbeddingRequest>,
    ) -> Result<Answer<EmbeddingResponse>, Error> {
        let ceiling = Usage::embedding_ceiling(&call.request);
        let admitted = self.admit(&attempt, &call, &ceiling, false).await?;
        let meter = Meter::of_whole(Usage::embedding_estimate(&call.request));
        let open = Open::new(self, admitted, meter);
        let response = attempt.provider.embed(&call.request);
        let response = attempt
            .whole("embeddings", response, |response| response.usage)
            .await;
        open.end(response, |response| response.usage).await
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
        let price = attempt.price(now)?;
        self.switches.check(&call.org_id).await?;
        let entry = UsageEntry {
            cost_micro_usd: price.cost_micro_usd(ceiling),
            is_stream,
            is_own_key: attempt.is_own_key,
            ..call.entry(request.model(), request.idempotency_key(), ceiling, now)
        };
        let admission = match attempt.is_paid {
            true => Admission::paid(entry),
            false => self.admissions.reserve(&entry).await?,
        };
        let price = Some(price);
        Ok(Admitted { admission, price })
    }
}

impl Admitted {
    fn book(&self, usage: &Usage) -> UsageEntry {
        let reserved = self.admission.entry().cost_micro_usd;
        let price = self.price.as_ref();
        let cost = price.map_or(reserved, |price| price.cost_micro_usd(usage));
        self.admission.book(usage, cost)
    }
}

fn find_price(
    candidate: &Candidate,
    base_model: Option<&str>,
    now: Timestamp,
) -> Result<Price, Error> {
    let Candidate { provider, model } = candidate;
    let day = day_of(now);
    let price = match base_model {
        Some(base_model) => price::find_tuned(base_model, &day).map(TunedPrice::into_calls),
        None => price::find_at(*provider, model, &day),
    };
    price.ok_or_else(|| Error::UnknownModel(model.clone()))
}
