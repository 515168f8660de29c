use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Error,
    claims::{Claims, check_signed, check_unsigned},
    google_keys::GoogleKeys,
    key_cache::KeyCache,
    keys::KeySource,
};
use crate::{
    clock::SharedClock,
    config::{self, Env, ServiceConfig},
};

/// Turns an ID token into the claims it proves.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// Verifies `token` as of now.
    async fn verify(&self, token: &str) -> Result<Claims, Error>;
}

/// Whose ID tokens are accepted.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// The project that issues the tokens.
    pub project_id: String,
    /// `FIREBASE_AUTH_EMULATOR_HOST`: accept the emulator's unsigned tokens; development only.
    pub emulator_host: Option<String>,
}

impl AuthConfig {
    /// Reads the variables of token verification.
    ///
    /// # Errors
    /// Returns [`config::Error::DevelopmentOnly`] when the emulator is named on Cloud Run.
    pub fn load(env: &Env, service: &ServiceConfig) -> Result<Self, config::Error> {
        let emulator_host = env.development_only("FIREBASE_AUTH_EMULATOR_HOST")?;
        Ok(Self {
            project_id: service.project_id.clone(),
            emulator_host: emulator_host.map(str::to_owned),
        })
    }

    /// The verifier that this configuration asks for.
    #[must_use]
    pub fn verifier(&self, clock: SharedClock, client: reqwest::Client) -> Arc<dyn TokenVerifier> {
        let project_id = self.project_id.as_str();
        if self.emulator_host.is_some() {
            return Arc::new(EmulatorVerifier::new(project_id, clock));
        }
        let keys = Arc::new(GoogleKeys::for_firebase(client));
        Arc::new(FirebaseVerifier::new(project_id, keys, clock))
    }
}

/// Verifies tokens that Firebase has signed.
pub struct FirebaseVerifier {
    project_id: String,
    keys: KeyCache,
    clock: SharedClock,
}

impl FirebaseVerifier {
    /// A verifier for the tokens of one project.
    #[must_use]
    pub fn new(
        project_id: impl Into<String>,
        source: Arc<dyn KeySource>,
        clock: SharedClock,
    ) -> Self {
        Self {
            project_id: project_id.into(),
            keys: KeyCache::new(source, Arc::clone(&clock)),
            clock,
        }
    }
}

#[async_trait]
impl TokenVerifier for FirebaseVerifier {
    async fn verify(&self, token: &str) -> Result<Claims, Error> {
        let candidate = check_signed(token, self.clock.now(), &self.project_id)?;
        let keys = self.keys.keys_for(candidate.key_id()?).await?;
        candidate.confirm(&keys)
    }
}

/// Accepts the unsigned tokens of the Auth emulator, which anyone can make. Only
/// [`AuthConfig::verifier`] makes one.
struct EmulatorVerifier {
    project_id: String,
    clock: SharedClock,
}

impl EmulatorVerifier {
    fn new(project_id: impl Into<String>, clock: SharedClock) -> Self {
        Self {
            project_id: project_id.into(),
            clock,
        }
    }
}

#[async_trait]
impl TokenVerifier for EmulatorVerifier {
    async fn verify(&self, token: &str) -> Result<Claims, Error> {
        check_unsigned(token, self.clock.now(), &self.project_id)
    }
}
