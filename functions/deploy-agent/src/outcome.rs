//! What is kept when an agent's service is ready, has failed, or is gone: each in one commit, by
//! whoever still holds the work.

use shared::{
    models::{
        Agent, AgentRuntime, AgentService, AgentServiceState, AgentStatus, DeployState, LastError,
    },
    quota::{Place, release_agent_slot},
    store::{Versioned, Write, agent_services, agents, commit_contended},
};

use crate::{
    CALLER,
    deploy::{activate, entry, settle},
    orchestrator::revision,
    provision::{Attempt, Error, Held},
};

/// After this time no request that was sent before a removal can make a service any more, in
/// seconds.
const SECOND_LOOK_SECS: i64 = 600;

type Built<T> = Result<(Vec<Write>, T), Error>;

/// Keeps that the agent runs, unless its configuration was changed meanwhile: then the service is
/// to be changed again.
pub(crate) async fn keep_ready(held: &Held<'_>, place: &AgentRuntime) -> Result<(), Error> {
    let is_kept = commit_contended(&held.state.store, || ready(held, place)).await?;
    is_kept.then_some(()).ok_or(Error::Pending)
}

/// Keeps that Cloud Run has taken what it was asked for.
pub(crate) async fn keep_taken(held: &Held<'_>, attempt: &Attempt) -> Result<(), Error> {
    commit_contended(&held.state.store, || async {
        let Some((mut service, _)) = provisioning(held).await? else {
            return Ok((Vec::new(), ()));
        };
        if service.value.begun_at != attempt.begun_at {
            return Ok((Vec::new(), ()));
        }
        service.value.taken_at = Some(held.state.now());
        Ok((vec![agent_services::replace(&service)?], ()))
    })
    .await
}

/// Keeps that the agent's service cannot become ready and has to go, unless it was asked to be
/// something else meanwhile.
pub(crate) async fn keep_failed(
    held: &Held<'_>,
    attempt: &Attempt,
    failure: &str,
) -> Result<(), Error> {
    commit_contended(&held.state.store, || failed(held, attempt, failure)).await
}

/// Keeps that nobody needs the service.
pub(crate) async fn keep_abandoned(held: &Held<'_>) -> Result<(), Error> {
    commit_contended(&held.state.store, || async {
        let Some((mut service, agent)) = provisioning(held).await? else {
            return Ok((Vec::new(), ()));
        };
        if agent.is_some() {
            return Ok((Vec::new(), ()));
        }
        service.value.remove(held.state.now());
        Ok((vec![agent_services::replace(&service)?], ()))
    })
    .await
}

/// Keeps that the service is gone. It is looked for once more later: a request to make it may
/// have been on its way.
pub(crate) async fn keep_gone(held: &Held<'_>, state: AgentServiceState) -> Result<(), Error> {
    let is_kept = commit_contended(&held.state.store, || gone(held, state)).await?;
    is_kept.then_some(()).ok_or(Error::Pending)
}

async fn ready(held: &Held<'_>, place: &AgentRuntime) -> Built<bool> {
    let now = held.state.now();
    let Some((mut service, Some(mut agent))) = provisioning(held).await? else {
        return Ok((Vec::new(), false));
    };
    if place.revision() != revision(&agent.value) {
        return Ok((Vec::new(), false));
    }
    settle(&mut agent.value, place.clone());
    if service.value.activates {
        activate(&mut agent.value, now);
    }
    agent.value.updated_at = now;
    service.value.state = AgentServiceState::Ready;
    service.value.due_at = None;
    let mut writes = vec![agents::replace(&agent)?, agent_services::replace(&service)?];
    let entry = entry(&agent.value, &CALLER.actor_id());
    writes.extend(held.state.trail.append(entry, now).await?);
    Ok((writes, true))
}

async fn failed(held: &Held<'_>, attempt: &Attempt, failure: &str) -> Built<()> {
    let now = held.state.now();
    let Some((mut service, Some(mut agent))) = provisioning(held).await? else {
        return Ok((Vec::new(), ()));
    };
    let is_other = service.value.begun_at != attempt.begun_at;
    if is_other || revision(&agent.value) != attempt.revision {
        return Ok((Vec::new(), ()));
    }
    let place = Place::of(&agent.value);
    let mut writes = release_agent_slot(&held.state.store, held.org_id, place).await?;
    agent.value.deploy_state = DeployState::Failed;
    agent.value.suspension = None;
    agent.value.status = AgentStatus::Paused;
    agent.value.runtime = None;
    agent.value.last_error = Some(LastError {
        code: "failed_precondition".to_owned(),
        message: failure.to_owned(),
        at: now,
    });
    agent.value.updated_at = now;
    service.value.remove(now);
    writes.extend([agents::replace(&agent)?, agent_services::replace(&service)?]);
    let entry = entry(&agent.value, &CALLER.actor_id());
    writes.extend(held.state.trail.append(entry, now).await?);
    Ok((writes, ()))
}

async fn gone(held: &Held<'_>, state: AgentServiceState) -> Built<bool> {
    let found = held.find().await?;
    let Some(mut service) = found.filter(|service| service.value.state == state) else {
        return Ok((Vec::new(), false));
    };
    let write = match state {
        AgentServiceState::Removed => agent_services::delete(&service),
        _ => {
            service.value.state = AgentServiceState::Removed;
            service.value.due_at = Some(held.state.now().plus_seconds(SECOND_LOOK_SECS));
            agent_services::replace(&service)?
        }
    };
    Ok((vec![write], true))
}

/// The service that is still to be made, and the agent if it still needs it.
async fn provisioning(
    held: &Held<'_>,
) -> Result<Option<(Versioned<AgentService>, Option<Versioned<Agent>>)>, Error> {
    let service = held.find().await?;
    let is_wanted =
        |service: &Versioned<AgentService>| service.value.state == AgentServiceState::Provisioning;
    let Some(service) = service.filter(is_wanted) else {
        return Ok(None);
    };
    let agent = held.state.store.find_agent(held.org_id, held.id).await?;
    let agent = agent.filter(|agent| agent.value.deploy_state.takes_place());
    Ok(Some((service, agent)))
}
