use std::fmt;

use super::Vault;
use crate::{
    clock::SharedClock,
    config::{Env, Error},
    connectors::{
        Connectors,
        google::oauth::{GoogleOAuth, GoogleOAuthConfig},
    },
    crypto::{EncryptionKeyConfig, Envelope},
    store::Store,
};

/// What names the key that credentials are sealed with.
const KEYS: [&str; 2] = ["KMS_CREDENTIALS_KEY", "LOCAL_CREDENTIALS_KEY_FILE"];

/// What the hub works with.
#[derive(Clone)]
pub struct VaultConfig {
    key: EncryptionKeyConfig,
    google: Option<GoogleOAuthConfig>,
    /// Where the services are.
    env: Env,
}

impl VaultConfig {
    /// Reads the variables, if a key for credentials is named: without one, which is allowed off
    /// Cloud Run only, no service can be connected.
    ///
    /// # Errors
    /// Returns the variable that is missing, invalid, or not allowed on Cloud Run.
    pub fn load_optional(env: &Env) -> Result<Option<Self>, Error> {
        let has_key = KEYS.iter().any(|name| env.optional(name).is_some());
        if !has_key && !env.is_cloud_run() {
            return Ok(None);
        }
        Ok(Some(Self {
            key: EncryptionKeyConfig::load(env)?,
            google: GoogleOAuthConfig::load_optional(env)?,
            env: env.clone(),
        }))
    }

    /// The hub, which calls the services by `client`'s connections.
    ///
    /// # Errors
    /// Returns the variable of a service's address that is invalid or not allowed on Cloud Run.
    pub fn vault(
        self,
        store: Store,
        client: &reqwest::Client,
        clock: SharedClock,
    ) -> Result<Vault, Error> {
        let connectors = Connectors::load(&self.env, client, &clock)?;
        let google = self.google;
        let google = google.map(|config| GoogleOAuth::new(config, client.clone(), clock.clone()));
        let envelope = Envelope::new(self.key.key(), clock.clone());
        Ok(Vault::new(store, envelope, connectors, google, clock))
    }
}

impl fmt::Debug for VaultConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("VaultConfig");
        shown.field("key", &self.key).finish_non_exhaustive()
    }
}
