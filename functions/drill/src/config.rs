use shared::{
    config::{Env, Error, ServiceConfig},
    crypto::{EncryptionKeyConfig, MacConfig},
    storage::BucketConfig,
};

const BUCKET: &str = "AUDIT_ANCHOR_BUCKET";
const DIRECTORY: &str = "AUDIT_ANCHOR_DIR";

/// Variables of `drill`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database in use.
    pub service: ServiceConfig,
    /// `DRILL_PROJECT`: the project that exports are restored into.
    pub project_id: String,
    /// `DRILL_LOCATION`: the region of the restored database.
    pub location: String,
    /// `BACKUP_BUCKET`: where exports are.
    pub backups: String,
    /// The key of the audit trail and of reports.
    pub mac: MacConfig,
    /// The key of sealed texts.
    pub key: EncryptionKeyConfig,
    /// `AUDIT_ANCHOR_BUCKET`, or `AUDIT_ANCHOR_DIR` in development: the anchors of the audit trail,
    /// and the reports.
    pub anchors: BucketConfig,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            service: ServiceConfig::load(env)?,
            project_id: env.required("DRILL_PROJECT")?.to_owned(),
            location: env.required("DRILL_LOCATION")?.to_owned(),
            backups: env.required("BACKUP_BUCKET")?.to_owned(),
            mac: MacConfig::load(env)?,
            key: EncryptionKeyConfig::load(env)?,
            anchors: BucketConfig::load(env, BUCKET, DIRECTORY)?,
        })
    }
}
