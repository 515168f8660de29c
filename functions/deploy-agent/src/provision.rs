//! Makes and removes the services of agents, step by step: whoever goes on after a crash finds in
//! `agent_services` what is to be done.

use shared::{
    audit,
    ids::{AgentId, OrgId},
    models::{Agent, AgentService, AgentServiceState, Timestamp},
    quota,
    retry::{Transient, retry},
    store::{self, Versioned, Write, agent_services, commit_contended},
};

use crate::{
    AppState,
    orchestrator::{self, Orchestrator, Progress, Remains, revision},
    outcome,
};

/// How long nobody else touches a service that somebody is at, in seconds. It is longer than
/// anybody tries and a request may take.
const LEASE_SECS: i64 = 120;

/// A service that is not ready in this time never will be, in seconds.
const LIMIT_SECS: i64 = 600;

/// When a removal that Cloud Run refuses is tried again, in seconds.
const REFUSED_SECS: i64 = 300;

/// Why something about a service is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It takes longer.
    #[error("the service is not ready, or not gone yet")]
    Pending,
    /// Where agents run.
    #[error(transparent)]
    Orchestrator(#[from] orchestrator::Error),
    /// The place in the quota cannot be given back.
    #[error("the quota cannot be kept")]
    Quota(#[from] quota::Error),
    /// It cannot be recorded.
    #[error("the deployment cannot be recorded")]
    Audit(#[from] audit::Error),
    /// The database did not do what was asked.
    #[error("the deployment cannot be kept")]
    Store(#[from] store::Error),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Pending => true,
            Self::Orchestrator(error) => error.is_transient(),
            Self::Quota(error) => error.is_transient(),
            Self::Audit(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
        }
    }
}

/// What an agent's service was asked to be.
pub(crate) struct Attempt {
    /// The agent's configuration.
    pub(crate) revision: String,
    /// [`AgentService::begun_at`].
    pub(crate) begun_at: Timestamp,
}

/// Work on a service that nobody else touches until its time is over.
pub(crate) struct Held<'a> {
    pub(crate) state: &'a AppState,
    pub(crate) containers: &'a dyn Orchestrator,
    pub(crate) org_id: &'a OrgId,
    pub(crate) id: &'a AgentId,
    /// No two holders have the same.
    until: Timestamp,
}

/// The write that has the service of an agent be made or changed.
pub(crate) async fn begin(
    state: &AppState,
    agent: &Agent,
    activates: bool,
    now: Timestamp,
) -> Result<Write, store::Error> {
    let (org_id, id) = (&agent.org_id, &agent.id);
    match state.store.find_agent_service(org_id, id).await? {
        Some(mut service) => {
            service.value.provision(activates, now);
            agent_services::replace(&service)
        }
        None => {
            let mut service = AgentService::new(org_id, id, now);
            service.provision(activates, now);
            agent_services::create(&service)
        }
    }
}

/// Goes as far with an agent's service as patience allows, if there is something to do that nobody
/// is at. What is left, and what fails, is for the sweep.
pub(crate) async fn advance(state: &AppState, org_id: &OrgId, id: &AgentId) {
    if let Err(error) = try_to_advance(state, org_id, id).await {
        report(&error, id, "an agent's service waits for the sweep");
    }
}

/// The same, for who comes again after a failure of the database.
pub(crate) async fn try_to_advance(
    state: &AppState,
    org_id: &OrgId,
    id: &AgentId,
) -> Result<(), Error> {
    let Some(containers) = state.containers.as_deref() else {
        return Ok(());
    };
    let Some(until) = claim(state, org_id, id).await? else {
        return Ok(());
    };
    let held = Held {
        state,
        containers,
        org_id,
        id,
        until,
    };
    match retry(state.patience, || step(&held)).await {
        Ok(()) => Ok(()),
        Err(Error::Pending) => held.let_go().await,
        Err(Error::Orchestrator(error)) => {
            report(&error, id, "an agent's service waits for the sweep");
            held.let_go().await
        }
        Err(error) => Err(error),
    }
}

async fn claim(
    state: &AppState,
    org_id: &OrgId,
    id: &AgentId,
) -> Result<Option<Timestamp>, store::Error> {
    commit_contended(&state.store, || async move {
        let now = state.now();
        let found = state.store.find_agent_service(org_id, id).await?;
        let Some(mut service) = found.filter(|service| service.value.is_due(now)) else {
            return Ok((Vec::new(), None));
        };
        let until = now.plus_seconds(LEASE_SECS);
        service.value.due_at = Some(until);
        Ok((vec![agent_services::replace(&service)?], Some(until)))
    })
    .await
}

/// Does what is to be done next, until there is nothing left.
async fn step(held: &Held<'_>) -> Result<(), Error> {
    let Some(service) = held.find().await? else {
        return Ok(());
    };
    match service.value.state {
        AgentServiceState::Ready => Ok(()),
        AgentServiceState::Provisioning => provision(held, &service.value).await,
        AgentServiceState::Removing | AgentServiceState::Removed => {
            remove(held, service.value.state).await
        }
    }
}

async fn provision(held: &Held<'_>, service: &AgentService) -> Result<(), Error> {
    let now = held.state.now();
    let agent = held.state.store.find_agent(held.org_id, held.id).await?;
    let Some(agent) = agent.filter(|agent| agent.value.deploy_state.takes_place()) else {
        outcome::keep_abandoned(held).await?;
        return Err(Error::Pending);
    };
    let attempt = Attempt {
        revision: revision(&agent.value),
        begun_at: service.begun_at,
    };
    let is_late = |since: Timestamp| now > since.plus_seconds(LIMIT_SECS);
    let failure = match held.containers.ensure(&agent.value, now).await {
        Ok(Progress::Ready(place)) => return outcome::keep_ready(held, &place).await,
        Ok(Progress::Failed(failure)) => failure,
        Ok(Progress::Pending) => match service.taken_at {
            None => {
                outcome::keep_taken(held, &attempt).await?;
                return Err(Error::Pending);
            }
            Some(taken_at) if !is_late(taken_at) => return Err(Error::Pending),
            Some(_) => "the container did not become ready in time".to_owned(),
        },
        // An agent that runs goes on as it is while Cloud Run cannot be reached.
        Err(error) if error.is_transient() => match agent.value.runtime {
            None if is_late(service.begun_at) => error.to_string(),
            _ => return Err(error.into()),
        },
        Err(error) => error.to_string(),
    };
    outcome::keep_failed(held, &attempt, &failure).await?;
    Err(Error::Pending)
}

async fn remove(held: &Held<'_>, state: AgentServiceState) -> Result<(), Error> {
    let begun = match held.containers.remains(held.org_id, held.id).await {
        Ok(Remains::Nothing) => return outcome::keep_gone(held, state).await,
        Ok(Remains::Going) => return Err(Error::Pending),
        // It may be wanted again since it was looked at.
        Ok(Remains::Service { .. }) if !held.is_in(state).await? => return Err(Error::Pending),
        Ok(Remains::Service { etag }) => held.containers.remove(held.id, &etag).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok(()) => Err(Error::Pending),
        Err(error) if error.is_transient() => Err(error.into()),
        Err(error) => {
            report(&error, held.id, "an agent's service cannot be removed");
            held.postpone(held.state.now().plus_seconds(REFUSED_SECS))
                .await
        }
    }
}

impl Held<'_> {
    /// The service, unless its time was over and somebody else has taken it.
    pub(crate) async fn find(&self) -> Result<Option<Versioned<AgentService>>, store::Error> {
        let service = self.state.store.find_agent_service(self.org_id, self.id);
        let service = service.await?;
        Ok(service.filter(|service| service.value.due_at == Some(self.until)))
    }

    /// Whether it is ours, and still what it was.
    async fn is_in(&self, state: AgentServiceState) -> Result<bool, store::Error> {
        let service = self.find().await?;
        Ok(service.is_some_and(|service| service.value.state == state))
    }

    /// Leaves the rest to whoever comes next.
    async fn let_go(&self) -> Result<(), Error> {
        self.postpone(self.state.now()).await
    }

    async fn postpone(&self, due_at: Timestamp) -> Result<(), Error> {
        let written = commit_contended(&self.state.store, || async {
            let Some(mut service) = self.find().await? else {
                return Ok((Vec::new(), ()));
            };
            service.value.due_at = Some(due_at);
            Ok::<_, store::Error>((vec![agent_services::replace(&service)?], ()))
        });
        written.await.map_err(Error::Store)
    }
}

fn report(error: &(dyn std::error::Error + 'static), id: &AgentId, message: &str) {
    tracing::warn!(agent.id = %id, error, "{message}");
}
