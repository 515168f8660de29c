//! `usage_ledger`.

use serde::Deserialize;

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Order, Precondition, Query},
};
use crate::{
    ids::{OrgId, RecordId, Uid},
    models::{SystemPrincipal, UsageEntry},
};

/// Entries read at once when a period is summed up.
const BATCH: u32 = 1_000;

impl Store {
    /// The organization's entry; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_usage_entry(
        &self,
        org_id: &OrgId,
        id: &RecordId,
    ) -> Result<Option<Versioned<UsageEntry>>, Error> {
        let entry: Option<Versioned<UsageEntry>> = self.load(&path(id)).await?;
        Ok(entry.filter(|entry| entry.value.org_id == *org_id))
    }

    /// One page of the entries of calls that were admitted by a lease, by id, with their versions.
    ///
    /// # Errors
    /// Returns the database's error, also for an entry that cannot be read: it would be missing.
    pub async fn list_usage_entries_of_lease(
        &self,
        org_id: &OrgId,
        lease: &str,
        page: &Page,
    ) -> Result<Listing<Versioned<UsageEntry>>, Error> {
        let query = Query::new("usage_ledger", page.limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("hold.lease", Comparison::Equal, lease);
        self.strict_page_by_id(query, page).await
    }

    /// One page of the entries of the organization's calls that are reserved and under way, by id.
    ///
    /// # Errors
    /// Returns the database's error, also for an entry that cannot be read: it would be missing.
    pub async fn list_reserved_usage_entries(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<Versioned<UsageEntry>>, Error> {
        let query = Query::new("usage_ledger", page.limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("state", Comparison::Equal, "reserved");
        self.strict_page_by_id(query, page).await
    }

    /// Entries of all organizations that the user has caused, by id.
    ///
    /// # Errors
    /// Returns the database's error, also for an entry that cannot be read.
    pub async fn list_usage_entries_by_user(
        &self,
        _caller: &SystemPrincipal,
        uid: &Uid,
        page: &Page,
    ) -> Result<Listing<Versioned<UsageEntry>>, Error> {
        let query = Query::new("usage_ledger", page.limit);
        let query = query.filter("uid", Comparison::Equal, uid.as_str());
        self.strict_page_by_id(query, page).await
    }

    /// The organizations of a page of the entries of which it is not decided what is billed; there
    /// may be some twice. An entry that does not tell whose it is is left out.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_organizations_to_meter(
        &self,
        _caller: &SystemPrincipal,
        page: &Page,
    ) -> Result<Listing<OrgId>, Error> {
        let query = Query::new("usage_ledger", page.limit);
        let query = query.filter("meter.state", Comparison::Equal, "pending");
        let Listing { items, next } = self.page_by_id::<OrgOf>(query, page).await?;
        let items = items.into_iter().map(|owner| owner.org_id).collect();
        Ok(Listing { items, next })
    }

    /// Entries of the organization of which it is not decided what is billed, by id. One that cannot
    /// be read is left out, and stays undecided.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_usage_entries_to_meter(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<Versioned<UsageEntry>>, Error> {
        self.versioned_page_by_id(undecided(org_id, page), page)
            .await
    }

    /// The same for who sums up.
    ///
    /// # Errors
    /// Returns the database's error, also for an entry that cannot be read: it would be missing.
    pub async fn list_all_usage_entries_to_meter(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<Versioned<UsageEntry>>, Error> {
        self.strict_page_by_id(undecided(org_id, page), page).await
    }

    /// How many entries the organization has from one UTC day to another, both `YYYY-MM-DD` and
    /// included, whatever has become of them. Counting ends at `most`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn count_usage_entries(
        &self,
        org_id: &OrgId,
        (from, to): (&str, &str),
        most: u32,
    ) -> Result<u32, Error> {
        self.count(&of_days(org_id, (from, to), most)).await
    }

    /// Shows `visit` the organization's entries from one UTC day to another, both `YYYY-MM-DD` and
    /// included, by day. No more than a batch of them is held at once.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn each_usage_entry(
        &self,
        org_id: &OrgId,
        from: &str,
        to: &str,
        mut visit: impl FnMut(UsageEntry),
    ) -> Result<(), Error> {
        let mut query = of_days(org_id, (from, to), BATCH);
        loop {
            let documents = self.db.query(&query).await?;
            let last = documents.last().map(|document| {
                (
                    document.fields.get("day").cloned(),
                    document.path.id().to_owned(),
                )
            });
            let complete = documents.len() < BATCH as usize;
            for document in &documents {
                visit(super::decode(document)?);
            }
            if complete {
                return Ok(());
            }
            query.after = last;
        }
    }
}

/// Adds an entry: the call is admitted.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(entry: &UsageEntry) -> Result<Write, Error> {
    super::create(path(&entry.id), entry)
}

/// Writes what becomes of a call, if nobody changed the entry since it was `found`, or not.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set(entry: &UsageEntry, found: Option<&Versioned<UsageEntry>>) -> Result<Write, Error> {
    let precondition = found.map_or(Precondition::Absent, |found| {
        Precondition::Version(found.version)
    });
    super::write(path(&entry.id), entry, precondition)
}

/// Replaces the entry, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(entry: &Versioned<UsageEntry>) -> Result<Write, Error> {
    super::replace(path(&entry.value.id), entry)
}

/// Takes out of an entry who has caused it.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn forget_user(mut entry: Versioned<UsageEntry>) -> Result<Write, Error> {
    entry.value.uid = None;
    replace(&entry)
}

/// The only field that tells whose an entry is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrgOf {
    org_id: OrgId,
}

fn undecided(org_id: &OrgId, page: &Page) -> Query {
    Query::new("usage_ledger", page.limit)
        .filter("orgId", Comparison::Equal, org_id.as_str())
        .filter("meter.state", Comparison::Equal, "pending")
}

fn of_days(org_id: &OrgId, (from, to): (&str, &str), limit: u32) -> Query {
    Query::new("usage_ledger", limit)
        .filter("orgId", Comparison::Equal, org_id.as_str())
        .filter("day", Comparison::GreaterOrEqual, from)
        .filter("day", Comparison::LessOrEqual, to)
        .order(Order::Ascending("day"))
}

fn path(id: &RecordId) -> DocumentPath {
    DocumentPath::new("usage_ledger", id.as_str())
}
