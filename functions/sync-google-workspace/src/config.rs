use shared::{
    auth::ServiceAuthConfig,
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    llm::ProvidersConfig,
    quota::AdmissionConfig,
    topic::{TopicConfig, topic_name},
    vault::VaultConfig,
};

use crate::Settings;

const MAIL_TOPIC: &str = "GMAIL_TOPIC";

/// Variables of `sync-google-workspace`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// How syncs are run.
    pub settings: Settings,
    /// Which models can be asked.
    pub providers: ProvidersConfig,
    /// How calls of the model are admitted.
    pub admission: AdmissionConfig,
    /// What opens the credentials of connected accounts, if any can be connected.
    pub vault: Option<VaultConfig>,
    /// Where integrations that are due are told: `SYNC_TOPIC`.
    pub topic: Option<TopicConfig>,
    /// `GMAIL_TOPIC`, to which Gmail publishes changes of mailboxes, and the key that they are found
    /// by; without it they are found at the next tick.
    pub mail_push: Option<(String, MacConfig)>,
    /// Whose messages are accepted; anyone's without it.
    pub callers: Option<ServiceAuthConfig>,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        let mail_push = env.optional(MAIL_TOPIC).map(|topic| {
            let topic = topic_name(MAIL_TOPIC, topic)?;
            Ok((topic, MacConfig::load(env)?))
        });
        Ok(Self {
            service: ServiceConfig::load(env)?,
            settings: Settings::load(env)?,
            providers: ProvidersConfig::new(env),
            admission: AdmissionConfig::load(env)?,
            vault: VaultConfig::load_optional(env)?,
            topic: TopicConfig::load_optional(env, "SYNC_TOPIC")?,
            mail_push: mail_push.transpose()?,
            callers: ServiceAuthConfig::load(env)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use shared::testing;

    use super::*;

    const REQUIRED: &[(&str, &str)] = &[
        ("GOOGLE_CLOUD_PROJECT", "demo"),
        ("SYNC_TOPIC", "projects/demo/topics/workspace-sync"),
        (
            "KMS_CREDENTIALS_KEY",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k",
        ),
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
