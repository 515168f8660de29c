use http::HeaderValue;
use shared::{
    auth::{AuthConfig, ServiceAuthConfig},
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    http::cors_origins,
    rate_limit::RateLimitConfig,
};

use crate::orchestrator::CloudRunConfig;

/// Variables of `deploy-agent`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// Whose ID tokens are accepted.
    pub auth: AuthConfig,
    /// The key of the audit trail.
    pub mac: MacConfig,
    /// `CORS_ORIGINS`: origins whose pages may call, comma-separated; default none.
    pub cors_origins: Vec<HeaderValue>,
    /// The services that agents run in, if there is an image for them.
    pub containers: Option<CloudRunConfig>,
    /// Whose events and ticks are accepted; anyone's without it.
    pub callers: Option<ServiceAuthConfig>,
    /// How often somebody may come.
    pub rate_limits: RateLimitConfig,
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
            mac: MacConfig::load(env)?,
            containers: CloudRunConfig::load_optional(env, &service.project_id)?,
            callers: ServiceAuthConfig::load(env)?,
            rate_limits: RateLimitConfig::load(env)?,
            service,
            cors_origins: cors_origins(env)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use shared::testing;

    use super::*;

    const KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

    #[test]
    fn an_emulator_on_cloud_run_ends_the_start() {
        let required = [("GOOGLE_CLOUD_PROJECT", "demo"), ("KMS_MAC_KEY", KEY)];
        testing::assert_emulators_end_the_start(&required, Config::from_env);
    }

    #[test]
    fn on_cloud_run_callers_must_be_named() {
        let required = [("GOOGLE_CLOUD_PROJECT", "demo"), ("KMS_MAC_KEY", KEY)];
        let load = |env: &Env| Config::from_env(env).map(|config| config.callers);
        testing::assert_callers_must_be_named(&required, load);
    }
}
