//! What a commit about an organization's quota is made of.

use super::{
    Error, alerts,
    budget::{self, Limits},
};
use crate::{
    ids::OrgId,
    models::{Organization, Timestamp, TokenQuota, Use},
    store::{
        Store, Write,
        organizations::{self, StatsChange},
    },
};

/// An organization's quota as it was read, and as it is to be.
pub(super) struct Sheet<'a> {
    pub(super) limits: Limits,
    pub(super) quota: TokenQuota,
    store: &'a Store,
    organization: Organization,
    version: Option<Timestamp>,
}

impl<'a> Sheet<'a> {
    pub(super) async fn read(store: &'a Store, org_id: &OrgId) -> Result<Self, Error> {
        let organization = store.find_organization(org_id).await?;
        let organization = organization.ok_or(Error::UnknownOrganization)?.value;
        let found = store.find_token_quota(org_id).await?;
        let (quota, version) = match found {
            Some(found) => (found.value, Some(found.version)),
            None => (TokenQuota::default(), None),
        };
        Ok(Self {
            limits: Limits::of(&organization),
            quota,
            store,
            organization,
            version,
        })
    }

    /// The write that keeps the quota, if nobody changed it since.
    pub(super) fn save(&self) -> Result<Write, Error> {
        let org_id = &self.organization.id;
        Ok(organizations::set_token_quota(
            org_id,
            &self.quota,
            self.version,
        )?)
    }

    /// The writes that show what `requests` calls admitted `at` an instant have used, and tell the
    /// admins of a limit. `apiUsage` is set to the quota's own counter, which the same commit makes
    /// conditional, so it is exact; after a month has turned it keeps the old month's number until
    /// the first call is counted.
    pub(super) async fn show(
        &mut self,
        used: Use,
        requests: i64,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Write>, Error> {
        let org_id = &self.organization.id;
        let is_current = self.quota.period == organizations::period_of(at);
        let percent = budget::percent_of_limit(self.quota.used, self.limits.tokens);
        let change = StatsChange {
            tokens: used.tokens,
            cost_micro_usd: used.cost_micro_usd,
            requests,
            percent_of_limit: is_current.then_some(percent),
            ..StatsChange::default()
        };
        let current = self.store.find_current_stats(org_id).await?;
        let mut writes = organizations::add_to_stats(org_id, current.as_ref(), change, at)?;
        if is_current {
            writes.push(organizations::set_api_usage(org_id, self.quota.used)?);
            let alerts = alerts::take(&mut self.quota, &self.limits);
            writes.extend(alerts::write(self.store, org_id, &alerts, now).await?);
        }
        Ok(writes)
    }

    /// The writes that tell the admins that calls are refused, if they were not told before.
    pub(super) async fn refuse(
        &mut self,
        error: &Error,
        now: Timestamp,
    ) -> Result<Vec<Write>, Error> {
        let Error::Exhausted { resource, .. } = error else {
            return Ok(Vec::new());
        };
        let alerts = alerts::take_refused(&mut self.quota, &self.limits, *resource);
        if alerts.is_empty() {
            return Ok(Vec::new());
        }
        let org_id = &self.organization.id;
        let mut writes = alerts::write(self.store, org_id, &alerts, now).await?;
        writes.push(self.save()?);
        Ok(writes)
    }
}
