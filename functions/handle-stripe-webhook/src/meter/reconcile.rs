//! Whether Stripe, the outbox, the quota and the ledger agree.
//!
//! Each request looks at one page and keeps how far it has come; the queue brings the next.

mod drift;
mod rows;

use jiff::{ToSpan, civil::Date, tz::TimeZone};
use shared::{
    ids::RecordId,
    models::{ReconcileStep, Timestamp, UsageFailure, UsageReconcile, UsageReconciliation},
    queue::{Task, UsageReconcileTask, Work},
    store::{self, Versioned, Write, commit_contended, meter_events, platform},
};

use super::{Error, Meter};
use crate::{AppState, CALLER};

/// Whole days that are looked at: calls of the last one may be billed on the next.
const DAYS: i64 = 2;

/// What is kept of what differs, and of what failed; the numbers tell of all.
const KEPT: usize = 100;

/// How long a comparison may stand still before the sweeper goes on with it, in seconds.
const STALLED_SECS: i64 = 180;

/// How long one that does not come to an end is gone on with, in seconds: another night has other
/// days.
const GIVEN_UP_SECS: i64 = 20 * 3_600;

/// Begins a comparison, or goes on with the one that is under way.
pub(crate) async fn begin(state: &AppState) -> Result<UsageReconcile, Error> {
    let (reconcile, given_up) = commit_contended(&state.store, || async {
        let found = state.store.find_usage_reconcile(&CALLER).await?;
        let version = found.as_ref().map(|found| found.version);
        let oldest = state.now().plus_seconds(-GIVEN_UP_SECS);
        let begun = new(state.now());
        let mut writes = vec![platform::set_usage_reconcile(&begun, version)?];
        let given_up = match found.filter(is_open).map(|found| found.value) {
            Some(open) if open.started_at > oldest => return Ok((Vec::new(), (open, None))),
            Some(stuck) => Some(give_up(stuck.report)),
            None => None,
        };
        if let Some(report) = &given_up {
            writes.push(meter_events::set_reconciliation(report)?);
        }
        Ok::<_, store::Error>((writes, (begun, given_up)))
    })
    .await?;
    given_up.iter().for_each(tell);
    let gone_on = go_on(state, &reconcile.run_id).await?;
    Ok(gone_on.unwrap_or(reconcile))
}

