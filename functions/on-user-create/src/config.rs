use shared::{
    auth::ServiceAuthConfig,
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
    /// Whose events are accepted; anyone's without it.
    pub callers: Option<ServiceAuthConfig>,
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
            callers: ServiceAuthConfig::load(env)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use shared::testing;

    use super::*;

    const KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

    const REQUIRED: &[(&str, &str)] = &[
        ("GOOGLE_CLOUD_PROJECT", "demo"),
        ("KMS_MAC_KEY", KEY),
        ("APP_URL", "https://app.example.com"),
        ("SENDGRID_API_KEY", "key"),
        ("EMAIL_FROM", "noreply@example.com"),
    ];

    #[test]
    fn an_emulator_on_cloud_run_ends_the_start() {
        testing::assert_emulators_end_the_start(REQUIRED, Config::from_env);
    }

    #[test]
    fn on_cloud_run_callers_must_be_named() {
        let load = |env: &Env| Config::from_env(env).map(|config| config.callers);
        testing::assert_callers_must_be_named(REQUIRED, load);
    }
}
