//! `audit_logs`.

use super::{DocumentPath, Error, Write};
use crate::models::AuditLog;

/// Appends a record.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(record: &AuditLog) -> Result<Write, Error> {
    super::create(DocumentPath::new("audit_logs", record.id.as_str()), record)
}