/// Looks at the next page of the comparison, unless it is done or another has begun; tells how far
/// it has come.
pub(crate) async fn go_on(
    state: &AppState,
    run_id: &RecordId,
) -> Result<Option<UsageReconcile>, Error> {
    let found = state.store.find_usage_reconcile(&CALLER).await?;
    let open = found.filter(|found| found.value.run_id == *run_id && is_open(found));
    let Some(Versioned {
        value: mut reconcile,
        version,
    }) = open
    else {
        return Ok(None);
    };
    let mut writes: Vec<Write> = look(&state.meter(), &mut reconcile)
        .await?
        .into_iter()
        .collect();
    reconcile.pages += 1;
    reconcile.updated_at = state.now();
    writes.push(platform::set_usage_reconcile(&reconcile, Some(version))?);
    match state.store.commit(writes).await {
        Ok(_) => {}
        // Another request has looked at the same page.
        Err(error) if error.is_lost_race() => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    if reconcile.finished_at.is_none() {
        hand_in(state, &reconcile, "").await;
    }
    Ok(Some(reconcile))
}

/// Goes on with a comparison that stands still; tells whether there is one.
pub(crate) async fn go_on_if_stalled(state: &AppState) -> Result<bool, store::Error> {
    let found = state.store.find_usage_reconcile(&CALLER).await?;
    let before = state.now().plus_seconds(-STALLED_SECS);
    let stalled = found.filter(|found| is_open(found) && found.value.updated_at <= before);
    if let Some(stalled) = &stalled {
        let reason = format!("-sweep-{}", state.now().instant().as_second());
        hand_in(state, &stalled.value, &reason).await;
    }
    Ok(stalled.is_some())
}

fn is_open(found: &Versioned<UsageReconcile>) -> bool {
    found.value.finished_at.is_none()
}

fn new(now: Timestamp) -> UsageReconcile {
    let today = now.instant().to_zoned(TimeZone::UTC).date();
    let mut days = (1..=DAYS).map(|back| today.saturating_sub(back.days()).to_string());
    UsageReconcile {
        run_id: RecordId::generate(),
        pages: 0,
        step: ReconcileStep::Counters { after: None },
        report: report_of(days.next().unwrap_or_default()),
        days_left: days.collect(),
        started_at: now,
        updated_at: now,
        finished_at: None,
    }
}

fn report_of(day: String) -> UsageReconciliation {
    UsageReconciliation {
        day,
        ..UsageReconciliation::default()
    }
}

/// The report of a day that was not looked at to its end.
fn give_up(mut report: UsageReconciliation) -> UsageReconciliation {
    let failure = UsageFailure {
        org_id: None,
        customer_id: None,
        cause: "the comparison did not come to its end within a day".to_owned(),
    };
    fail(&mut report, failure);
    report
}

/// Looks at a page, and what comes next. Of a day that is done there is a report to be kept.
async fn look(meter: &Meter, reconcile: &mut UsageReconcile) -> Result<Option<Write>, Error> {
    let from_start = ReconcileStep::Rows {
        after: None,
        open: None,
    };
    let report = &mut reconcile.report;
    let next = match &reconcile.step {
        ReconcileStep::Counters { after } => {
            let next = drift::look(meter, after.as_ref(), report).await?;
            Some(next.unwrap_or(from_start))
        }
        ReconcileStep::Rows { after, open } => {
            rows::look(meter, after.as_ref(), open.clone(), report).await?
        }
    };
    if let Some(next) = next {
        reconcile.step = next;
        return Ok(None);
    }
    let now = meter.now();
    report.checked_at = Some(now);
    let done = meter_events::set_reconciliation(report)?;
    tell(report);
    if reconcile.days_left.is_empty() {
        reconcile.finished_at = Some(now);
    } else {
        reconcile.report = report_of(reconcile.days_left.remove(0));
        reconcile.step = ReconcileStep::Rows {
            after: None,
            open: None,
        };
    }
    Ok(Some(done))
}

/// What could not be looked at is an alert of its own: it may hide what differs.
fn tell(report: &UsageReconciliation) {
    let UsageReconciliation {
        day,
        customers,
        differing,
        drifting,
        failed,
        ..
    } = report;
    if *failed > 0 {
        tracing::error!(day, failed, "usage could not be compared");
    }
    tracing::info!(
        day,
        customers,
        differing,
        drifting,
        failed,
        "usage compared"
    );
}

async fn hand_in(state: &AppState, reconcile: &UsageReconcile, reason: &str) {
    let UsageReconcile { run_id, pages, .. } = reconcile;
    let task = Task {
        name: format!("usage-{run_id}-{pages}{reason}"),
        work: Work::UsageReconcile(UsageReconcileTask {
            run_id: run_id.clone(),
        }),
        due_at: None,
    };
    if let Err(error) = state.queue.enqueue(&task).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(reconcile.id = %run_id, error, "comparison left to the sweeper");
    }
}

/// Counts what failed, and keeps the first.
fn fail(report: &mut UsageReconciliation, failure: UsageFailure) {
    tracing::warn!(
        org.id = failure.org_id.as_ref().map(tracing::field::display),
        stripe.customer = failure.customer_id,
        cause = failure.cause,
        "usage cannot be compared"
    );
    report.failed += 1;
    keep(&mut report.failures, failure);
}

fn keep<T>(kept: &mut Vec<T>, one: T) {
    if kept.len() < KEPT {
        kept.push(one);
    }
}

fn start_of(day: Date) -> jiff::Timestamp {
    let start = day.to_zoned(TimeZone::UTC).map(|start| start.timestamp());
    start.unwrap_or(jiff::Timestamp::MAX)
}
