//! Acts on a message once.

use std::error::Error as _;

use shared::{
    ids::fingerprint,
    models::{IntegrationService, IntegrationStatus, ProcessedEvent, SystemPrincipal, Timestamp},
    store::{Error, Page, Store, commit_contended, idempotency},
};

use crate::message::{self, Due, Message};

/// Acts for itself: no user has called.
const CALLER: SystemPrincipal = SystemPrincipal {
    function: "sync-google-workspace",
};

/// Integrations read at once.
const PAGE_SIZE: u32 = 300;

/// A message as it was delivered.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The subscription.
    pub(crate) source: String,
    /// The message's id, unique within the source.
    pub(crate) id: String,
    /// What it asks for, if it can be understood.
    pub(crate) message: Result<Message, message::Error>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// So many integrations are connected.
    Counted(usize),
    /// The integration is connected.
    Due(Due),
    /// Nothing can be done about it, now or later.
    Failed(String),
    /// It was acted on before.
    Repeated,
}

/// Acts on the message and keeps that it was, or why it cannot be.
pub(crate) async fn receive(
    store: &Store,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let key = fingerprint(&[&delivery.source, &delivery.id]);
    commit_contended(store, || async {
        if store.find_processed_event(&CALLER, &key).await?.is_some() {
            return Ok((Vec::new(), Outcome::Repeated));
        }
        let outcome = act(store, &delivery.message).await?;
        let write = idempotency::create_processed_event(&key, &record(delivery, &outcome, now))?;
        Ok((vec![write], outcome))
    })
    .await
}

async fn act(store: &Store, message: &Result<Message, message::Error>) -> Result<Outcome, Error> {
    match message {
        Ok(Message::Tick) => count_integrations(store).await.map(Outcome::Counted),
        Ok(Message::Integration(due)) => check(store, due).await,
        Err(error) => Ok(Outcome::Failed(tell(error))),
    }
}

fn tell(error: &message::Error) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

async fn count_integrations(store: &Store) -> Result<usize, Error> {
    let mut count = 0;
    let mut page = Page::first(PAGE_SIZE);
    loop {
        let listing = store
            .list_active_google_integrations(&CALLER, &page)
            .await?;
        count += listing.items.len();
        if listing.next.is_none() {
            return Ok(count);
        }
        page.after = listing.next;
    }
}

/// Whether the integration can be synced.
async fn check(store: &Store, due: &Due) -> Result<Outcome, Error> {
    let integration = store
        .find_integration(&due.org_id, &due.integration_id)
        .await?;
    let Some(integration) = integration.map(|integration| integration.value) else {
        return Ok(Outcome::Failed(
            "the organization has no such integration".to_owned(),
        ));
    };
    if integration.service != IntegrationService::Google {
        return Ok(Outcome::Failed(
            "the integration is not Google Workspace".to_owned(),
        ));
    }
    if integration.status != IntegrationStatus::Connected {
        return Ok(Outcome::Failed(
            "the integration is not connected".to_owned(),
        ));
    }
    Ok(Outcome::Due(due.clone()))
}

fn record(delivery: &Delivery, outcome: &Outcome, now: Timestamp) -> ProcessedEvent {
    let failure = match outcome {
        Outcome::Failed(reason) => Some(reason.clone()),
        Outcome::Counted(_) | Outcome::Due(_) | Outcome::Repeated => None,
    };
    ProcessedEvent::new(&delivery.source, &delivery.id, failure, now)
}
