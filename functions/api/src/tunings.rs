//! Models that are made from approved conversations.

use serde_json::{Value, json};
use shared::{
    audit::{Entry, Trail},
    ids::{AgentId, RecordId},
    llm::price,
    models::{Agent, AgentStatus, AuditAction, Principal, Timestamp, Tuning, TuningState},
    quota::{self, MAX_TUNED_MODELS, MeteredLlm},
    store::{
        Listing, Page, Store, Versioned, agents as agent_writes, commit_contended,
        organizations::day_of, tunings,
    },
    training::{Dataset, MAX_BYTES, MIN_EXAMPLES},
};

use crate::{
    agents,
    error::{Error, Problem, Refusal},
    idempotency::{Done, Once},
};

/// What a tuning is to be.
pub(crate) struct Order<'a> {
    pub(crate) agent_id: &'a AgentId,
    pub(crate) base_model: &'a str,
    pub(crate) epochs: i64,
}

/// The approved conversations with the agent, taken out on record.
pub(crate) async fn export(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    agent_id: &AgentId,
    now: Timestamp,
) -> Result<String, Error> {
    let agent = agents::find(store, principal, agent_id).await?.value;
    require_plan(store, principal).await?;
    let dataset = Dataset::of(store, &agent, MAX_BYTES).await?;
    let context = json!({ "agentId": agent_id, "examples": dataset.examples });
    let context = &context;
    commit_contended(store, || async move {
        let entry = entry(principal, AuditAction::DatasetExport, context.clone());
        Ok::<_, Error>((trail.append(entry, now).await?, ()))
    })
    .await?;
    Ok(dataset.lines)
}

/// Begins a tuning: reserves what it may cost, takes the agent out of work and records it, in one
/// commit. The sweeper does the rest.
pub(crate) async fn start(
    (store, llm): (&Store, Option<&MeteredLlm>),
    trail: &Trail,
    principal: &Principal,
    once: &Once,
    order: &Order<'_>,
    now: Timestamp,
) -> Result<Done<Tuning>, Error> {
    if let Some(done) = once.replay(store).await? {
        return Ok(done);
    }
    let id = &RecordId::generate();
    // Read once, whatever the commit meets: what is handed over is read again, and held to its size.
    let agent = agents::find(store, principal, order.agent_id).await?.value;
    require_order(store, principal, order, now).await?;
    require_at_work(&agent)?;
    let dataset = &Dataset::of(store, &agent, MAX_BYTES).await?;
    if dataset.examples < MIN_EXAMPLES {
        return Err(Error::Precondition("10 approved conversations are needed"));
    }
    once.commit(store, || async move {
        let mut agent = agents::find(store, principal, order.agent_id).await?;
        require_order(store, principal, order, now).await?;
        if let Some(llm) = llm {
            llm.require_on(&principal.org_id).await?;
        }
        require_at_work(&agent.value)?;
        let mut tuning = new_tuning(principal, id, order, dataset, now);
        let (mut writes, cost) = quota::reserve_training(store, &tuning, now).await?;
        // After the quota was read: of two that take the last place, one finds it changed.
        require_room(store, principal).await?;
        tuning.cost_micro_usd = cost;
        agent.value.status = AgentStatus::Training;
        agent.value.updated_at = now;
        let context = json!({
            "agentId": order.agent_id,
            "tuningId": id,
            "baseModel": order.base_model,
            "examples": dataset.examples,
        });
        let entry = entry(principal, AuditAction::TuningStart, context);
        writes.extend(trail.append(entry, now).await?);
        writes.push(tunings::create(&tuning)?);
        writes.push(agent_writes::replace(&agent)?);
        Ok((writes, tuning))
    })
    .await
}

/// The tunings with the caller's agent.
pub(crate) async fn list(
    store: &Store,
    principal: &Principal,
    agent_id: &AgentId,
    page: &Page,
) -> Result<Listing<Tuning>, Error> {
    agents::find(store, principal, agent_id).await?;
    let org_id = &principal.org_id;
    Ok(store.list_tunings(org_id, agent_id, page).await?)
}

/// A tuning with the caller's agent.
pub(crate) async fn find(
    store: &Store,
    principal: &Principal,
    (agent_id, id): (&AgentId, &RecordId),
) -> Result<Versioned<Tuning>, Error> {
    agents::find(store, principal, agent_id).await?;
    let tuning = store.find_tuning(&principal.org_id, agent_id, id).await?;
    tuning.ok_or(Error::NotFound("tuning"))
}

/// Has a tuning be stopped, and records it; one that has ended is left as it is.
pub(crate) async fn cancel(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    place: (&AgentId, &RecordId),
    now: Timestamp,
) -> Result<Tuning, Error> {
    commit_contended(store, || async move {
        let mut tuning = find(store, principal, place).await?;
        if tuning.value.state.is_final() || tuning.value.is_cancelling {
            return Ok((Vec::new(), tuning.value));
        }
        tuning.value.is_cancelling = true;
        tuning.value.updated_at = now;
        let context = json!({ "agentId": place.0, "tuningId": place.1 });
        let entry = entry(principal, AuditAction::TuningCancel, context);
        let mut writes = trail.append(entry, now).await?;
        writes.push(tunings::replace(&tuning)?);
        Ok((writes, tuning.value))
    })
    .await
}

async fn require_order(
    store: &Store,
    principal: &Principal,
    order: &Order<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    require_plan(store, principal).await?;
    if price::tunable(order.base_model, &day_of(now)).is_some() {
        return Ok(());
    }
    let problem = Problem::new("baseModel", "is no model that can be tuned");
    Err(Error::Invalid(vec![problem]))
}

async fn require_plan(store: &Store, principal: &Principal) -> Result<(), Error> {
    if quota::allows_tuning(store, &principal.org_id).await? {
        return Ok(());
    }
    Err(Error::Precondition("fine-tuning needs the enterprise tier"))
}

fn require_at_work(agent: &Agent) -> Result<(), Error> {
    if agent.is_at_work() {
        return Ok(());
    }
    Err(Refusal::Transition("only a deployed agent that is active can be trained").into())
}

/// Models in the making count: each has an agent in training.
async fn require_room(store: &Store, principal: &Principal) -> Result<(), Error> {
    let (org_id, limit) = (&principal.org_id, MAX_TUNED_MODELS);
    let known = store.list_tuned_models(org_id, limit).await?;
    let training = store.list_agents_in_training(org_id, limit);
    if known.len() + training.await?.len() < limit as usize {
        return Ok(());
    }
    Err(Refusal::Exhausted("there are as many tuned models as may be").into())
}

fn new_tuning(
    principal: &Principal,
    id: &RecordId,
    order: &Order<'_>,
    dataset: &Dataset,
    now: Timestamp,
) -> Tuning {
    Tuning {
        id: id.clone(),
        org_id: principal.org_id.clone(),
        agent_id: order.agent_id.clone(),
        base_model: order.base_model.to_owned(),
        epochs: order.epochs,
        state: TuningState::Queued,
        examples: dataset.examples,
        max_bytes: i64::try_from(dataset.lines.len()).unwrap_or(i64::MAX),
        cost_micro_usd: 0,
        trained_tokens: None,
        file_id: None,
        job_id: None,
        tuned_model: None,
        error: None,
        is_cancelling: false,
        due_at: Some(now),
        created_at: now,
        updated_at: now,
    }
}

fn entry(principal: &Principal, action: AuditAction, context: Value) -> Entry {
    Entry::new(&principal.org_id, principal.uid.as_str(), action, context)
}
