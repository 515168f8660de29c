//! The paths, as the Auth emulator serves them: the host of the real service comes first.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::SignInState;
use super::error::ApiError;

mod account;
mod email;
mod exchange;
mod reply;
mod update;

type Shared = State<Arc<SignInState>>;
type Reply = Result<Json<Value>, ApiError>;
type Route = MethodRouter<Arc<SignInState>>;

const IDENTITY_TOOLKIT: &str = "/identitytoolkit.googleapis.com/v1";
const TOKEN_PATH: &str = "/securetoken.googleapis.com/v1/token";

pub(super) fn router(state: Arc<SignInState>) -> Router {
    let mut router = Router::new()
        .route("/", get(show_readiness))
        .route(TOKEN_PATH, post(exchange::exchange_token));
    let project = format!("{IDENTITY_TOOLKIT}/projects/{}", state.project_id);
    for (verb, route) in account_routes() {
        router = router.route(&format!("{IDENTITY_TOOLKIT}/accounts:{verb}"), route);
    }
    for (verb, route) in owner_routes() {
        router = router.route(&format!("{project}/accounts{verb}"), route);
    }
    let emulator = format!("/emulator/v1/projects/{}", state.project_id);
    router
        .route(&format!("{emulator}/config"), get(show_config))
        .route(&format!("{emulator}/accounts"), delete(delete_accounts))
        .route(&format!("{emulator}/oobCodes"), get(email::list_codes))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::not_found())
        .layer(cors())
        .with_state(state)
}

fn account_routes() -> [(&'static str, Route); 7] {
    [
        ("signUp", post(account::create_account)),
        ("signInWithPassword", post(account::sign_in_with_password)),
        ("lookup", post(account::find_accounts)),
        ("update", post(update::update_account)),
        ("delete", post(account::delete_account)),
        ("sendOobCode", post(email::create_code)),
        ("resetPassword", post(email::reset_password)),
    ]
}

/// The calls of the Admin SDK, which name the project in the path.
fn owner_routes() -> [(&'static str, Route); 4] {
    [
        ("", post(account::create_account)),
        (":lookup", post(account::find_accounts)),
        (":update", post(update::update_account)),
        (":delete", post(account::delete_account)),
    ]
}

/// Any page may call, as on the emulator.
fn cors() -> CorsLayer {
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::PATCH,
        Method::POST,
        Method::DELETE,
    ];
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .allow_methods(methods)
        .allow_private_network(true)
}

async fn show_readiness() -> Json<Value> {
    Json(json!({ "authEmulator": { "ready": true } }))
}

async fn show_config() -> Json<Value> {
    Json(json!({
        "signIn": { "allowDuplicateEmails": false },
        "emailPrivacyConfig": { "enableImprovedEmailPrivacy": false },
    }))
}

async fn delete_accounts(State(state): Shared) -> Reply {
    state.accounts.delete_all()?;
    Ok(Json(json!({})))
}
