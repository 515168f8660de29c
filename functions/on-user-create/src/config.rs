use shared::{
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    email::SendGridConfig,
    invitation::AppUrl,
};

/// Variables of `on-user-create`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// The key of the audit trail and of invitation tokens.
    pub mac: MacConfig,
    /// Where links in e-mails lead.
    pub app_url: AppUrl,
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
            app_url: AppUrl::load(env)?,
            sendgrid: SendGridConfig::load(env)?,
        })
    }
}
