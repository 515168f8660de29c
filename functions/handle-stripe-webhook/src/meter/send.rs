//! Meter events that are due, sent to Stripe.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::{StreamExt, stream};
use shared::{
    models::{MeterRow, MeterRowState, Organization, Timestamp},
    retry::{Policy, Transient, retry},
    store::{
        self, Versioned,
        meter_events::{self, DueRows},
    },
    stripe::{self, MeterEvent},
};

use super::{AT_ONCE, Error, Meter, Metered, clear, moment};
use crate::CALLER;

/// Rows that are looked at together.
const BATCH: u32 = 500;

/// Rows of a customer that are claimed, and noted, in one commit.
const CHUNK: usize = 50;

/// How long a claim stands, in seconds: then its sender is taken for dead.
const CLAIM_SECS: i64 = 300;

/// How long after a claim its rows are sent at most, in seconds.
const SENT_WITHIN_SECS: i64 = CLAIM_SECS / 2;

/// How long an event can be sent again under its identifier, in seconds. Stripe knows it for 24
/// hours (<https://docs.stripe.com/api/billing/meter-event/create>); clocks may differ.
pub(super) const REPEATABLE_SECS: i64 = 23 * 3_600;

/// When an event that failed is tried again, in seconds: twice as late each time.
const FIRST_PAUSE_SECS: i64 = 30;
const LONGEST_PAUSE_SECS: i64 = 3_600;

/// Failures in a run after which Stripe is left alone until the next one.
const MAX_FAILURES: usize = 5;

/// What a run of all customers shares.
pub(super) struct Course<'a> {
    pub(super) meter: &'a Meter,
    until: Timestamp,
    failures: AtomicUsize,
}

/// What became of an attempt.
enum Attempt {
    Sent,
    /// Nobody knows, or it may work later.
    Failed(stripe::Error),
    /// Stripe refuses this event.
    Refused(u16),
}

