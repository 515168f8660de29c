//! Messages that are written with their cause and sent at most once.

mod compose;

use std::{sync::Arc, time::Duration};

use self::compose::{Composer, Obstacle};
use crate::{
    clock::SharedClock,
    email::{self, Mailer},
    ids::{OrgId, RecordId, Uid},
    invitation::Links,
    models::{
        BillingNotice, Integration, Invitation, OutboxMessage, OutboxRow, OutboxState,
        SystemPrincipal, Timestamp, User,
    },
    retry::Transient,
    store::{self, Error, Store, Versioned},
};

/// Attempts before a row is given up.
const MAX_ATTEMPTS: i64 = 10;

/// How long a claim holds, in seconds; well above the longest wait of a mailer.
const CLAIM_SECS: i64 = 120;

/// Wait after the first failed attempt, in seconds; it doubles with each one.
const FIRST_DELAY_SECS: i64 = 30;

/// Longest wait between attempts, in seconds.
const MAX_DELAY_SECS: i64 = 3_600;

/// What became of a row in one dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider accepted the message.
    Sent,
    /// The provider did not take it yet; it is due again later.
    Deferred,
    /// It was given up.
    Failed,
    /// It may have been sent; it is not sent again.
    Unknown,
    /// There was nothing to do: not there, not due, done, or another caller's.
    Skipped,
}

/// The welcome e-mail of a user.
#[must_use]
pub fn welcome(user: &User, now: Timestamp) -> OutboxRow {
    let message = OutboxMessage::WelcomeEmail {
        uid: user.uid.clone(),
    };
    pending(welcome_id(&user.uid), &user.organization_id, message, now)
}

/// The e-mail with the link of an invitation: one for each.
#[must_use]
pub fn invitation(invitation: &Invitation, now: Timestamp) -> OutboxRow {
    let Invitation { id, org_id, .. } = invitation;
    let message = OutboxMessage::Invitation {
        invitation_id: id.clone(),
    };
    let row_id = RecordId::derive(&["outbox", "invitation", org_id.as_str(), id.as_str()]);
    pending(row_id, org_id, message, now)
}

/// The e-mail that tells the owner of an integration that it works no more: one for each time.
#[must_use]
pub fn broken_integration(integration: &Integration, now: Timestamp) -> OutboxRow {
    let Integration { id, org_id, .. } = integration;
    let message = OutboxMessage::BrokenIntegration {
        integration_id: id.clone(),
    };
    let time = integration.renewal.fence.to_string();
    let parts = ["outbox", "broken_integration", org_id.as_str(), id.as_str()];
    let row_id = RecordId::derive(&[&parts[..], &[&time]].concat());
    pending(row_id, org_id, message, now)
}

/// A monthly limit of model calls of which a share is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageAlert {
    /// Which limit, as `monthlyTokens`.
    pub limit: &'static str,
    /// The share, in percent.
    pub percent: i64,
    /// The UTC month, `YYYY-MM`.
    pub period: String,
}

/// The e-mail that tells an admin of a limit: one for each limit, share and month.
#[must_use]
pub fn usage_alert(org_id: &OrgId, uid: &Uid, alert: &UsageAlert, now: Timestamp) -> OutboxRow {
    let UsageAlert {
        limit,
        percent,
        period,
    } = alert;
    let parts = ["outbox", "usage_alert", org_id.as_str(), uid.as_str()];
    let share = percent.to_string();
    let row_id = RecordId::derive(&[&parts[..], &[period, limit, &share]].concat());
    let message = OutboxMessage::UsageAlert {
        uid: uid.clone(),
        limit: (*limit).to_owned(),
        percent: *percent,
        period: period.clone(),
    };
    pending(row_id, org_id, message, now)
}

/// The e-mail that tells an admin of the subscription: one for each `cause`, which is what it is
/// about.
#[must_use]
pub fn billing_notice(
    org_id: &OrgId,
    uid: &Uid,
    notice: BillingNotice,
    cause: &str,
    now: Timestamp,
) -> OutboxRow {
    let kind = match &notice {
        BillingNotice::PaymentFailed => "payment_failed",
        BillingNotice::TrialEnding => "trial_ending",
        BillingNotice::TierLowered { .. } => "tier_lowered",
        BillingNotice::BoughtTwice => "bought_twice",
    };
    let parts = ["outbox", kind, org_id.as_str(), uid.as_str(), cause];
    let message = OutboxMessage::BillingNotice {
        uid: uid.clone(),
        notice,
    };
    pending(RecordId::derive(&parts), org_id, message, now)
}

