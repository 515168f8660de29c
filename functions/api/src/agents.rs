use serde_json::{Value, json};
use shared::{
    audit::{Entry, Trail},
    ids::AgentId,
    models::{Agent, AgentStatus, AuditAction, DeployState, Principal, Timestamp},
    quota::{self, AgentPlaces, Place},
    store::{self, Store, Versioned, Write, commit_contended},
};

use crate::{
    changes::changed_fields,
    error::{Error, Refusal},
    idempotency::{Done, Once},
};

/// Documents below an agent that are read and deleted at once; a message may hold 256 kB.
const DELETE_BATCH: u32 = 100;

/// Tunings of an agent that are looked at at once; one at most is under way.
const TUNINGS_BATCH: u32 = 50;

/// The caller's agent, as it was read.
pub(crate) async fn find(
    store: &Store,
    principal: &Principal,
    id: &AgentId,
) -> Result<Versioned<Agent>, Error> {
    let agent = store.find_agent(&principal.org_id, id).await?;
    agent.ok_or(Error::NotFound("agent"))
}

/// The caller's agent, if it is one that answers.
pub(crate) async fn find_at_work(
    store: &Store,
    principal: &Principal,
    id: &AgentId,
) -> Result<Agent, Error> {
    let agent = find(store, principal, id).await?.value;
    if agent.is_at_work() {
        return Ok(agent);
    }
    Err(Error::Precondition("the agent is not deployed and active"))
}

/// Creates the agent, counts it against the quota and records it, in one commit.
pub(crate) async fn create(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    once: &Once,
    agent: &Agent,
) -> Result<Done<Agent>, Error> {
    once.commit(store, || async move {
        require_memory(store, agent).await?;
        let now = agent.created_at;
        let mut writes = quota::reserve_agent(store, &principal.org_id, now).await?;
        writes.push(store::agents::create(agent)?);
        let entry = entry(principal, AuditAction::AgentCreate, agent, json!({}));
        writes.extend(trail.append(entry, now).await?);
        Ok((writes, agent.clone()))
    })
    .await
}

/// Applies `change` to the newest state of the agent, and records which fields it changed.
pub(crate) async fn update(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &AgentId,
    now: Timestamp,
    change: impl Fn(&mut Agent),
) -> Result<Agent, Error> {
    let change = &change;
    commit_contended(store, || async move {
        let mut agent = find(store, principal, id).await?;
        let before = agent.value.clone();
        change(&mut agent.value);
        let fields = changed_fields(&before, &agent.value)?;
        if fields.is_empty() {
            return Ok((Vec::new(), agent.value));
        }
        require_memory(store, &agent.value).await?;
        agent.value.updated_at = now;
        let context = json!({ "fields": fields });
        let entry = entry(principal, AuditAction::AgentUpdate, &agent.value, context);
        let mut writes = trail.append(entry, now).await?;
        writes.push(store::agents::replace(&agent)?);
        Ok((writes, agent.value))
    })
    .await
}

/// A step of an agent's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// It refuses work.
    Pause,
    /// It works again.
    Resume,
    /// It is taken out of service for good.
    Archive,
}

impl Transition {
    /// Only a deployed agent works or rests, and only one that rests can be archived.
    fn begins_at(self) -> AgentStatus {
        match self {
            Self::Pause => AgentStatus::Active,
            Self::Resume | Self::Archive => AgentStatus::Paused,
        }
    }

    fn apply(self, agent: &mut Agent) {
        match self {
            Self::Pause => agent.status = AgentStatus::Paused,
            Self::Resume => {
                agent.suspension = None;
                agent.status = AgentStatus::Active;
            }
            Self::Archive => {
                agent.deploy_state = DeployState::Archived;
                agent.suspension = None;
                agent.runtime = None;
            }
        }
    }

    fn action(self) -> AuditAction {
        match self {
            Self::Pause => AuditAction::AgentPause,
            Self::Resume => AuditAction::AgentResume,
            Self::Archive => AuditAction::AgentArchive,
        }
    }

    fn refusal(self) -> Refusal {
        Refusal::Transition(match self {
            Self::Pause => "only a deployed agent that is active can be paused",
            Self::Resume => "only a deployed agent that is paused can be resumed",
            Self::Archive => "only a deployed agent that is paused can be archived",
        })
    }
}

