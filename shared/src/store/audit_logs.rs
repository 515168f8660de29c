//! `audit_logs` and `audit_heads`: the organizations' chains and their ends.

use std::collections::BTreeMap;

use super::{
    DocumentPath, Error, Found, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Document, Order, Precondition, Query},
    position, readable,
};
use crate::{
    ids::{OrgId, Uid},
    models::{AuditAction, AuditHead, AuditLog, SystemPrincipal, Timestamp},
};

/// Records read at once when a chain is walked.
const BATCH: u32 = 300;

/// Which records to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only what this actor did: a uid, `system:<function>` or `erased:<pseudonym>`.
    pub actor_id: Option<String>,
    /// Only this action.
    pub action: Option<AuditAction>,
    /// Only what was done at this time or later.
    pub from: Option<Timestamp>,
    /// Only what was done by this time.
    pub to: Option<Timestamp>,
}

/// A field that names a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Who did it.
    Actor,
    /// Whom it was done to.
    Subject,
}

impl Naming {
    /// The name of the field.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Actor => "actorId",
            Self::Subject => "subjectId",
        }
    }
}

impl Store {
    /// The end of the organization's chain; none before its first record.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_audit_head(
        &self,
        org_id: &OrgId,
    ) -> Result<Option<Versioned<AuditHead>>, Error> {
        self.load(&head_path(org_id)).await
    }

    /// The ends of all chains by organization, nothing left out.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_audit_heads(
        &self,
        _caller: &SystemPrincipal,
        after: Option<&DocumentPath>,
    ) -> Result<Vec<Found<AuditHead>>, Error> {
        self.find_by_id(Query::new("audit_heads", BATCH), after)
            .await
    }

    /// The organization's records, the newest first.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_audit_records(
        &self,
        org_id: &OrgId,
        filter: &AuditFilter,
        page: &Page,
    ) -> Result<Listing<AuditLog>, Error> {
        let mut query = filter.apply(
            Query::new("audit_logs", page.limit.saturating_add(1))
                .filter("orgId", Comparison::Equal, org_id.as_str())
                .order(Order::Descending("timestamp")),
        );
        query.after = page.after.as_deref().and_then(position::parse);
        let mut documents = self.db.query(&query).await?;
        let more = documents.len() > page.limit as usize;
        documents.truncate(page.limit as usize);
        let read = |document: &Document| {
            let record: AuditLog = readable(document)?;
            let place = position::format(record.timestamp, document.path.id());
            Some((place, record))
        };
        let (places, items): (Vec<String>, _) = documents.iter().filter_map(read).unzip();
        let next = places.into_iter().next_back().filter(|_| more);
        Ok(Listing { items, next })
    }

    /// Records of the organization by document, nothing left out.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_audit_chain(
        &self,
        org_id: &OrgId,
        after: Option<&DocumentPath>,
    ) -> Result<Vec<Found<AuditLog>>, Error> {
        let query = Query::new("audit_logs", BATCH);
        let query = query.filter("orgId", Comparison::Equal, org_id.as_str());
        self.find_by_id(query, after).await
    }

    /// The first records of all organizations in which a field names the user, by document,
    /// nothing left out.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_audit_records_naming(
        &self,
        _caller: &SystemPrincipal,
        naming: Naming,
        uid: &Uid,
    ) -> Result<Vec<Found<AuditLog>>, Error> {
        let query = Query::new("audit_logs", BATCH);
        let query = query.filter(naming.field(), Comparison::Equal, uid.as_str());
        self.find_by_id(query, None).await
    }

    /// Records of all organizations in which a field names the user, by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_audit_records_naming(
        &self,
        _caller: &SystemPrincipal,
        naming: Naming,
        uid: &Uid,
        page: &Page,
    ) -> Result<Listing<AuditLog>, Error> {
        let query = Query::new("audit_logs", page.limit);
        let query = query.filter(naming.field(), Comparison::Equal, uid.as_str());
        self.page_by_id(query, page).await
    }
}

impl AuditFilter {
    fn apply(&self, mut query: Query) -> Query {
        if let Some(actor_id) = &self.actor_id {
            query = query.filter("actorId", Comparison::Equal, actor_id.as_str());
        }
        if let Some(action) = self.action {
            query = query.filter("action", Comparison::Equal, action.as_str());
        }
        if let Some(from) = self.from {
            query = query.filter("timestamp", Comparison::GreaterOrEqual, from);
        }
        match self.to {
            Some(to) => query.filter("timestamp", Comparison::LessOrEqual, to),
            None => query,
        }
    }
}

/// Appends a record.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(record: &AuditLog) -> Result<Write, Error> {
    super::create(record_path(record), record)
}

/// Moves the end of the chain, if nobody moved it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_head(head: &AuditHead, version: Option<Timestamp>) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(head_path(&head.org_id), head, precondition)
}

/// Puts a pseudonym into the place of a user's id in the document at `path`: the one change that a
/// record ever sees.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn erase(path: &DocumentPath, naming: Naming, pseudonym: &str) -> Result<Write, Error> {
    let field = BTreeMap::from([(naming.field(), pseudonym)]);
    super::merge(path.clone(), &field, Precondition::Exists)
}

/// Whether this is the end of a chain.
pub(super) fn is_head(path: &DocumentPath) -> bool {
    path.as_str().starts_with("audit_heads/")
}

fn record_path(record: &AuditLog) -> DocumentPath {
    DocumentPath::new("audit_logs", record.id.as_str())
}

fn head_path(org_id: &OrgId) -> DocumentPath {
    DocumentPath::new("audit_heads", org_id.as_str())
}
