//! `organizations` and what is below them.

use serde::Serialize;
use tokio::sync::OwnedMutexGuard;

use super::{
    DocumentPath, Error, Found, Store, Versioned, Write,
    document_db::{Comparison, Document, Operation, Order, Precondition, Query},
};
use crate::{
    ids::OrgId,
    models::{
        AgentQuota, MemberCount, Organization, Stats, SystemPrincipal, Timestamp, TokenQuota,
    },
};

/// Organizations whose ids are read at once.
const ID_BATCH: u32 = 300;

/// The document of `stats` that counts the current month.
const CURRENT: &str = "current";

/// What one event changes in an organization's statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StatsChange {
    /// Input and output tokens.
    pub tokens: i64,
    /// Price in millionths of a US dollar.
    pub cost_micro_usd: i64,
    /// LLM calls.
    pub requests: i64,
    /// Executions started.
    pub executions: i64,
    /// Agents made, negative when deleted.
    pub agents: i64,
    /// The new share of the monthly limit, when it is known.
    pub percent_of_limit: Option<f64>,
}

impl Store {
    /// The organization.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_organization(
        &self,
        org_id: &OrgId,
    ) -> Result<Option<Versioned<Organization>>, Error> {
        self.load(&path(org_id)).await
    }

    /// All organizations by id, from the one after `after` on; whether they can be read does not
    /// matter.
    ///
    /// # Errors
    /// Returns the database's error, also for an id that no organization can have.
    pub async fn list_organization_ids(
        &self,
        _caller: &SystemPrincipal,
        after: Option<&OrgId>,
    ) -> Result<Vec<OrgId>, Error> {
        let after = after.map(path);
        let query = Query::new("organizations", ID_BATCH);
        let found: Vec<Found<serde::de::IgnoredAny>> =
            self.find_by_id(query, after.as_ref()).await?;
        let ids = found.iter().map(|one| {
            OrgId::parse(one.path.id()).map_err(|error| Error::Malformed {
                path: one.path.to_string(),
                source: Box::new(error),
            })
        });
        ids.collect()
    }

    /// The counters behind the agent quota; zero when nothing was counted yet.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_agent_quota(
        &self,
        org_id: &OrgId,
    ) -> Result<Option<Versioned<AgentQuota>>, Error> {
        self.load(&quota_path(org_id)).await
    }

    /// The counter behind the rule of the last admin; none before the first change of members.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_member_count(
        &self,
        org_id: &OrgId,
    ) -> Result<Option<Versioned<MemberCount>>, Error> {
        self.load(&member_count_path(org_id)).await
    }

    /// The counter behind the monthly token quota; zero when nothing was counted yet.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_token_quota(
        &self,
        org_id: &OrgId,
    ) -> Result<Option<Versioned<TokenQuota>>, Error> {
        self.load(&token_quota_path(org_id)).await
    }

    /// Waits for a turn at having the monthly token quota grant a lease; others of this process
    /// wait until the guard is dropped. It spares races; correct is it without.
    pub async fn wait_to_be_granted(&self, org_id: &OrgId) -> OwnedMutexGuard<()> {
        // Not the quota itself: a commit that loses a race for it queues up there.
        let turn = token_quota_path(org_id).child("leases", "turn");
        self.turns.wait(turn).await
    }

    /// Organizations whose calls or leases are to be cleared up by now, longest due first.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_token_quotas(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OrgId>, Error> {
        self.list_due_quotas("sweepAt", now, limit).await
    }

    /// Organizations of which a counter behind a quota has this time by now, longest due first.
    pub(super) async fn list_due_quotas(
        &self,
        due_at: &'static str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OrgId>, Error> {
        let query = Query::group("quota", limit)
            .filter(due_at, Comparison::LessOrEqual, now)
            .order(Order::Ascending(due_at));
        let documents = self.db.query(&query).await?;
        Ok(documents.iter().filter_map(organization_of).collect())
    }

    /// Usage of the month in which something was last counted.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_current_stats(
        &self,
        org_id: &OrgId,
    ) -> Result<Option<Versioned<Stats>>, Error> {
        self.load(&stats_path(org_id, CURRENT)).await
    }
}

/// Creates the organization.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(organization: &Organization) -> Result<Write, Error> {
    super::create(path(&organization.id), organization)
}

/// Replaces the organization, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(organization: &Versioned<Organization>) -> Result<Write, Error> {
    super::replace(path(&organization.value.id), organization)
}

/// Sets the agent counters, if nobody changed them since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_agent_quota(
    org_id: &OrgId,
    quota: &AgentQuota,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(quota_path(org_id), quota, precondition)
}

/// Sets the token counter, if nobody changed it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_token_quota(
    org_id: &OrgId,
    quota: &TokenQuota,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(token_quota_path(org_id), quota, precondition)
}

