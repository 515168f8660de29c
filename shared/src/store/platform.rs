//! `platform`: what holds for all organizations.

use super::{DocumentPath, Error, Store, Write, document_db::Precondition};
use crate::models::LlmSwitch;

impl Store {
    /// Whether model calls are switched off for everybody; they are not unless it was told.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_llm_switch(&self) -> Result<LlmSwitch, Error> {
        let found = self.load(&llm_path()).await?;
        Ok(found.map(|found| found.value).unwrap_or_default())
    }
}

/// Switches model calls off for everybody, or on.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_llm_switch(switch: LlmSwitch) -> Result<Write, Error> {
    super::write(llm_path(), &switch, Precondition::None)
}

fn llm_path() -> DocumentPath {
    DocumentPath::new("platform", "llm")
}
