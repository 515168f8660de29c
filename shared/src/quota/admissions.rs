//! Who may call a model: the port, and its adapters.
//!
//! The quota document in Firestore is the authority in both. `docs/adr/20261126-admission-by-leases.md`
//! tells why no loss of Redis can open the cap.

mod clearing;
pub mod firestore;
pub mod leased;
pub mod redis;

use std::sync::Arc;

use async_trait::async_trait;

pub use self::{firestore::FirestoreAdmissions, leased::LeasedAdmissions, redis::RedisLeases};
use super::Error;
use crate::{
    clock::SharedClock,
    config::{self, Env, RedisConfig},
    ids::{OrgId, RecordId},
    llm::Usage,
    models::{Metering, Timestamp, UsageEntry, UsageState, Use},
    store::{self, Store, Versioned, Write, usage_ledger},
};

/// Admits calls within the monthly limits of organizations, and counts what they use.
#[async_trait]
pub trait Admissions: Send + Sync {
    /// Reserves the most that a call can use, which its `entry` tells. A repeat of a call under way
    /// shares its reservation, and one of a call that was answered needs none. One of a call that was
    /// settled by an estimate is admitted like a new call.
    ///
    /// # Errors
    /// Returns [`Error::Exhausted`] when a limit leaves no room, [`Error::SwitchedOff`],
    /// [`Error::UnknownOrganization`], or [`Error::Store`].
    async fn reserve(&self, entry: &UsageEntry) -> Result<Admission, Error>;

    /// Books what a call has used, [`Admission::book`]ed, once for an entry; what a repeat has used
    /// above an estimate is booked beside that. It can be repeated.
    ///
    /// # Errors
    /// Returns [`Error::Store`] when it is not durable.
    async fn settle(&self, admission: &Admission, booked: &UsageEntry) -> Result<(), Error>;

    /// Gives back what a call has reserved that has used nothing. Other attempts keep what they may
    /// still use.
    ///
    /// # Errors
    /// Returns [`Error::Store`]; the reservation then expires.
    async fn release(&self, admission: &Admission) -> Result<(), Error>;

    /// Clears up what dead callers have left in an organization, and counts what is not counted.
    ///
    /// # Errors
    /// Returns [`Error::Store`].
    async fn sweep(&self, org_id: &OrgId) -> Result<(), Error>;
}

/// Admissions that can be shared.
pub type SharedAdmissions = Arc<dyn Admissions>;

/// A call that may be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    entry: UsageEntry,
    /// Which attempt at the call it is.
    attempt: RecordId,
    expires_at: Timestamp,
    is_paid: bool,
}

/// How calls are admitted.
#[derive(Clone, Debug)]
pub struct AdmissionConfig {
    /// Where leases are kept; without it, every call is admitted by the quota document.
    pub redis: Option<RedisConfig>,
    /// `LLM_DISABLED`: whether every call is refused; `true` or `false`, the default.
    pub is_off: bool,
}

impl AdmissionConfig {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the variable that is invalid.
    pub fn load(env: &Env) -> Result<Self, config::Error> {
        Ok(Self {
            redis: RedisConfig::load_optional(env),
            is_off: env.parsed("LLM_DISABLED", false)?,
        })
    }

    /// The admissions on the caller's ports.
    ///
    /// # Errors
    /// Returns [`config::Error::Invalid`] for a `REDIS_URL` that is none.
    pub fn admissions(
        &self,
        store: Store,
        clock: SharedClock,
    ) -> Result<SharedAdmissions, config::Error> {
        let Some(redis) = &self.redis else {
            return Ok(Arc::new(FirestoreAdmissions::new(store, clock)));
        };
        let leases = RedisLeases::new(redis).map_err(|_| RedisConfig::invalid())?;
        Ok(Arc::new(LeasedAdmissions::new(leases, store, clock)))
    }
}

impl Admission {
    /// A repeat of a call that was answered and paid: it reserves nothing, and nothing is booked.
    #[must_use]
    pub fn paid(entry: UsageEntry) -> Self {
        Self {
            attempt: RecordId::generate(),
            expires_at: entry.created_at,
            is_paid: true,
            entry,
        }
    }

