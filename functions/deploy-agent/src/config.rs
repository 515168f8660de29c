use http::HeaderValue;
use shared::{
    auth::AuthConfig,
    config::{Env, Error, ServiceConfig},
    http::cors_origins,
};

/// Variables of `deploy-agent`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// Whose ID tokens are accepted.
    pub auth: AuthConfig,
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
            service,
            cors_origins: cors_origins(env)?,
        })
    }
}
