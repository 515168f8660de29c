//! Admission by leases in Redis, and by the quota document where Redis is out of reach.

mod counting;

use async_trait::async_trait;

use super::{
    Admission, Admissions, FirestoreAdmissions, Raise, clearing, is_paid, is_settled, kept,
    redis::{LeaseKey, RedisLeases, Reserved, Unavailable},
    released, report_late,
};
use crate::{
    clock::SharedClock,
    ids::{OrgId, RecordId},
    models::{BudgetLease, Hold, Timestamp, UsageEntry, UsageState, Use},
    quota::{
        Error,
        budget::{self, RESERVATION_SECS},
        sheet::Sheet,
    },
    retry::{Policy, retry},
    store::{self, Store, Versioned, Write, commit_contended, usage_ledger},
};

/// How long before a reservation expires its call is too late to settle, in seconds: clocks may
/// differ by as much.
const MARGIN_SECS: i64 = 60;

/// Grants for one call: others may take what was granted for it.
const MAX_GRANTS: usize = 32;

/// A call costs no commit to be admitted, and one that nobody else races for to be booked.
#[derive(Clone)]
pub struct LeasedAdmissions {
    exact: FirestoreAdmissions,
    leases: RedisLeases,
    store: Store,
    clock: SharedClock,
}

/// What the quota does for a lease.
enum Grant {
    /// It has granted so much in all.
    Granted(BudgetLease),
    /// It has ended the lease.
    Over,
    /// It counts a later month.
    OtherMonth,
}

/// What the ledger has of a call.
#[derive(Default)]
struct Standing {
    /// Its entry, and what an attempt has used above an estimate.
    entries: Vec<UsageEntry>,
    /// Whether no other attempt can have anything to be counted.
    is_last: bool,
}

/// Why a lease does not admit a call.
enum Refusal {
    /// Redis is out of reach, or its month is over: the quota document decides.
    NoLease,
    Final(Error),
}

impl LeasedAdmissions {
    /// Admissions on leases and a store.
    #[must_use]
    pub fn new(leases: RedisLeases, store: Store, clock: SharedClock) -> Self {
        Self {
            exact: FirestoreAdmissions::new(store.clone(), clock.clone()),
            leases,
            store,
            clock,
        }
    }

    async fn admit(&self, entry: &UsageEntry) -> Result<Admission, Refusal> {
        let now = self.now();
        let expires_at = now.plus_seconds(RESERVATION_SECS);
        let entry = &budget::dated_at(entry, now);
        let reserve = || async {
            let (key, most) = (key_of(entry), entry.amount());
            self.leases.reserve(&key, &entry.id, most, expires_at).await
        };
        let hold = match reserve().await? {
            Reserved::Admitted(hold) => hold,
            Reserved::Short { .. } => self.grow_until(entry, reserve).await?,
        };
        Ok(Admission {
            attempt: attempt_of(&hold),
            entry: UsageEntry {
                hold: Some(hold),
                ..entry.clone()
            },
            expires_at,
            is_paid: false,
        })
    }

    /// Has the lease grow until the call fits, one caller of this process at a time.
    async fn grow_until<F, Fut>(&self, entry: &UsageEntry, reserve: F) -> Result<Hold, Refusal>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Reserved, Unavailable>>,
    {
        let _turn = self.store.wait_to_be_granted(&entry.org_id).await;
        let mut has_cleared = false;
        for _ in 0..MAX_GRANTS {
            let (lease, granted, taken) = match reserve().await? {
                Reserved::Admitted(hold) => return Ok(hold),
                Reserved::Short {
                    lease,
                    granted,
                    taken,
                } => (lease, granted, taken),
            };
            let needed = taken + entry.amount();
            let build = || self.grant(entry, (&lease, granted), needed);
            match commit_contended(&self.store, build).await? {
                Ok(Grant::Granted(grown)) => {
                    let (granted, ends_at) = (grown.granted, grown.ends_at);
                    let key = key_of(entry);
                    self.leases.grow(&key, &lease, granted, ends_at).await?;
                }
                Ok(Grant::Over) => self.leases.forget(&key_of(entry), &lease).await?,
                Ok(Grant::OtherMonth) => return Err(Refusal::NoLease),
                Err(_) if !has_cleared => {
                    has_cleared = true;
                    self.sweep(&entry.org_id).await?;
                }
                Err(error) => return Err(Refusal::Final(error)),
            }
        }
        Err(Refusal::Final(Error::Store(store::Error::Conflict)))
    }

