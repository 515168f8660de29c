//! One integration: mail and files side by side, each under its own lease.

use futures::future::join_all;
use shared::{
    models::{IntegrationService, IntegrationStatus, KnowledgeKind},
    quota::Plan,
    store::{self, commit_contended, integrations},
};
use tokio::time::Instant;

use crate::{
    AppState, drive, gmail,
    leg::{Leg, Start},
    message::Due,
    reindex::reindex,
    stop::{Failure, NEEDS_CONSENT, Stop},
};

/// All that is synced of an integration.
pub(crate) const ALL: [KnowledgeKind; 2] = [KnowledgeKind::Gmail, KnowledgeKind::Drive];

/// What became of an integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What became of each kind.
    Synced(Vec<(KnowledgeKind, Ended)>),
    /// Nothing can be done about it, now or later.
    Failed(&'static str),
}

/// What became of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The index is what the source is.
    Done,
    /// There is more to do, which a message goes on with.
    Unfinished,
    /// The state keeps this cause.
    Failed(&'static str),
    /// Somebody else is at it, or it is too early.
    Skipped,
}

/// Syncs these kinds of an integration. Whoever else does so at the same time is not disturbed.
pub(crate) async fn sync(
    app: &AppState,
    due: &Due,
    kinds: &[KnowledgeKind],
) -> Result<Outcome, store::Error> {
    let found = app.store.find_integration(&due.org_id, &due.integration_id);
    let Some(integration) = found.await?.map(|found| found.value) else {
        return Ok(Outcome::Failed("the organization has no such integration"));
    };
    if integration.service != IntegrationService::Google {
        return Ok(Outcome::Failed("the integration is not Google Workspace"));
    }
    if integration.status != IntegrationStatus::Connected {
        return Ok(Outcome::Failed("the integration is not connected"));
    }
    let organization = app.store.find_organization(&due.org_id).await?;
    let Some(organization) = organization else {
        return Ok(Outcome::Failed("the organization does not exist"));
    };
    let plan = Plan::for_organization(&organization.value);
    let start = Start {
        app,
        org_id: &due.org_id,
        integration_id: &due.integration_id,
        plan: &plan,
        deadline: Instant::now() + app.settings.budget,
    };
    let legs = kinds.iter().map(|kind| Box::pin(run(start, *kind)));
    let ended = join_all(legs).await.into_iter();
    // What a leg fails for may be what the change of the model has left undone.
    let is_reindexed = reindex(app, &due.org_id, start.deadline).await;
    let ended: Vec<Ended> = ended.collect::<Result<_, _>>()?;
    let is_reindexed = is_reindexed?;
    if ended.contains(&Ended::Unfinished) || !is_reindexed {
        go_on_later(app, due).await;
    }
    if kinds == ALL && are_done(&ended) {
        keep_success(app, due).await?;
    }
    Ok(Outcome::Synced(kinds.iter().copied().zip(ended).collect()))
}

/// Whether all has been looked at that Google was asked for.
fn are_done(ended: &[Ended]) -> bool {
    let is_asked = |ended: &&Ended| **ended != Ended::Failed(NEEDS_CONSENT);
    let mut asked = ended.iter().filter(is_asked).peekable();
    asked.peek().is_some() && asked.all(|ended| *ended == Ended::Done)
}

async fn run(start: Start<'_>, kind: KnowledgeKind) -> Result<Ended, store::Error> {
    let ended = async {
        let Some(mut leg) = Leg::claim(start, kind).await? else {
            return Ok(Ended::Skipped);
        };
        let done = work(&mut leg).await;
        let (end, ended) = match &done {
            Ok(()) => (Ok(()), Ended::Done),
            Err(stop @ Stop::Failed(failure)) => (Err(stop), Ended::Failed(failure.cause)),
            Err(stop @ Stop::OutOfTime) => (Err(stop), Ended::Unfinished),
            Err(Stop::Superseded) => return Ok(Ended::Skipped),
            Err(stop @ Stop::Store(_)) => (Err(stop), Ended::Skipped),
        };
        let given_back = leg.end(end).await;
        match done {
            Err(Stop::Store(error)) => Err(Stop::Store(error)),
            _ => given_back.map(|()| ended),
        }
    };
    match ended.await {
        Ok(ended) => Ok(ended),
        Err(Stop::Store(error)) => Err(error),
        Err(_) => Ok(Ended::Skipped),
    }
}

async fn work(leg: &mut Leg<'_>) -> Result<(), Stop> {
    if !leg.plan.workspace {
        return Err(Failure::PLAN.into());
    }
    let owner = leg.app.store.find_member(leg.org_id(), &leg.owner_uid);
    if owner.await?.is_none_or(|owner| owner.value.disabled) {
        return Err(Failure::OWNER_GONE.into());
    }
    match leg.kind {
        KnowledgeKind::Gmail => Box::pin(gmail::sync(leg)).await?,
        KnowledgeKind::Drive => Box::pin(drive::sync(leg)).await?,
    }
    match leg.is_spent {
        true => Err(Failure::SPENT.into()),
        false => Ok(()),
    }
}

/// If this fails, the next tick goes on.
async fn go_on_later(app: &AppState, due: &Due) {
    let (Some(topic), Ok(message)) = (&app.topic, due.message()) else {
        return;
    };
    if let Err(error) = topic.publish(vec![message]).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(integration.id = %due.integration_id, error, "sync goes on at the next tick");
    }
}

/// Keeps that all is done. Whoever renews the credentials at the same time keeps what they have.
async fn keep_success(app: &AppState, due: &Due) -> Result<(), store::Error> {
    commit_contended(&app.store, || async move {
        let found = app.store.find_integration(&due.org_id, &due.integration_id);
        let Some(mut integration) = found.await? else {
            return Ok((Vec::new(), ()));
        };
        integration.value.last_sync = Some(app.now());
        Ok((integrations::replace(&integration)?.into(), ()))
    })
    .await
}
