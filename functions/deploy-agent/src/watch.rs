//! Has a deployed agent run with its newest configuration, whoever has changed it.

use shared::{
    audit,
    ids::{AgentId, OrgId},
    models::{Agent, AgentRuntime, DeployState},
    retry::Transient,
    store::{self, Write, agents, commit_contended},
};

use crate::{
    AppState, CALLER,
    deploy::{entry, settle},
    orchestrator::{Orchestrator, Registered, revision},
    provision,
};

/// Why a change is not followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Its service is not changed.
    #[error(transparent)]
    Provision(#[from] provision::Error),
    /// It cannot be recorded.
    #[error("the deployment cannot be recorded")]
    Audit(#[from] audit::Error),
    /// The database did not do what was asked.
    #[error("the deployment cannot be kept")]
    Store(#[from] store::Error),
}

impl Error {
    /// Whether the event is to come again.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Provision(error) => error.is_transient(),
            Self::Audit(error) => error.is_transient() || error.is_lost_race(),
            Self::Store(error) => error.is_transient() || error.is_lost_race(),
        }
    }
}

/// Whether a write may concern the place where the agent runs.
pub(crate) fn concerns(old: Option<&Agent>, new: Option<&Agent>) -> bool {
    let (Some(old), Some(new)) = (old, new) else {
        return true;
    };
    old.deploy_state != new.deploy_state || revision(old) != revision(new)
}

/// Brings the agent's place in line with the agent as it is now, which may be newer than what was
/// heard of. What is in line already is left alone: so a repeat changes nothing, and neither does
/// what this very function writes.
pub(crate) async fn follow(state: &AppState, org_id: &OrgId, id: &AgentId) -> Result<(), Error> {
    commit_contended(&state.store, || decide(state, org_id, id)).await?;
    Ok(provision::try_to_advance(state, org_id, id).await?)
}

async fn decide(state: &AppState, org_id: &OrgId, id: &AgentId) -> Result<(Vec<Write>, ()), Error> {
    let now = state.now();
    let Some(mut agent) = state.store.find_agent(org_id, id).await? else {
        return Ok((abandon(state, org_id, id).await?, ()));
    };
    let place = agent.value.runtime.as_ref();
    let is_current = place.is_none_or(|place| place.revision() == revision(&agent.value));
    if is_current || agent.value.deploy_state != DeployState::Deployed {
        return Ok((Vec::new(), ()));
    }
    if matches!(place, Some(AgentRuntime::Container { .. })) {
        return Ok((change(state, &agent.value).await?, ()));
    }
    let Some(place) = Registered.register(&agent.value, now) else {
        return Ok((Vec::new(), ()));
    };
    settle(&mut agent.value, place);
    let mut writes = vec![agents::replace(&agent)?];
    let entry = entry(&agent.value, &CALLER.actor_id());
    writes.extend(state.trail.append(entry, now).await?);
    Ok((writes, ()))
}

/// The agent stays deployed, and works with what it had, until its service is changed.
async fn change(state: &AppState, agent: &Agent) -> Result<Vec<Write>, Error> {
    let now = state.now();
    let service = state.store.find_agent_service(&agent.org_id, &agent.id);
    let service = service.await?;
    if service.is_some_and(|service| service.value.is_being_made()) {
        return Ok(Vec::new());
    }
    let begin = provision::begin(state, agent, false, now).await?;
    Ok(vec![begin])
}

/// Whoever deletes an agent has its service removed in the same commit; an agent may also go
/// otherwise.
async fn abandon(state: &AppState, org_id: &OrgId, id: &AgentId) -> Result<Vec<Write>, Error> {
    let service = state.store.find_agent_service(org_id, id).await?;
    if service.is_none_or(|service| service.value.is_going()) {
        return Ok(Vec::new());
    }
    let removal = state.store.agent_service_removal(org_id, id, state.now());
    Ok(removal.await?.into_iter().collect())
}
