use http::HeaderValue;
use shared::{
    auth::AuthConfig,
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    http::cors_origins,
};

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
}
