//! A sync of one kind through one integration, under its lease.

use std::future::Future;

use shared::{
    ids::{IntegrationId, OrgId, Uid, random_token},
    models::{
        Integration, IntegrationStatus, KnowledgeKind, Lease, ORGANIZATION, SyncState, Timestamp,
        user_principal,
    },
    quota::Plan,
    store::{self, Versioned, Write, commit_contended, commit_versioned, integrations, triggers},
    vault::{self, SyncAccount},
};
use tokio::time::Instant;

use crate::{
    AppState,
    blame::blame,
    change::Change,
    look::{AGAIN_SECS, pass_over},
    room::Room,
    stop::Stop,
};

/// A worker that says nothing for so long has lost the sync, in seconds.
const LEASE_SECS: i64 = 60;

/// How much of the lease a batch begins with at least, in seconds.
const LEAST_SECS: i64 = 30;

/// After so many failures in a row, what fails is passed over.
const PATIENCE: u32 = 5;

/// A sync that this worker has to itself.
pub(crate) struct Leg<'a> {
    pub(crate) app: &'a AppState,
    pub(crate) account: SyncAccount,
    pub(crate) kind: KnowledgeKind,
    pub(crate) owner_uid: Uid,
    /// Who may find what it writes.
    pub(crate) principal: String,
    /// Whether mails start workflows.
    pub(crate) allows_triggers: bool,
    pub(crate) plan: Plan,
    /// The models that make vectors of a text; the first is the one whose vectors are searched.
    pub(crate) models: Vec<String>,
    /// As it was last committed.
    pub(crate) state: SyncState,
    /// Whether models may not be asked any more: what goes still goes.
    pub(crate) is_spent: bool,
    /// Whether a mail or file that fails must not hold up the others any longer.
    pub(crate) passes_over: bool,
    /// Whether something was left out for want of room.
    pub(crate) has_left_out: bool,
    deadline: Instant,
}

/// What a sync is begun with.
#[derive(Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) app: &'a AppState,
    pub(crate) org_id: &'a OrgId,
    pub(crate) integration_id: &'a IntegrationId,
    pub(crate) plan: &'a Plan,
    pub(crate) deadline: Instant,
}

impl<'a> Leg<'a> {
    /// Takes the lease; none when somebody else has it, it is too early after a failure, or the
    /// integration does not work.
    pub(crate) async fn claim(start: Start<'a>, kind: KnowledgeKind) -> Result<Option<Self>, Stop> {
        let app = start.app;
        let owner = &random_token();
        let claimed = commit_contended(&app.store, || async move {
            let (org_id, id) = (start.org_id, start.integration_id);
            let found = app.store.find_integration(org_id, id).await?;
            let works =
                |found: &Versioned<Integration>| found.value.status == IntegrationStatus::Connected;
            let Some(integration) = found.filter(works) else {
                return Ok((Vec::new(), None));
            };
            let found = app.store.find_sync_state(org_id, id, kind).await?;
            let version = found.as_ref().map(|found| found.version);
            let state = found.map_or_else(|| SyncState::new(org_id.clone()), |found| found.value);
            let now = app.now();
            if !is_free(&state, now) {
                return Ok((Vec::new(), None));
            }
            let mut state = claimed_by(owner, state, now);
            if let Some(key) = blame(&mut state, &app.process) {
                tracing::error!(
                    org.id = %org_id,
                    integration.id = %id,
                    source.id = key,
                    "what has ended two processes is not read any more"
                );
            }
            let writes = vec![
                integrations::set_sync_state(id, kind, &state, version)?,
                // Whoever disconnects it deletes the state after having marked it.
                integrations::require_unchanged(&integration)?,
            ];
            Ok::<_, store::Error>((writes, Some((integration.value, state))))
        });
        let Some((integration, state)) = claimed.await? else {
            return Ok(None);
        };
        let models = Room::models(app, start.org_id).await?;
        Ok(Some(Self::of(start, kind, integration, state, models)))
    }

    fn of(
        start: Start<'a>,
        kind: KnowledgeKind,
        integration: Integration,
        state: SyncState,
        models: Vec<String>,
    ) -> Self {
        Self {
            app: start.app,
            account: SyncAccount {
                org_id: integration.org_id,
                integration_id: integration.id,
            },
            kind,
            principal: match integration.shares_knowledge {
                true => ORGANIZATION.to_owned(),
                false => user_principal(&integration.owner_uid),
            },
            allows_triggers: integration.allows_triggers,
            owner_uid: integration.owner_uid,
            plan: start.plan.clone(),
            models,
            passes_over: passes_over(&state, start.app.now()),
            state,
            is_spent: false,
            has_left_out: false,
            deadline: start.deadline,
        }
    }

