use std::ops::Add;

use super::{Error, Plan, budget};
use crate::{
    clock::SharedClock,
    ids::{AgentId, ExecutionId, OrgId, RecordId, WorkflowId},
    llm::{
        ChatRequest, ChatResponse, SharedProvider, Usage,
        price::{self, Price},
    },
    models::{Timestamp, TokenQuota, UsageEntry, UsageState},
    retry::{Policy, retry},
    store::{
        self, Store, Versioned, Write, commit_contended,
        organizations::{self, StatsChange},
        usage_ledger,
    },
};

/// A chat call and who it is for.
#[derive(Clone, Debug)]
pub struct Call {
    /// The organization that pays.
    pub org_id: OrgId,
    /// The agent that thinks, if any.
    pub agent_id: Option<AgentId>,
    /// The workflow that runs, if any.
    pub workflow_id: Option<WorkflowId>,
    /// The execution that runs, if any.
    pub execution_id: Option<ExecutionId>,
    /// What to ask.
    pub request: ChatRequest,
}

/// What a model answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The answer.
    pub response: ChatResponse,
    /// What it cost, in micro-dollars.
    pub cost_micro_usd: i64,
}

/// What calls use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Tokens, in and out.
    pub tokens: i64,
    /// What they cost, in micro-dollars.
    pub cost_micro_usd: i64,
}

/// The only way from a function to a model: reserve, call, settle.
///
/// The ledger entry is known by organization and idempotency key. A repeat of a call under way
/// or of unknown outcome takes its reservation over. A repeat of a settled call means that the
/// caller died before it kept the answer: the model is asked again, the organization pays once.
#[derive(Clone)]
pub struct MeteredLlm {
    provider: SharedProvider,
    store: Store,
    clock: SharedClock,
}

/// A call that may be made.
struct Admission {
    id: RecordId,
    org_id: OrgId,
    price: Price,
    monthly_tokens: i64,
}

impl MeteredLlm {
    /// Metered access to a provider.
    #[must_use]
    pub fn new(provider: SharedProvider, store: Store, clock: SharedClock) -> Self {
        Self {
            provider,
            store,
            clock,
        }
    }

    /// Asks the model, if the organization's monthly tokens allow the most that the call can use.
    ///
    /// After a failure that the provider does not bill, the reservation is released. After one of
    /// unknown outcome it is left to a repeat of the call, or to expire.
    ///
    /// # Errors
    /// Returns [`Error::Exhausted`] and [`Error::UnknownModel`] before the model is asked,
    /// [`Error::Llm`] when it does not answer, [`Error::Store`] when the call cannot be booked.
    pub async fn chat(&self, call: &Call) -> Result<Answer, Error> {
        let admission = commit_contended(&self.store, || self.admit(call)).await?;
        match self.provider.chat(&call.request).await {
            Ok(response) => {
                self.book(&admission, Some(response.usage)).await?;
                let cost_micro_usd = admission.price.cost_micro_usd(&response.usage);
                Ok(Answer {
                    response,
                    cost_micro_usd,
                })
            }
            Err(error) => {
                if error.is_unused()
                    && let Err(error) = self.book(&admission, None).await
                {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(org.id = %call.org_id, error, "reservation left to expire");
                }
                Err(error.into())
            }
        }
    }

    /// The most that a call can use.
    ///
    /// # Errors
    /// Returns [`Error::UnknownModel`].
    pub fn ceiling(&self, request: &ChatRequest) -> Result<Use, Error> {
        let price = find_price(&request.model, self.clock.now().into())?;
        let ceiling = Usage::ceiling(request);
        Ok(Use {
            tokens: ceiling.total(),
            cost_micro_usd: price.cost_micro_usd(&ceiling),
        })
    }

    async fn admit(&self, call: &Call) -> Result<(Vec<Write>, Admission), Error> {
        let now = Timestamp::from(self.clock.now());
        let price = find_price(&call.request.model, now)?;
        let organization = self.store.find_organization(&call.org_id).await?;
        let organization = organization.ok_or(Error::UnknownOrganization)?.value;
        let admission = Admission {
            id: entry_id(call),
            org_id: call.org_id.clone(),
            price,
            monthly_tokens: Plan::for_organization(&organization).monthly_tokens,
        };
        let entry = self
            .store
            .find_usage_entry(&call.org_id, &admission.id)
            .await?;
        if entry.as_ref().is_some_and(is_settled) {
            return Ok((Vec::new(), admission));
        }
        let (mut quota, version) = self.find_quota(&call.org_id).await?;
        let ceiling = Usage::ceiling(&call.request);
        budget::reserve(
            &mut quota,
            &organization,
            &admission.id,
            ceiling.total(),
            now,
        )?;
        let writes = vec![
            write_entry(reserved_entry(call, &admission, &ceiling, now), entry)?,
            organizations::set_token_quota(&call.org_id, &quota, version)?,
        ];
        Ok((writes, admission))
    }

