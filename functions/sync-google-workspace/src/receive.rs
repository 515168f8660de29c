//! Acts on a message.

use std::error::Error as _;

use shared::{
    crypto,
    ids::fingerprint,
    models::{KnowledgeKind, ProcessedEvent},
    retry::Transient,
    store, topic,
};

use crate::{
    AppState, CALLER,
    message::{self, Due, MailboxChange, Message},
    sync::{self, ALL, Ended, sync},
    tick::{self, Ticked, tick},
    watch::address_hash,
};

/// Integrations that one mailbox is synced through at most: of several organizations, say.
const MAX_OF_MAILBOX: u32 = 20;

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
    /// The integrations were told.
    Ticked(Ticked),
    /// The integration was synced, as far as it goes.
    Synced {
        due: Due,
        ended: Vec<(KnowledgeKind, Ended)>,
    },
    /// So many integrations of a mailbox were looked at.
    Mailboxes(usize),
    /// Nothing can be done about it, now or later.
    Failed(String),
}

/// Why a message has to be delivered again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database failed.
    #[error("the sync cannot be kept")]
    Store(#[from] store::Error),
    /// The fan-out has not come to its end.
    #[error(transparent)]
    Tick(#[from] tick::Error),
    /// The key that mailboxes are found by cannot be used.
    #[error("the mailbox cannot be found")]
    Key(#[from] crypto::Error),
    /// The topic has not taken the messages.
    #[error("the integrations of a mailbox cannot be told")]
    Topic(#[from] topic::Error),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient() || error.is_lost_race(),
            Self::Tick(error) => error.is_transient(),
            Self::Key(error) => error.is_transient(),
            Self::Topic(error) => error.is_transient(),
        }
    }
}

/// Acts on the message, or keeps why nothing can be done about it.
pub(crate) async fn receive(app: &AppState, delivery: &Delivery) -> Result<Outcome, Error> {
    let outcome = match &delivery.message {
        Ok(Message::Tick) => Outcome::Ticked(tick(app).await?),
        Ok(Message::Integration(due)) => of_integration(app, due).await?,
        Ok(Message::Mailbox(change)) => of_mailbox(app, change).await?,
        Err(error) => Outcome::Failed(tell(error)),
    };
    if let Outcome::Failed(reason) = &outcome {
        let Delivery { source, id, .. } = delivery;
        let key = fingerprint(&[source, id]);
        let event = ProcessedEvent::new(source, id, Some(reason.clone()), app.now());
        app.store.keep_failed_event(&CALLER, &key, &event).await?;
    }
    Ok(outcome)
}

async fn of_integration(app: &AppState, due: &Due) -> Result<Outcome, Error> {
    Ok(match sync(app, due, &ALL).await? {
        sync::Outcome::Failed(reason) => Outcome::Failed(reason.to_owned()),
        sync::Outcome::Synced(ended) => Outcome::Synced {
            due: due.clone(),
            ended,
        },
    })
}

async fn of_mailbox(app: &AppState, change: &MailboxChange) -> Result<Outcome, Error> {
    let Some(hash) = address_hash(app, &change.email_address).await? else {
        return Ok(Outcome::Failed("no mailbox is watched".to_owned()));
    };
    let store = &app.store;
    let found = store.list_integrations_of_mailbox(&CALLER, &hash, MAX_OF_MAILBOX);
    let due = |(org_id, integration_id)| Due {
        integration_id,
        org_id,
    };
    let all: Vec<Due> = found.await?.into_iter().map(due).collect();
    match (&app.topic, all.as_slice()) {
        // None of them is to hold up the others.
        (Some(topic), [_, _, ..]) => {
            let messages = all.iter().filter_map(|due| due.message().ok()).collect();
            topic.publish(messages).await?;
        }
        _ => {
            for due in &all {
                sync(app, due, &[KnowledgeKind::Gmail]).await?;
            }
        }
    }
    Ok(Outcome::Mailboxes(all.len()))
}

fn tell(error: &message::Error) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}
