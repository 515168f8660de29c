use axum::{
    Json as Body,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::{delete, get, post},
};
use garde::Validate;
use http::{HeaderValue, Method, StatusCode, Uri, header::CACHE_CONTROL};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Json, Path, Query, can},
    ids::IntegrationId,
    models::{IntegrationService, Timestamp},
};

use super::{
    Route,
    answer::{ListResponse, made},
    idempotency_key::IdempotencyKey,
    optional_json::OptionalJson,
    route,
};
use crate::{
    AppState,
    idempotency::Once,
    integrations::{
        self, Consent, Disconnected, Feature, Finished, IntegrationDetails, IntegrationSummary,
        Keys, MAX_RETURNED_LEN, Return, Unfinished,
    },
    page,
};

const CONNECT: &str = "integrations.connect";
const RECONNECT: &str = "integrations.reconnect";

/// Where browsers come back to from Google, and where the application finishes the consent.
pub(crate) const GOOGLE_CALLBACK: &str = "/integrations/google/callback";

/// Longest text in a request, in characters: an RSA key of 8,192 bits in PEM has about 6,500.
const MAX_LEN: usize = 8_192;

/// Where they are.
pub(super) const ROUTES: &[Route] = &[
    route(
        Method::POST,
        "/integrations/google/auth",
        Action::ConnectIntegration,
        || post(begin_google_consent),
    ),
    route(
        Method::POST,
        GOOGLE_CALLBACK,
        Action::ConnectIntegration,
        || post(finish_google_consent),
    ),
    route(
        Method::GET,
        "/integrations",
        Action::ReadIntegrations,
        || get(list_integrations),
    ),
    route(
        Method::POST,
        "/integrations",
        Action::ConnectIntegration,
        || post(connect_integration),
    ),
    route(
        Method::GET,
        "/integrations/{id}",
        Action::ConnectIntegration,
        || get(get_integration),
    ),
    route(
        Method::POST,
        "/integrations/{id}/reconnect",
        Action::ConnectIntegration,
        || post(reconnect_integration),
    ),
    route(
        Method::DELETE,
        "/integrations/{id}",
        Action::ConnectIntegration,
        || delete(disconnect_integration),
    ),
];

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

/// What the browser has brought back from Google: `state`, and `code` or `error`. All are secrets,
/// as in [`KeysRequest`].
#[derive(Default, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GoogleCallbackRequest {
    #[garde(custom(is_short_return))]
    state: Option<SecretString>,
    #[garde(custom(is_short_return))]
    code: Option<SecretString>,
    #[garde(custom(is_short_return))]
    error: Option<SecretString>,
}

/// What has come of a consent.
#[derive(Serialize)]
#[serde(
    tag = "status",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub(super) enum GoogleCallbackResponse {
    Connected {
        integration_id: IntegrationId,
        missing: Vec<String>,
    },
    /// Google gives what is needed only if the user is asked once more.
    ConsentRequired(GoogleAuthResponse),
}

/// What a service is connected with, and which one it is unless the path tells. All texts are
/// secrets here: an error must not repeat what was put into the wrong field.
#[derive(Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeysRequest {
    #[serde(default)]
    #[garde(custom(is_short))]
    service: Option<SecretString>,
    #[serde(default)]
    #[garde(custom(is_short))]
    key: Option<SecretString>,
    #[serde(default)]
    #[garde(custom(is_short))]
    app_id: Option<SecretString>,
    #[serde(default)]
    #[garde(custom(is_short))]
    installation_id: Option<SecretString>,
    #[serde(default)]
    #[garde(custom(is_short))]
    private_key: Option<SecretString>,
    #[serde(default)]
    #[garde(custom(is_short))]
    account_sid: Option<SecretString>,
    #[serde(default)]
    #[garde(custom(is_short))]
    key_sid: Option<SecretString>,
    #[serde(default)]
    #[garde(custom(is_short))]
    secret: Option<SecretString>,
}

/// Which integrations to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListIntegrationsQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

/// A new state for each call: a kept answer would hold the state's token, and it is single-use.
pub(super) async fn begin_google_consent(
    State(state): State<AppState>,
    caller: Allowed<can::ConnectIntegration>,
    OptionalJson(request): OptionalJson<GoogleAuthRequest>,
) -> Result<Body<GoogleAuthResponse>, ApiError> {
    let features = request.features.as_deref().unwrap_or(&Feature::ALL);
    let (hub, now) = (&state.hub, state.now());
    let consent = integrations::begin_google_consent(hub, &caller.0, features, now).await?;
    Ok(Body(consent.into()))
}

