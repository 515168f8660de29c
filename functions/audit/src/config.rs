use shared::{
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    storage::BucketConfig,
};

const BUCKET: &str = "AUDIT_ANCHOR_BUCKET";
const DIRECTORY: &str = "AUDIT_ANCHOR_DIR";

/// Variables of `audit`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the trail is.
    pub service: ServiceConfig,
    /// The key of the trail.
    pub mac: MacConfig,
    /// Where the anchors are: `AUDIT_ANCHOR_BUCKET`, or `AUDIT_ANCHOR_DIR` in development; if
    /// anywhere.
    pub anchors: Option<BucketConfig>,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            service: ServiceConfig::load(env)?,
            mac: MacConfig::load(env)?,
            anchors: BucketConfig::load_optional(env, BUCKET, DIRECTORY)?,
        })
    }
}
