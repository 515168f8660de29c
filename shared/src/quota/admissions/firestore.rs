//! Admission by the quota document alone: exact, and a race for everybody who calls.

use async_trait::async_trait;

use super::{
    Admission, Admissions, Raise, clearing, is_paid, is_settled, kept, released, report_late,
};
use crate::{
    clock::SharedClock,
    ids::{OrgId, RecordId},
    models::{Timestamp, UsageEntry, UsageState, Use},
    quota::{
        Error,
        budget::{self, Released},
        sheet::Sheet,
    },
    retry::{Policy, retry},
    store::{Store, Versioned, Write, commit_contended, usage_ledger},
};

/// Every call is a commit to reserve and one to settle.
#[derive(Clone)]
pub struct FirestoreAdmissions {
    store: Store,
    clock: SharedClock,
}

/// What a commit decides, which may tell the admins of a refusal.
type Decision = (Vec<Write>, Result<Admission, Error>);

impl FirestoreAdmissions {
    /// Admissions on a store.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock) -> Self {
        Self { store, clock }
    }

    async fn admit(&self, entry: &UsageEntry, attempt: &RecordId) -> Result<Decision, Error> {
        let now = self.now();
        let (found, sheet, kept) = futures::join!(
            self.store.find_usage_entry(&entry.org_id, &entry.id),
            Sheet::read(&self.store, &entry.org_id),
            kept(&self.store, entry),
        );
        let (found, mut sheet) = (found?, sheet?);
        if sheet.quota.is_blocked {
            return Err(Error::SwitchedOff);
        }
        let entry = UsageEntry {
            hold: None,
            ..kept?
        };
        if found.as_ref().is_some_and(|found| is_paid(&found.value)) {
            return Ok((Vec::new(), Ok(Admission::paid(entry))));
        }
        let reserved = budget::reserve(&mut sheet.quota, &sheet.limits, &entry, attempt, now);
        let expires_at = match reserved {
            Ok(expires_at) => expires_at,
            Err(error) => return Ok((sheet.refuse(&error, now).await?, Err(error))),
        };
        let admission = Admission {
            entry: budget::dated(&entry, &sheet.quota, now),
            attempt: attempt.clone(),
            expires_at,
            is_paid: false,
        };
        let mut writes = vec![sheet.save()?];
        // An estimate stays what it is: it is paid, whatever becomes of the repeat.
        if !found.as_ref().is_some_and(|found| is_settled(&found.value)) {
            writes.push(usage_ledger::set(&admission.entry, found.as_ref())?);
        }
        Ok((writes, Ok(admission)))
    }

    async fn book(
        &self,
        admission: &Admission,
        booked: &UsageEntry,
    ) -> Result<(Vec<Write>, ()), Error> {
        let found = self.find(booked, &booked.id);
        let (found, kept) = futures::join!(found, kept(&self.store, booked));
        let (found, booked) = (found?, &kept?);
        let Some(found) = found.filter(|found| !is_paid(&found.value)) else {
            return Ok((Vec::new(), ()));
        };
        if is_settled(&found.value) {
            return self.raise(admission, booked, &found).await;
        }
        let used = booked.amount();
        let Some(mut writes) = self.count(admission, booked, Some(used)).await? else {
            report_late(booked, used);
            let write = usage_ledger::set(&released(booked), Some(&found))?;
            return Ok((vec![write], ()));
        };
        writes.push(usage_ledger::set(booked, Some(&found))?);
        Ok((writes, ()))
    }

    /// Books what an attempt has used above the estimate of an earlier one.
    async fn raise(
        &self,
        admission: &Admission,
        booked: &UsageEntry,
        estimate: &Versioned<UsageEntry>,
    ) -> Result<(Vec<Write>, ()), Error> {
        let raise = Raise::of(&estimate.value, booked, &admission.attempt);
        let rest = raise.rest.as_ref();
        if let Some(rest) = rest
            && self.find(booked, &rest.id).await?.is_some()
        {
            return Ok((Vec::new(), ()));
        }
        let used = rest.map(UsageEntry::amount);
        let Some(mut writes) = self.count(admission, booked, used).await? else {
            if let Some(used) = used {
                report_late(booked, used);
            }
            return Ok((Vec::new(), ()));
        };
        writes.extend(raise.writes(estimate)?);
        Ok((writes, ()))
    }

    /// The writes that end an attempt and count what it has used, if anything is to be counted; none
    /// when it comes too late.
    async fn count(
        &self,
        admission: &Admission,
        booked: &UsageEntry,
        used: Option<Use>,
    ) -> Result<Option<Vec<Write>>, Error> {
        let (now, mut sheet) = (self.now(), Sheet::read(&self.store, &booked.org_id).await?);
        let attempt = (&admission.attempt, admission.expires_at);
        let amount = used.unwrap_or_default();
        if !budget::settle(&mut sheet.quota, attempt, booked, amount, now) {
            return Ok(None);
        }
        let mut writes = match used {
            Some(used) => sheet.show(used, 1, booked.created_at, now).await?,
            None => Vec::new(),
        };
        writes.push(sheet.save()?);
        Ok(Some(writes))
    }

    async fn end(&self, admission: &Admission) -> Result<(Vec<Write>, ()), Error> {
        let entry = &admission.entry;
        let found = self.find(entry, &entry.id).await?;
        let mut sheet = Sheet::read(&self.store, &entry.org_id).await?;
        let outcome = budget::release(&mut sheet.quota, &entry.id, &admission.attempt);
        if outcome == Released::Before {
            return Ok((Vec::new(), ()));
        }
        let mut writes = vec![sheet.save()?];
        let reserved = found.filter(|found| found.value.state == UsageState::Reserved);
        if let (Released::Ended, Some(found)) = (outcome, reserved) {
            writes.push(usage_ledger::set(&released(&found.value), Some(&found))?);
        }
        Ok((writes, ()))
    }

    async fn find(
        &self,
        of: &UsageEntry,
        id: &RecordId,
    ) -> Result<Option<Versioned<UsageEntry>>, Error> {
        Ok(self.store.find_usage_entry(&of.org_id, id).await?)
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

#[async_trait]
impl Admissions for FirestoreAdmissions {
    async fn reserve(&self, entry: &UsageEntry) -> Result<Admission, Error> {
        let attempt = RecordId::generate();
        let admit = || self.admit(entry, &attempt);
        let decision = commit_contended(&self.store, admit).await?;
        if !matches!(decision, Err(Error::Exhausted { .. })) {
            return decision;
        }
        match clearing::clear(&self.store, &entry.org_id, &self.clock).await? {
            true => commit_contended(&self.store, admit).await?,
            false => decision,
        }
    }

    /// A commit whose outcome is unknown is made again.
    async fn settle(&self, admission: &Admission, booked: &UsageEntry) -> Result<(), Error> {
        if admission.is_paid {
            return Ok(());
        }
        retry(Policy::REMOTE_CALL, || {
            commit_contended(&self.store, || self.book(admission, booked))
        })
        .await
    }

    async fn release(&self, admission: &Admission) -> Result<(), Error> {
        if admission.is_paid {
            return Ok(());
        }
        retry(Policy::REMOTE_CALL, || {
            commit_contended(&self.store, || self.end(admission))
        })
        .await
    }

    async fn sweep(&self, org_id: &OrgId) -> Result<(), Error> {
        clearing::clear(&self.store, org_id, &self.clock).await?;
        Ok(())
    }
}
