use shared::{
    config::{Env, Error, ServiceConfig},
    email::SendGridConfig,
};

/// Variables of `on-user-create`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
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
            sendgrid: SendGridConfig::load(env)?,
        })
    }
}