    pub(crate) fn org_id(&self) -> &OrgId {
        &self.account.org_id
    }

    pub(crate) fn integration_id(&self) -> &IntegrationId {
        &self.account.integration_id
    }

    /// Where it has come to: the same for who goes on after a crash, another one when a text that
    /// was there before comes again.
    pub(crate) fn place(&self) -> &str {
        self.state.cursor.as_deref().unwrap_or_default()
    }

    /// Makes sure, before a batch, that there is time for it and that the lease will last.
    pub(crate) async fn keep(&mut self) -> Result<(), Stop> {
        if Instant::now() >= self.deadline {
            return Err(Stop::OutOfTime);
        }
        self.keep_lease().await
    }

    /// Makes sure that the lease will last, however much time there is.
    pub(crate) async fn keep_lease(&mut self) -> Result<(), Stop> {
        self.state.lease.until = self.renew(self.state.lease.until).await?;
        Ok(())
    }

    /// Renews a lease that runs short `until` then; tells until when it lasts.
    pub(crate) async fn renew(&self, until: Option<Timestamp>) -> Result<Option<Timestamp>, Stop> {
        let least = self.app.now().plus_seconds(LEAST_SECS);
        if until.is_none_or(|until| until >= least) {
            return Ok(until);
        }
        let build = || self.build(&[], |_| ());
        let ((state, _), _) = commit_versioned(&self.app.store, build).await?;
        Ok(state.lease.until)
    }

    /// Whether this has ended two processes that read it.
    pub(crate) fn has_given_up(&self, key: &str) -> bool {
        self.state.given_up.iter().any(|given_up| given_up == key)
    }

    /// Whether something was left out for want of room, and there is some now, or was passed over
    /// for long enough.
    pub(crate) async fn is_to_look_at_all_again(&self) -> Result<bool, Stop> {
        let is_due = is_due(&self.state, self.app.now());
        Ok(is_due || (self.state.is_incomplete && Room::now(self).await?.is_ample()))
    }

