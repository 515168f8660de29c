use std::{collections::BTreeMap, sync::Arc};

use jiff::{Span, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Error, Trail};
use crate::{
    ids::OrgId,
    models::{AuditHead, SystemPrincipal, Timestamp},
    storage::{self, Bucket, Created},
    store::{self, Found},
};

/// How many days back anchors are read. A tail that was cut before can be told by a verification
/// of that time only.
const WINDOW_DAYS: i32 = 35;

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

/// Anchors of the last weeks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The UTC day of the newest ones.
    pub newest: Option<Date>,
    /// By organization, the newest first.
    pub by_organization: BTreeMap<OrgId, Vec<Anchor>>,
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
    /// Returns the errors of the database and of the bucket, and that of an end that cannot be
    /// read: a day without it would hide that it is gone.
    pub async fn keep(
        &self,
        trail: &Trail,
        caller: &SystemPrincipal,
        now: Timestamp,
    ) -> Result<Option<usize>, Error> {
        let heads = trail.heads(caller).await?;
        let (count, name) = (heads.len(), name(day_of(now)));
        let line = |head: Found<AuditHead>| Ok(Anchor::from(head.value?).line(head.path.id()));
        let lines = heads.into_iter().map(line);
        let lines: String = lines.collect::<Result<_, store::Error>>()?;
        Ok(match self.bucket.create(&name, lines.into()).await? {
            Created::New => Some(count),
            Created::Existed => None,
        })
    }

    /// The anchors of the last 35 days by now.
    ///
    /// # Errors
    /// Returns the errors of the bucket.
    pub async fn load(&self, now: Timestamp) -> Result<Kept, storage::Error> {
        let mut kept = Kept::default();
        for age in 0..=WINDOW_DAYS {
            let day = day_of(now).saturating_sub(Span::new().days(age));
            let Some(object) = self.bucket.read(&name(day)).await? else {
                continue;
            };
            kept.newest.get_or_insert(day);
            for anchor in parse(&object)? {
                let anchors = kept.by_organization.entry(anchor.org_id.clone());
                anchors.or_default().push(anchor);
            }
        }
        Ok(kept)
    }
}

impl Trail {
    /// The documents of the ends of all chains, by organization; what they hold may be anything.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn heads(
        &self,
        caller: &SystemPrincipal,
    ) -> Result<Vec<Found<AuditHead>>, store::Error> {
        let mut heads: Vec<Found<AuditHead>> = Vec::new();
        loop {
            let last = heads.last().map(|head| &head.path);
            let page = self.store.list_audit_heads(caller, last).await?;
            if page.is_empty() {
                return Ok(heads);
            }
            heads.extend(page);
        }
    }
}

impl Kept {
    /// Whether the newest anchors are of today or yesterday.
    #[must_use]
    pub fn is_recent(&self, now: Timestamp) -> bool {
        let yesterday = day_of(now).saturating_sub(Span::new().days(1));
        self.newest.is_some_and(|newest| newest >= yesterday)
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
    /// For the organization that the end's place names, whatever the document says of itself.
    fn line(&self, org_id: &str) -> String {
        let fields = serde_json::json!({ "orgId": org_id, "seq": self.seq, "mac": self.mac });
        format!("{fields}\n")
    }
}

fn day_of(instant: Timestamp) -> Date {
    instant.instant().to_zoned(TimeZone::UTC).date()
}

fn name(day: Date) -> String {
    format!("audit-heads/{day}.jsonl")
}

fn parse(object: &[u8]) -> Result<Vec<Anchor>, storage::Error> {
    let lines = object.split(|byte| *byte == b'\n');
    let filled = lines.filter(|line| !line.is_empty());
    filled
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()
        .map_err(|error| storage::Error::Damaged(Box::new(error)))
}