/// The browser comes here from Google, without a token: nothing is done but to send it on.
pub(super) async fn hand_over_google_consent(State(state): State<AppState>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let next = integrations::hand_over(&state.hub.app_url, query);
    let mut response = Redirect::to(&next).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

pub(super) async fn finish_google_consent(
    State(state): State<AppState>,
    caller: Allowed<can::ConnectIntegration>,
    Json(request): Json<GoogleCallbackRequest>,
) -> Result<Body<GoogleCallbackResponse>, ApiError> {
    let (hub, back) = (&state.hub, Return::try_from(request)?);
    let finished = integrations::finish_google_consent(hub, &caller.0, &back, state.now());
    Ok(Body(finished.await?.into()))
}

pub(super) async fn list_integrations(
    State(state): State<AppState>,
    caller: Allowed<can::ReadIntegrations>,
    Query(query): Query<ListIntegrationsQuery>,
) -> Result<Body<ListResponse<IntegrationSummary>>, ApiError> {
    let page = page::parse("integrations", query.limit, query.page_token.as_deref())?;
    let listing = integrations::list(&state.store, &caller.0, &page).await?;
    Ok(Body(ListResponse::new("integrations", listing)))
}

pub(super) async fn get_integration(
    State(state): State<AppState>,
    caller: Allowed<can::ConnectIntegration>,
    Path(id): Path<IntegrationId>,
) -> Result<Body<IntegrationDetails>, ApiError> {
    let (store, trail) = (&state.store, &state.trail);
    let details = integrations::view(store, trail, &caller.0, &id, state.now()).await?;
    Ok(Body(details))
}

pub(super) async fn connect_integration(
    State(state): State<AppState>,
    caller: Allowed<can::ConnectIntegration>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<KeysRequest>,
) -> Result<Response, ApiError> {
    let (principal, now) = (&caller.0, state.now());
    let service = parse_service(request.service.as_ref())?;
    let keys = Keys::from(request);
    let told = (service, keys.fingerprints());
    let once = Once::new(CONNECT, principal, key.as_deref(), &told, now)?;
    let done = integrations::connect(&state.hub, &once, principal, service, &keys, now).await?;
    let path = format!("/integrations/{}", done.value.id);
    made(StatusCode::CREATED, &path, &done)
}

pub(super) async fn reconnect_integration(
    State(state): State<AppState>,
    caller: Allowed<can::ConnectIntegration>,
    Path(id): Path<IntegrationId>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<KeysRequest>,
) -> Result<Response, ApiError> {
    let (principal, now) = (&caller.0, state.now());
    if request.service.is_some() {
        let message = "is that of the integration: leave it out";
        return Err(ApiError::invalid_field("service", message));
    }
    let keys = Keys::from(request);
    let told = (&id, keys.fingerprints());
    let once = Once::new(RECONNECT, principal, key.as_deref(), &told, now)?;
    let done = integrations::reconnect(&state.hub, &once, principal, &id, &keys, now).await?;
    let path = format!("/integrations/{}", done.value.id);
    made(StatusCode::OK, &path, &done)
}

pub(super) async fn disconnect_integration(
    State(state): State<AppState>,
    caller: Allowed<can::ConnectIntegration>,
    Path(id): Path<IntegrationId>,
) -> Result<Body<Disconnected>, ApiError> {
    let done = integrations::disconnect(&state.hub, &caller.0, &id, state.now()).await?;
    Ok(Body(done))
}

fn parse_service(text: Option<&SecretString>) -> Result<IntegrationService, ApiError> {
    let service = text.and_then(|text| {
        let text = Value::from(text.expose_secret());
        serde_json::from_value(text).ok()
    });
    service.ok_or_else(|| ApiError::invalid_field("service", "must be a service that has a key"))
}

fn is_short(text: &Option<SecretString>, (): &()) -> garde::Result {
    has_at_most(MAX_LEN, text.as_ref())
}

fn is_short_return(text: &Option<SecretString>, (): &()) -> garde::Result {
    has_at_most(MAX_RETURNED_LEN, text.as_ref())
}

fn has_at_most(max_len: usize, text: Option<&SecretString>) -> garde::Result {
    match text.map(|text| text.expose_secret().chars().count()) {
        Some(chars) if chars > max_len => {
            let message = format!("must have at most {max_len} characters");
            Err(garde::Error::new(message))
        }
        _ => Ok(()),
    }
}

impl TryFrom<GoogleCallbackRequest> for Return {
    type Error = Unfinished;

    fn try_from(request: GoogleCallbackRequest) -> Result<Self, Unfinished> {
        let state = request.state.ok_or(Unfinished::InvalidState)?;
        let code = match (request.code, request.error) {
            (Some(code), None) => Ok(code),
            (None, Some(error)) => Err(error),
            _ => return Err(Unfinished::InvalidCode),
        };
        Ok(Self { state, code })
    }
}

impl From<Finished> for GoogleCallbackResponse {
    fn from(finished: Finished) -> Self {
        match finished {
            Finished::Connected {
                integration_id,
                missing,
            } => Self::Connected {
                integration_id,
                missing,
            },
            Finished::AskAgain(consent) => Self::ConsentRequired(consent.into()),
        }
    }
}

impl From<Consent> for GoogleAuthResponse {
    fn from(consent: Consent) -> Self {
        Self {
            authorization_url: consent.url.into(),
            scopes: consent.scopes,
            expires_at: consent.expires_at,
        }
    }
}

impl From<KeysRequest> for Keys {
    fn from(request: KeysRequest) -> Self {
        Self {
            key: request.key,
            app_id: request.app_id,
            installation_id: request.installation_id,
            private_key: request.private_key,
            account_sid: request.account_sid,
            key_sid: request.key_sid,
            secret: request.secret,
        }
    }
}
