//! How far the syncs of an account have come, and having it synced at once.

use serde::Serialize;
use shared::{
    ids::{IntegrationId, fingerprint},
    models::{
        IntegrationService, IntegrationStatus, KnowledgeKind, Principal, SyncCounts, SyncState,
        SyncStatus, Timestamp,
    },
    store::Store,
    topic::{SyncDue, Topic},
};

use super::{Hub, NO_SUCH, consent::require_workspace};
use crate::error::{Dependency, Error};

/// What was looked at so short a time ago is not looked at again on request.
const FRESH_SECS: i64 = 10;

/// How far the syncs of an account have come.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncReport {
    integration_id: IntegrationId,
    status: IntegrationStatus,
    shares_knowledge: bool,
    allows_triggers: bool,
    gmail: Leg,
    drive: Leg,
}

/// The same of one kind.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Leg {
    state: LegState,
    counts: Counts,
    /// Mails or files that the full look under way has still to read.
    pending: i64,
    /// How long ago everything was known to be as it is at the source.
    cursor_age_seconds: Option<i64>,
    error: Option<LegError>,
    /// Not before this time again, after a failure; otherwise the next tick tries.
    next_try_at: Option<Timestamp>,
    #[serde(skip)]
    is_fresh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum LegState {
    /// It has never begun.
    New,
    /// Somebody is at it.
    Running,
    /// It has failed, and is tried again later.
    Waiting,
    /// It waits for the next tick.
    Idle,
}

#[derive(Clone, Debug, Serialize)]
struct Counts {
    documents: i64,
    written: i64,
    removed: i64,
    skipped: i64,
}

/// Why it goes on no further.
#[derive(Clone, Debug, Serialize)]
struct LegError {
    code: String,
    message: &'static str,
}

/// What has come of a request to sync at once.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncRequested {
    /// False when somebody is at it, it has to wait after a failure, or it was done just now.
    queued: bool,
    #[serde(flatten)]
    report: SyncReport,
}

/// How far the syncs of the account have come.
pub(crate) async fn report(
    store: &Store,
    principal: &Principal,
    id: &IntegrationId,
    now: Timestamp,
) -> Result<SyncReport, Error> {
    let found = find(store, principal, id).await?;
    let state = async |kind| store.find_sync_state(&principal.org_id, id, kind).await;
    let gmail = state(KnowledgeKind::Gmail).await?;
    let drive = state(KnowledgeKind::Drive).await?;
    Ok(SyncReport {
        integration_id: found.id,
        status: found.status,
        shares_knowledge: found.shares_knowledge,
        allows_triggers: found.allows_triggers,
        gmail: Leg::of(gmail.map(|state| state.value).as_ref(), now),
        drive: Leg::of(drive.map(|state| state.value).as_ref(), now),
    })
}

/// Has the account be synced at once, unless that is under way, has to wait or was done just now.
pub(crate) async fn request_sync(
    hub: &Hub,
    principal: &Principal,
    id: &IntegrationId,
    now: Timestamp,
) -> Result<SyncRequested, Error> {
    let report = report(&hub.store, principal, id, now).await?;
    require_workspace(hub, principal).await?;
    if report.status != IntegrationStatus::Connected {
        let message = "the account has to be connected again first";
        return Err(Error::Precondition(message));
    }
    let topic = hub.topic.as_deref();
    let topic = topic.ok_or(Error::Precondition("syncs are not configured"))?;
    let queued = [&report.gmail, &report.drive].into_iter().any(Leg::is_due);
    if queued {
        publish(topic, principal, id).await?;
    }
    Ok(SyncRequested { queued, report })
}

/// Tells the sync that the account is due.
pub(super) async fn publish(
    topic: &dyn Topic,
    principal: &Principal,
    id: &IntegrationId,
) -> Result<(), Error> {
    let due = SyncDue {
        integration_id: id.clone(),
        org_id: principal.org_id.clone(),
    };
    let published = topic.publish(vec![due.message()?]).await;
    published.map_err(Dependency::Topic)?;
    Ok(())
}

/// The organization's account, if it is of a service that is synced.
pub(super) async fn find(
    store: &Store,
    principal: &Principal,
    id: &IntegrationId,
) -> Result<SyncStatus, Error> {
    let found = store.find_integration_status(&principal.org_id, id).await?;
    let found = found.ok_or(NO_SUCH)?;
    match found.service {
        IntegrationService::Google => Ok(found),
        _ => Err(Error::Precondition("only Google accounts are synced")),
    }
}

impl SyncReport {
    /// Is another one whenever something has changed but the time.
    pub(super) fn version(&self) -> Result<String, Error> {
        let mut report = self.clone();
        for leg in [&mut report.gmail, &mut report.drive] {
            leg.cursor_age_seconds = None;
        }
        Ok(fingerprint(&[&serde_json::to_string(&report)?]))
    }
}

impl Leg {
    fn of(state: Option<&SyncState>, now: Timestamp) -> Self {
        let SyncCounts {
            documents,
            written,
            removed,
            skipped,
            pending,
        } = state.map(|state| state.counts).unwrap_or_default();
        let cause = state.and_then(|state| state.error_cause.as_deref());
        let seconds = |at: Timestamp| now.instant().as_second() - at.instant().as_second();
        let age = state.and_then(|state| state.synced_at).map(seconds);
        Self {
            state: LegState::of(state, now),
            counts: Counts {
                documents,
                written,
                removed,
                skipped,
            },
            pending,
            cursor_age_seconds: age,
            error: cause.map(LegError::of),
            next_try_at: state.and_then(|state| next_try_at(state, now)),
            is_fresh: age.is_some_and(|age| age < FRESH_SECS) && cause.is_none(),
        }
    }

    fn is_due(&self) -> bool {
        match self.state {
            LegState::New => true,
            LegState::Running | LegState::Waiting => false,
            LegState::Idle => !self.is_fresh,
        }
    }
}

impl LegState {
    fn of(state: Option<&SyncState>, now: Timestamp) -> Self {
        match state {
            None => Self::New,
            Some(state) if state.lease.until.is_some_and(|until| until > now) => Self::Running,
            Some(state) if next_try_at(state, now).is_some() => Self::Waiting,
            Some(_) => Self::Idle,
        }
    }
}

fn next_try_at(state: &SyncState, now: Timestamp) -> Option<Timestamp> {
    state.retry_at.filter(|at| *at > now)
}

impl LegError {
    fn of(code: &str) -> Self {
        let message = match code {
            "unauthorized" => "Google takes the credentials no longer: connect the account again.",
            "needs_consent" => "The account has not granted what this needs: connect it again.",
            "disconnected" => "The account is being disconnected.",
            "rate_limited" => "Google or the model asks to wait; it goes on by itself.",
            "unavailable" => "Google or the model did not answer; it goes on by itself.",
            "refused" => "Google or the model refused what was asked.",
            "busy" => "Too much was being read at once; it goes on by itself.",
            "passed_over" => "Some mails or files could not be read; they are tried again later.",
            "over_limit" => "The plan's room for documents is full: some were left out.",
            "spend_limit" => "The budget for models is used up.",
            "plan" => "The plan has no Google Workspace.",
            "embedding_model" => "The embedding model does not do what is asked.",
            _ => "It failed, and is tried again.",
        };
        let code = code.to_owned();
        Self { code, message }
    }
}
