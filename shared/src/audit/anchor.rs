use std::sync::Arc;

use jiff::{Span, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Error, Trail};
use crate::{
    ids::OrgId,
    models::{AuditHead, SystemPrincipal, Timestamp},
    storage::{Bucket, Created},
    store::Page,
};

/// Chains whose ends are read at once.
const PAGE_SIZE: u32 = 300;

/// How many days back an anchor is looked for. The job runs daily; after so long without it the
/// missing anchors are a finding of their own.
const MAX_AGE_DAYS: i32 = 35;

/// The end of a chain at some time, kept where whoever can write to the database cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anchor {
    /// The organization.
    pub org_id: OrgId,
    /// `seq` of the last record.
    pub seq: i64,
    /// `mac` of the last record.
    pub mac: String,
}

/// The anchors of all chains: one object a UTC day, `audit-heads/YYYY-MM-DD.jsonl`, in a bucket
/// that keeps objects from being changed.
#[derive(Clone)]
pub struct Anchors {
    bucket: Arc<dyn Bucket>,
}

impl Anchors {
    /// The anchors in a bucket.
    #[must_use]
    pub fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket }
    }

    /// Keeps the ends of all chains as today's anchors and tells how many there are; none when
    /// today's are kept already.
    ///
    /// # Errors
    /// Returns the errors of the database and of the bucket.
    pub async fn keep(
        &self,
        trail: &Trail,
        caller: &SystemPrincipal,
        now: Timestamp,
    ) -> Result<Option<usize>, Error> {
        let mut lines = Vec::new();
        let mut page = Page {
            limit: PAGE_SIZE,
            after: None,
        };
        loop {
            let listing = trail.store.list_audit_heads(caller, &page).await?;
            lines.extend(
                listing
                    .items
                    .into_iter()
                    .map(|head| Anchor::from(head).line()),
            );
            if listing.next.is_none() {
                break;
            }
            page.after = listing.next;
        }
        let count = lines.len();
        let name = name(day_of(now));
        Ok(
            match self.bucket.create(&name, lines.concat().into()).await? {
                Created::New => Some(count),
                Created::Existed => None,
            },
        )
    }

    /// The newest anchors by now, and the day they are of.
    ///
    /// # Errors
    /// Returns the errors of the bucket.
    pub async fn newest(&self, now: Timestamp) -> Result<Option<(Date, Vec<Anchor>)>, Error> {
        let today = day_of(now);
        for age in 0..=MAX_AGE_DAYS {
            let day = today.saturating_sub(Span::new().days(age));
            if let Some(object) = self.bucket.read(&name(day)).await? {
                return Ok(Some((day, parse(&object)?)));
            }
        }
        Ok(None)
    }
}

impl From<AuditHead> for Anchor {
    fn from(head: AuditHead) -> Self {
        Self {
            org_id: head.org_id,
            seq: head.seq,
            mac: head.mac,
        }
    }
}

impl Anchor {
    fn line(&self) -> String {
        let fields = serde_json::json!({ "orgId": self.org_id, "seq": self.seq, "mac": self.mac });
        format!("{fields}\n")
    }
}

fn day_of(instant: Timestamp) -> Date {
    instant.instant().to_zoned(TimeZone::UTC).date()
}

fn name(day: Date) -> String {
    format!("audit-heads/{day}.jsonl")
}

fn parse(object: &[u8]) -> Result<Vec<Anchor>, crate::storage::Error> {
    let lines = object.split(|byte| *byte == b'\n');
    let filled = lines.filter(|line| !line.is_empty());
    filled
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()
        .map_err(|error| crate::storage::Error::Damaged(Box::new(error)))
}