    /// Ends the reservation, with what the call used or without use. It can be repeated, so a
    /// commit whose outcome is unknown is.
    async fn book(&self, admission: &Admission, usage: Option<Usage>) -> Result<(), store::Error> {
        retry(Policy::REMOTE_CALL, || {
            commit_contended(&self.store, || self.settle(admission, usage))
        })
        .await
    }

    async fn settle(
        &self,
        admission: &Admission,
        usage: Option<Usage>,
    ) -> Result<(Vec<Write>, ()), store::Error> {
        let Admission { id, org_id, .. } = admission;
        let entry = self.store.find_usage_entry(org_id, id).await?;
        let Some(mut entry) = entry.filter(|entry| !is_settled(entry)) else {
            return Ok((Vec::new(), ()));
        };
        let tokens = usage.map_or(0, |usage| usage.total());
        let (mut quota, version) = self.find_quota(org_id).await?;
        let is_current = budget::settle(&mut quota, &entry.value.period, id, tokens);
        book_entry(&mut entry.value, &admission.price, usage);
        let mut writes = vec![usage_ledger::replace(&entry)?];
        if is_current {
            writes.push(organizations::set_token_quota(org_id, &quota, version)?);
        }
        if usage.is_some() {
            let used = is_current.then_some(quota.used);
            writes.extend(self.count(admission, &entry.value, used).await?);
        }
        Ok((writes, ()))
    }

    /// The writes that show a settled call on the dashboard. `apiUsage` is set to the quota's own
    /// counter, which the same commit makes conditional, so it is exact; after a month has turned
    /// it keeps the old month's number until the first call is settled.
    async fn count(
        &self,
        admission: &Admission,
        entry: &UsageEntry,
        used: Option<i64>,
    ) -> Result<Vec<Write>, store::Error> {
        let org_id = &admission.org_id;
        let current = self.store.find_current_stats(org_id).await?;
        let percent = |used| budget::percent_of_limit(used, admission.monthly_tokens);
        let change = StatsChange {
            tokens: entry.input_tokens.saturating_add(entry.output_tokens),
            cost_micro_usd: entry.cost_micro_usd,
            requests: 1,
            percent_of_limit: used.map(percent),
            ..StatsChange::default()
        };
        let mut writes =
            organizations::add_to_stats(org_id, current.as_ref(), change, entry.created_at)?;
        if let Some(used) = used {
            writes.push(organizations::set_api_usage(org_id, used)?);
        }
        Ok(writes)
    }

    async fn find_quota(
        &self,
        org_id: &OrgId,
    ) -> Result<(TokenQuota, Option<Timestamp>), store::Error> {
        let quota = self.store.find_token_quota(org_id).await?;
        Ok(quota.map_or_else(Default::default, |quota| (quota.value, Some(quota.version))))
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

impl Add for Use {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            cost_micro_usd: self.cost_micro_usd.saturating_add(other.cost_micro_usd),
        }
    }
}

fn find_price(model: &str, now: Timestamp) -> Result<Price, Error> {
    let price = price::find(model, &day_of(now));
    price.ok_or_else(|| Error::UnknownModel(model.to_owned()))
}

fn entry_id(call: &Call) -> RecordId {
    let key = call.request.idempotency_key.as_str();
    RecordId::derive(&["usage", call.org_id.as_str(), key])
}

fn is_settled(entry: &Versioned<UsageEntry>) -> bool {
    entry.value.state == UsageState::Settled
}

fn reserved_entry(
    call: &Call,
    admission: &Admission,
    ceiling: &Usage,
    now: Timestamp,
) -> UsageEntry {
    UsageEntry {
        id: admission.id.clone(),
        org_id: call.org_id.clone(),
        agent_id: call.agent_id.clone(),
        workflow_id: call.workflow_id.clone(),
        execution_id: call.execution_id.clone(),
        model: call.request.model.clone(),
        input_tokens: ceiling.input_tokens,
        output_tokens: ceiling.output_tokens,
        cost_micro_usd: admission.price.cost_micro_usd(ceiling),
        state: UsageState::Reserved,
        period: organizations::period_of(now),
        day: day_of(now),
        created_at: now,
    }
}

fn write_entry(
    entry: UsageEntry,
    found: Option<Versioned<UsageEntry>>,
) -> Result<Write, store::Error> {
    match found {
        Some(found) => usage_ledger::replace(&Versioned {
            value: entry,
            version: found.version,
        }),
        None => usage_ledger::create(&entry),
    }
}

fn book_entry(entry: &mut UsageEntry, price: &Price, usage: Option<Usage>) {
    let used = usage.unwrap_or_default();
    entry.input_tokens = used.input_tokens;
    entry.output_tokens = used.output_tokens;
    entry.cost_micro_usd = price.cost_micro_usd(&used);
    entry.state = match usage {
        Some(_) => UsageState::Settled,
        None => UsageState::Released,
    };
}

/// The UTC day of an instant, `YYYY-MM-DD`.
fn day_of(instant: Timestamp) -> String {
    instant.instant().strftime("%Y-%m-%d").to_string()
}