fn pending(id: RecordId, org_id: &OrgId, message: OutboxMessage, now: Timestamp) -> OutboxRow {
    OutboxRow {
        id,
        org_id: org_id.clone(),
        message,
        state: OutboxState::Pending,
        attempts: 0,
        due_at: now,
        last_error: None,
        created_at: now,
    }
}

/// The row of a user's welcome e-mail: there is one for a uid.
#[must_use]
pub fn welcome_id(uid: &Uid) -> RecordId {
    RecordId::derive(&["outbox", "welcome_email", uid.as_str()])
}

/// Sends what is in the outbox.
#[derive(Clone)]
pub struct Dispatcher {
    store: Store,
    composer: Composer,
    mailer: Arc<dyn Mailer>,
    clock: SharedClock,
}

/// What a row's next state is.
struct Next {
    state: OutboxState,
    due_at: Option<Timestamp>,
    last_error: Option<&'static str>,
}

impl Dispatcher {
    /// A dispatcher on the caller's ports.
    #[must_use]
    pub fn new(store: Store, mailer: Arc<dyn Mailer>, links: Links, clock: SharedClock) -> Self {
        let composer = Composer {
            store: store.clone(),
            links,
        };
        Self {
            store,
            composer,
            mailer,
            clock,
        }
    }

    /// Sends one row, if it is due and no other caller has claimed it.
    ///
    /// # Errors
    /// Returns the database's error; the row is then pending, or unknown once its claim ends.
    pub async fn dispatch(
        &self,
        caller: &SystemPrincipal,
        id: &RecordId,
    ) -> Result<Outcome, Error> {
        match self.store.find_outbox_row(caller, id).await? {
            Some(row) => self.dispatch_row(caller, row).await,
            None => Ok(Outcome::Skipped),
        }
    }

    /// Sends rows that are due, of all organizations, at most `limit` of each state; tells how
    /// many it acted on. A row whose dispatch fails is logged and left for the next sweep.
    ///
    /// # Errors
    /// Returns the database's error when the rows cannot be listed.
    pub async fn sweep(&self, caller: &SystemPrincipal, limit: u32) -> Result<usize, Error> {
        let rows = self
            .store
            .list_due_outbox_rows(caller, self.now(), limit)
            .await?;
        let mut acted_on = 0;
        for row in rows {
            let id = row.value.id.clone();
            match self.dispatch_row(caller, row).await {
                Ok(Outcome::Skipped) => {}
                Ok(_) => acted_on += 1,
                Err(error) => tracing::warn!(outbox.id = %id, %error, "outbox row left for later"),
            }
        }
        Ok(acted_on)
    }

    async fn dispatch_row(
        &self,
        caller: &SystemPrincipal,
        row: Versioned<OutboxRow>,
    ) -> Result<Outcome, Error> {
        let is_due = row.value.due_at <= self.now();
        match row.value.state {
            OutboxState::Pending if is_due => self.send(caller, row).await,
            // Its sender died after the claim, perhaps after the message was handed in.
            OutboxState::Sending if is_due => {
                tracing::error!(outbox.id = %row.value.id, "e-mail unknown: its claim expired");
                self.advance(row, Next::unknown("claim_expired")).await
            }
            _ => Ok(Outcome::Skipped),
        }
    }

    async fn send(
        &self,
        caller: &SystemPrincipal,
        row: Versioned<OutboxRow>,
    ) -> Result<Outcome, Error> {
        let email = match self.composer.compose(&row.value, self.now()).await? {
            Ok(email) => email,
            Err(Obstacle::Permanent(code)) => {
                tracing::error!(outbox.id = %row.value.id, code, "e-mail cannot be composed");
                return self.advance(row, Next::failed(code)).await;
            }
            Err(Obstacle::Passing(code)) => {
                tracing::warn!(outbox.id = %row.value.id, code, "e-mail cannot be composed yet");
                let due_at = self.now().plus_seconds(FIRST_DELAY_SECS);
                return self.advance(row, Next::deferred(due_at, code)).await;
            }
        };
        let Some(attempt) = self.claim(&row).await? else {
            return Ok(Outcome::Skipped);
        };
        let result = self.mailer.send(&email).await;
        let next = self.next(attempt, &result);
        if let Err(error) = &result {
            report(&row.value.id, error, next.outcome());
        }
        // Read again: the claim has moved the version on.
        let claimed = self.store.find_outbox_row(caller, &row.value.id).await?;
        match claimed.filter(|claimed| claimed.value.attempts == attempt) {
            Some(claimed) => self.advance(claimed, next).await,
            None => Ok(Outcome::Skipped),
        }
    }

