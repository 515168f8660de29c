//! A report under a key that this process never sees.

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::crypto::{self, MacKey, message};

use crate::report::Report;

/// What the tags of this format begin with; the same key makes those of the audit trail.
const FORMAT: &[u8] = b"infinity-x restore drill 1";

/// A report and what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedReport {
    /// The report.
    pub report: Report,
    /// The key and its version.
    pub key: String,
    /// HMAC-SHA256 over the SHA-256 hash of the report as compact JSON, in hex.
    pub mac: String,
}

/// Why a report is not proved.
#[derive(Debug, thiserror::Error)]
pub enum Unproved {
    /// The key made no such tag: the report was changed, or is of another key.
    #[error("the report is not the one that was signed")]
    Changed,
    /// The key cannot be used.
    #[error("the key of the report is not available")]
    Key(#[from] crypto::Error),
    /// The report cannot be written as JSON.
    #[error("the report is no JSON")]
    Json(#[from] serde_json::Error),
}

impl SignedReport {
    /// Signs a report.
    ///
    /// # Errors
    /// Returns the error of the key.
    pub async fn new(report: Report, key: &dyn MacKey) -> Result<Self, Unproved> {
        let mac = mac(&report, key).await?;
        let key = key.version().to_owned();
        Ok(Self { report, key, mac })
    }

    /// Whether the key has signed just this.
    ///
    /// # Errors
    /// Returns [`Unproved`].
    pub async fn verify(&self, key: &dyn MacKey) -> Result<(), Unproved> {
        if self.key != key.version() || self.mac != mac(&self.report, key).await? {
            return Err(Unproved::Changed);
        }
        Ok(())
    }
}

async fn mac(report: &Report, key: &dyn MacKey) -> Result<String, Unproved> {
    let json = serde_json::to_vec(report)?;
    // Cloud KMS takes at most 64 KiB.
    let digest = Sha256::digest(&json);
    let tag = key.sign(&message(&[FORMAT, &digest])).await?;
    Ok(hex::encode(tag.expose_secret()))
}