/// Sends what is due, customer by customer: Stripe takes one call at a time for each
/// (<https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api>).
pub(super) async fn send_due(meter: &Meter, until: Timestamp) -> Result<Metered, Error> {
    let course = &Course {
        meter,
        until,
        failures: AtomicUsize::new(0),
    };
    let (mut done, mut has_meter) = (Metered::default(), false);
    let (now, mut after) = (meter.now(), None);
    while course.goes_on() {
        let due = meter.store.list_due_meter_rows(&CALLER, now, after, BATCH);
        let DueRows { rows, next } = due.await?;
        // Without a meter, Stripe refuses each event for good.
        if !rows.is_empty() && !has_meter {
            meter.id().await?;
            has_meter = true;
        }
        let mut customers: BTreeMap<String, Vec<Versioned<MeterRow>>> = BTreeMap::new();
        for row in rows {
            let customer_id = row.value.customer_id.clone();
            customers.entry(customer_id).or_default().push(row);
        }
        let customers = customers.into_iter();
        let sending = customers.map(|(customer_id, rows)| course.serve(customer_id, rows));
        let sent: Vec<Metered> = stream::iter(sending)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        sent.into_iter().for_each(|sent| done.add(sent));
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    Ok(done)
}

impl Course<'_> {
    fn goes_on(&self) -> bool {
        self.meter.now() < self.until && self.failures.load(Ordering::Relaxed) < MAX_FAILURES
    }

    fn fail(&self, times: usize) {
        self.failures.fetch_add(times, Ordering::Relaxed);
    }

    /// Does what is due for a customer; what fails is left for a later run.
    async fn serve(&self, customer_id: String, rows: Vec<Versioned<MeterRow>>) -> Metered {
        let mut done = Metered::default();
        if let Err(error) = self.try_to_serve(&customer_id, rows, &mut done).await {
            // What cannot be read is this customer's alone.
            self.fail(usize::from(error.is_transient()));
            report(&customer_id, &error);
        }
        done
    }

    async fn try_to_serve(
        &self,
        customer_id: &str,
        rows: Vec<Versioned<MeterRow>>,
        done: &mut Metered,
    ) -> Result<(), Error> {
        let now = self.meter.now();
        let is_stale = |row: &Versioned<MeterRow>| is_over(row.value.first_attempt_at, now);
        let (stale, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_stale);
        let minutes: BTreeSet<Timestamp> = stale.iter().map(|row| row.value.minute).collect();
        for minute in minutes.into_iter().take_while(|_| self.goes_on()) {
            match clear::clear(self.meter, customer_id, minute).await {
                Ok(cleared) => done.add(cleared),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => report(customer_id, &error),
            }
        }
        let Some(row) = rows.first() else {
            return Ok(());
        };
        let payer = self.payer(&row.value).await?;
        let held_until = moment::held_until(payer.as_ref(), now);
        let is_held = |row: &Versioned<MeterRow>| is_new(&row.value) && held_until.is_some();
        let (held, ready): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_held);
        done.add(self.hold(held, held_until).await?);
        for chunk in ready.chunks(CHUNK) {
            if self.goes_on() {
                done.add(self.send(chunk, payer.as_ref()).await?);
            }
        }
        Ok(())
    }

    async fn payer(&self, row: &MeterRow) -> Result<Option<Organization>, store::Error> {
        let payer = self.meter.store.find_organization(&row.org_id).await?;
        Ok(payer.map(|payer| payer.value))
    }

    async fn hold(
        &self,
        mut rows: Vec<Versioned<MeterRow>>,
        until: Option<Timestamp>,
    ) -> Result<Metered, Error> {
        let mut done = Metered::default();
        rows.iter_mut().for_each(|row| row.value.due_at = until);
        for chunk in rows.chunks(CHUNK) {
            if keep(self.meter, chunk).await? {
                done.postponed += chunk.len() as u64;
            }
        }
        Ok(done)
    }

    async fn send(
        &self,
        rows: &[Versioned<MeterRow>],
        payer: Option<&Organization>,
    ) -> Result<Metered, Error> {
        let claimed_at = self.meter.now();
        let Some(mut claimed) = claim(self.meter, rows, payer, claimed_at).await? else {
            return Ok(Metered::default());
        };
        let latest = claimed_at.plus_seconds(SENT_WITHIN_SECS);
        // Whoever asks for another plan notes it before he looks at what is claimed.
        let payer_now = self.payer(&rows[0].value).await;
        let is_dated = |now: &Option<Organization>| !moment::has_changed(payer, now.as_ref());
        let mut is_broken = !payer_now.as_ref().is_ok_and(is_dated);
        for (row, before) in claimed.iter_mut().zip(rows) {
            let now = self.meter.now();
            if is_broken || now > latest {
                give_back(&mut row.value, &before.value, now);
                continue;
            }
            match self.attempt(&row.value).await {
                Attempt::Sent => {
                    end(&mut row.value, MeterRowState::Sent);
                    row.value.sent_at = Some(now);
                }
                Attempt::Failed(error) => {
                    self.fail(if error.is_transient() {
                        1
                    } else {
                        MAX_FAILURES
                    });
                    is_broken = true;
                    postpone(&mut row.value, &error, now);
                }
                Attempt::Refused(status) => refuse(&mut row.value, &before.value, status),
            }
        }
        keep(self.meter, &claimed).await?;
        payer_now?;
        let mut done = Metered::default();
        claimed.iter().for_each(|row| done.add(outcome(&row.value)));
        Ok(done)
    }

    async fn attempt(&self, row: &MeterRow) -> Attempt {
        let event = MeterEvent {
            event_name: self.meter.event_name.clone(),
            customer_id: row.customer_id.clone(),
            value: row.tokens,
            identifier: row.id.to_string(),
            at: row.at.instant(),
        };
        match self.meter.billing.record_meter_event(&event).await {
            Ok(()) => Attempt::Sent,
            Err(stripe::Error::Rejected {
                status: status @ (400 | 404),
            }) => Attempt::Refused(status),
            Err(error) => Attempt::Failed(error),
        }
    }
}

fn report(customer_id: &str, error: &Error) {
    let error = error as &dyn std::error::Error;
    tracing::error!(
        stripe.customer = customer_id,
        error,
        "meter events left for later"
    );
}

