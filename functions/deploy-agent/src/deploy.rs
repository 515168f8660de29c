//! Deploys an agent: in one commit, or in one that begins and one that ends.

use serde_json::json;
use shared::{
    audit::{self, Entry},
    models::{
        Agent, AgentRuntime, AgentStatus, AuditAction, DeployState, Presence, Principal, Timestamp,
    },
    quota::{self, AgentPlaces},
    store::{self, Versioned, Write, agents, commit_contended},
};

use crate::{
    AppState,
    orchestrator::{Orchestrator, Registered, revision},
    provision,
    request::{DeployRequest, Runtime},
};

/// Why an agent is not deployed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The organization has no such agent.
    #[error("the agent does not exist")]
    UnknownAgent,
    /// The agent was taken out of service for good.
    #[error("the agent is archived")]
    Archived,
    /// A model is being made from its conversations.
    #[error("the agent is in training")]
    Training,
    /// The tier has no long-term memory.
    #[error("long-term memory needs the pro tier")]
    MemoryDepth,
    /// No image is configured.
    #[error("no containers are configured here")]
    NoContainers,
    /// Its container cannot become ready.
    #[error("{0}")]
    Failed(String),
    /// The tier has no place for another deployed agent.
    #[error("the quota does not allow it")]
    Quota(#[from] quota::Error),
    /// It cannot be recorded.
    #[error("the deployment cannot be recorded")]
    Audit(#[from] audit::Error),
    /// The database did not do what was asked.
    #[error("the deployment cannot be kept")]
    Store(#[from] store::Error),
}

/// Deploys the caller's agent with the configuration asked for, and tells how it is then: deployed,
/// or still on its way when its container takes longer than a call may.
///
/// An agent that already runs with this configuration stays as it is: a repeat changes nothing
/// and is not audited. One that runs with another keeps its place in the quota.
pub(crate) async fn deploy(
    state: &AppState,
    principal: &Principal,
    request: &DeployRequest,
    now: Timestamp,
) -> Result<Agent, Error> {
    let decided = commit_contended(&state.store, || decide(state, principal, request, now)).await?;
    if decided.deploy_state != DeployState::Provisioning {
        return Ok(decided);
    }
    provision::advance(state, &principal.org_id, &request.agent_id).await;
    let agent = find(state, principal, request).await?.value;
    match (agent.deploy_state, &agent.last_error) {
        (DeployState::Failed, Some(error)) => Err(Error::Failed(error.message.clone())),
        _ => Ok(agent),
    }
}

async fn find(
    state: &AppState,
    principal: &Principal,
    request: &DeployRequest,
) -> Result<Versioned<Agent>, Error> {
    let store = &state.store;
    let found = store
        .find_agent(&principal.org_id, &request.agent_id)
        .await?;
    found.ok_or(Error::UnknownAgent)
}

async fn decide(
    state: &AppState,
    principal: &Principal,
    request: &DeployRequest,
    now: Timestamp,
) -> Result<(Vec<Write>, Agent), Error> {
    // Read before the agent: when a twin of this call takes the last place, the agent shows it.
    let places = AgentPlaces::find(&state.store, &principal.org_id).await;
    let mut agent = find(state, principal, request).await?;
    let before = agent.value.clone();
    if let Some(config) = &request.config {
        config.apply_to(&mut agent.value);
    }
    let runtime = request
        .runtime()
        .unwrap_or_else(|| current_runtime(&before));
    if is_done(&before, &agent.value, runtime) {
        return Ok((Vec::new(), before));
    }
    if before.deploy_state == DeployState::Archived {
        return Err(Error::Archived);
    }
    if before.status == AgentStatus::Training {
        return Err(Error::Training);
    }
    require_memory(state, &agent.value).await?;
    let mut writes = Vec::new();
    if !before.deploy_state.takes_place() {
        writes.push(places?.deploy()?);
    } else if before.suspension.is_some() {
        writes.push(places?.resume()?);
        agent.value.end_suspension();
    }
    let orchestrator = orchestrator(state, runtime)?;
    match orchestrator.register(&agent.value, now) {
        Some(place) => {
            settle(&mut agent.value, place);
            activate(&mut agent.value, now);
            let (org_id, id) = (&principal.org_id, &before.id);
            writes.extend(state.store.agent_service_removal(org_id, id, now).await?);
        }
        None => {
            agent.value.deploy_state = DeployState::Provisioning;
            writes.push(provision::begin(state, &agent.value, true, now).await?);
        }
    }
    agent.value.updated_at = now;
    writes.push(agents::replace(&agent)?);
    let entry = entry(&agent.value, principal.uid.as_str());
    writes.extend(state.trail.append(entry, now).await?);
    Ok((writes, agent.value))
}

fn orchestrator(state: &AppState, runtime: Runtime) -> Result<&dyn Orchestrator, Error> {
    match runtime {
        Runtime::Registered => Ok(&Registered),
        Runtime::Container => state.containers.as_deref().ok_or(Error::NoContainers),
    }
}

fn current_runtime(agent: &Agent) -> Runtime {
    match (agent.deploy_state, &agent.runtime) {
        // Only a container takes its time.
        (DeployState::Provisioning, _) | (_, Some(AgentRuntime::Container { .. })) => {
            Runtime::Container
        }
        _ => Runtime::Registered,
    }
}

/// Whether the agent already runs, or is about to run, as it is wanted.
fn is_done(before: &Agent, wanted: &Agent, runtime: Runtime) -> bool {
    if current_runtime(before) != runtime {
        return false;
    }
    match before.deploy_state {
        DeployState::Provisioning => revision(before) == revision(wanted),
        DeployState::Deployed => before.status == AgentStatus::Active && is_current(before, wanted),
        _ => false,
    }
}

/// Whether the agent's place has the configuration that is wanted.
fn is_current(agent: &Agent, wanted: &Agent) -> bool {
    let place = agent.runtime.as_ref();
    place.is_some_and(|place| place.revision() == revision(wanted))
}

/// Has the agent be in its place.
pub(crate) fn settle(agent: &mut Agent, place: AgentRuntime) {
    agent.deploy_state = DeployState::Deployed;
    agent.runtime = Some(place);
    agent.last_error = None;
}

/// Has the agent work, unless it is suspended.
pub(crate) fn activate(agent: &mut Agent, now: Timestamp) {
    agent.begin_work();
    agent.presence = Presence::at(now);
}

/// What is recorded of a step of an agent's deployment.
pub(crate) fn entry(agent: &Agent, actor_id: &str) -> Entry {
    let mut metadata = json!({ "agentId": agent.id, "deployState": agent.deploy_state });
    if agent.deploy_state == DeployState::Deployed {
        metadata["runtime"] = json!(agent.runtime);
    }
    Entry::new(&agent.org_id, actor_id, AuditAction::AgentDeploy, metadata)
}

async fn require_memory(state: &AppState, agent: &Agent) -> Result<(), Error> {
    if quota::allows_memory(&state.store, &agent.org_id, agent.memory_depth).await? {
        return Ok(());
    }
    Err(Error::MemoryDepth)
}
