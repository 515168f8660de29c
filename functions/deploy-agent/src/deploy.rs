//! Deploys an agent, in one commit.

use serde_json::json;
use shared::{
    audit::{self, Entry, Trail},
    models::{
        Agent, AgentRuntime, AgentStatus, AuditAction, DeployState, Presence, Principal, Timestamp,
    },
    quota::{self, deploy_agent_slot},
    store::{self, Store, Write, agents, commit_contended},
};

use crate::{orchestrator, request::DeployRequest};

/// Why an agent is not deployed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The organization has no such agent.
    #[error("the agent does not exist")]
    UnknownAgent,
    /// The agent was taken out of service for good.
    #[error("the agent is archived")]
    Archived,
    /// The tier has no long-term memory.
    #[error("long-term memory needs the pro tier")]
    MemoryDepth,
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

/// Deploys the caller's agent with the configuration asked for, and tells how it is then.
///
/// An agent that already runs with this configuration stays as it is: a repeat changes nothing
/// and is not audited. One that runs with another keeps its place in the quota.
pub(crate) async fn deploy(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    request: &DeployRequest,
    now: Timestamp,
) -> Result<Agent, Error> {
    commit_contended(store, || decide(store, trail, principal, request, now)).await
}

async fn decide(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    request: &DeployRequest,
    now: Timestamp,
) -> Result<(Vec<Write>, Agent), Error> {
    // Read before the agent: when a twin of this call takes the last place, the agent shows it.
    let slot = deploy_agent_slot(store, &principal.org_id).await;
    let found = store
        .find_agent(&principal.org_id, &request.agent_id)
        .await?;
    let mut agent = found.ok_or(Error::UnknownAgent)?;
    let before = agent.value.clone();
    if let Some(config) = &request.config {
        config.apply_to(&mut agent.value);
    }
    if is_running(&before, &orchestrator::revision(&agent.value)) {
        return Ok((Vec::new(), before));
    }
    if before.deploy_state == DeployState::Archived {
        return Err(Error::Archived);
    }
    require_memory(store, &agent.value).await?;
    let mut writes = match before.deploy_state {
        DeployState::Deployed => Vec::new(),
        _ => slot?,
    };
    let runtime = orchestrator::register(&agent.value, now);
    let metadata = json!({ "agentId": before.id, "runtime": runtime });
    agent.value.status = AgentStatus::Active;
    agent.value.deploy_state = DeployState::Deployed;
    agent.value.runtime = Some(runtime);
    agent.value.last_error = None;
    agent.value.presence = Presence::at(now);
    agent.value.updated_at = now;
    let (org_id, actor) = (&principal.org_id, principal.uid.as_str());
    writes.push(agents::replace(&agent)?);
    let entry = Entry::new(org_id, actor, AuditAction::AgentDeploy, metadata);
    writes.extend(trail.append(entry, now).await?);
    Ok((writes, agent.value))
}

fn is_running(agent: &Agent, wanted: &str) -> bool {
    let is_wanted = matches!(
        &agent.runtime,
        Some(AgentRuntime::Registered { revision, .. }) if revision == wanted
    );
    is_wanted && agent.status == AgentStatus::Active && agent.deploy_state == DeployState::Deployed
}

async fn require_memory(store: &Store, agent: &Agent) -> Result<(), Error> {
    if quota::allows_memory(store, &agent.org_id, agent.memory_depth).await? {
        return Ok(());
    }
    Err(Error::MemoryDepth)
}