    /// What the quota grants the lease: nothing more, if it only has not heard of the last grant.
    async fn grant(
        &self,
        entry: &UsageEntry,
        (lease, known): (&RecordId, Use),
        needed: Use,
    ) -> Result<(Vec<Write>, Result<Grant, Error>), Error> {
        let now = self.now();
        let mut sheet = Sheet::read(&self.store, &entry.org_id).await?;
        if sheet.quota.is_blocked {
            return Err(Error::SwitchedOff);
        }
        let found = sheet.quota.leases.get(lease.as_str());
        if found.is_none() && known != Use::default() {
            return Ok((Vec::new(), Ok(Grant::Over)));
        }
        let unheard = found.filter(|found| {
            let is_long = found.ends_at > now.plus_seconds(RESERVATION_SECS + MARGIN_SECS);
            is_long && found.granted != known && covers(found.granted, needed)
        });
        if let Some(unheard) = unheard {
            return Ok((Vec::new(), Ok(Grant::Granted(unheard.clone()))));
        }
        let (limits, of) = (sheet.limits, (lease, entry.period.as_str()));
        match budget::grant(&mut sheet.quota, &limits, of, needed, now) {
            Ok(None) => Ok((Vec::new(), Ok(Grant::OtherMonth))),
            Ok(Some(lease)) => Ok((vec![sheet.save()?], Ok(Grant::Granted(lease)))),
            Err(error) => Ok((sheet.refuse(&error, now).await?, Err(error))),
        }
    }

    /// Writes the entry of a stream, whose use is booked even if its caller goes away; or finds
    /// that it is paid.
    async fn record(&self, admission: &Admission) -> Result<bool, Error> {
        commit_contended(&self.store, || async {
            let found = self.find(&admission.entry).await?;
            if let Some(settled) = found.as_ref().filter(|found| is_settled(&found.value)) {
                return Ok((Vec::new(), is_paid(&settled.value)));
            }
            let entry = kept(&self.store, &admission.entry).await?;
            let write = usage_ledger::set(&entry, found.as_ref())?;
            Ok((vec![write], false))
        })
        .await
    }

    /// Writes what an attempt has used, and tells what stands.
    async fn write(
        &self,
        admission: &Admission,
        booked: &UsageEntry,
    ) -> Result<(Vec<Write>, Standing), Error> {
        let (found, kept) = futures::join!(self.find(booked), kept(&self.store, booked));
        let (found, booked) = (found?, &kept?);
        let settled = found.as_ref().filter(|found| is_settled(&found.value));
        let is_raised = |found: &&Versioned<UsageEntry>| {
            !is_paid(&found.value) && found.value.hold != booked.hold
        };
        if let Some(estimate) = settled.filter(is_raised) {
            return self.raise(admission, booked, estimate).await;
        }
        if let Some(settled) = settled {
            return Ok((Vec::new(), Standing::found(&settled.value)));
        }
        if self.is_late(admission) {
            report_late(booked, booked.amount());
            return Ok((Vec::new(), Standing::default()));
        }
        let write = usage_ledger::set(booked, found.as_ref())?;
        let standing = Standing {
            entries: vec![booked.clone()],
            is_last: is_paid(booked),
        };
        Ok((vec![write], standing))
    }

    /// The same beside an estimate of what an earlier attempt has used.
    async fn raise(
        &self,
        admission: &Admission,
        booked: &UsageEntry,
        found: &Versioned<UsageEntry>,
    ) -> Result<(Vec<Write>, Standing), Error> {
        let raise = Raise::of(&found.value, booked, &admission.attempt);
        let mut standing = Standing::found(&found.value);
        let Some(rest) = &raise.rest else {
            return Ok((raise.writes(found)?, standing));
        };
        let before = self.store.find_usage_entry(&rest.org_id, &rest.id).await?;
        if let Some(before) = before {
            standing.entries.push(before.value);
            return Ok((Vec::new(), standing));
        }
        if self.is_late(admission) {
            report_late(booked, rest.amount());
            return Ok((Vec::new(), standing));
        }
        standing.entries.push(rest.clone());
        Ok((raise.writes(found)?, standing))
    }

    fn is_late(&self, admission: &Admission) -> bool {
        self.now() > admission.expires_at.plus_seconds(-MARGIN_SECS)
    }

