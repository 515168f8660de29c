use http::HeaderValue;
use shared::{
    auth::AuthConfig,
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    http::cors_origins,
    invitation::AppUrl,
    llm::{ProvidersConfig, default_model},
    quota::AdmissionConfig,
    rate_limit::RateLimitConfig,
    storage::BucketConfig,
    topic::TopicConfig,
    vault::VaultConfig,
};

use crate::billing::{ReturnUrls, StripeConfig};

/// Variables of `api`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// Whose ID tokens are accepted.
    pub auth: AuthConfig,
    /// The key of the audit trail and of invitation tokens.
    pub mac: MacConfig,
    /// `CORS_ORIGINS`: origins whose pages may call, comma-separated; default none.
    pub cors_origins: Vec<HeaderValue>,
    /// The model of agents made without one, to be set as it is for `execute-workflow`.
    pub default_model: String,
    /// Which models can be asked.
    pub providers: ProvidersConfig,
    /// How calls of models are admitted.
    pub admission: AdmissionConfig,
    /// How often somebody may come.
    pub rate_limits: RateLimitConfig,
    /// What opens credentials and calls connected services, if credentials have a key.
    pub vault: Option<VaultConfig>,
    /// `APP_URL`: where users come back to from a consent.
    pub app_url: AppUrl,
    /// The platform's account at Stripe, if anything is sold.
    pub stripe: Option<StripeConfig>,
    /// `BILLING_RETURN_ORIGINS`: where Stripe's pages may send a browser back to.
    pub return_urls: ReturnUrls,
    /// `SYNC_TOPIC`: what has integrations be synced, if anything.
    pub sync_topic: Option<TopicConfig>,
    /// Where `execute-workflow` keeps answers that are too large for a document:
    /// `ARTIFACTS_BUCKET`, or `ARTIFACTS_DIR` in development; if anywhere.
    pub artifacts: Option<BucketConfig>,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        let service = ServiceConfig::load(env)?;
        let app_url = AppUrl::load(env)?;
        Ok(Self {
            auth: AuthConfig::load(env, &service)?,
            mac: MacConfig::load(env)?,
            service,
            cors_origins: cors_origins(env)?,
            default_model: default_model(env)?,
            providers: ProvidersConfig::new(env),
            admission: AdmissionConfig::load(env)?,
            rate_limits: RateLimitConfig::load(env)?,
            vault: VaultConfig::load_optional(env)?,
            stripe: StripeConfig::load_optional(env)?,
            return_urls: ReturnUrls::load(env, &app_url)?,
            app_url,
            sync_topic: TopicConfig::load_optional(env, "SYNC_TOPIC")?,
            artifacts: BucketConfig::load_optional(env, "ARTIFACTS_BUCKET", "ARTIFACTS_DIR")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str, value: &str) -> Result<Config, Error> {
        Config::from_env(&Env::from_pairs([
            ("GOOGLE_CLOUD_PROJECT", "demo"),
            ("LOCAL_MAC_KEY", "local"),
            ("APP_URL", "https://app.example.com"),
            (name, value),
        ]))
    }

    #[test]
    fn without_a_key_for_credentials_nothing_can_be_connected() {
        assert!(load("OTHER", "x").unwrap().vault.is_none());
        let key = "projects/p/locations/l/keyRings/r/cryptoKeys/k";
        assert!(load("KMS_CREDENTIALS_KEY", key).unwrap().vault.is_some());
        assert!(load("KMS_CREDENTIALS_KEY", "k").is_err());
    }

    #[test]
    fn on_cloud_run_there_must_be_a_key_for_credentials() {
        let key = "projects/p/locations/l/keyRings/r/cryptoKeys/k";
        let load = |credentials| {
            Config::from_env(&Env::from_pairs([
                ("K_SERVICE", "api"),
                ("GOOGLE_CLOUD_PROJECT", "demo"),
                (
                    "KMS_MAC_KEY",
                    "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
                ),
                ("APP_URL", "https://app.example.com"),
                ("SYNC_TOPIC", "projects/demo/topics/sync"),
                ("KMS_CREDENTIALS_KEY", credentials),
            ]))
        };
        assert!(load(key).unwrap().vault.is_some());
        let missing = load("").unwrap_err();
        assert!(
            matches!(missing, Error::Missing("KMS_CREDENTIALS_KEY")),
            "{missing}"
        );
    }
}
