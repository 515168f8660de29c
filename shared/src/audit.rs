//! The audit trail: one record in the same commit as the effect.

use serde_json::Value;

use crate::{
    ids::{OrgId, RecordId},
    models::{AuditAction, AuditLog, Timestamp},
    store::{self, Error, Write},
};

/// Longest metadata as JSON, in bytes.
const MAX_METADATA_BYTES: usize = 4_096;

/// Metadata that does not belong into a record.
#[derive(Debug, thiserror::Error)]
#[error("the metadata of an audit record has at most {MAX_METADATA_BYTES} bytes")]
struct MetadataTooLong;

/// The record of an action, to be added to the commit that does it. `actor_id` is a uid or
/// [`SystemPrincipal::actor_id`](crate::models::SystemPrincipal::actor_id); `metadata` holds no
/// secrets.
///
/// # Errors
/// Returns [`Error::Rejected`] for long metadata: an effect without its record must not happen.
pub fn record(
    org_id: &OrgId,
    actor_id: impl Into<String>,
    action: AuditAction,
    metadata: Value,
    now: Timestamp,
) -> Result<Write, Error> {
    if metadata.to_string().len() > MAX_METADATA_BYTES {
        return Err(Error::Rejected(Box::new(MetadataTooLong)));
    }
    store::audit_logs::create(&AuditLog {
        id: RecordId::generate(),
        org_id: org_id.clone(),
        actor_id: actor_id.into(),
        action,
        metadata: metadata.into(),
        timestamp: now,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record_with(metadata: Value) -> Result<Write, Error> {
        let now = Timestamp::from(jiff::Timestamp::UNIX_EPOCH);
        record(
            &OrgId::derive(&["o"]),
            "u1",
            AuditAction::AgentDeploy,
            metadata,
            now,
        )
    }

    #[test]
    fn a_record_is_created_and_never_replaced() {
        let write = record_with(json!({ "agentId": "a1" })).unwrap();
        assert!(
            write.path.as_str().starts_with("audit_logs/"),
            "{}",
            write.path
        );
        assert_eq!(write.precondition, store::document_db::Precondition::Absent);
    }

    #[test]
    fn long_metadata_is_refused() {
        // `"…"` adds two bytes to the text.
        assert!(record_with(json!("x".repeat(MAX_METADATA_BYTES - 2))).is_ok());
        let error = record_with(json!("x".repeat(MAX_METADATA_BYTES - 1))).unwrap_err();
        assert!(matches!(error, Error::Rejected(_)), "{error}");
    }
}
