//! Documents by collection. Every query takes an [`OrgId`](crate::ids::OrgId) or a principal.
//!
//! Reads are methods of [`Store`]; writes are values, so that an effect, its audit record and its
//! bookkeeping go into one commit.

pub mod agent_services;
pub mod agents;
pub mod approvals;
pub mod audit_logs;
mod codec;
mod contention;
mod database_clock;
pub mod document_db;
pub mod drafts;
pub mod executions;
pub mod firestore;
pub mod idempotency;
pub mod integrations;
pub mod invitations;
pub mod knowledge;
pub mod llm_cache;
pub mod llm_routes;
pub mod memories;
pub mod meter_events;
pub mod oauth_states;
pub mod organizations;
pub mod outbox;
pub mod platform;
mod position;
pub mod schedule_ticks;
pub mod sessions;
pub mod snapshot;
pub mod steps;
pub mod stripe_customers;
pub mod stripe_events;
mod subscriptions;
pub mod triggers;
pub mod tunings;
pub mod usage_ledger;
pub mod users;
pub mod wakeups;
pub mod workflow_states;
pub mod workflows;

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use self::document_db::{Document, DocumentDb, Operation, Precondition, Query};
pub use self::{
    codec::{decode, document_from_wire, encode},
    contention::{commit_contended, commit_versioned},
    database_clock::DatabaseClock,
    document_db::{DocumentPath, Error, Write},
    position::is_position,
};
use crate::models::Timestamp;

/// A model as it was read, with the version that a later write is conditional on.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// The model.
    pub value: T,
    /// When it was last written.
    pub version: Timestamp,
}

/// A part of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many documents.
    pub limit: u32,
    /// The position after which it begins: [`Listing::next`] of the part before.
    pub after: Option<String>,
}

impl Page {
    /// The first part of a listing.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self { limit, after: None }
    }
}

/// A document where it was found, and what it holds, if that can be read.
#[derive(Debug)]
pub struct Found<T> {
    /// Where it is, whatever it says of itself.
    pub path: DocumentPath,
    /// The model.
    pub value: Result<T, Error>,
}

/// Documents of a listing and where it goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<T> {
    /// The documents.
    pub items: Vec<T>,
    /// Where the next part begins, if there may be one.
    pub next: Option<String>,
}

/// The database by collection.
#[derive(Clone)]
pub struct Store {
    db: Arc<dyn DocumentDb>,
    turns: Arc<contention::Turns>,
}

impl Store {
    /// A store on a document database.
    #[must_use]
    pub fn new(db: Arc<dyn DocumentDb>) -> Self {
        let turns = Arc::default();
        Self { db, turns }
    }

