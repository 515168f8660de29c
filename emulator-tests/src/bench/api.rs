//! The API as `main` serves it, except that the keys of ID tokens are local.

use std::sync::Arc;

use anyhow::Result;
use api::{AppState, Config, router};
use shared::{
    auth::{FirebaseVerifier, KeySet},
    clock::SystemClock,
    config::Env,
    http::client,
    identity::IdentityToolkit,
    quota::MeteredLlm,
    rate_limit::RateLimits,
    store::{Store, firestore::Firestore},
    telemetry,
};

use super::{
    caller::{FixedKeys, KEYS},
    contender::serve,
};

/// Limits that no load reaches, of every second.
pub(super) const HIGH_LIMITS: [(&str, &str); 4] = [
    ("RATE_LIMIT_CLIENT", "10000"),
    ("RATE_LIMIT_USER", "10000"),
    ("RATE_LIMIT_HOOKS", "10000"),
    ("RATE_LIMIT_WINDOW_SECS", "1"),
];

/// Serves the API as `main` does, except that the keys of ID tokens are its caller's.
///
/// # Errors
/// Returns what is missing.
pub async fn serve_api() -> Result<()> {
    let env = Env::from_process();
    let config = Config::from_env(&env)?;
    let _telemetry = telemetry::init(&env, &config.service)?;
    let clock = SystemClock::shared();
    let store = Store::new(Arc::new(Firestore::new(&config.service)));
    let keys = Arc::new(FixedKeys(KeySet::from_jwks(env.required(KEYS)?)?));
    let project_id = config.service.project_id.clone();
    let verifier = FirebaseVerifier::new(&project_id, keys, clock.clone());
    let accounts = IdentityToolkit::new(client()?, &project_id, None);
    let providers = config.providers.providers(client()?)?;
    let admission = config.admission.clone();
    let limits = RateLimits::new(config.rate_limits.clone(), clock.clone())?;
    let llm = MeteredLlm::of(providers, None, &admission, store.clone(), clock.clone())?;
    let state = AppState::with_ports(config, store, Arc::new(verifier), Arc::new(accounts), clock);
    serve(router(state.with_llm(Some(llm)).with_limits(Some(limits)))).await
}
