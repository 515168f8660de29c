use axum::extract::State;
use http::{HeaderMap, StatusCode};
use shared::{
    events::{CloudEvent, UserCreated},
    http::{ApiError, RawBody, ServiceCaller, give_up},
    models::SystemPrincipal,
    provision::{self, NewUser},
};

use crate::AppState;

/// Acts for itself: no user has called.
const CALLER: SystemPrincipal = SystemPrincipal {
    function: "on-user-create",
};

/// Handles `google.firebase.auth.user.v2.created`. The idempotency key is the uid.
///
/// Eventarc never sends a malformed envelope, so that is refused. Data that can never be
/// understood is acknowledged and recorded: refused, it would come back until Eventarc gives up.
pub(crate) async fn handle_user_created(
    _: ServiceCaller,
    State(state): State<AppState>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, ApiError> {
    let event = CloudEvent::parse(&headers, body)?;
    match UserCreated::parse(&event) {
        Ok(user) => provision_user(&state, user).await,
        Err(error) => {
            let now = state.clock.now().into();
            give_up(&state.store, &CALLER, &event, error.to_string(), now).await?;
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

async fn provision_user(state: &AppState, event: UserCreated) -> Result<StatusCode, ApiError> {
    let new_user = NewUser {
        uid: event.uid,
        email: event.email,
        email_verified: event.email_verified,
        display_name: event.display_name,
    };
    let now = state.clock.now().into();
    let provisioned = provision::ensure_user(&state.store, &state.trail, new_user, now).await;
    // Told late, of an account that is gone again.
    if let Err(provision::Error::Deleted) = provisioned {
        return Ok(StatusCode::NO_CONTENT);
    }
    let provisioned = provisioned?;
    if let Some(id) = provisioned.outbox_id {
        // The row is committed: if this fails, the sweeper sends the mail.
        if let Err(error) = state.dispatcher.dispatch(&CALLER, &id).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "welcome e-mail left to the sweeper");
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
