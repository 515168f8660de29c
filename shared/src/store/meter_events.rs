//! `meter_events`, and what the ledger's months come to.

use serde::Deserialize;

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Document, Order, Precondition, Query, Value, ValueType, value},
    readable_versioned,
};
use crate::{
    ids::{OrgId, RecordId},
    models::{
        MeterRow, MeterRowPosition, MeteredMonth, SystemPrincipal, Timestamp, UsageReconciliation,
    },
};

impl Store {
    /// A page of the meter events of all organizations about which something is to be done by now,
    /// longest due first. One that cannot be read is left out, so that it holds no other up.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_meter_rows(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        after: Option<DuePosition>,
        limit: u32,
    ) -> Result<DueRows, Error> {
        let mut query = Query::new("meter_events", limit)
            .filter("dueAt", Comparison::LessOrEqual, now)
            .order(Order::Ascending("dueAt"));
        query.after = after.map(|after| (after.due_at, after.id));
        let documents = self.db.query(&query).await?;
        let is_full = documents.len() == limit as usize;
        Ok(DueRows {
            rows: documents.iter().filter_map(readable_versioned).collect(),
            next: documents.last().filter(|_| is_full).map(DuePosition::of),
        })
    }

    /// An organization's meter events that Stripe may have counted or not for a customer, `limit` at
    /// most.
    ///
    /// # Errors
    /// Returns the database's error, also for a row that cannot be read: it would be missing.
    pub async fn list_unsettled_meter_rows(
        &self,
        org_id: &OrgId,
        customer_id: &str,
        limit: u32,
    ) -> Result<Vec<MeterRow>, Error> {
        let query = Query::new("meter_events", limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("customerId", Comparison::Equal, customer_id)
            .filter("state", Comparison::Equal, "sending");
        let rows: Vec<Versioned<MeterRow>> = self.list(&query).await?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    /// Meter events of a customer in a minute, by id.
    ///
    /// # Errors
    /// Returns the database's error, also for a row that cannot be read: it would be missing.
    pub async fn list_meter_rows_of_minute(
        &self,
        _caller: &SystemPrincipal,
        customer_id: &str,
        minute: Timestamp,
        page: &Page,
    ) -> Result<Listing<Versioned<MeterRow>>, Error> {
        let query = Query::new("meter_events", page.limit)
            .filter("customerId", Comparison::Equal, customer_id)
            .filter("minute", Comparison::Equal, minute);
        self.strict_page_by_id(query, page).await
    }

    /// Meter events of a UTC day by customer, nothing left out; it goes on after a position.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_meter_rows_of_day(
        &self,
        _caller: &SystemPrincipal,
        day: &str,
        after: Option<&MeterRowPosition>,
        limit: u32,
    ) -> Result<Vec<RowOfDay>, Error> {
        // The second condition leaves out what names no customer: nobody sends it.
        let mut query = Query::new("meter_events", limit)
            .filter("day", Comparison::Equal, day)
            .filter("customerId", Comparison::GreaterOrEqual, "")
            .order(Order::Ascending("customerId"));
        query.after = after.map(|after| {
            let customer_id = ValueType::StringValue(after.customer_id.clone());
            (Some(value(customer_id)), after.id.clone())
        });
        let documents = self.db.query(&query).await?;
        documents.iter().map(RowOfDay::read).collect()
    }

    /// What is billed of an organization's UTC month, `YYYY-MM`, if anything was counted.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_metered_month(
        &self,
        org_id: &OrgId,
        period: &str,
    ) -> Result<Option<Versioned<MeteredMonth>>, Error> {
        self.load(&month_path(org_id, period)).await
    }

    /// What a UTC day's comparison with Stripe came to.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_usage_reconciliation(
        &self,
        _caller: &SystemPrincipal,
        day: &str,
    ) -> Result<Option<UsageReconciliation>, Error> {
        let found = self.load(&reconciliation_path(day)).await?;
        Ok(found.map(|found| found.value))
    }
}

/// A page of what is due.
#[derive(Debug)]
pub struct DueRows {
    /// What can be read of it.
    pub rows: Vec<Versioned<MeterRow>>,
    /// Where the next page begins, if there may be more.
    pub next: Option<DuePosition>,
}

/// A place among what is due.
#[derive(Clone, Debug)]
pub struct DuePosition {
    due_at: Option<Value>,
    id: String,
}

impl DuePosition {
    fn of(document: &Document) -> Self {
        Self {
            due_at: document.fields.get("dueAt").cloned(),
            id: document.path.id().to_owned(),
        }
    }
}

/// A meter event in the listing of its day.
#[derive(Debug)]
pub struct RowOfDay {
    /// Where the listing goes on after it.
    pub position: MeterRowPosition,
    /// The event, if it can be read.
    pub row: Result<MeterRow, Error>,
}

impl RowOfDay {
    fn read(document: &Document) -> Result<Self, Error> {
        let CustomerOf { customer_id } = super::decode(document)?;
        let id = document.path.id().to_owned();
        Ok(Self {
            position: MeterRowPosition { customer_id, id },
            row: super::decode(document),
        })
    }
}

/// The only field that tells who pays.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomerOf {
    customer_id: String,
}

/// Adds a row, in the commit that decides what is billed of its entry.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(row: &MeterRow) -> Result<Write, Error> {
    super::create(path(&row.id), row)
}

/// Replaces the row, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(row: &Versioned<MeterRow>) -> Result<Write, Error> {
    super::replace(path(&row.value.id), row)
}

/// Sets what a month comes to, if nobody changed it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_month(
    org_id: &OrgId,
    month: &MeteredMonth,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(month_path(org_id, &month.period), month, precondition)
}

/// Keeps what a day's comparison came to, in place of an earlier one.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_reconciliation(reconciliation: &UsageReconciliation) -> Result<Write, Error> {
    let path = reconciliation_path(&reconciliation.day);
    super::write(path, reconciliation, Precondition::None)
}

fn path(id: &RecordId) -> DocumentPath {
    DocumentPath::new("meter_events", id.as_str())
}

fn month_path(org_id: &OrgId, period: &str) -> DocumentPath {
    DocumentPath::new("organizations", org_id.as_str()).child("metering", period)
}

fn reconciliation_path(day: &str) -> DocumentPath {
    DocumentPath::new("usage_reconciliations", day)
}
