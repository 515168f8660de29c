//! Meter events of which Stripe has forgotten whether it knows them: the sum of their minute tells.

use shared::{
    models::{MeterRow, MeterRowState, Timestamp},
    store::{self, Page, Versioned},
};

use super::{
    Error, Meter, Metered,
    send::{self, REPEATABLE_SECS},
};
use crate::CALLER;

/// How long Stripe may take to sum up what it has acknowledged, in seconds. It does so within
/// minutes (<https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api>).
const SUMMED_WITHIN_SECS: i64 = 3_600;

/// When a minute is looked at again that nothing can be said of yet, in seconds.
const PAUSE_SECS: i64 = 600;

/// Rows that one commit changes at most. What is left fits the same verdict.
const BATCH: usize = 400;

const PAGE: u32 = 500;

/// What a minute's sum says of the rows that nobody knows about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Stripe has counted all of them.
    All,
    /// Stripe has counted none of them.
    None,
    /// Some of them, or something else.
    Ambiguous,
}

/// Finds out about the customer's rows in a minute whose attempts Stripe may have forgotten. Nothing
/// of the minute is sent between the look at the rows and the one at the sum, or it is left for the
/// next run: every attempt changes its row before it begins.
pub(super) async fn clear(
    meter: &Meter,
    customer_id: &str,
    minute: Timestamp,
) -> Result<Metered, Error> {
    let before = rows_of(meter, customer_id, minute).await?;
    let now = meter.now();
    if !before.iter().all(|row| is_clear(&row.value, now)) {
        return postpone(meter, before, now).await;
    }
    let total = total(meter, customer_id, minute).await;
    let total = match total {
        Ok(total) => total,
        // What is refused for one customer must not keep others from being served.
        Err(error) => {
            report(customer_id, &error);
            return postpone(meter, before, now).await;
        }
    };
    if rows_of(meter, customer_id, minute).await? != before {
        return Ok(Metered::default());
    }
    let verdict = judge(before.iter().map(|row| &row.value), total);
    let stale = before.into_iter().filter(|row| is_open(&row.value));
    let mut stale: Vec<_> = stale.take(BATCH).collect();
    for row in &mut stale {
        apply(&mut row.value, verdict, now);
    }
    let mut done = Metered::default();
    if send::keep(meter, &stale).await? {
        stale
            .iter()
            .for_each(|row| done.add(send::outcome(&row.value)));
    }
    Ok(done)
}

fn report(customer_id: &str, error: &Error) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(stripe.customer = customer_id, error, "meter not read");
}

async fn total(meter: &Meter, customer_id: &str, minute: Timestamp) -> Result<i64, Error> {
    let (id, end) = (meter.id().await?, minute.plus_seconds(60));
    let total = meter
        .billing
        .meter_total(&id, customer_id, minute.instant(), end.instant());
    Ok(total.await?)
}

/// Whether an attempt at the row may have been counted, which nobody has told.
fn is_open(row: &MeterRow) -> bool {
    row.state == MeterRowState::Sending
}

/// Whether the sum tells all that there is of the row, and will tell the same.
fn is_clear(row: &MeterRow, now: Timestamp) -> bool {
    let is_past = |at: Option<Timestamp>, secs| at.is_none_or(|at| at.plus_seconds(secs) <= now);
    match row.state {
        MeterRowState::Sending => {
            is_past(row.first_attempt_at, REPEATABLE_SECS)
                && is_past(row.last_attempt_at, SUMMED_WITHIN_SECS)
        }
        MeterRowState::Sent => is_past(row.sent_at, SUMMED_WITHIN_SECS),
        _ => true,
    }
}

fn judge<'r>(rows: impl Iterator<Item = &'r MeterRow>, total: i64) -> Verdict {
    let (mut sent, mut open, mut has_unknown) = (0, 0, false);
    for row in rows {
        match row.state {
            MeterRowState::Sent => sent += row.tokens,
            MeterRowState::Sending => open += row.tokens,
            MeterRowState::Unknown => has_unknown = true,
            MeterRowState::Due | MeterRowState::Failed => {}
        }
    }
    match total - sent {
        0 => Verdict::None,
        rest if rest == open && !has_unknown => Verdict::All,
        _ => Verdict::Ambiguous,
    }
}

fn apply(row: &mut MeterRow, verdict: Verdict, now: Timestamp) {
    match verdict {
        Verdict::All => {
            send::end(row, MeterRowState::Sent);
            row.sent_at = Some(now);
        }
        Verdict::None => {
            row.state = MeterRowState::Due;
            (row.first_attempt_at, row.last_attempt_at) = (None, None);
            row.due_at = Some(now);
        }
        Verdict::Ambiguous => {
            send::end(row, MeterRowState::Unknown);
            row.last_error = Some("ambiguous".to_owned());
        }
    }
}

/// Only what is stale is looked at again later; what is not comes when it is due.
async fn postpone(
    meter: &Meter,
    rows: Vec<Versioned<MeterRow>>,
    now: Timestamp,
) -> Result<Metered, Error> {
    let stale = |row: &Versioned<MeterRow>| is_open(&row.value) && is_clear(&row.value, now);
    let mut stale: Vec<_> = rows.into_iter().filter(stale).take(BATCH).collect();
    for row in &mut stale {
        row.value.due_at = Some(now.plus_seconds(PAUSE_SECS));
    }
    send::keep(meter, &stale).await?;
    Ok(Metered {
        postponed: stale.len() as u64,
        ..Metered::default()
    })
}

async fn rows_of(
    meter: &Meter,
    customer_id: &str,
    minute: Timestamp,
) -> Result<Vec<Versioned<MeterRow>>, store::Error> {
    let (mut rows, mut page) = (Vec::new(), Page::first(PAGE));
    loop {
        let store = &meter.store;
        let listing = store.list_meter_rows_of_minute(&CALLER, customer_id, minute, &page);
        let listing = listing.await?;
        rows.extend(listing.items);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::ids::{OrgId, RecordId};

    use super::*;

    fn row(state: MeterRowState, tokens: i64) -> MeterRow {
        let at = Timestamp::from(jiff::Timestamp::UNIX_EPOCH);
        MeterRow {
            id: RecordId::generate(),
            org_id: OrgId::derive(&["o"]),
            customer_id: "cus_1".to_owned(),
            tokens,
            at,
            minute: at,
            day: "1970-01-01".to_owned(),
            state,
            attempts: 1,
            first_attempt_at: None,
            last_attempt_at: None,
            due_at: None,
            sent_at: None,
            last_error: None,
        }
    }

    #[test]
    fn a_sum_that_fits_all_or_none_decides_and_no_other() {
        use MeterRowState::{Due, Sending, Sent};
        let rows = [
            row(Sent, 5),
            row(Sending, 10),
            row(Sending, 20),
            row(Due, 40),
        ];
        let table = [
            (5, Verdict::None),
            (35, Verdict::All),
            (15, Verdict::Ambiguous),
            (25, Verdict::Ambiguous),
            (0, Verdict::Ambiguous),
            (75, Verdict::Ambiguous),
        ];
        for (total, expected) in table {
            assert_eq!(judge(rows.iter(), total), expected, "{total}");
        }
    }

    #[test]
    fn what_is_unknown_may_be_in_the_sum() {
        let rows = [
            row(MeterRowState::Unknown, 10),
            row(MeterRowState::Sending, 10),
        ];
        assert_eq!(judge(rows.iter(), 10), Verdict::Ambiguous);
        assert_eq!(judge(rows.iter(), 0), Verdict::None);
    }
}
