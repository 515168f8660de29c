//! Bringing the quota up to date with what the leases have counted.

use super::{
    super::{estimated, is_paid, is_settled, redis::OpenCall, rest_id},
    LeaseKey, LeasedAdmissions, Unavailable, attempt_of, key_of, released, report_unreachable,
};
use crate::{
    ids::OrgId,
    models::{Hold, UsageEntry, UsageState},
    quota::{Error, admissions::redis::LeaseState, budget, sheet::Sheet},
    store::{Write, commit_contended, organizations::period_of, usage_ledger},
};

/// Dead calls that one caller ends at most.
const MAX_DEAD: usize = 100;

/// Why a lease was not counted: whatever it is, the next caller or the sweeper does it.
enum Obstacle {
    Redis(Unavailable),
    Quota(Error),
}

impl LeasedAdmissions {
    /// Counts the lease of a call that is booked already, so that a failure is not the caller's.
    pub(super) async fn count_soon(&self, entry: &UsageEntry) {
        match self.count(&key_of(entry)).await {
            Ok(()) => {}
            Err(Obstacle::Redis(error)) => report_unreachable(&error),
            Err(Obstacle::Quota(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(org.id = %entry.org_id, error, "usage is shown later");
            }
        }
    }

    /// Counts all leases that an organization's quota knows.
    pub(super) async fn count_all(&self, org_id: &OrgId) -> Result<(), Error> {
        let quota = self.store.find_token_quota(org_id).await?;
        let leases = quota.map(|quota| quota.value.leases).unwrap_or_default();
        let mut periods: Vec<String> = leases.into_values().map(|lease| lease.period).collect();
        periods.sort();
        periods.dedup();
        for period in periods {
            let org_id = org_id.clone();
            match self.count(&LeaseKey { org_id, period }).await {
                Ok(()) => {}
                Err(Obstacle::Redis(error)) => report_unreachable(&error),
                Err(Obstacle::Quota(error)) => return Err(error),
            }
        }
        Ok(())
    }

    async fn count(&self, key: &LeaseKey) -> Result<(), Obstacle> {
        let Some(mut state) = self.leases.look(key).await? else {
            return Ok(());
        };
        if self.end_dead_calls(key, &state).await?
            && let Some(ended) = self.leases.look(key).await?
        {
            state = ended;
        }
        let grown = commit_contended(&self.store, || self.take_over(key, &state)).await?;
        if let Some((granted, ends_at)) = grown {
            let lease = &state.lease;
            self.leases.grow(key, lease, granted, ends_at).await?;
        }
        Ok(())
    }

    /// The writes that move what is used from the lease to the quota, and show it.
    async fn take_over(
        &self,
        key: &LeaseKey,
        state: &LeaseState,
    ) -> Result<
        (
            Vec<Write>,
            Option<(crate::models::Use, crate::models::Timestamp)>,
        ),
        Error,
    > {
        let (now, id) = (self.now(), state.lease.as_str());
        let mut sheet = Sheet::read(&self.store, &key.org_id).await?;
        let (used, requests) = budget::count(&mut sheet.quota, id, state.used, state.requests);
        let Some(lease) = sheet.quota.leases.get_mut(id) else {
            return Ok((Vec::new(), None));
        };
        let is_idle = requests == 0 && state.calls.is_empty();
        let is_over = is_idle && lease.ends_at <= now;
        let mut grown = None;
        if is_over {
            // All that it ever admitted is counted.
            sheet.quota.leases.remove(id);
        } else if is_idle && lease.sweep_at == lease.ends_at {
            return Ok((Vec::new(), None));
        } else if is_idle {
            lease.sweep_at = lease.ends_at;
        } else {
            budget::prolong(lease, now);
            grown = Some((lease.granted, lease.ends_at));
        }
        budget::set_sweep(&mut sheet.quota);
        let mut writes = Vec::new();
        if requests > 0 {
            let at = match key.period == period_of(now) {
                true => Some(now),
                false => sheet.quota.leases.get(id).map(|lease| lease.opened_at),
            };
            let at = at.unwrap_or(now);
            writes = sheet.show(used, requests, at, now).await?;
        }
        writes.push(sheet.save()?);
        Ok((writes, grown))
    }

    /// Ends reservations whose callers have died, by what the ledger says; tells whether there
    /// were any.
    async fn end_dead_calls(&self, key: &LeaseKey, state: &LeaseState) -> Result<bool, Obstacle> {
        let now = self.now();
        let dead = state.calls.iter().filter(|call| call.expires_at <= now);
        let dead: Vec<_> = dead.take(MAX_DEAD).collect();
        for call in &dead {
            let build = || self.outcome(key, state, call);
            let standing = commit_contended(&self.store, build).await?;
            let rests = match &standing {
                Some(_) => self.rests(key, state, call).await?,
                None => Vec::new(),
            };
            for entry in standing.iter().chain(&rests) {
                let (used, own) = (entry.amount(), entry.hold.as_ref());
                if let Some(own) = own.filter(|own| own.lease == state.lease) {
                    let own = (own, false);
                    self.leases.settle(key, &call.id, own, used, now).await?;
                }
            }
            for number in &call.numbers {
                let hold = hold_of(state, *number);
                self.leases.release(key, &call.id, &hold).await?;
            }
        }
        Ok(!dead.is_empty())
    }

    /// What attempts at a call have used above its estimate.
    async fn rests(
        &self,
        key: &LeaseKey,
        state: &LeaseState,
        call: &OpenCall,
    ) -> Result<Vec<UsageEntry>, Error> {
        let mut rests = Vec::new();
        for number in &call.numbers {
            let id = rest_id(&call.id, &attempt_of(&hold_of(state, *number)));
            let rest = self.store.find_usage_entry(&key.org_id, &id).await?;
            rests.extend(rest.map(|rest| rest.value));
        }
        Ok(rests)
    }

    /// What the ledger says of a call that was not ended in time, if it is settled. Unless that is
    /// for good, a write makes it too late for a caller that was only slow.
    async fn outcome(
        &self,
        key: &LeaseKey,
        state: &LeaseState,
        call: &OpenCall,
    ) -> Result<(Vec<Write>, Option<UsageEntry>), Error> {
        let found = self.store.find_usage_entry(&key.org_id, &call.id).await?;
        let is_own = |entry: &UsageEntry| {
            let hold = entry.hold.as_ref();
            hold.is_some_and(|hold| hold.lease == state.lease)
        };
        let entry = match found.as_ref().map(|found| &found.value) {
            Some(paid) if is_paid(paid) => return Ok((Vec::new(), Some(paid.clone()))),
            Some(estimate) if is_settled(estimate) => UsageEntry {
                created_at: self.now(),
                ..estimate.clone()
            },
            Some(stream) if stream.is_stream && is_open(stream) && is_own(stream) => {
                estimated(stream)
            }
            // The quota document has admitted a repeat.
            Some(other) if is_open(other) && !is_own(other) => return Ok((Vec::new(), None)),
            Some(other) => UsageEntry {
                created_at: self.now(),
                ..released(other)
            },
            None => self.tombstone(key, call),
        };
        let write = usage_ledger::set(&entry, found.as_ref())?;
        Ok((vec![write], Some(entry).filter(is_settled)))
    }

    /// An entry for a call of which nothing is known but that it was not made.
    fn tombstone(&self, key: &LeaseKey, call: &OpenCall) -> UsageEntry {
        UsageEntry {
            state: UsageState::Released,
            period: key.period.clone(),
            ..budget::entry(call.id.clone(), key.org_id.clone(), self.now())
        }
    }
}

impl From<Unavailable> for Obstacle {
    fn from(error: Unavailable) -> Self {
        Self::Redis(error)
    }
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        Self::Quota(error)
    }
}

fn is_open(entry: &UsageEntry) -> bool {
    entry.state == UsageState::Reserved
}

fn hold_of(state: &LeaseState, number: i64) -> Hold {
    Hold {
        lease: state.lease.clone(),
        number,
    }
}
