use shared::config::{Env, Error, ServiceConfig};

/// Variables of `sync-google-workspace`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            service: ServiceConfig::load(env)?,
        })
    }
}
