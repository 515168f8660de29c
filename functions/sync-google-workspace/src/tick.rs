//! The fan-out: one message for each integration.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, stream};
use shared::{
    ids::OrgId,
    models::Integration,
    quota::Plan,
    retry::Transient,
    store::{self, Page},
    topic,
    vault::forget_batch,
};
use tokio::time::Instant;

use crate::{
    AppState, CALLER,
    message::Due,
    sync::{ALL, sync},
};

/// Integrations that are held at once.
const PAGE: u32 = 300;

/// Organizations that are read at once.
const AT_ONCE: usize = 16;

/// What a tick has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticked {
    /// Connected integrations.
    pub(crate) integrations: usize,
    /// Those that are due: the plans of the others have no sync.
    pub(crate) due: usize,
}

/// Why a tick has not come to its end. A repeat begins anew, which is harmless.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database failed.
    #[error("the integrations cannot be listed")]
    Store(#[from] store::Error),
    /// The topic has not taken the messages.
    #[error("the integrations that are due cannot be told")]
    Topic(#[from] topic::Error),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient() || error.is_lost_race(),
            Self::Topic(error) => error.is_transient(),
        }
    }
}

/// Tells of all integrations that are due, page by page. Without a topic, in development, it syncs
/// them itself.
pub(crate) async fn tick(app: &AppState) -> Result<Ticked, Error> {
    let mut ticked = Ticked::default();
    let mut page = Page::first(PAGE);
    loop {
        let listing = app.store.list_active_google_integrations(&CALLER, &page);
        let listing = listing.await?;
        let due = due(app, &listing.items).await?;
        ticked.integrations += listing.items.len();
        ticked.due += due.len();
        tell(app, &due).await?;
        page.after = listing.next;
        if page.after.is_none() {
            break;
        }
    }
    if let Err(error) = finish_disconnections(app).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "disconnections are finished at a later tick");
    }
    Ok(ticked)
}

/// Deletes what requests to disconnect have left, as far as there is time. The integration itself
/// goes with the next such request, which records whose it was.
async fn finish_disconnections(app: &AppState) -> Result<(), store::Error> {
    let deadline = Instant::now() + app.settings.budget;
    let mut page = Page::first(PAGE);
    loop {
        let listing = app.store.list_disconnecting_integrations(&CALLER, &page);
        let listing = listing.await?;
        for Integration { org_id, id, .. } in &listing.items {
            while forget_batch(&app.store, org_id, id).await? {
                if Instant::now() >= deadline {
                    return Ok(());
                }
            }
        }
        page.after = listing.next;
        if page.after.is_none() {
            return Ok(());
        }
    }
}

async fn due(app: &AppState, integrations: &[Integration]) -> Result<Vec<Due>, store::Error> {
    let org_ids: BTreeSet<OrgId> = integrations
        .iter()
        .map(|found| found.org_id.clone())
        .collect();
    let read: Vec<_> = org_ids
        .into_iter()
        .map(|id| allows(app, id).boxed())
        .collect();
    let mut read = stream::iter(read).buffer_unordered(AT_ONCE);
    let mut allowed = BTreeMap::new();
    while let Some(organization) = read.next().await {
        match organization {
            Ok((org_id, allows)) => {
                allowed.insert(org_id, allows);
            }
            Err(error) if error.is_transient() => return Err(error),
            // One that cannot be read must not hold up the others.
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "an organization cannot be read, and is not synced");
            }
        }
    }
    let is_due = |found: &&Integration| allowed.get(&found.org_id) == Some(&true);
    let due = integrations.iter().filter(is_due).map(|found| Due {
        integration_id: found.id.clone(),
        org_id: found.org_id.clone(),
    });
    Ok(due.collect())
}

/// Whether the organization's plan has a sync.
async fn allows(app: &AppState, org_id: OrgId) -> Result<(OrgId, bool), store::Error> {
    let organization = app.store.find_organization(&org_id).await?;
    let plan = organization.map(|found| Plan::for_organization(&found.value));
    Ok((org_id, plan.is_some_and(|plan| plan.workspace)))
}

async fn tell(app: &AppState, due: &[Due]) -> Result<(), Error> {
    let Some(topic) = &app.topic else {
        for due in due {
            sync(app, due, &ALL).await?;
        }
        return Ok(());
    };
    let messages = due.iter().filter_map(|due| due.message().ok()).collect();
    Ok(topic.publish(messages).await?)
}