    /// Ends an attempt by what the ledger says: counted if it is this lease's use, given back if it
    /// was counted elsewhere. Once the ledger has it, Redis may fail: the sweeper comes.
    async fn end(
        &self,
        admission: &Admission,
        hold: &Hold,
        standing: &Standing,
    ) -> Result<bool, Unavailable> {
        let (key, id) = (key_of(&admission.entry), &admission.entry.id);
        let (mut has_ended, mut is_due, now) = (false, false, self.now());
        for entry in &standing.entries {
            let own = entry.hold.as_ref();
            if let Some(own) = own.filter(|own| own.lease == hold.lease) {
                let (of, used) = ((own, standing.is_last), entry.amount());
                let settled = self.leases.settle(&key, id, of, used, now).await?;
                has_ended |= settled.is_counted && own == hold;
                is_due |= settled.is_due;
            }
        }
        if !has_ended {
            self.leases.release(&key, id, hold).await?;
        }
        Ok(is_due)
    }

    async fn unrecord(&self, admission: &Admission) -> Result<(), Error> {
        commit_contended(&self.store, || async {
            let found = self.find(&admission.entry).await?;
            let own = found.filter(|found| {
                found.value.state == UsageState::Reserved
                    && found.value.hold == admission.entry.hold
            });
            let Some(own) = own else {
                return Ok((Vec::new(), ()));
            };
            let write = usage_ledger::set(&released(&own.value), Some(&own))?;
            Ok((vec![write], ()))
        })
        .await
    }

    async fn find(&self, entry: &UsageEntry) -> Result<Option<Versioned<UsageEntry>>, Error> {
        let found = self.store.find_usage_entry(&entry.org_id, &entry.id);
        Ok(found.await?)
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

#[async_trait]
impl Admissions for LeasedAdmissions {
    async fn reserve(&self, entry: &UsageEntry) -> Result<Admission, Error> {
        let mut admission = match self.admit(entry).await {
            Ok(admission) => admission,
            Err(Refusal::NoLease) => return self.exact.reserve(entry).await,
            Err(Refusal::Final(error @ Error::Exhausted { .. })) => {
                let found = self.find(entry).await?;
                let is_paid = found.is_some_and(|found| is_paid(&found.value));
                return match is_paid {
                    true => Ok(Admission::paid(entry.clone())),
                    false => Err(error),
                };
            }
            Err(Refusal::Final(error)) => return Err(error),
        };
        if entry.is_stream && self.record(&admission).await? {
            self.release(&admission).await?;
            admission.is_paid = true;
        }
        Ok(admission)
    }

    async fn settle(&self, admission: &Admission, booked: &UsageEntry) -> Result<(), Error> {
        let Some(hold) = &admission.entry.hold else {
            return self.exact.settle(admission, booked).await;
        };
        if admission.is_paid {
            return Ok(());
        }
        let standing = retry(Policy::REMOTE_CALL, || {
            commit_contended(&self.store, || self.write(admission, booked))
        });
        match self.end(admission, hold, &standing.await?).await {
            Ok(true) => self.count_soon(&admission.entry).await,
            Ok(false) => {}
            Err(error) => report_unreachable(&error),
        }
        Ok(())
    }

    async fn release(&self, admission: &Admission) -> Result<(), Error> {
        let Some(hold) = &admission.entry.hold else {
            return self.exact.release(admission).await;
        };
        let (key, id) = (key_of(&admission.entry), &admission.entry.id);
        if let Err(error) = self.leases.release(&key, id, hold).await {
            report_unreachable(&error);
        }
        match admission.entry.is_stream && !admission.is_paid {
            true => self.unrecord(admission).await,
            false => Ok(()),
        }
    }

    async fn sweep(&self, org_id: &OrgId) -> Result<(), Error> {
        self.count_all(org_id).await?;
        clearing::clear(&self.store, org_id, &self.clock).await?;
        Ok(())
    }
}

impl Standing {
    fn found(entry: &UsageEntry) -> Self {
        Self {
            entries: vec![entry.clone()],
            is_last: false,
        }
    }
}

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        report_unreachable(&error);
        Self::NoLease
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// The attempt that has a reservation.
fn attempt_of(hold: &Hold) -> RecordId {
    RecordId::derive(&["attempt", hold.lease.as_str(), &hold.number.to_string()])
}

fn key_of(entry: &UsageEntry) -> LeaseKey {
    LeaseKey {
        org_id: entry.org_id.clone(),
        period: entry.period.clone(),
    }
}

fn covers(granted: Use, needed: Use) -> bool {
    granted.tokens >= needed.tokens && granted.cost_micro_usd >= needed.cost_micro_usd
}

fn report_unreachable(error: &Unavailable) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(error, "redis is out of reach: the quota document decides");
}
