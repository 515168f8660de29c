use shared::{
    config::{Env, Error, ServiceConfig},
    crypto::EncryptionKeyConfig,
};

/// Variables of `rewrap`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the sealed texts are.
    pub service: ServiceConfig,
    /// The key that they are sealed below.
    pub key: EncryptionKeyConfig,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            service: ServiceConfig::load(env)?,
            key: EncryptionKeyConfig::load(env)?,
        })
    }
}
