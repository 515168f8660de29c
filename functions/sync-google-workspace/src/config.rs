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
    use shared::testing;

    use super::*;

    const REQUIRED: &[(&str, &str)] = &[("GOOGLE_CLOUD_PROJECT", "demo")];

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
