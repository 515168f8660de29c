//! `platform`: what holds for all organizations.

use super::{DocumentPath, Error, Store, Versioned, Write, document_db::Precondition};
use crate::models::{LlmSwitch, SystemPrincipal, TierReconcile, Timestamp, UsageReconcile};

impl Store {
    /// Whether model calls are switched off for everybody; they are not unless it was told.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_llm_switch(&self) -> Result<LlmSwitch, Error> {
        let found = self.load(&llm_path()).await?;
        Ok(found.map(|found| found.value).unwrap_or_default())
    }

    /// The last comparison of all tiers with what Stripe says, if there was one.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_tier_reconcile(
        &self,
        _caller: &SystemPrincipal,
    ) -> Result<Option<Versioned<TierReconcile>>, Error> {
        self.load(&tier_reconcile_path()).await
    }

    /// The last comparison of usage with what Stripe has counted, if there was one.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_usage_reconcile(
        &self,
        _caller: &SystemPrincipal,
    ) -> Result<Option<Versioned<UsageReconcile>>, Error> {
        self.load(&usage_reconcile_path()).await
    }
}

/// Switches model calls off for everybody, or on.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_llm_switch(switch: LlmSwitch) -> Result<Write, Error> {
    super::write(llm_path(), &switch, Precondition::None)
}

/// Sets how far the comparison of tiers has come, if nobody changed it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_tier_reconcile(
    reconcile: &TierReconcile,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(tier_reconcile_path(), reconcile, precondition)
}

/// Sets how far the comparison of usage has come, if nobody changed it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_usage_reconcile(
    reconcile: &UsageReconcile,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(usage_reconcile_path(), reconcile, precondition)
}

fn usage_reconcile_path() -> DocumentPath {
    DocumentPath::new("platform", "usage_reconcile")
}

fn tier_reconcile_path() -> DocumentPath {
    DocumentPath::new("platform", "tier_reconcile")
}

fn llm_path() -> DocumentPath {
    DocumentPath::new("platform", "llm")
}