    /// Asks Google, for a limited time.
    pub(crate) async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, vault::Error>>,
    ) -> Result<T, Stop> {
        Ok(self.app.in_time(call).await??)
    }

    /// Applies changes, and keeps what `update` makes of the state with them.
    pub(crate) async fn commit(
        &mut self,
        changes: Vec<Change>,
        update: impl Fn(&mut SyncState),
    ) -> Result<(), Stop> {
        self.commit_versioned(changes, update).await?;
        Ok(())
    }

    /// The same; tells the version of all that it has changed.
    pub(crate) async fn commit_versioned(
        &mut self,
        changes: Vec<Change>,
        update: impl Fn(&mut SyncState),
    ) -> Result<Option<Timestamp>, Stop> {
        let (leg, changes, update) = (&*self, &changes, &update);
        let committed = commit_versioned(&self.app.store, || leg.build(changes, update)).await?;
        let ((state, has_left_out), version) = committed;
        self.state = state;
        self.has_left_out |= has_left_out;
        Ok(version)
    }

    /// The same, if there is anything to keep.
    pub(crate) async fn commit_any(
        &mut self,
        changes: Vec<Change>,
        update: impl Fn(&mut SyncState),
    ) -> Result<(), Stop> {
        let mut updated = self.state.clone();
        update(&mut updated);
        if updated == self.state && changes.iter().all(Change::is_empty) {
            return Ok(());
        }
        self.commit(changes, update).await
    }

    async fn build(
        &self,
        changes: &[Change],
        update: impl Fn(&mut SyncState),
    ) -> Result<(Vec<Write>, (SyncState, bool)), Stop> {
        let Versioned {
            value: mut state,
            version,
        } = self.current().await?;
        let mut room = Room::of(self, changes).await?;
        let applied = Change::in_room(changes, &mut room);
        let mut writes: Vec<Write> = room.write(self)?.into_iter().collect();
        for change in &applied.changes {
            writes.extend_from_slice(&change.writes);
            change.count_in(&mut state.counts);
            for trigger in &change.triggers {
                let found = self.app.store.find_trigger(self.org_id(), &trigger.id);
                if found.await?.is_none() {
                    writes.push(triggers::create(trigger)?);
                }
            }
        }
        state.counts.skipped += applied.left_out;
        state.is_incomplete |= applied.left_out > 0;
        let put_off = applied.changes.iter().filter(|change| change.is_put_off);
        pass_over(
            &mut state,
            put_off.count(),
            self.app.now().plus_seconds(AGAIN_SECS),
        );
        update(&mut state);
        state.lease.revision += 1;
        if state.lease.owner.is_some() {
            state.lease.until = Some(self.app.now().plus_seconds(LEASE_SECS));
        }
        let (id, kind) = (self.integration_id(), self.kind);
        writes.push(integrations::set_sync_state(
            id,
            kind,
            &state,
            Some(version),
        )?);
        writes.push(integrations::set_progress(id, kind, &(&state).into())?);
        Ok((writes, (state, applied.left_out > 0)))
    }

    /// The state, if nobody else has claimed it.
    async fn current(&self) -> Result<Versioned<SyncState>, Stop> {
        let (org_id, id) = (self.org_id(), self.integration_id());
        let found = self.app.store.find_sync_state(org_id, id, self.kind);
        let Lease { owner, fence, .. } = &self.state.lease;
        let own = found.await?.filter(|found| {
            let lease = &found.value.lease;
            lease.fence == *fence && lease.owner == *owner
        });
        own.ok_or(Stop::Superseded)
    }

    /// Gives the lease back, with what came of it.
    pub(crate) async fn end(&mut self, ended: Result<(), &Stop>) -> Result<(), Stop> {
        let now = self.app.now();
        let end = |state: &mut SyncState| {
            state.lease.owner = None;
            state.lease.until = None;
            state.reading = None;
            match ended {
                Ok(()) => {
                    state.suspects.clear();
                    state.failures = 0;
                    state.retry_at = None;
                    state.synced_at = Some(now);
                    let left_out = [
                        (state.is_incomplete, "over_limit"),
                        (state.look_again_at.is_some(), "passed_over"),
                    ];
                    let cause = left_out.into_iter().find(|(is_so, _)| *is_so);
                    state.error_cause = cause.map(|(_, cause)| cause.to_owned());
                }
                Err(stop) => {
                    if let Some(failure) = stop.failure() {
                        state.failures = state.failures.saturating_add(1);
                        state.retry_at = failure.retry_at(state.failures, now);
                        state.error_cause = Some(failure.cause.to_owned());
                    }
                }
            }
        };
        self.commit(Vec::new(), end).await
    }
}

/// Whether others must not wait any longer for what fails: it has failed often enough, or was passed
/// over before in a look at all that is due or under way.
fn passes_over(state: &SyncState, now: Timestamp) -> bool {
    let is_under_way = state.cursor.is_none() && state.look_again_at.is_some();
    state.failures >= PATIENCE || is_due(state, now) || is_under_way
}

/// Whether what was passed over is to be looked at again.
fn is_due(state: &SyncState, now: Timestamp) -> bool {
    state.look_again_at.is_some_and(|at| at <= now)
}

fn is_free(state: &SyncState, now: Timestamp) -> bool {
    let is_after = |time: Option<Timestamp>| time.is_none_or(|time| time <= now);
    is_after(state.lease.until) && is_after(state.retry_at)
}

fn claimed_by(owner: &str, mut state: SyncState, now: Timestamp) -> SyncState {
    state.lease = Lease {
        owner: Some(owner.to_owned()),
        fence: state.lease.fence.saturating_add(1),
        revision: state.lease.revision.saturating_add(1),
        until: Some(now.plus_seconds(LEASE_SECS)),
    };
    state.begun_at.get_or_insert(now);
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        let instant = jiff::Timestamp::from_second(1_795_694_400 + seconds);
        instant.unwrap().into()
    }

    #[test]
    fn what_fails_is_passed_over_after_five_failures_or_when_it_was_before() {
        let state = SyncState {
            cursor: Some("7".to_owned()),
            ..SyncState::new(OrgId::derive(&["o1"]))
        };
        assert!(!passes_over(&state, at(0)));
        let often = |failures| SyncState {
            failures,
            ..state.clone()
        };
        assert!(!passes_over(&often(4), at(0)));
        assert!(passes_over(&often(5), at(0)));
        let mut before = SyncState {
            look_again_at: Some(at(10)),
            ..state
        };
        assert!(!passes_over(&before, at(9)));
        assert!(passes_over(&before, at(10)));
        before.cursor = None;
        assert!(passes_over(&before, at(9)));
    }
}
