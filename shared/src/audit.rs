//! The audit trail: one record in the same commit as the effect, each tied to the one before.
//!
//! An organization's records are a chain: a record has the next number and an HMAC over itself and
//! the HMAC before. The chain's key is derived from a key that this process never sees
//! ([`crypto::MacKey`]), so that whoever can write to the database can neither alter, insert,
//! remove nor move a record without [`Trail::verify`] telling. A tail that is cut together with
//! the chain's end is found by an [`Anchor`] kept elsewhere.

mod anchor;
mod chain;
mod chains;
mod erase;
mod verify;
mod walk;

use std::sync::Arc;

use serde_json::Value;

pub use self::{
    anchor::{Anchor, Anchors, Kept},
    chains::{Chain, Chains},
    verify::{Problem, Report},
};
use self::{
    chain::{ChainKey, Keys},
    erase::erased,
};
use crate::{
    crypto::{self, MacKey},
    ids::{OrgId, RecordId, Uid},
    models::{AuditAction, AuditHead, AuditLog, Timestamp},
    retry::Transient,
    store::{self, Store, Write, audit_logs, commit_contended},
};

/// Longest metadata as JSON, in bytes.
const MAX_METADATA_BYTES: usize = 4_096;

/// Why an action is not recorded. An effect without its record must not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The metadata does not belong into a record.
    #[error("the metadata of an audit record has at most {MAX_METADATA_BYTES} bytes")]
    MetadataTooLong,
    /// Nobody is left in the organization: nothing is done there any more.
    #[error("the organization is closed")]
    Closed,
    /// The chain's key cannot be had.
    #[error("the key of the audit trail is not available")]
    Key(#[from] crypto::Error),
    /// The database failed.
    #[error("the audit trail cannot be read or written")]
    Store(#[from] store::Error),
    /// The anchors cannot be read or written.
    #[error("the anchors of the audit trail cannot be used")]
    Anchors(#[from] crate::storage::Error),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::MetadataTooLong | Self::Closed => false,
            Self::Key(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::Anchors(error) => error.is_transient(),
        }
    }
}

impl Error {
    /// Whether the commit lost a race: read again and decide anew.
    #[must_use]
    pub fn is_lost_race(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_lost_race())
    }
}

/// What was done, before it has its place in the chain.
#[derive(Clone, Debug)]
pub struct Entry {
    org_id: OrgId,
    actor_id: String,
    actor_is_erased: bool,
    closes: bool,
    subject: Option<Uid>,
    action: AuditAction,
    metadata: Value,
}

impl Entry {
    /// `actor_id` is a uid or
    /// [`SystemPrincipal::actor_id`](crate::models::SystemPrincipal::actor_id); `metadata` holds
    /// neither secrets nor personal data.
    #[must_use]
    pub fn new(
        org_id: &OrgId,
        actor_id: impl Into<String>,
        action: AuditAction,
        metadata: Value,
    ) -> Self {
        Self {
            org_id: org_id.clone(),
            actor_id: actor_id.into(),
            actor_is_erased: false,
            closes: false,
            subject: None,
            action,
            metadata,
        }
    }

    /// Names the user that it was done to.
    #[must_use]
    pub fn about(mut self, subject: &Uid) -> Self {
        self.subject = Some(subject.clone());
        self
    }

    /// Closes the organization: its last member goes. Whoever is still doing something there comes
    /// too late.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Keeps the actor's pseudonym only: for a user that is being deleted.
    #[must_use]
    pub fn by_erased(mut self) -> Self {
        self.actor_is_erased = true;
        self
    }
}

impl Entry {
    /// In a closed organization its members are still forgotten, and the product itself still acts:
    /// a subscription ends.
    fn outlives_members(&self) -> bool {
        self.actor_is_erased || self.actor_id.starts_with("system:")
    }

    /// The record that follows `last`.
    fn into_record(
        self,
        key: &ChainKey,
        key_version: &str,
        last: Option<&AuditHead>,
        now: Timestamp,
    ) -> AuditLog {
        let actor_pseudonym = key.pseudonym(&self.actor_id);
        let actor_id = match self.actor_is_erased {
            true => erased(&actor_pseudonym),
            false => self.actor_id,
        };
        let subject = self.subject.as_ref();
        let mut record = AuditLog {
            id: RecordId::generate(),
            actor_pseudonym,
            subject_pseudonym: subject.map(|uid| key.pseudonym(uid.as_str())),
            org_id: self.org_id,
            seq: last.map_or(1, |last| last.seq.saturating_add(1)),
            actor_id,
            subject_id: self.subject.map(String::from),
            action: self.action,
            metadata: self.metadata.into(),
            timestamp: now,
            key_version: key_version.to_owned(),
            prev_mac: last.map(|last| last.mac.clone()).unwrap_or_default(),
            mac: String::new(),
        };
        record.mac = key.mac(&record);
        record
    }
}

/// The audit trails of all organizations.
#[derive(Clone)]
pub struct Trail {
    store: Store,
    keys: Arc<Keys>,
}

impl Trail {
    /// Trails in a store, whose keys come from `key`.
    #[must_use]
    pub fn new(store: Store, key: Arc<dyn MacKey>) -> Self {
        Self {
            store,
            keys: Arc::new(Keys::new(key)),
        }
    }

    /// The writes that append the entry to its organization's chain, to be added to the commit
    /// that does it. Somebody else may append first: the commit then loses the race
    /// ([`store::commit_contended`]) and the entry is to be appended anew.
    ///
    /// A commit holds one entry of an organization.
    ///
    /// # Errors
    /// Returns [`Error::MetadataTooLong`], [`Error::Closed`], and the errors of the database and of
    /// the key.
    pub async fn append(&self, entry: Entry, now: Timestamp) -> Result<Vec<Write>, Error> {
        if entry.metadata.to_string().len() > MAX_METADATA_BYTES {
            return Err(Error::MetadataTooLong);
        }
        let key = self.keys.of(&entry.org_id).await?;
        let head = self.store.find_audit_head(&entry.org_id).await?;
        let is_closed = head.as_ref().is_some_and(|head| head.value.closed);
        if is_closed && !entry.outlives_members() {
            return Err(Error::Closed);
        }
        let (version, closes) = (self.keys.version(), entry.closes);
        let last = head.as_ref().map(|head| &head.value);
        let record = entry.into_record(&key, version, last, now);
        let end = AuditHead {
            org_id: record.org_id.clone(),
            seq: record.seq,
            mac: record.mac.clone(),
            updated_at: now,
            closed: is_closed || closes,
        };
        Ok(vec![
            audit_logs::create(&record)?,
            audit_logs::set_head(&end, head.map(|head| head.version))?,
        ])
    }

    /// Appends the entry in a commit of its own: what was done changes nothing else.
    ///
    /// # Errors
    /// Returns those of [`Self::append`].
    pub async fn record(&self, entry: Entry, now: Timestamp) -> Result<(), Error> {
        let entry = &entry;
        commit_contended(&self.store, || async move {
            Ok((self.append(entry.clone(), now).await?, ()))
        })
        .await
    }
}
