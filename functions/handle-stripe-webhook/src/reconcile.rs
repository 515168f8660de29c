//! Compares the tiers of all organizations that pay with what Stripe says, and mends what differs.
//!
//! Each request compares one page and keeps how far it has come; the queue brings the next.

use futures::future::join_all;
use shared::{
    ids::RecordId,
    models::{PayingOrganization, TierDrift, TierReconcile},
    queue::{Task, TierReconcileTask, Work},
    store::{self, Versioned, commit_contended, platform},
};

use crate::{
    AppState, CALLER, limits, rivals,
    subscription::{self, Cause, Error},
};

/// Organizations that one request compares.
const PAGE: u32 = 100;

/// Organizations that are compared at once: Stripe allows 100 reads a second.
const PARALLEL: usize = 8;

/// Drifts that are kept with their organizations.
const MAX_DRIFTS: usize = 100;

/// How long a comparison may stand still before the sweeper goes on with it, in seconds.
const STALLED_SECS: i64 = 180;

/// Begins a comparison, or goes on with the one that is under way.
pub(crate) async fn begin(state: &AppState) -> Result<TierReconcile, store::Error> {
    let reconcile = commit_contended(&state.store, || async {
        let found = state.store.find_tier_reconcile(&CALLER).await?;
        let version = found.as_ref().map(|found| found.version);
        if let Some(found) = found.filter(|found| found.value.finished_at.is_none()) {
            return Ok((Vec::new(), found.value));
        }
        let begun = new(state);
        let write = platform::set_tier_reconcile(&begun, version)?;
        Ok::<_, store::Error>((vec![write], begun))
    })
    .await?;
    go_on(state, &reconcile.run_id)
        .await
        .map(|found| found.unwrap_or(reconcile))
}

/// Compares the next page of the comparison, unless it is done or another has begun; tells how far
/// it has come.
pub(crate) async fn go_on(
    state: &AppState,
    run_id: &RecordId,
) -> Result<Option<TierReconcile>, store::Error> {
    let Some(before) = find_open(state, run_id).await? else {
        return Ok(None);
    };
    let after = before.value.after.as_ref();
    let page = state
        .store
        .list_paying_organizations(&CALLER, after, PAGE)
        .await?;
    let compared = compare_all(state, run_id, &page).await;
    let mut reconcile = before.value;
    add(&mut reconcile, compared);
    let now = state.now();
    reconcile.updated_at = now;
    reconcile.after = page.last().cloned();
    if page.len() < PAGE as usize {
        reconcile.after = None;
        reconcile.finished_at = Some(now);
    }
    let write = platform::set_tier_reconcile(&reconcile, Some(before.version))?;
    match state.store.commit(vec![write]).await {
        Ok(_) => {}
        // Another request has compared the same page.
        Err(error) if error.is_lost_race() => return Ok(None),
        Err(error) => return Err(error),
    }
    match reconcile.finished_at {
        Some(_) => report(&reconcile),
        None => hand_in(state, &reconcile, "").await,
    }
    Ok(Some(reconcile))
}

/// Goes on with a comparison that stands still; tells whether there is one.
pub(crate) async fn go_on_if_stalled(state: &AppState) -> Result<bool, store::Error> {
    let found = state.store.find_tier_reconcile(&CALLER).await?;
    let before = state.now().plus_seconds(-STALLED_SECS);
    let stalled =
        found.filter(|found| found.value.finished_at.is_none() && found.value.updated_at <= before);
    if let Some(stalled) = &stalled {
        let reason = format!("-sweep-{}", state.now().instant().as_second());
        hand_in(state, &stalled.value, &reason).await;
    }
    Ok(stalled.is_some())
}

fn new(state: &AppState) -> TierReconcile {
    let now = state.now();
    TierReconcile {
        run_id: RecordId::generate(),
        after: None,
        checked: 0,
        repaired: 0,
        failed: 0,
        drifts: Vec::new(),
        started_at: now,
        updated_at: now,
        finished_at: None,
    }
}