/// Notes that rows are about to be sent, and when what is new counts; none when somebody else has
/// taken one of them.
async fn claim(
    meter: &Meter,
    rows: &[Versioned<MeterRow>],
    payer: Option<&Organization>,
    now: Timestamp,
) -> Result<Option<Vec<Versioned<MeterRow>>>, Error> {
    let claimed = rows.iter().cloned().map(|mut row| {
        if is_new(&row.value) {
            moment::date(&mut row.value, payer, now);
        }
        row.value.state = MeterRowState::Sending;
        row.value.attempts += 1;
        row.value.first_attempt_at.get_or_insert(now);
        row.value.last_attempt_at = Some(now);
        row.value.due_at = Some(now.plus_seconds(CLAIM_SECS));
        row
    });
    let mut claimed: Vec<_> = claimed.collect();
    let writes: Result<_, store::Error> = claimed.iter().map(meter_events::replace).collect();
    match meter.store.commit(writes?).await {
        Ok(version) => {
            claimed.iter_mut().for_each(|row| row.version = version);
            Ok(Some(claimed))
        }
        Err(error) if error.is_lost_race() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes what has become of rows; false when somebody else has changed one of them. A commit whose
/// outcome is unknown is made again, and loses against itself if it was made.
pub(super) async fn keep(meter: &Meter, rows: &[Versioned<MeterRow>]) -> Result<bool, Error> {
    if rows.is_empty() {
        return Ok(true);
    }
    let writes: Result<Vec<_>, store::Error> = rows.iter().map(meter_events::replace).collect();
    let writes = writes?;
    match retry(Policy::REMOTE_CALL, || meter.store.commit(writes.clone())).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_lost_race() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether Stripe has certainly not counted it.
fn is_new(row: &MeterRow) -> bool {
    row.first_attempt_at.is_none()
}

/// Whether Stripe may have forgotten an attempt.
fn is_over(first_attempt_at: Option<Timestamp>, now: Timestamp) -> bool {
    first_attempt_at.is_some_and(|first| first.plus_seconds(REPEATABLE_SECS) <= now)
}

/// A row that was claimed and not sent is what it was, for later.
fn give_back(row: &mut MeterRow, before: &MeterRow, now: Timestamp) {
    *row = MeterRow {
        due_at: Some(now.plus_seconds(FIRST_PAUSE_SECS)),
        ..before.clone()
    };
}

pub(super) fn end(row: &mut MeterRow, state: MeterRowState) {
    row.state = state;
    row.due_at = None;
    if state != MeterRowState::Failed {
        row.last_error = None;
    }
}

fn postpone(row: &mut MeterRow, error: &stripe::Error, now: Timestamp) {
    let doublings = u32::try_from(row.attempts - 1).unwrap_or_default().min(16);
    let pause = (FIRST_PAUSE_SECS << doublings).min(LONGEST_PAUSE_SECS);
    row.due_at = Some(now.plus_seconds(pause));
    row.last_error = Some(match error {
        stripe::Error::Rejected { status } => format!("status {status}"),
        stripe::Error::Unavailable(_) => "unavailable".to_owned(),
    });
}

/// Of an event that was sent before, a refusal may only say that it is there: its minute tells.
fn refuse(row: &mut MeterRow, before: &MeterRow, status: u16) {
    row.last_error = Some(format!("status {status}"));
    match before.first_attempt_at {
        Some(first) => row.due_at = Some(first.plus_seconds(REPEATABLE_SECS)),
        None => end(row, MeterRowState::Failed),
    }
}

/// Errors are what an alert is made of.
pub(super) fn outcome(row: &MeterRow) -> Metered {
    let mut outcome = Metered::default();
    match row.state {
        MeterRowState::Sent => outcome.sent = 1,
        MeterRowState::Due | MeterRowState::Sending => outcome.postponed = 1,
        MeterRowState::Unknown | MeterRowState::Failed => {
            outcome.given_up = 1;
            tracing::error!(
                usage.id = %row.id,
                org.id = %row.org_id,
                tokens = row.tokens,
                state = ?row.state,
                reason = row.last_error,
                "usage is not billed"
            );
        }
    }
    outcome
}
