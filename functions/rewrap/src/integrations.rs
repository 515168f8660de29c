use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use shared::{
    crypto::{EnvelopeError, envelope::key_version},
    models::{Integration, IntegrationStatus, Timestamp},
    outbox,
    retry::{Policy, Transient, retry},
    store::{self, Found, Store, Versioned, commit_contended, integrations},
    vault::{KEY_DESTROYED, SealedFields},
};

use crate::{
    CALLER,
    report::{Outcome, Report},
    texts::{State, Texts},
};

/// Records that are read at once.
const PAGE: u32 = 200;

/// Records that are worked on side by side: Cloud KMS answers 60,000 times a minute.
const AT_ONCE: usize = 16;

/// Why a record was left as it is.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the key cannot be used")]
    Key(#[from] EnvelopeError),
    #[error("the record cannot be read or written")]
    Store(#[from] store::Error),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Key(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
        }
    }
}

/// A record that was looked at.
struct Looked {
    outcome: Outcome,
    versions: Vec<String>,
    lost_races: u64,
}

/// Goes over all integrations, by id. What is sealed meanwhile is under the primary version.
pub(crate) async fn run(
    store: &Store,
    texts: &Texts,
    now: Timestamp,
    report: &mut Report,
) -> Result<()> {
    let mut after = None;
    loop {
        let list = || store.list_all_integrations(&CALLER, after.as_ref(), PAGE);
        let page = retry(Policy::REMOTE_CALL, list).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.path.clone());
        let looks = page.into_iter().map(|found| look(store, texts, now, found));
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        while let Some(looked) = looks.try_next().await? {
            report.add(looked.outcome, looked.versions, looked.lost_races);
        }
    }
}

/// Moves one integration. What may pass ends the run after a few attempts, and the next run goes on
/// where this one has ended; what will not keeps no other from being moved.
async fn look(
    store: &Store,
    texts: &Texts,
    now: Timestamp,
    found: Found<Versioned<Integration>>,
) -> Result<Looked, Error> {
    let failed = Looked {
        outcome: Outcome::Failed,
        versions: Vec::new(),
        lost_races: 0,
    };
    let id = found.path.id().to_owned();
    let listed = match found.value {
        Ok(listed) if listed.value.id.as_str() == id => listed,
        _ => {
            tracing::error!(integration.id = id, "integration cannot be read");
            return Ok(failed);
        }
    };
    match retry(Policy::REMOTE_CALL, || rewrap(store, texts, now, &listed)).await {
        Err(error) if !error.is_transient() => {
            let source = &error as &dyn std::error::Error;
            tracing::error!(integration.id = id, error = source, "credentials not moved");
            Ok(failed)
        }
        done => done,
    }
}

/// The document as it was listed is tried first. If it has changed since, the change stands, and
/// what it has become is looked at.
async fn rewrap(
    store: &Store,
    texts: &Texts,
    now: Timestamp,
    listed: &Versioned<Integration>,
) -> Result<Looked, Error> {
    let Integration { org_id, id, .. } = &listed.value;
    let tries = AtomicU64::new(0);
    let (outcome, versions) = commit_contended(store, || async {
        let current = match tries.fetch_add(1, Ordering::Relaxed) {
            0 => Some(listed.clone()),
            _ => store.find_integration(org_id, id).await?,
        };
        let Some(mut current) = current else {
            return Ok((Vec::new(), (Outcome::Gone, Vec::new())));
        };
        let worked = current.value.status != IntegrationStatus::Error;
        let state = texts.rewrap(&mut current.value).await?;
        let outcome = settle(state, &mut current.value);
        let mut writes = match outcome {
            Outcome::Rewrapped | Outcome::Lost => integrations::replace(&current)?.into(),
            _ => Vec::new(),
        };
        if worked && outcome == Outcome::Lost {
            let mail = outbox::broken_integration(&current.value, now);
            writes.push(store::outbox::create(&mail)?);
        }
        Ok::<_, Error>((writes, (outcome, versions_of(&current.value))))
    })
    .await?;
    if matches!(outcome, Outcome::Lost | Outcome::Unopenable) {
        tracing::error!(integration.id = %id, ?outcome, "credentials cannot be opened");
    }
    let lost_races = tries.into_inner().saturating_sub(1);
    Ok(Looked {
        outcome,
        versions,
        lost_races,
    })
}

/// What the state of its texts means for the integration.
fn settle(state: State, integration: &mut Integration) -> Outcome {
    match state {
        State::Moved => Outcome::Rewrapped,
        State::InPlace => Outcome::Already,
        State::Unopenable => Outcome::Unopenable,
        State::Lost if integration.error_cause.as_deref() == Some(KEY_DESTROYED) => {
            Outcome::KnownLost
        }
        State::Lost => {
            integration.status = IntegrationStatus::Error;
            integration.error_cause = Some(KEY_DESTROYED.to_owned());
            Outcome::Lost
        }
    }
}

fn versions_of(document: &impl SealedFields) -> Vec<String> {
    let texts = document.sealed().into_iter();
    texts
        .filter_map(|(_, text)| key_version(text.as_str()))
        .collect()
}

#[cfg(test)]
mod tests;
