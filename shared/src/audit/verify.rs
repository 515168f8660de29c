use std::fmt;

use super::{
    Anchor, Error, Trail,
    walk::{Bounds, Walk},
};
use crate::{
    ids::{OrgId, RecordId},
    models::SystemPrincipal,
    store::{DocumentPath, Found},
};

/// Something in a chain that no service has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A record is not as it was written.
    Altered {
        /// The record.
        id: RecordId,
        /// Its place.
        seq: i64,
    },
    /// A genuine record stands at another place than it was written for.
    Moved {
        /// The record.
        id: RecordId,
        /// Where it stands.
        seq: i64,
        /// Where it belongs.
        belongs_at: i64,
    },
    /// A document is a copy of a record that is kept elsewhere.
    Copied {
        /// The copy.
        document_id: String,
        /// The place of the record.
        seq: i64,
    },
    /// There are several records for one place, or one after the end.
    Inserted {
        /// The record that does not belong there.
        id: RecordId,
        /// Its place.
        seq: i64,
    },
    /// Records are gone.
    Missing {
        /// The first one that is gone.
        from: i64,
        /// The last one that is gone.
        to: i64,
    },
    /// A record does not follow the one before it.
    Unlinked {
        /// The record.
        id: RecordId,
        /// Its place.
        seq: i64,
    },
    /// The actor or the subject of a record is not the one that it was written for.
    Renamed {
        /// The record.
        id: RecordId,
        /// Its place.
        seq: i64,
    },
    /// The chain's end is not where its document says.
    WrongEnd {
        /// The end by its document; 0 when there is none.
        expected: i64,
        /// The last record.
        found: i64,
    },
    /// The record that an anchor names is not there any more.
    CutBeforeAnchor {
        /// The place that the anchor names.
        seq: i64,
    },
    /// A document that no service can have written.
    Unreadable {
        /// Where it is.
        path: String,
    },
}

/// What [`Trail::verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The organization.
    pub org_id: OrgId,
    /// Records that were looked at.
    pub records: u64,
    /// What is wrong, in the order of the chain; empty for a chain that is whole.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered { id, seq } => write!(f, "record {seq} ({id}) was altered"),
            Self::Moved {
                id,
                seq,
                belongs_at,
            } => write!(f, "record {belongs_at} ({id}) was moved to {seq}"),
            Self::Copied { document_id, seq } => {
                write!(f, "`{document_id}` is a copy of record {seq}")
            }
            Self::Inserted { id, seq } => write!(f, "record {seq} ({id}) was inserted"),
            Self::Missing { from, to } if from == to => write!(f, "record {from} is missing"),
            Self::Missing { from, to } => write!(f, "records {from} to {to} are missing"),
            Self::Unlinked { id, seq } => {
                write!(f, "record {seq} ({id}) does not follow the one before")
            }
            Self::Renamed { id, seq } => {
                write!(f, "record {seq} ({id}) names somebody else than it did")
            }
            Self::WrongEnd { expected, found } if expected == found => {
                write!(f, "the chain's end is not the one that its document names")
            }
            Self::WrongEnd { expected, found } => {
                write!(f, "the chain ends at {found}, not at {expected}")
            }
            Self::CutBeforeAnchor { seq } => {
                write!(f, "record {seq}, which an anchor names, is not there")
            }
            Self::Unreadable { path } => write!(f, "`{path}` is no audit record"),
        }
    }
}

impl Trail {
    /// Walks along the organization's chain as a whole. `anchors` are what was kept of it
    /// elsewhere. `progress` is told after how many records it is.
    ///
    /// A link of about 300 bytes is held for each record.
    ///
    /// # Errors
    /// Returns the errors of the database and of the key; what is wrong with the chain is in the
    /// report.
    pub async fn verify(
        &self,
        _caller: &SystemPrincipal,
        org_id: &OrgId,
        anchors: &[Anchor],
        progress: impl Fn(u64),
    ) -> Result<Report, Error> {
        let key = self.keys.of(org_id).await?;
        // Read first: what is appended meanwhile lies behind it.
        let before = self.store.find_audit_head(org_id).await?;
        let mut walk = Walk::new(&key);
        let mut last: Option<DocumentPath> = None;
        loop {
            let batch = self.store.list_audit_chain(org_id, last.as_ref()).await?;
            let Some(end) = batch.last() else { break };
            last = Some(end.path.clone());
            progress(batch.len() as u64);
            for Found { path, value } in batch {
                match value {
                    Ok(record) => walk.step(path.id(), record),
                    Err(_) => walk.report(Problem::Unreadable {
                        path: path.to_string(),
                    }),
                }
            }
        }
        let after = self.store.find_audit_head(org_id).await?;
        let (records, problems) = walk.finish(&Bounds {
            before: before.as_ref().map(|end| &end.value),
            after: after.as_ref().map(|end| &end.value),
            anchors,
        });
        Ok(Report {
            org_id: org_id.clone(),
            records,
            problems,
        })
    }
}