    /// The ledger entry: the most that the call may use.
    #[must_use]
    pub fn entry(&self) -> &UsageEntry {
        &self.entry
    }

    /// The ledger entry with what the call has used.
    #[must_use]
    pub fn book(&self, usage: &Usage, cost_micro_usd: i64) -> UsageEntry {
        UsageEntry {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cost_micro_usd,
            state: UsageState::Settled,
            is_estimated: usage.is_estimated,
            meter: Some(Metering::Pending),
            ..self.entry.clone()
        }
    }
}

fn is_settled(entry: &UsageEntry) -> bool {
    entry.state == UsageState::Settled
}

/// Whether the call was answered and paid, so that nothing more is booked for its repeats.
pub(super) fn is_paid(entry: &UsageEntry) -> bool {
    is_settled(entry) && !entry.is_estimated
}

/// What is booked beside an estimate.
struct Raise {
    /// The estimate, which is none any more once a repeat was answered.
    estimate: UsageEntry,
    /// What the repeat has used above what is booked already, if anything.
    rest: Option<UsageEntry>,
}

impl Raise {
    fn of(estimate: &UsageEntry, booked: &UsageEntry, attempt: &RecordId) -> Self {
        let before = estimate.raised_to.unwrap_or(estimate.amount());
        let above = booked.amount() - before;
        let is_more = above != Use::default();
        let output_tokens = booked.output_tokens.min(above.tokens);
        let rest = UsageEntry {
            id: rest_id(&booked.id, attempt),
            input_tokens: above.tokens - output_tokens,
            output_tokens,
            cost_micro_usd: above.cost_micro_usd,
            ..booked.clone()
        };
        Self {
            estimate: UsageEntry {
                is_estimated: booked.is_estimated,
                raised_to: match is_more {
                    true => Some(before + above),
                    false => estimate.raised_to,
                },
                ..estimate.clone()
            },
            rest: is_more.then_some(rest),
        }
    }

    fn writes(&self, found: &Versioned<UsageEntry>) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::new();
        if self.estimate != found.value {
            writes.push(usage_ledger::set(&self.estimate, Some(found))?);
        }
        if let Some(rest) = &self.rest {
            writes.push(usage_ledger::create(rest)?);
        }
        Ok(writes)
    }
}

/// The entry of what an attempt has used above an estimate.
fn rest_id(id: &RecordId, attempt: &RecordId) -> RecordId {
    RecordId::derive(&["usage_rest", id.as_str(), attempt.as_str()])
}

/// What becomes of a call that was broken off and that nobody has booked: the most that it may have
/// used, since nobody knows how much of the answer came.
fn estimated(entry: &UsageEntry) -> UsageEntry {
    UsageEntry {
        state: UsageState::Settled,
        is_estimated: true,
        meter: Some(Metering::Pending),
        ..entry.clone()
    }
}

fn released(entry: &UsageEntry) -> UsageEntry {
    UsageEntry {
        input_tokens: 0,
        output_tokens: 0,
        cost_micro_usd: 0,
        state: UsageState::Released,
        meter: None,
        ..entry.clone()
    }
}

/// The entry as it may be kept. A call may outlast the account of who has caused it, whose erasure
/// does not wait for it: it is read anew in each attempt to write an entry.
async fn kept(store: &Store, entry: &UsageEntry) -> Result<UsageEntry, store::Error> {
    let mut entry = entry.clone();
    if let Some(uid) = &entry.uid
        && store.find_deleted_user(uid).await?.is_some()
    {
        entry.uid = None;
    }
    Ok(entry)
}

/// Late callers are told in the log what is not booked.
fn report_late(entry: &UsageEntry, used: Use) {
    tracing::error!(
        org.id = %entry.org_id,
        usage.id = %entry.id,
        tokens = used.tokens,
        "a call was settled after its reservation had expired: not booked"
    );
}
