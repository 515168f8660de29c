use secrecy::SecretString;
use shared::config::{Env, Error};

/// Variables of `stripe-setup`.
#[derive(Clone, Debug)]
pub struct Config {
    /// `STRIPE_API_KEY`: secret or restricted key that may change the account's settings.
    pub api_key: SecretString,
    /// `STRIPE_API_BASE_URL`: where the API is; default `https://api.stripe.com/`.
    pub api_base_url: String,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        let base_url: String =
            env.parsed("STRIPE_API_BASE_URL", "https://api.stripe.com".to_owned())?;
        Ok(Self {
            api_key: env.secret("STRIPE_API_KEY")?,
            api_base_url: format!("{}/", base_url.trim_end_matches('/')),
        })
    }
}
