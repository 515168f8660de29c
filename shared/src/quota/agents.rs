//! The exact agent quota: a counter that every creation and deletion writes conditionally, so
//! that of parallel creators at the limit one wins and the others read again. A change of the tier
//! writes it as well.

use super::{Error, Plan, Resource};
use crate::{
    ids::OrgId,
    models::{Agent, AgentQuota, MemoryDepth, Organization, Timestamp},
    store::{
        Store, Versioned, Write,
        organizations::{self, StatsChange},
    },
};

/// The writes that count one more agent, to be added to the commit that creates it. Commit with
/// [`commit_contended`](crate::store::commit_contended).
///
/// # Errors
/// Returns [`Error::Exhausted`] when the organization has as many agents as it may.
pub async fn reserve_agent(
    store: &Store,
    org_id: &OrgId,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    // Read before the organization: a change of the tier is a change of the counters as well.
    let (mut quota, version) = find_quota(store, org_id).await?;
    let organization = find_organization(store, org_id).await?;
    check(&organization, quota.created)?;
    quota.created += 1;
    let mut writes = vec![organizations::set_agent_quota(org_id, &quota, version)?];
    writes.extend(count_agents(store, org_id, 1, now).await?);
    Ok(writes)
}

/// How an agent counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// It is deployed, or on its way.
    pub is_deployed: bool,
    /// It is suspended, so that its place is another's.
    pub is_suspended: bool,
}

impl Place {
    /// How this agent counts.
    #[must_use]
    pub fn of(agent: &Agent) -> Self {
        Self {
            is_deployed: agent.deploy_state.takes_place(),
            is_suspended: agent.suspension.is_some(),
        }
    }

    fn leave(self, quota: &mut AgentQuota) {
        quota.deployed = (quota.deployed - i64::from(self.is_deployed)).max(0);
        quota.suspended = (quota.suspended - i64::from(self.is_suspended)).max(0);
    }
}

/// The places of an organization's deployed agents, as they were read. What is made of them is
/// committed if nobody has changed them meanwhile.
#[derive(Clone, Debug)]
pub struct AgentPlaces {
    organization: Versioned<Organization>,
    quota: AgentQuota,
    version: Option<Timestamp>,
}

impl AgentPlaces {
    /// Reads them.
    ///
    /// # Errors
    /// Returns [`Error::UnknownOrganization`], or the database's error.
    pub async fn find(store: &Store, org_id: &OrgId) -> Result<Self, Error> {
        // Read before the organization: a change of the tier is a change of the counters as well.
        let (quota, version) = find_quota(store, org_id).await?;
        Ok(Self {
            organization: find_organization(store, org_id).await?,
            quota,
            version,
        })
    }

    /// The write that counts one more deployed agent, to be added to the commit that deploys it.
    ///
    /// # Errors
    /// Returns [`Error::Exhausted`] when as many agents are deployed as may be.
    pub fn deploy(mut self) -> Result<Write, Error> {
        self.check()?;
        self.quota.deployed += 1;
        self.save()
    }

    /// The write that gives a suspended agent a place, to be added to the commit that ends its
    /// suspension.
    ///
    /// # Errors
    /// Returns [`Error::Exhausted`] when the agents that are not suspended are as many as may be.
    pub fn resume(mut self) -> Result<Write, Error> {
        self.check()?;
        self.quota.suspended = (self.quota.suspended - 1).max(0);
        self.save()
    }

    fn check(&self) -> Result<(), Error> {
        check(
            &self.organization,
            self.quota.deployed - self.quota.suspended,
        )
    }

    fn save(&self) -> Result<Write, Error> {
        let org_id = &self.organization.value.id;
        let write = organizations::set_agent_quota(org_id, &self.quota, self.version)?;
        Ok(write)
    }
}

/// The writes that count one deployed agent less, to be added to the commit by which it is
/// deployed no more. `place` is what it was.
///
/// # Errors
/// Returns the database's error.
pub async fn release_agent_slot(
    store: &Store,
    org_id: &OrgId,
    place: Place,
) -> Result<Vec<Write>, Error> {
    let (mut quota, version) = find_quota(store, org_id).await?;
    place.leave(&mut quota);
    Ok(vec![organizations::set_agent_quota(
        org_id, &quota, version,
    )?])
}

/// The writes that count one agent less, to be added to the commit that deletes it. `place` is what
/// it was.
///
/// # Errors
/// Returns the database's error.
pub async fn release_agent(
    store: &Store,
    org_id: &OrgId,
    place: Place,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let (mut quota, version) = find_quota(store, org_id).await?;
    quota.created = (quota.created - 1).max(0);
    place.leave(&mut quota);
    let mut writes = vec![organizations::set_agent_quota(org_id, &quota, version)?];
    writes.extend(count_agents(store, org_id, -1, now).await?);
    Ok(writes)
}

/// Whether the organization's plan lets an agent remember as long as `depth`.
///
/// # Errors
/// Returns [`Error::UnknownOrganization`], or the database's error.
pub async fn allows_memory(
    store: &Store,
    org_id: &OrgId,
    depth: MemoryDepth,
) -> Result<bool, Error> {
    if depth == MemoryDepth::Session {
        return Ok(true);
    }
    let plan = find_plan(store, org_id).await?;
    Ok(plan.memory_depth == MemoryDepth::LongTerm)
}

/// Whether the organization's plan lets anybody search what was synced.
///
/// # Errors
/// Returns [`Error::UnknownOrganization`], or the database's error.
pub async fn allows_knowledge(store: &Store, org_id: &OrgId) -> Result<bool, Error> {
    allows_workspace(store, org_id).await
}

/// Whether the organization's plan has Google Workspace.
///
/// # Errors
/// Returns [`Error::UnknownOrganization`], or the database's error.
pub async fn allows_workspace(store: &Store, org_id: &OrgId) -> Result<bool, Error> {
    Ok(find_plan(store, org_id).await?.workspace)
}

async fn find_plan(store: &Store, org_id: &OrgId) -> Result<Plan, Error> {
    let organization = find_organization(store, org_id).await?;
    Ok(Plan::for_organization(&organization.value))
}

fn check(organization: &Versioned<Organization>, used: i64) -> Result<(), Error> {
    let limit = Plan::for_organization(&organization.value).agents;
    if used < limit {
        return Ok(());
    }
    Err(Error::Exhausted {
        resource: Resource::Agents,
        limit,
        used,
        tier: organization.value.subscription_tier,
    })
}

async fn find_organization(
    store: &Store,
    org_id: &OrgId,
) -> Result<Versioned<Organization>, Error> {
    let organization = store.find_organization(org_id).await?;
    organization.ok_or(Error::UnknownOrganization)
}

async fn find_quota(
    store: &Store,
    org_id: &OrgId,
) -> Result<(AgentQuota, Option<Timestamp>), Error> {
    let quota = store.find_agent_quota(org_id).await?;
    Ok(quota.map_or_else(Default::default, |quota| (quota.value, Some(quota.version))))
}

async fn count_agents(
    store: &Store,
    org_id: &OrgId,
    agents: i64,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let current = store.find_current_stats(org_id).await?;
    let change = StatsChange {
        agents,
        ..StatsChange::default()
    };
    Ok(organizations::add_to_stats(
        org_id,
        current.as_ref(),
        change,
        now,
    )?)
}