/// Takes the step if the agent is where it begins, and records it, in one commit. An agent that is
/// archived gives its place among the deployed ones back, and its container goes. One that is
/// suspended works again only if there is a place for it.
pub(crate) async fn transition(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &AgentId,
    transition: Transition,
    now: Timestamp,
) -> Result<Agent, Error> {
    commit_contended(store, || async move {
        let mut agent = find(store, principal, id).await?;
        let is_deployed = agent.value.deploy_state == DeployState::Deployed;
        if !is_deployed || agent.value.status != transition.begins_at() {
            return Err(transition.refusal().into());
        }
        let mut writes = match transition {
            Transition::Archive => retire(store, &agent.value, now).await?,
            Transition::Resume if agent.value.suspension.is_some() => {
                let places = AgentPlaces::find(store, &principal.org_id).await?;
                vec![places.resume()?]
            }
            Transition::Pause | Transition::Resume => Vec::new(),
        };
        transition.apply(&mut agent.value);
        agent.value.updated_at = now;
        let entry = entry(principal, transition.action(), &agent.value, json!({}));
        writes.extend(trail.append(entry, now).await?);
        writes.push(store::agents::replace(&agent)?);
        Ok((writes, agent.value))
    })
    .await
}

/// What else goes with an agent that is archived.
async fn retire(store: &Store, agent: &Agent, now: Timestamp) -> Result<Vec<Write>, Error> {
    let org_id = &agent.org_id;
    let mut writes = quota::release_agent_slot(store, org_id, Place::of(agent)).await?;
    writes.extend(store.agent_service_removal(org_id, &agent.id, now).await?);
    Ok(writes)
}

/// Deletes the agent with what it remembers, its conversations and its tunings; the one that is under
/// way deletes itself at its end. They go first, and once more after it: a turn that ends meanwhile may
/// have added to them. A repeat of a deletion that was cut
/// off removes what is left, although the agent is not there any more.
pub(crate) async fn delete(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &AgentId,
    now: Timestamp,
) -> Result<(), Error> {
    delete_below(store, principal, id).await?;
    delete_itself(store, trail, principal, id, now).await?;
    delete_below(store, principal, id).await
}

async fn delete_below(store: &Store, principal: &Principal, id: &AgentId) -> Result<(), Error> {
    let org_id = &principal.org_id;
    loop {
        let memories = store.list_memory_removals(org_id, id, DELETE_BATCH).await?;
        let rest = DELETE_BATCH - u32::try_from(memories.len()).unwrap_or(DELETE_BATCH);
        let conversation = match rest {
            0 => Vec::new(),
            _ => store.list_session_removals(org_id, id, rest).await?,
        };
        let tunings = store.list_tuning_removals(org_id, id, TUNINGS_BATCH);
        let removals = [memories, conversation, tunings.await?].concat();
        if removals.is_empty() {
            return Ok(());
        }
        match store.commit(removals).await {
            // A turn has ended in a conversation that was to go.
            Err(error) if !error.is_lost_race() => return Err(error.into()),
            _ => {}
        }
    }
}

/// Deletes the agent, gives its place in the quota back, has its container removed and records it,
/// in one commit.
async fn delete_itself(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &AgentId,
    now: Timestamp,
) -> Result<(), Error> {
    commit_contended(store, || async move {
        let agent = find(store, principal, id).await?;
        let (org_id, place) = (&principal.org_id, Place::of(&agent.value));
        let mut writes = quota::release_agent(store, org_id, place, now).await?;
        writes.extend(store.agent_service_removal(org_id, id, now).await?);
        writes.push(store::agents::delete(&agent));
        let entry = entry(principal, AuditAction::AgentDelete, &agent.value, json!({}));
        writes.extend(trail.append(entry, now).await?);
        Ok((writes, ()))
    })
    .await
}

async fn require_memory(store: &Store, agent: &Agent) -> Result<(), Error> {
    if quota::allows_memory(store, &agent.org_id, agent.memory_depth).await? {
        return Ok(());
    }
    Err(Error::Precondition("long-term memory needs the pro tier"))
}

fn entry(principal: &Principal, action: AuditAction, agent: &Agent, mut context: Value) -> Entry {
    context["agentId"] = json!(agent.id);
    Entry::new(&agent.org_id, principal.uid.as_str(), action, context)
}
