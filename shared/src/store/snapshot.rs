//! The database as a whole at one moment, for whoever compares or copies it.

use async_trait::async_trait;

use super::document_db::{Document, DocumentPath, Error};

/// All documents of a database as they were at one moment.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// Some documents that follow `after`, of whatever collection, by path; none at the end.
    async fn page(&self, after: Option<&DocumentPath>) -> Result<Vec<Document>, Error>;

    /// Which of these documents there are not.
    async fn missing(&self, paths: &[DocumentPath]) -> Result<Vec<DocumentPath>, Error>;
}
