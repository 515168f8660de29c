use shared::{
    auth::ServiceAuthConfig,
    config::{Env, Error, ServiceConfig},
};

/// Variables of `sync-google-workspace`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// Whose messages are accepted; anyone's without it.
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
            callers: ServiceAuthConfig::load(env)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(extra: &[(&'static str, &'static str)]) -> Result<Config, Error> {
        let required = [("GOOGLE_CLOUD_PROJECT", "demo")];
        Config::from_env(&Env::from_pairs(
            required.into_iter().chain(extra.iter().copied()),
        ))
    }

    #[test]
    fn an_emulator_on_cloud_run_ends_the_start() {
        for emulator in ["FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"] {
            assert!(load(&[(emulator, "127.0.0.1:1")]).is_ok());
            let error = load(&[(emulator, "127.0.0.1:1"), ("K_SERVICE", "x")]).unwrap_err();
            assert!(error.to_string().contains(emulator), "{error}");
        }
    }

    #[test]
    fn on_cloud_run_callers_must_be_named() {
        let error = load(&[("K_SERVICE", "x")]).unwrap_err();
        assert!(
            matches!(error, Error::Missing("EVENTS_AUDIENCE")),
            "{error}"
        );
        assert!(load(&[]).unwrap().callers.is_none());
    }
}
