use axum::{Json as Body, extract::State};
use garde::Validate;
use serde::{Deserialize, Serialize};
use shared::{
    http::{Allowed, ApiError, can},
    models::Timestamp,
};

use super::optional_json::OptionalJson;
use crate::{AppState, google_consent::Feature, integrations};

/// What the user wants to connect; by default everything.
#[derive(Default, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GoogleAuthRequest {
    #[garde(length(min = 1, max = 10))]
    features: Option<Vec<Feature>>,
}

/// Where the user consents, and until when.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GoogleAuthResponse {
    authorization_url: String,
    scopes: Vec<String>,
    expires_at: Timestamp,
}

/// A new state for each call: a kept answer would hold the state's token, and it is single-use.
pub(super) async fn begin_google_consent(
    State(state): State<AppState>,
    caller: Allowed<can::ConnectIntegration>,
    OptionalJson(request): OptionalJson<GoogleAuthRequest>,
) -> Result<Body<GoogleAuthResponse>, ApiError> {
    let features = request.features.as_deref().unwrap_or(&Feature::ALL);
    let (store, client) = (&state.store, state.google.as_ref());
    let now = state.now();
    let consent =
        integrations::begin_google_consent(store, client, &caller.0, features, now).await?;
    Ok(Body(GoogleAuthResponse {
        authorization_url: consent.url.into(),
        scopes: consent.scopes,
        expires_at: consent.expires_at,
    }))
}
