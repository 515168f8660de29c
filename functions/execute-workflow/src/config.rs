use shared::{
    auth::{AuthConfig, ServiceAuthConfig},
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    egress::EgressConfig,
    email::SendGridConfig,
    invitation::AppUrl,
    llm::{ProvidersConfig, default_model},
    queue::QueueConfig,
    quota::AdmissionConfig,
    storage::BucketConfig,
    vault::VaultConfig,
};

use crate::Settings;

/// Variables of `execute-workflow`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// Where the accounts are kept.
    pub auth: AuthConfig,
    /// The key of the audit trail and of invitation tokens.
    pub mac: MacConfig,
    /// Where links in e-mails lead.
    pub app_url: AppUrl,
    /// Which models can be asked.
    pub providers: ProvidersConfig,
    /// How calls of the model are admitted.
    pub admission: AdmissionConfig,
    /// Where the sweeper hands in e-mails that are still to be sent.
    pub sendgrid: SendGridConfig,
    /// How runs are run.
    pub settings: Settings,
    /// Where runs that go on later are handed in.
    pub queue: QueueConfig,
    /// What HTTP nodes may reach.
    pub egress: EgressConfig,
    /// What opens the credentials of connected services, if any can be connected.
    pub vault: Option<VaultConfig>,
    /// Where answers are kept that are too large for a document: `ARTIFACTS_BUCKET`, or
    /// `ARTIFACTS_DIR` in development; if anywhere.
    pub artifacts: Option<BucketConfig>,
    /// Whose events and ticks are accepted; anyone's without it.
    pub callers: Option<ServiceAuthConfig>,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        let service = ServiceConfig::load(env)?;
        Ok(Self {
            auth: AuthConfig::load(env, &service)?,
            service,
            mac: MacConfig::load(env)?,
            app_url: AppUrl::load(env)?,
            settings: Settings::load(env, default_model(env)?)?,
            providers: ProvidersConfig::new(env),
            admission: AdmissionConfig::load(env)?,
            sendgrid: SendGridConfig::load(env)?,
            queue: QueueConfig::load(env)?,
            egress: EgressConfig::load(env)?,
            vault: VaultConfig::load_optional(env)?,
            artifacts: BucketConfig::load_optional(env, "ARTIFACTS_BUCKET", "ARTIFACTS_DIR")?,
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
        (
            "KMS_CREDENTIALS_KEY",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k",
        ),
        ("APP_URL", "https://app.example.com"),
        ("SENDGRID_API_KEY", "key"),
        ("EMAIL_FROM", "noreply@example.com"),
        ("TASKS_QUEUE", "projects/p/locations/l/queues/q"),
        ("TASKS_TARGET_URL", "https://execute-workflow.example.com"),
        ("TASKS_SERVICE_ACCOUNT", "tasks@p.iam.gserviceaccount.com"),
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
