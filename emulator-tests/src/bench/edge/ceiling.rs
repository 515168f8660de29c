//! The least that an answer takes: the signature or the token is checked, and nothing else is done.

use std::sync::Arc;

use anyhow::Result;
use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use shared::{
    auth::{FirebaseVerifier, KeySet, TokenVerifier},
    clock::SystemClock,
    config::Env,
};

use super::ask::SECRET;
use crate::bench::{
    caller::{FixedKeys, KEYS},
    contender::serve,
};

struct Checks {
    key: hmac::Key,
    verifier: FirebaseVerifier,
}

/// Serves both doors.
///
/// # Errors
/// Returns what is missing.
pub async fn serve_ceiling() -> Result<()> {
    let env = Env::from_process();
    let keys = Arc::new(FixedKeys(KeySet::from_jwks(env.required(KEYS)?)?));
    let project_id = env.required("GOOGLE_CLOUD_PROJECT")?;
    let state = Arc::new(Checks {
        key: hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()),
        verifier: FirebaseVerifier::new(project_id, keys, SystemClock::shared()),
    });
    let routes = Router::new()
        .route("/", post(take_event))
        .route("/api/v1/me", get(tell_uid));
    serve(routes.with_state(state)).await
}

async fn take_event(
    State(checks): State<Arc<Checks>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let status = match is_genuine(&checks.key, &headers, &body) {
        true => StatusCode::OK,
        false => StatusCode::BAD_REQUEST,
    };
    (status, "{}")
}

fn is_genuine(key: &hmac::Key, headers: &HeaderMap, body: &[u8]) -> bool {
    let header = headers.get("stripe-signature");
    let Some(header) = header.and_then(|header| header.to_str().ok()) else {
        return false;
    };
    let part = |name| header.split(',').find_map(|part| part.strip_prefix(name));
    let (Some(time), Some(hex)) = (part("t="), part("v1=")) else {
        return false;
    };
    let bytes = hex.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        u8::from_str_radix(pair, 16).unwrap_or_default()
    });
    let signed = [time.as_bytes(), b".", body].concat();
    hmac::verify(key, &signed, &bytes.collect::<Vec<u8>>()).is_ok()
}

async fn tell_uid(
    State(checks): State<Arc<Checks>>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    let header = headers.get("authorization");
    let token = header
        .and_then(|header| header.to_str().ok())
        .and_then(|header| header.strip_prefix("Bearer "))
        .ok_or(StatusCode::UNAUTHORIZED)?;
    let claims = checks.verifier.verify(token).await;
    let claims = claims.map_err(|_| StatusCode::UNAUTHORIZED)?;
    Ok(format!(r#"{{"uid":"{}"}}"#, claims.uid))
}
