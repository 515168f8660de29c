use std::{collections::HashMap, net::SocketAddr};

use shared::{
    auth::{AuthConfig, ServiceAuthConfig},
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    email::SendGridConfig,
    invitation::AppUrl,
    llm::OpenAiConfig,
    queue::QueueConfig,
};

/// Hosts that HTTP nodes reach at a given address; development only.
const HOST_OVERRIDES: &str = "EGRESS_HOST_OVERRIDES";

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
    /// The model provider.
    pub openai: OpenAiConfig,
    /// Where the sweeper hands in e-mails that are still to be sent.
    pub sendgrid: SendGridConfig,
    /// Where runs that go on later are handed in.
    pub queue: QueueConfig,
    /// `EGRESS_HOST_OVERRIDES`: `host=address:port`, comma-separated.
    pub egress_host_overrides: HashMap<String, SocketAddr>,
    /// Whose events and ticks are accepted; anyone's without it.
    pub callers: Option<ServiceAuthConfig>,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        env.development_only(HOST_OVERRIDES)?;
        let overrides = env.list(HOST_OVERRIDES);
        let service = ServiceConfig::load(env)?;
        Ok(Self {
            auth: AuthConfig::load(env, &service)?,
            service,
            mac: MacConfig::load(env)?,
            app_url: AppUrl::load(env)?,
            openai: OpenAiConfig::load(env)?,
            sendgrid: SendGridConfig::load(env)?,
            queue: QueueConfig::load(env)?,
            egress_host_overrides: overrides
                .iter()
                .map(|pair| parse(pair))
                .collect::<Result<_, _>>()?,
            callers: ServiceAuthConfig::load(env)?,
        })
    }
}

fn parse(pair: &str) -> Result<(String, SocketAddr), Error> {
    let parsed = pair.split_once('=').and_then(|(host, address)| {
        let address: SocketAddr = address.parse().ok()?;
        Some((host.to_owned(), address))
    });
    let reason = "expected `host=address:port`, comma-separated".to_owned();
    parsed.ok_or(Error::Invalid {
        name: HOST_OVERRIDES,
        reason,
    })
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
        ("OPENAI_API_KEY", "key"),
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
