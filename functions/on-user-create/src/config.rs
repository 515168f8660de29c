use shared::{
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    email::SendGridConfig,
};

/// Variables of `on-user-create`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// The key of the audit trail.
    pub mac: MacConfig,
    /// Where the welcome e-mail is handed in.
    pub sendgrid: SendGridConfig,
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
            sendgrid: SendGridConfig::load(env)?,
        })
    }
}