/// Switches model calls off for an organization, or on. Of calls that were about to be admitted
/// some still are: for as long as switches are kept in mind (see `MeteredLlm`).
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_llm_block(org_id: &OrgId, is_blocked: bool) -> Result<Write, Error> {
    let block = LlmBlock { is_blocked };
    super::merge(token_quota_path(org_id), &block, Precondition::None)
}

/// Whether it is a counter behind the monthly token quota.
pub(super) fn is_token_quota(path: &DocumentPath) -> bool {
    path.as_str().ends_with("/quota/tokens")
}

/// Sets the member count, if nobody set it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_member_count(
    org_id: &OrgId,
    count: &MemberCount,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(member_count_path(org_id), count, precondition)
}

/// Gives the organization another name.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_name(org_id: &OrgId, name: &str) -> Result<Write, Error> {
    super::merge(path(org_id), &Name { name }, Precondition::Exists)
}

/// Sets the organization's copy of the tokens used in the current month.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_api_usage(org_id: &OrgId, tokens: i64) -> Result<Write, Error> {
    let usage = ApiUsage { api_usage: tokens };
    super::merge(path(org_id), &usage, Precondition::Exists)
}

/// Counts something that happened `at` an instant, for the dashboard and for history.
///
/// Give `current` as [`Store::find_current_stats`] read it: when a month begins, it is replaced
/// instead of added to, and of parallel callers all but one must read again. Something that
/// happens while the month turns may be missing in `current`, never in its month's document.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn add_to_stats(
    org_id: &OrgId,
    current: Option<&Versioned<Stats>>,
    change: StatsChange,
    at: Timestamp,
) -> Result<Vec<Write>, Error> {
    let period = period_of(at);
    match current {
        Some(current) if current.value.period == period => Ok(vec![
            increment_stats(org_id, CURRENT, change, at)?,
            increment_stats(org_id, &period, change, at)?,
        ]),
        Some(current) if current.value.period > period => {
            Ok(vec![increment_stats(org_id, &period, change, at)?])
        }
        _ => begin_month(org_id, current, change, at),
    }
}

/// The UTC month of an instant, `YYYY-MM`.
#[must_use]
pub fn period_of(instant: Timestamp) -> String {
    instant.instant().strftime("%Y-%m").to_string()
}

/// The UTC day of an instant, `YYYY-MM-DD`.
#[must_use]
pub fn day_of(instant: Timestamp) -> String {
    instant.instant().strftime("%Y-%m-%d").to_string()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatsStamp {
    period: String,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_of_limit: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiUsage {
    api_usage: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LlmBlock {
    is_blocked: bool,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

/// Agents outlive the month, all other numbers start at zero.
fn begin_month(
    org_id: &OrgId,
    current: Option<&Versioned<Stats>>,
    mut change: StatsChange,
    at: Timestamp,
) -> Result<Vec<Write>, Error> {
    change.agents += current.map_or(0, |current| current.value.agents);
    let stats = Stats {
        tokens: change.tokens,
        cost_micro_usd: change.cost_micro_usd,
        requests: change.requests,
        executions: change.executions,
        agents: change.agents,
        percent_of_limit: change.percent_of_limit.unwrap_or_default(),
        period: period_of(at),
        updated_at: Some(at),
    };
    let precondition = current.map_or(Precondition::Absent, |current| {
        Precondition::Version(current.version)
    });
    Ok(vec![
        super::write(stats_path(org_id, CURRENT), &stats, precondition)?,
        increment_stats(org_id, &stats.period, change, at)?,
    ])
}

fn increment_stats(
    org_id: &OrgId,
    id: &str,
    change: StatsChange,
    at: Timestamp,
) -> Result<Write, Error> {
    let path = stats_path(org_id, id);
    let stamp = StatsStamp {
        period: period_of(at),
        updated_at: at,
        percent_of_limit: change.percent_of_limit,
    };
    let fields = super::encode(&path, &stamp)?;
    let increments = vec![
        ("tokens", change.tokens),
        ("costMicroUsd", change.cost_micro_usd),
        ("requests", change.requests),
        ("executions", change.executions),
        ("agents", change.agents),
    ];
    Ok(Write {
        path,
        operation: Operation::Merge { fields, increments },
        precondition: Precondition::None,
    })
}

/// The organization that a document is below.
fn organization_of(document: &Document) -> Option<OrgId> {
    let path = document.path.as_str().strip_prefix("organizations/")?;
    OrgId::parse(path.split('/').next()?).ok()
}

fn path(org_id: &OrgId) -> DocumentPath {
    DocumentPath::new("organizations", org_id.as_str())
}

fn quota_path(org_id: &OrgId) -> DocumentPath {
    path(org_id).child("quota", "agents")
}

fn member_count_path(org_id: &OrgId) -> DocumentPath {
    path(org_id).child("quota", "members")
}

fn token_quota_path(org_id: &OrgId) -> DocumentPath {
    path(org_id).child("quota", "tokens")
}

fn stats_path(org_id: &OrgId, id: &str) -> DocumentPath {
    path(org_id).child("stats", id)
}
