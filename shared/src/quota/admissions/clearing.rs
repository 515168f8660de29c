//! What dead callers and lost leases leave behind.

use super::{estimated, is_settled, released};
use crate::{
    clock::SharedClock,
    ids::{OrgId, RecordId},
    models::{BudgetLease, LeaseSum, Timestamp, UsageEntry, UsageState, Use},
    quota::{Error, budget, sheet::Sheet},
    store::{Page, Store, Write, commit_contended, organizations::period_of, usage_ledger},
};

/// Entries that one commit books at most; Firestore takes 500 writes.
const BATCH: usize = 100;

/// Entries of a lease that one commit reads, and may have to write.
const PAGE: u32 = 400;

/// Commits that one caller makes at most.
const MAX_ROUNDS: usize = 100;

/// Books what expired calls may have used, and replaces leases that have ended by what the ledger
/// tells of them; tells whether there was anything.
pub(super) async fn clear(
    store: &Store,
    org_id: &OrgId,
    clock: &SharedClock,
) -> Result<bool, Error> {
    for round in 0..MAX_ROUNDS {
        let now = Timestamp::from(clock.now());
        if !commit_contended(store, || clear_some(store, org_id, now)).await? {
            return Ok(round > 0);
        }
    }
    Ok(true)
}

async fn clear_some(
    store: &Store,
    org_id: &OrgId,
    now: Timestamp,
) -> Result<(Vec<Write>, bool), Error> {
    let sheet = Sheet::read(store, org_id).await?;
    let mut open = sheet.quota.open.iter();
    if open.any(|(_, open)| open.expires_at <= now) {
        return clear_calls(store, org_id, sheet, now).await;
    }
    let mut leases = sheet.quota.leases.iter();
    let ended = leases.find(|(_, lease)| lease.ends_at <= now);
    match ended.map(|(id, lease)| (id.clone(), lease.clone())) {
        Some((id, lease)) => end_lease(store, org_id, sheet, (&id, &lease), now).await,
        None => Ok((set_sweep(sheet)?.into_iter().collect(), false)),
    }
}

/// Corrects when the sweeper is to come, so that it does not come for nothing for ever.
fn set_sweep(mut sheet: Sheet<'_>) -> Result<Option<Write>, Error> {
    let before = sheet.quota.sweep_at;
    budget::set_sweep(&mut sheet.quota);
    let is_stale = sheet.quota.sweep_at != before;
    is_stale.then(|| sheet.save()).transpose()
}

async fn clear_calls(
    store: &Store,
    org_id: &OrgId,
    mut sheet: Sheet<'_>,
    now: Timestamp,
) -> Result<(Vec<Write>, bool), Error> {
    let expired = sheet.quota.open.iter();
    let expired = expired.filter(|(_, open)| open.expires_at <= now);
    let ids: Vec<String> = expired.map(|(id, _)| id.clone()).take(BATCH).collect();
    let (mut writes, mut sum, mut requests) = (Vec::new(), Use::default(), 0);
    for id in ids {
        let found = match RecordId::parse(&id) {
            Ok(id) => store.find_usage_entry(org_id, &id).await?,
            Err(_) => None,
        };
        let reserved = found.filter(|found| found.value.state == UsageState::Reserved);
        let Some(found) = reserved else {
            sheet.quota.open.remove(&id);
            continue;
        };
        let entry = match found.value.is_stream {
            true => estimated(&found.value),
            false => released(&found.value),
        };
        let is_old = entry.period != sheet.quota.period;
        if is_settled(&entry) && is_old {
            let at = entry.created_at;
            writes.extend(sheet.show(entry.amount(), 1, at, now).await?);
        } else if is_settled(&entry) {
            sum += entry.amount();
            requests += 1;
        }
        budget::settle_last(&mut sheet.quota, &entry);
        writes.push(usage_ledger::set(&entry, Some(&found))?);
    }
    if requests > 0 {
        writes.extend(sheet.show(sum, requests, now, now).await?);
    }
    budget::set_sweep(&mut sheet.quota);
    writes.push(sheet.save()?);
    Ok((writes, true))
}

/// All of a lease's calls have ended, whatever Redis knows: the ledger has what they used. A part of
/// it is summed in each commit, so that none reads all the calls of a busy month.
async fn end_lease(
    store: &Store,
    org_id: &OrgId,
    mut sheet: Sheet<'_>,
    (id, lease): (&str, &BudgetLease),
    now: Timestamp,
) -> Result<(Vec<Write>, bool), Error> {
    let before = lease.summed.clone();
    let page = Page {
        limit: PAGE,
        after: before.as_ref().map(|sum| sum.after.clone()),
    };
    let entries = store.list_usage_entries_of_lease(org_id, id, &page).await?;
    let (mut writes, before) = (Vec::new(), before.unwrap_or_default());
    let (mut sum, mut requests) = (before.used, before.requests);
    for found in &entries.items {
        let Some(entry) = outcome(&found.value) else {
            continue;
        };
        if entry != found.value {
            writes.push(usage_ledger::set(&entry, Some(found))?);
        }
        sum += entry.amount();
        requests += 1;
    }
    if let (Some(after), Some(lease)) = (entries.next, sheet.quota.leases.get_mut(id)) {
        lease.summed = Some(LeaseSum {
            after,
            used: sum,
            requests,
        });
        writes.push(sheet.save()?);
        return Ok((writes, true));
    }
    let (used, requests) = budget::count(&mut sheet.quota, id, sum, requests);
    sheet.quota.leases.remove(id);
    budget::set_sweep(&mut sheet.quota);
    if requests > 0 {
        let at = instant_of(lease, now);
        writes.extend(sheet.show(used, requests, at, now).await?);
    }
    writes.push(sheet.save()?);
    Ok((writes, true))
}

/// An instant of the month that a lease's calls count in.
pub(super) fn instant_of(lease: &BudgetLease, now: Timestamp) -> Timestamp {
    match lease.period == period_of(now) {
        true => now,
        false => lease.opened_at,
    }
}

fn outcome(entry: &UsageEntry) -> Option<UsageEntry> {
    match entry.state {
        UsageState::Settled => Some(entry.clone()),
        UsageState::Reserved if entry.is_stream => Some(estimated(entry)),
        UsageState::Reserved | UsageState::Released => None,
    }
}
