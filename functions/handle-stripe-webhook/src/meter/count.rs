//! What of the ledger is billed.

use std::collections::BTreeMap;

use shared::{
    ids::OrgId,
    models::{
        MeterRow, MeterRowState, MeterTerms, MeteredMonth, Metering, Organization, Timestamp,
        UsageEntry, UsageState,
    },
    quota::Plan,
    store::{self, Page, Store, Versioned, Write, commit_contended, meter_events, usage_ledger},
};

use super::{
    Meter,
    moment::{self, Moment},
};

/// Entries of one commit: each is written, most have a row, and Firestore takes 500 writes.
const BATCH: u32 = 200;

/// Months as they are, and as they are to be, by their names.
type Months = BTreeMap<String, (MeteredMonth, Option<Timestamp>)>;

/// Who pays.
struct Payer {
    organization: Option<Organization>,
}

/// Decides about an organization's entries in batches, each in a commit with the sum of their
/// months; tells how many.
pub(super) async fn count(
    meter: &Meter,
    org_id: &OrgId,
    until: Timestamp,
) -> (u64, Result<(), store::Error>) {
    let mut counted = 0;
    while meter.now() < until {
        let now = meter.now();
        match commit_contended(&meter.store, || batch(&meter.store, org_id, now)).await {
            Ok(0) => break,
            Ok(count) => counted += count,
            Err(error) => return (counted, Err(error)),
        }
    }
    (counted, Ok(()))
}

async fn batch(
    store: &Store,
    org_id: &OrgId,
    now: Timestamp,
) -> Result<(Vec<Write>, u64), store::Error> {
    let mut entries = first_entries(store, org_id).await?;
    if entries.is_empty() {
        return Ok((Vec::new(), 0));
    }
    entries.sort_by_key(|entry| entry.value.created_at);
    let organization = store.find_organization(org_id).await?;
    let organization = organization.map(|organization| organization.value);
    // On which plan it was used is known when the change is made.
    if moment::held_until(organization.as_ref(), now).is_some() {
        return Ok((Vec::new(), 0));
    }
    let payer = Payer { organization };
    let mut months = months(store, org_id, &entries).await?;
    let count = entries.len() as u64;
    let mut writes = Vec::with_capacity(2 * entries.len() + months.len());
    for mut entry in entries {
        let Some((month, _)) = months.get_mut(&entry.value.period) else {
            continue;
        };
        let decided = decide(month, &entry.value, &payer);
        if let (Metering::Due { tokens }, Some(customer_id)) = (decided, payer.customer_id()) {
            let row = row(&entry.value, customer_id, tokens, now);
            writes.push(meter_events::create(&row)?);
        }
        entry.value.meter = Some(decided);
        writes.push(usage_ledger::replace(&entry)?);
    }
    for (month, version) in months.into_values() {
        writes.push(meter_events::set_month(org_id, &month, version)?);
    }
    Ok((writes, count))
}

/// What can be read of the first page that has any such entry.
async fn first_entries(
    store: &Store,
    org_id: &OrgId,
) -> Result<Vec<Versioned<UsageEntry>>, store::Error> {
    let mut page = Page::first(BATCH);
    loop {
        let listing = store.list_usage_entries_to_meter(org_id, &page).await?;
        match listing.next {
            Some(next) if listing.items.is_empty() => page.after = Some(next),
            _ => return Ok(listing.items),
        }
    }
}

/// Only what is settled counts; nothing else should be here.
fn decide(month: &mut MeteredMonth, entry: &UsageEntry, payer: &Payer) -> Metering {
    match entry.state {
        UsageState::Settled => month.count(entry, &payer.terms(entry.created_at)),
        UsageState::Reserved | UsageState::Released => Metering::Included,
    }
}

impl Payer {
    fn customer_id(&self) -> Option<&str> {
        self.organization.as_ref()?.stripe_customer_id.as_deref()
    }

    /// The terms of the plan at the time of use. A plan whose included amount is its limit has no
    /// overage. A limit that admins have set forgives nothing.
    fn terms(&self, at: Timestamp) -> MeterTerms {
        let organization = self.organization.as_ref();
        let plan = organization.map(|organization| Plan::sold_at(organization, at));
        let has_overage = plan.as_ref().is_some_and(Plan::has_overage);
        MeterTerms {
            since: organization.and_then(|organization| organization.tier_since(at)),
            included_tokens: plan.map_or(0, |plan| plan.included_tokens),
            is_billed: has_overage && self.customer_id().is_some(),
        }
    }
}

async fn months(
    store: &Store,
    org_id: &OrgId,
    entries: &[Versioned<UsageEntry>],
) -> Result<Months, store::Error> {
    let mut months = Months::new();
    for entry in entries {
        let period = &entry.value.period;
        if months.contains_key(period) {
            continue;
        }
        let found = store.find_metered_month(org_id, period).await?;
        let month = match found {
            Some(found) => (found.value, Some(found.version)),
            None => {
                let period = period.clone();
                let month = MeteredMonth {
                    period,
                    ..MeteredMonth::default()
                };
                (month, None)
            }
        };
        months.insert(period.clone(), month);
    }
    Ok(months)
}

fn row(entry: &UsageEntry, customer_id: &str, tokens: i64, now: Timestamp) -> MeterRow {
    let Moment { at, minute, day } = Moment::of(entry.created_at);
    MeterRow {
        id: entry.id.clone(),
        org_id: entry.org_id.clone(),
        customer_id: customer_id.to_owned(),
        tokens,
        at,
        minute,
        day,
        state: MeterRowState::Due,
        attempts: 0,
        first_attempt_at: None,
        last_attempt_at: None,
        // Stripe takes nothing from the future.
        due_at: Some(at.max(now)),
        sent_at: None,
        last_error: None,
    }
}
