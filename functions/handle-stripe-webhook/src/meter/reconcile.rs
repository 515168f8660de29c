//! Whether Stripe, the outbox, the quota and the ledger agree.

mod drift;

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use shared::{
    ids::OrgId,
    models::{MeterRow, MeterRowState, Timestamp, UsageDifference, UsageReconciliation},
    store::{Page, meter_events},
};

use super::{AT_ONCE, Error, Meter};
use crate::CALLER;

/// Whole days that are looked at: calls of the last one may be billed on the next.
const DAYS: i64 = 2;

/// What is kept of what differs; the numbers tell of all.
const KEPT: usize = 100;

const PAGE: u32 = 1_000;

/// What rows say that Stripe has counted, by organization and customer.
type Sums = BTreeMap<(OrgId, String), Sum>;

#[derive(Clone, Copy, Default)]
struct Sum {
    sent: i64,
    uncertain: i64,
}

pub(super) async fn reconcile(meter: &Meter) -> Result<Vec<UsageReconciliation>, Error> {
    let now = meter.now();
    let today = now.instant().to_zoned(TimeZone::UTC).date();
    let drifts = drift::find(meter).await?;
    for drift in &drifts {
        tracing::error!(
            org.id = %drift.org_id,
            period = drift.period,
            ledger = drift.ledger,
            quota = drift.quota,
            "the counters of an organization do not agree"
        );
    }
    let mut reports = Vec::new();
    for back in 1..=DAYS {
        let day = today.saturating_sub(back.days());
        let mut report = compare(meter, day, now).await?;
        if back == 1 {
            report.drifting = count(drifts.len());
            report.drifts = drifts.iter().take(KEPT).cloned().collect();
        }
        let write = meter_events::set_reconciliation(&report)?;
        meter.store.commit(vec![write]).await?;
        reports.push(report);
    }
    Ok(reports)
}

/// Nobody is asked of a day on which nothing was billed.
async fn compare(meter: &Meter, day: Date, now: Timestamp) -> Result<UsageReconciliation, Error> {
    let (from, to) = (start_of(day), start_of(day.saturating_add(1.day())));
    let day = day.to_string();
    let sums = sums_of(meter, &day).await?;
    let customers = count(sums.len());
    let mut differences = Vec::new();
    if !sums.is_empty() {
        let id = meter.id().await?;
        let id = &id;
        let asked = stream::iter(sums).map(|((org_id, customer_id), sum)| async move {
            let total = meter
                .billing
                .meter_total(id, &customer_id, from, to)
                .await?;
            let fits = (sum.sent..=sum.sent + sum.uncertain).contains(&total);
            Ok::<_, Error>((!fits).then_some(UsageDifference {
                org_id,
                customer_id,
                sent: sum.sent,
                uncertain: sum.uncertain,
                stripe: total,
            }))
        });
        let found: Vec<_> = asked.buffered(AT_ONCE).try_collect().await?;
        differences = found.into_iter().flatten().collect();
    }
    differences
        .iter()
        .for_each(|difference| report(&day, difference));
    Ok(UsageReconciliation {
        day,
        customers,
        differing: count(differences.len()),
        differences: differences.into_iter().take(KEPT).collect(),
        drifting: 0,
        drifts: Vec::new(),
        checked_at: Some(now),
    })
}

fn report(day: &str, difference: &UsageDifference) {
    tracing::error!(
        org.id = %difference.org_id,
        stripe.customer = difference.customer_id,
        day,
        sent = difference.sent,
        uncertain = difference.uncertain,
        stripe = difference.stripe,
        "stripe has counted something else than was sent"
    );
}

async fn sums_of(meter: &Meter, day: &str) -> Result<Sums, Error> {
    let (mut sums, mut page) = (Sums::new(), Page::first(PAGE));
    loop {
        let listing = meter
            .store
            .list_meter_rows_of_day(&CALLER, day, &page)
            .await?;
        for row in listing.items {
            let row = row.value;
            let sum = Sum::of(&row);
            let total = sums.entry((row.org_id, row.customer_id)).or_default();
            total.sent += sum.sent;
            total.uncertain += sum.uncertain;
        }
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(sums),
        }
    }
}

impl Sum {
    fn of(row: &MeterRow) -> Self {
        let (sent, uncertain) = match row.state {
            MeterRowState::Sent => (row.tokens, 0),
            MeterRowState::Sending | MeterRowState::Unknown => (0, row.tokens),
            MeterRowState::Due | MeterRowState::Failed | MeterRowState::Expired => (0, 0),
        };
        Self { sent, uncertain }
    }
}

fn start_of(day: Date) -> jiff::Timestamp {
    let start = day.to_zoned(TimeZone::UTC).map(|start| start.timestamp());
    start.unwrap_or(jiff::Timestamp::MAX)
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