async fn find_open(
    state: &AppState,
    run_id: &RecordId,
) -> Result<Option<Versioned<TierReconcile>>, store::Error> {
    let found = state.store.find_tier_reconcile(&CALLER).await?;
    Ok(found.filter(|found| found.value.run_id == *run_id && found.value.finished_at.is_none()))
}

async fn hand_in(state: &AppState, reconcile: &TierReconcile, reason: &str) {
    let TierReconcile {
        run_id, checked, ..
    } = reconcile;
    let task = Task {
        name: format!("tiers-{run_id}-{checked}{reason}"),
        work: Work::TierReconcile(TierReconcileTask {
            run_id: run_id.clone(),
        }),
        due_at: None,
    };
    if let Err(error) = state.queue.enqueue(&task).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(reconcile.id = %run_id, error, "comparison left to the sweeper");
    }
}

type Compared = Result<Option<TierDrift>, Error>;

async fn compare_all(
    state: &AppState,
    run_id: &RecordId,
    page: &[PayingOrganization],
) -> Vec<Compared> {
    let mut compared = Vec::new();
    for some in page.chunks(PARALLEL) {
        let some = some.iter().map(|paying| compare(state, run_id, paying));
        compared.extend(join_all(some).await);
    }
    compared
}

/// Mends the organization's tier as an event would; tells how it was wrong, if it was.
async fn compare(state: &AppState, run_id: &RecordId, paying: &PayingOrganization) -> Compared {
    let org_id = &paying.org_id;
    let compared = async {
        let Ok(customer_id) = RecordId::parse(&paying.customer_id) else {
            tracing::error!(org.id = %org_id, "the organization has no possible customer");
            return Ok(None);
        };
        let (drift, has_rivals) = commit_contended(&state.store, || async {
            let cause = Cause::Reconcile(run_id);
            let known = state
                .store
                .find_stripe_customer(&CALLER, &customer_id)
                .await?;
            let known = known.as_ref();
            match subscription::settle(state, cause, &customer_id, known, org_id).await? {
                Ok(settled) if settled.changes.is_empty() => {
                    Ok((Vec::new(), (None, settled.has_rivals)))
                }
                Ok(settled) => {
                    let mut writes = settled.changes;
                    writes.push(settled.seen);
                    Ok((writes, (settled.drift, settled.has_rivals)))
                }
                // Gone, or with another customer since it was listed.
                Err(_) => Ok::<_, Error>((Vec::new(), (None, false))),
            }
        })
        .await?;
        if let Some(TierDrift { from, to, .. }) = &drift {
            let (from, to) = (from.as_str(), to.as_str());
            tracing::error!(org.id = %org_id, from, to, "tier out of step: repaired");
            limits::enforce(state, org_id).await?;
        }
        if has_rivals {
            let cause = Cause::Reconcile(run_id);
            rivals::end(state, cause, &customer_id, org_id).await?;
        }
        Ok(drift)
    };
    compared.await.inspect_err(|error: &Error| {
        let error = error as &dyn std::error::Error;
        tracing::error!(org.id = %org_id, error, "the tier cannot be compared");
    })
}

fn add(reconcile: &mut TierReconcile, compared: Vec<Compared>) {
    for one in compared {
        reconcile.checked += 1;
        match one {
            Ok(None) => {}
            Ok(Some(drift)) => {
                reconcile.repaired += 1;
                if reconcile.drifts.len() < MAX_DRIFTS {
                    reconcile.drifts.push(drift);
                }
            }
            Err(_) => reconcile.failed += 1,
        }
    }
}

/// A drift means that events get lost, which an alert is made of.
fn report(reconcile: &TierReconcile) {
    let TierReconcile {
        run_id,
        checked,
        repaired,
        failed,
        ..
    } = reconcile;
    if *repaired + *failed > 0 {
        tracing::error!(reconcile.id = %run_id, checked, repaired, failed, "tiers were out of step");
    } else {
        tracing::info!(reconcile.id = %run_id, checked, "all tiers are in step");
    }
}
