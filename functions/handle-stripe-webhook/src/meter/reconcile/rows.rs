//! Whether Stripe has counted what was sent on a day, customer by customer.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, stream};
use jiff::{ToSpan, civil::Date};
use shared::{
    models::{
        CustomerDay, MeterRow, MeterRowPosition, MeterRowState, ReconcileStep, UsageDifference,
        UsageFailure, UsageReconciliation,
    },
    retry::Transient,
    store::meter_events::RowOfDay,
};

use super::{
    super::{AT_ONCE, Error, Meter},
    fail, keep, start_of,
};
use crate::CALLER;

/// Rows that one request looks at; they may be of as many customers.
const PAGE: u32 = 500;

/// Questions that Stripe does not answer before a request asks no more.
const MAX_UNANSWERED: usize = 5;

/// The part of the day that Stripe is asked about.
struct Asked<'a> {
    meter: &'a Meter,
    meter_id: String,
    from: jiff::Timestamp,
    to: jiff::Timestamp,
    unanswered: AtomicUsize,
}

/// Looks at a page of the day's rows, and asks Stripe about the customers of whom there are no more;
/// tells what comes next, if anything of the day is left.
pub(super) async fn look(
    meter: &Meter,
    after: Option<&MeterRowPosition>,
    open: Option<CustomerDay>,
    report: &mut UsageReconciliation,
) -> Result<Option<ReconcileStep>, Error> {
    let store = &meter.store;
    let rows = store.list_meter_rows_of_day(&CALLER, &report.day, after, PAGE);
    let rows = rows.await?;
    let after = rows.last().map(|row| row.position.clone());
    let is_last = rows.len() < PAGE as usize;
    let mut customers = sum_up(open, rows);
    let open = match is_last {
        true => None,
        false => customers.pop(),
    };
    compare(meter, customers, report).await?;
    Ok((!is_last).then_some(ReconcileStep::Rows { after, open }))
}

/// By customer, in whose order the rows are.
fn sum_up(open: Option<CustomerDay>, rows: Vec<RowOfDay>) -> Vec<CustomerDay> {
    let mut customers: Vec<CustomerDay> = open.into_iter().collect();
    for RowOfDay { position, row } in rows {
        let customer_id = position.customer_id;
        if customers
            .last()
            .is_none_or(|last| last.customer_id != customer_id)
        {
            customers.push(CustomerDay {
                customer_id,
                org_id: None,
                sent: 0,
                uncertain: 0,
                unreadable: 0,
            });
        }
        let Some(customer) = customers.last_mut() else {
            continue;
        };
        match row {
            Ok(row) => add(customer, row),
            Err(_) => customer.unreadable += 1,
        }
    }
    customers
}

fn add(customer: &mut CustomerDay, row: MeterRow) {
    match row.state {
        MeterRowState::Sent => customer.sent += row.tokens,
        MeterRowState::Sending | MeterRowState::Unknown => customer.uncertain += row.tokens,
        MeterRowState::Due | MeterRowState::Failed => {}
    }
    customer.org_id.get_or_insert(row.org_id);
}

/// Nobody is asked of a day on which nothing was billed.
async fn compare(
    meter: &Meter,
    customers: Vec<CustomerDay>,
    report: &mut UsageReconciliation,
) -> Result<(), Error> {
    if customers.is_empty() {
        return Ok(());
    }
    let asked = match Asked::of(meter, &report.day).await {
        Ok(asked) => asked,
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => {
            for customer in customers {
                count(report, &customer, Err(error.to_string()));
            }
            return Ok(());
        }
    };
    let asked = &asked;
    let totals = customers.into_iter().map(|customer| async move {
        let total = asked.total(&customer).await;
        (customer, total)
    });
    let totals: Vec<_> = stream::iter(totals).buffered(AT_ONCE).collect().await;
    for (customer, total) in totals {
        count(report, &customer, total);
    }
    Ok(())
}

impl<'a> Asked<'a> {
    async fn of(meter: &'a Meter, day: &str) -> Result<Self, Error> {
        let day: Date = day.parse().unwrap_or_default();
        Ok(Self {
            meter,
            meter_id: meter.id().await?,
            from: start_of(day),
            to: start_of(day.saturating_add(1.day())),
            unanswered: AtomicUsize::new(0),
        })
    }

    /// What Stripe has counted, or why that is not known. When it does not answer, it is not asked
    /// about everybody.
    async fn total(&self, customer: &CustomerDay) -> Result<i64, String> {
        if customer.unreadable > 0 {
            let unreadable = customer.unreadable;
            return Err(format!("{unreadable} of its meter events cannot be read"));
        }
        if self.unanswered.load(Ordering::Relaxed) >= MAX_UNANSWERED {
            return Err("stripe is unavailable".to_owned());
        }
        let (id, customer_id) = (&self.meter_id, &customer.customer_id);
        let billing = &self.meter.billing;
        let total = billing.meter_total(id, customer_id, self.from, self.to);
        total.await.map_err(|error| {
            let times = usize::from(error.is_transient());
            self.unanswered.fetch_add(times, Ordering::Relaxed);
            error.to_string()
        })
    }
}

fn count(report: &mut UsageReconciliation, customer: &CustomerDay, total: Result<i64, String>) {
    report.customers += 1;
    let (customer_id, org_id) = (customer.customer_id.clone(), customer.org_id.clone());
    let (org_id, stripe) = match (org_id, total) {
        (Some(org_id), Ok(total)) => (org_id, total),
        (org_id, total) => {
            let cause = total.err().unwrap_or_default();
            let customer_id = Some(customer_id);
            return fail(
                report,
                UsageFailure {
                    org_id,
                    customer_id,
                    cause,
                },
            );
        }
    };
    if (customer.sent..=customer.sent + customer.uncertain).contains(&stripe) {
        return;
    }
    let difference = UsageDifference {
        org_id,
        customer_id,
        sent: customer.sent,
        uncertain: customer.uncertain,
        stripe,
    };
    tell(&report.day, &difference);
    report.differing += 1;
    keep(&mut report.differences, difference);
}

fn tell(day: &str, difference: &UsageDifference) {
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