    /// Takes the row for this caller and tells which attempt it is; none when another was faster.
    async fn claim(&self, row: &Versioned<OutboxRow>) -> Result<Option<i64>, Error> {
        let mut claimed = row.clone();
        claimed.value.state = OutboxState::Sending;
        claimed.value.attempts += 1;
        claimed.value.due_at = self.now().plus_seconds(CLAIM_SECS);
        match self
            .store
            .commit(vec![store::outbox::replace(&claimed)?])
            .await
        {
            Ok(_) => Ok(Some(claimed.value.attempts)),
            Err(error) if error.is_lost_race() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn next(&self, attempt: i64, result: &Result<(), email::Error>) -> Next {
        match result {
            Ok(()) => Next::sent(),
            Err(error) if error.is_transient() && attempt < MAX_ATTEMPTS => {
                let asked = error.retry_after().unwrap_or(Duration::ZERO);
                let asked = i64::try_from(asked.as_secs()).unwrap_or(MAX_DELAY_SECS);
                let delay = backoff_secs(attempt).max(asked.min(MAX_DELAY_SECS));
                Next::deferred(self.now().plus_seconds(delay), error.code())
            }
            Err(error @ email::Error::Unknown(_)) => Next::unknown(error.code()),
            Err(error) => Next::failed(error.code()),
        }
    }

    async fn advance(&self, mut row: Versioned<OutboxRow>, next: Next) -> Result<Outcome, Error> {
        let outcome = next.outcome();
        row.value.state = next.state;
        row.value.due_at = next.due_at.unwrap_or(row.value.due_at);
        row.value.last_error = next.last_error.map(str::to_owned);
        match self.store.commit(vec![store::outbox::replace(&row)?]).await {
            Ok(_) => Ok(outcome),
            Err(error) if error.is_lost_race() => Ok(Outcome::Skipped),
            Err(error) => Err(error),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

impl Next {
    fn sent() -> Self {
        Self {
            state: OutboxState::Sent,
            due_at: None,
            last_error: None,
        }
    }

    fn deferred(due_at: Timestamp, code: &'static str) -> Self {
        Self {
            state: OutboxState::Pending,
            due_at: Some(due_at),
            last_error: Some(code),
        }
    }

    fn failed(code: &'static str) -> Self {
        Self {
            state: OutboxState::Failed,
            due_at: None,
            last_error: Some(code),
        }
    }

    fn unknown(code: &'static str) -> Self {
        Self {
            state: OutboxState::Unknown,
            due_at: None,
            last_error: Some(code),
        }
    }

    fn outcome(&self) -> Outcome {
        match self.state {
            OutboxState::Sent => Outcome::Sent,
            OutboxState::Pending => Outcome::Deferred,
            OutboxState::Failed => Outcome::Failed,
            OutboxState::Sending | OutboxState::Unknown => Outcome::Unknown,
        }
    }
}

/// The mailer's errors name no address.
fn report(id: &RecordId, error: &email::Error, outcome: Outcome) {
    let source = error as &dyn std::error::Error;
    match outcome {
        Outcome::Deferred => tracing::warn!(outbox.id = %id, error = source, "e-mail deferred"),
        _ => tracing::error!(outbox.id = %id, error = source, "e-mail not known to be sent"),
    }
}

/// 30 s, 1 min, 2 min … 1 h: about four hours over all attempts.
fn backoff_secs(attempt: i64) -> i64 {
    let doublings = u32::try_from(attempt - 1).unwrap_or_default().min(16);
    (FIRST_DELAY_SECS << doublings).min(MAX_DELAY_SECS)
}