    /// Applies all writes, or none.
    ///
    /// # Errors
    /// Returns [`Error::is_lost_race`] errors when a precondition does not hold.
    pub async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        self.db.commit(writes).await
    }

    async fn load<T: DeserializeOwned>(
        &self,
        path: &DocumentPath,
    ) -> Result<Option<Versioned<T>>, Error> {
        let document = self.db.get(path).await?;
        document.as_ref().map(versioned).transpose()
    }

    async fn list<T: DeserializeOwned>(&self, query: &Query) -> Result<Vec<Versioned<T>>, Error> {
        let documents = self.db.query(query).await?;
        documents.iter().map(versioned).collect()
    }

    /// The same for who goes on whatever a document holds: one that cannot be read is left out.
    async fn list_readable<T: DeserializeOwned>(&self, query: &Query) -> Result<Vec<T>, Error> {
        let documents = self.db.query(query).await?;
        Ok(documents.iter().filter_map(readable).collect())
    }

    async fn count(&self, query: &Query) -> Result<u32, Error> {
        let count = self.db.count(query).await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// One page of a query by id, nothing left out; it goes on after the last path.
    async fn find_by_id<T: DeserializeOwned>(
        &self,
        query: Query,
        after: Option<&DocumentPath>,
    ) -> Result<Vec<Found<T>>, Error> {
        let found = self.find_versioned_by_id(query, after).await?.into_iter();
        let unversioned = found.map(|found: Found<Versioned<T>>| Found {
            path: found.path,
            value: found.value.map(|versioned| versioned.value),
        });
        Ok(unversioned.collect())
    }

    /// The same with the versions.
    async fn find_versioned_by_id<T: DeserializeOwned>(
        &self,
        mut query: Query,
        after: Option<&DocumentPath>,
    ) -> Result<Vec<Found<Versioned<T>>>, Error> {
        query.after = after.map(|path| (None, path.id().to_owned()));
        let documents = self.db.query(&query).await?;
        let found = documents.into_iter().map(|document| Found {
            value: versioned(&document),
            path: document.path,
        });
        Ok(found.collect())
    }

    /// One page of a query by id; asks for one more to know whether there is a next page.
    async fn page_by_id<T: DeserializeOwned>(
        &self,
        query: Query,
        page: &Page,
    ) -> Result<Listing<T>, Error> {
        let Listing { items, next } = self.documents_by_id(query, page).await?;
        let items = items.iter().filter_map(readable).collect();
        Ok(Listing { items, next })
    }

    /// The same with the versions.
    async fn versioned_page_by_id<T: DeserializeOwned>(
        &self,
        query: Query,
        page: &Page,
    ) -> Result<Listing<Versioned<T>>, Error> {
        let Listing { items, next } = self.documents_by_id(query, page).await?;
        let items = items.iter().filter_map(readable_versioned).collect();
        Ok(Listing { items, next })
    }

    /// The same for who must not miss any: a document that cannot be read is an error.
    async fn strict_page_by_id<T: DeserializeOwned>(
        &self,
        query: Query,
        page: &Page,
    ) -> Result<Listing<Versioned<T>>, Error> {
        let Listing { items, next } = self.documents_by_id(query, page).await?;
        let items = items.iter().map(versioned).collect::<Result<_, _>>()?;
        Ok(Listing { items, next })
    }

    /// The writes that delete what a query finds.
    async fn list_removals(&self, query: &Query) -> Result<Vec<Write>, Error> {
        let documents = self.db.query(query).await?.into_iter();
        let removals = documents.map(|document| delete(document.path, Precondition::None));
        Ok(removals.collect())
    }

    async fn documents_by_id(&self, query: Query, page: &Page) -> Result<Listing<Document>, Error> {
        let is_group = query.is_group;
        let query = Query {
            after: page.after.clone().map(|position| (None, position)),
            limit: page.limit.saturating_add(1),
            ..query
        };
        let mut items = self.db.query(&query).await?;
        let more = items.len() > page.limit as usize;
        items.truncate(page.limit as usize);
        let position = |document: &Document| match is_group {
            true => document.path.to_string(),
            false => document.path.id().to_owned(),
        };
        let next = items.last().filter(|_| more).map(position);
        Ok(Listing { items, next })
    }
}

/// A document that a client has spoilt must not hide the others, least of all those of other
/// organizations.
fn readable<T: DeserializeOwned>(document: &Document) -> Option<T> {
    // The error may quote what the document holds, and its id may be a person's.
    let report = |_: &Error| {
        let path = document.path.as_str();
        let collection = path
            .rsplit_once('/')
            .map_or("", |(collection, _)| collection);
        tracing::error!(collection, "unreadable document left out of a listing");
    };
    decode(document).inspect_err(report).ok()
}

fn readable_versioned<T: DeserializeOwned>(document: &Document) -> Option<Versioned<T>> {
    let (value, version) = (readable(document)?, document.version);
    Some(Versioned { value, version })
}

fn versioned<T: DeserializeOwned>(document: &Document) -> Result<Versioned<T>, Error> {
    Ok(Versioned {
        value: decode(document)?,
        version: document.version,
    })
}

fn create<T: Serialize>(path: DocumentPath, model: &T) -> Result<Write, Error> {
    write(path, model, Precondition::Absent)
}

fn replace<T: Serialize>(path: DocumentPath, model: &Versioned<T>) -> Result<Write, Error> {
    write(path, &model.value, Precondition::Version(model.version))
}

fn write<T: Serialize>(
    path: DocumentPath,
    model: &T,
    precondition: Precondition,
) -> Result<Write, Error> {
    let operation = Operation::Replace(encode(&path, model)?);
    Ok(Write {
        path,
        operation,
        precondition,
    })
}

/// Sets the top-level fields that `fields` serializes to, and leaves the others as they are.
fn merge<T: Serialize>(
    path: DocumentPath,
    fields: &T,
    precondition: Precondition,
) -> Result<Write, Error> {
    let operation = Operation::Merge {
        fields: encode(&path, fields)?,
        increments: Vec::new(),
    };
    Ok(Write {
        path,
        operation,
        precondition,
    })
}

fn delete(path: DocumentPath, precondition: Precondition) -> Write {
    Write {
        path,
        operation: Operation::Delete,
        precondition,
    }
}
