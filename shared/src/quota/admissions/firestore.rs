//! Admission by the quota document alone: exact, and a race for everybody who calls.

use async_trait::async_trait;

use super::{Admission, Admissions, clearing, is_settled, released, report_late};
use crate::{
    clock::SharedClock,
    ids::OrgId,
    models::{Timestamp, UsageEntry, UsageState},
    quota::{Error, budget, sheet::Sheet},
    retry::{Policy, retry},
    store::{Store, Write, commit_contended, usage_ledger},
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

    async fn admit(&self, entry: &UsageEntry) -> Result<Decision, Error> {
        let now = self.now();
        let found = self.store.find_usage_entry(&entry.org_id, &entry.id);
        let (found, sheet) = futures::join!(found, Sheet::read(&self.store, &entry.org_id));
        let (found, mut sheet) = (found?, sheet?);
        if sheet.quota.is_blocked {
            return Err(Error::SwitchedOff);
        }
        let mut admission = Admission {
            entry: UsageEntry {
                hold: None,
                ..entry.clone()
            },
            expires_at: now,
            is_settled: found.as_ref().is_some_and(|found| is_settled(&found.value)),
        };
        if admission.is_settled {
            return Ok((Vec::new(), Ok(admission)));
        }
        match budget::reserve(&mut sheet.quota, &sheet.limits, entry, now) {
            Ok(expires_at) => admission.expires_at = expires_at,
            Err(error) => return Ok((sheet.refuse(&error, now).await?, Err(error))),
        }
        let writes = vec![
            usage_ledger::set(&admission.entry, found.as_ref())?,
            sheet.save()?,
        ];
        Ok((writes, Ok(admission)))
    }

    async fn book(&self, booked: &UsageEntry) -> Result<(Vec<Write>, ()), Error> {
        let found = self.store.find_usage_entry(&booked.org_id, &booked.id);
        let Some(found) = found.await?.filter(|found| !is_settled(&found.value)) else {
            return Ok((Vec::new(), ()));
        };
        let mut sheet = Sheet::read(&self.store, &booked.org_id).await?;
        if !budget::settle(&mut sheet.quota, booked) {
            report_late(booked, booked.amount());
            let write = usage_ledger::set(&released(booked), Some(&found))?;
            return Ok((vec![write], ()));
        }
        let mut writes = sheet
            .show(booked.amount(), 1, booked.created_at, self.now())
            .await?;
        writes.push(usage_ledger::set(booked, Some(&found))?);
        writes.push(sheet.save()?);
        Ok((writes, ()))
    }

    async fn end(&self, admission: &Admission) -> Result<(Vec<Write>, ()), Error> {
        let entry = &admission.entry;
        let found = self.store.find_usage_entry(&entry.org_id, &entry.id);
        let is_reserved = |entry: &UsageEntry| entry.state == UsageState::Reserved;
        let Some(found) = found.await?.filter(|found| is_reserved(&found.value)) else {
            return Ok((Vec::new(), ()));
        };
        let mut sheet = Sheet::read(&self.store, &entry.org_id).await?;
        if !budget::release(&mut sheet.quota, &entry.id, admission.expires_at) {
            return Ok((Vec::new(), ()));
        }
        let entry = usage_ledger::set(&released(entry), Some(&found))?;
        Ok((vec![entry, sheet.save()?], ()))
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

#[async_trait]
impl Admissions for FirestoreAdmissions {
    async fn reserve(&self, entry: &UsageEntry) -> Result<Admission, Error> {
        let decision = commit_contended(&self.store, || self.admit(entry)).await?;
        if !matches!(decision, Err(Error::Exhausted { .. })) {
            return decision;
        }
        match clearing::clear(&self.store, &entry.org_id, &self.clock).await? {
            true => commit_contended(&self.store, || self.admit(entry)).await?,
            false => decision,
        }
    }

    /// A commit whose outcome is unknown is made again.
    async fn settle(&self, admission: &Admission, booked: &UsageEntry) -> Result<(), Error> {
        if admission.is_settled {
            return Ok(());
        }
        retry(Policy::REMOTE_CALL, || {
            commit_contended(&self.store, || self.book(booked))
        })
        .await
    }

    async fn release(&self, admission: &Admission) -> Result<(), Error> {
        if admission.is_settled {
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
