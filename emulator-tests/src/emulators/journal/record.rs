//! The journal's bytes: an 8-byte mark, then frames.
//!
//! A frame is the payload's length (u32, little endian), the length's complement, the first
//! 8 bytes of the payload's SHA-256, and the payload, a protobuf [`Record`].

use anyhow::{Context, bail, ensure};
use hidane_core::path::ResourcePath;
use hidane_core::store::{Change, Commit, MemoryStore, ReadTime, Store, StoredDocument};
use hidane_proto::google::firestore::v1::MapValue;
use prost::Message;
use sha2::{Digest, Sha256};

const MARK: &[u8; 8] = b"ixfsjnl1";
const SUM_BYTES: usize = 8;
const HEADER_BYTES: usize = 4 + 4 + SUM_BYTES;

/// One commit, or one clearing.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Record {
    /// `projects/{project}/databases/{database}`; empty when all were cleared.
    #[prost(string, tag = "1")]
    pub(super) database: String,
    /// Microseconds since the Unix epoch.
    #[prost(int64, tag = "2")]
    pub(super) commit_time: i64,
    #[prost(message, repeated, tag = "3")]
    pub(super) writes: Vec<Write>,
    #[prost(bool, tag = "4")]
    pub(super) clears: bool,
}

/// One document's new state.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Write {
    #[prost(string, tag = "1")]
    pub(super) path: String,
    /// Absent when the document is deleted.
    #[prost(message, optional, tag = "2")]
    pub(super) fields: Option<MapValue>,
}

impl Record {
    pub(super) fn commit(database: &str, commit: &Commit) -> Self {
        Self {
            database: database.to_owned(),
            commit_time: commit.commit_time.0,
            writes: commit.changes.iter().map(Write::from).collect(),
            clears: false,
        }
    }

    pub(super) fn clear(database: &str, at: ReadTime) -> Self {
        Self {
            database: database.to_owned(),
            commit_time: at.0,
            writes: Vec::new(),
            clears: true,
        }
    }

    pub(super) fn apply(&self, memory: &MemoryStore) -> anyhow::Result<()> {
        if self.clears {
            match self.database.as_str() {
                "" => memory.clear(),
                database => drop(memory.clear_database(database)),
            }
            return Ok(());
        }
        memory.commit(&self.database, &mut |batch| {
            for write in &self.writes {
                // A path that does not parse was never written.
                let path = ResourcePath::parse(&write.path).unwrap_or_default();
                match &write.fields {
                    Some(map) => batch.set(&path, map.fields.clone()),
                    None => batch.delete(&path),
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

impl Write {
    /// The document as it is.
    pub(super) fn of(document: &StoredDocument) -> Self {
        Self {
            path: document.path.to_string(),
            fields: Some(MapValue {
                fields: document.fields(),
            }),
        }
    }
}

impl From<&Change> for Write {
    fn from(change: &Change) -> Self {
        match &change.after {
            Some(document) => Self::of(document),
            None => Self {
                path: change.path.to_string(),
                fields: None,
            },
        }
    }
}

/// One frame.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let payload = record.encode_to_vec();
    // A commit is bounded by the 100 MiB that one request may have.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
    frame.extend(length.to_le_bytes());
    frame.extend((!length).to_le_bytes());
    frame.extend(sum(&payload));
    frame.extend(payload);
    frame
}

/// A whole journal.
pub(super) fn encode_all(records: &[Record]) -> Vec<u8> {
    let frames = records.iter().flat_map(encode);
    MARK.iter().copied().chain(frames).collect()
}

/// The records of a journal, and how many bytes of a cut-off last record follow them.
pub(super) fn decode_all(bytes: &[u8]) -> anyhow::Result<(Vec<Record>, usize)> {
    let Some(mut rest) = bytes.strip_prefix(MARK) else {
        bail!("this is not a firestore journal");
    };
    let mut records = Vec::new();
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let damaged = || format!("the journal is damaged at byte {offset}");
        let Some(frame_bytes) = frame_bytes(rest).with_context(damaged)? else {
            break;
        };
        let (frame, following) = rest.split_at(frame_bytes);
        match decode(frame) {
            Ok(record) => records.push(record),
            // The size of a file can reach the disk before its last bytes do.
            Err(_) if following.is_empty() => break,
            Err(error) => return Err(error).with_context(damaged),
        }
        rest = following;
    }
    Ok((records, rest.len()))
}

/// The size of the frame at the start of `bytes`, if all of it is there.
fn frame_bytes(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let Some(complement) = rest.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length);
    ensure!(
        !length == u32::from_le_bytes(*complement),
        "a record's length is wrong"
    );
    let frame_bytes = HEADER_BYTES + usize::try_from(length)?;
    Ok((bytes.len() >= frame_bytes).then_some(frame_bytes))
}

fn decode(frame: &[u8]) -> anyhow::Result<Record> {
    let (header, payload) = frame.split_at(HEADER_BYTES);
    ensure!(
        header.ends_with(&sum(payload)),
        "a record's checksum is wrong"
    );
    Ok(Record::decode(payload)?)
}

fn sum(payload: &[u8]) -> [u8; SUM_BYTES] {
    let mut sum = [0; SUM_BYTES];
    sum.copy_from_slice(&Sha256::digest(payload)[..SUM_BYTES]);
    sum
}
