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
    use super::*;

    const KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

    #[test]
    fn an_emulator_on_cloud_run_ends_the_start() {
        for emulator in ["FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"] {
            let variables = [
                ("GOOGLE_CLOUD_PROJECT", "demo"),
                ("KMS_MAC_KEY", KEY),
                (emulator, "127.0.0.1:1"),
            ];
            assert!(Config::from_env(&Env::from_pairs(variables)).is_ok());
            let env = variables.into_iter().chain([("K_SERVICE", "x")]);
            let error = Config::from_env(&Env::from_pairs(env)).unwrap_err();
            assert!(error.to_string().contains(emulator), "{error}");
        }
    }
}
