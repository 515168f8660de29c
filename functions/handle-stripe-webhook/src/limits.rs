//! Brings the agents of an organization within the limit of its plan after the tier has changed.
//!
//! Those that work come before those that rest, and of equals the oldest first: as many of them as
//! the plan allows keep their places, the others are suspended. Nothing of theirs is lost, and a
//! larger plan gives them their places back in the same order.

use std::cmp::Reverse;

use serde_json::json;
use shared::{
    audit::Entry,
    ids::{AgentId, OrgId},
    models::{Agent, AgentQuota, AgentStatus, AuditAction, Timestamp},
    quota::Plan,
    store::{Page, Store, Versioned, Write, agents, commit_contended, organizations},
};

use crate::{AppState, CALLER, subscription::Error};

/// Agents that one commit changes at most.
const BATCH: usize = 20;

/// Agents that are read at once.
const PAGE: u32 = 300;

/// Goes on until the agents are within the limit; does nothing if no change of the tier is left to
/// be followed. Each step is one commit, so whoever comes after a crash goes on from there.
pub(crate) async fn enforce(state: &AppState, org_id: &OrgId) -> Result<(), Error> {
    while !commit_contended(&state.store, || step(state, org_id)).await? {}
    Ok(())
}

/// What is to be done with one organization's agents.
enum Step {
    Suspend(Vec<Versioned<Agent>>),
    Resume(Vec<Versioned<Agent>>),
    Nothing,
}

/// Tells whether nothing is left.
async fn step(state: &AppState, org_id: &OrgId) -> Result<(Vec<Write>, bool), Error> {
    // First, so that the commit fails if an agent gets or gives up a place from here on.
    let Some(quota) = state.store.find_agent_quota(org_id).await? else {
        return Ok((Vec::new(), true));
    };
    if quota.value.enforce_at.is_none() {
        return Ok((Vec::new(), true));
    }
    let organization = state.store.find_organization(org_id).await?;
    // What is left of an organization that is gone needs no limit.
    let limit = organization.map_or(i64::MAX, |found| {
        Plan::for_organization(&found.value).agents
    });
    let deployed = list_deployed(&state.store, org_id).await?;
    match next_step(deployed, usize::try_from(limit).unwrap_or_default()) {
        Step::Suspend(agents) => Ok((suspend(state, quota, org_id, agents).await?, false)),
        Step::Resume(agents) => Ok((resume(state, quota, org_id, agents).await?, false)),
        Step::Nothing => {
            let mut done = quota.value;
            done.enforce_at = None;
            let write = organizations::set_agent_quota(org_id, &done, Some(quota.version))?;
            Ok((vec![write], true))
        }
    }
}

async fn list_deployed(store: &Store, org_id: &OrgId) -> Result<Vec<Versioned<Agent>>, Error> {
    let mut deployed = Vec::new();
    let mut page = Page::first(PAGE);
    loop {
        let listing = store.list_versioned_agents(org_id, &page).await?;
        let agents = listing.items.into_iter();
        deployed.extend(agents.filter(|agent| agent.value.deploy_state.takes_place()));
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(deployed),
        }
    }
}

fn next_step(mut deployed: Vec<Versioned<Agent>>, limit: usize) -> Step {
    deployed.sort_by_cached_key(|agent| rank(&agent.value));
    let over = deployed.split_off(limit.min(deployed.len()));
    let is_suspended = |agent: &Versioned<Agent>| agent.value.suspension.is_some();
    let to_suspend: Vec<_> = over
        .into_iter()
        .rev()
        .filter(|agent| !is_suspended(agent))
        .take(BATCH)
        .collect();
    if !to_suspend.is_empty() {
        return Step::Suspend(to_suspend);
    }
    let to_resume: Vec<_> = deployed
        .into_iter()
        .filter(is_suspended)
        .take(BATCH)
        .collect();
    match to_resume.is_empty() {
        true => Step::Nothing,
        false => Step::Resume(to_resume),
    }
}

/// The smallest keeps its place first.
fn rank(agent: &Agent) -> (Reverse<bool>, Timestamp, AgentId) {
    let status = match &agent.suspension {
        Some(suspension) => suspension.status,
        None => agent.status,
    };
    let works = status != AgentStatus::Paused;
    (Reverse(works), agent.created_at, agent.id.clone())
}

async fn suspend(
    state: &AppState,
    mut quota: Versioned<AgentQuota>,
    org_id: &OrgId,
    mut agents: Vec<Versioned<Agent>>,
) -> Result<Vec<Write>, Error> {
    let now = state.now();
    for agent in &mut agents {
        agent.value.suspend(now);
    }
    quota.value.suspended += count(&agents);
    write(state, &quota, org_id, AuditAction::AgentPause, agents).await
}

async fn resume(
    state: &AppState,
    mut quota: Versioned<AgentQuota>,
    org_id: &OrgId,
    mut agents: Vec<Versioned<Agent>>,
) -> Result<Vec<Write>, Error> {
    for agent in &mut agents {
        agent.value.end_suspension();
    }
    quota.value.suspended = (quota.value.suspended - count(&agents)).max(0);
    write(state, &quota, org_id, AuditAction::AgentResume, agents).await
}

fn count(agents: &[Versioned<Agent>]) -> i64 {
    i64::try_from(agents.len()).unwrap_or(i64::MAX)
}

async fn write(
    state: &AppState,
    quota: &Versioned<AgentQuota>,
    org_id: &OrgId,
    action: AuditAction,
    agents: Vec<Versioned<Agent>>,
) -> Result<Vec<Write>, Error> {
    let now = state.now();
    let ids: Vec<&AgentId> = agents.iter().map(|agent| &agent.value.id).collect();
    let metadata = json!({ "agentIds": ids, "reason": "agent_limit" });
    let entry = Entry::new(org_id, CALLER.actor_id(), action, metadata);
    let mut writes = state.trail.append(entry, now).await?;
    let version = Some(quota.version);
    writes.push(organizations::set_agent_quota(
        org_id,
        &quota.value,
        version,
    )?);
    for mut agent in agents {
        agent.value.updated_at = now;
        writes.push(agents::replace(&agent)?);
    }
    Ok(writes)
}
