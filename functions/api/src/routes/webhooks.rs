mod delivery;

use axum::{Json as Body, extract::State, response::Response};
use http::{HeaderMap, StatusCode, Uri};
use secrecy::ExposeSecret;
use serde::Serialize;
use shared::{
    http::{Allowed, ApiError, Path, RawBody, can},
    ids::WorkflowId,
};

use super::{PREFIX, answer::made};
use crate::{
    AppState,
    webhooks::{self, Address, Known, Signed},
};

/// Largest body of a request to a webhook, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 256_000;

/// The webhooks of a workflow.
#[derive(Serialize)]
pub(super) struct WebhooksResponse {
    items: Vec<WebhookResponse>,
}

#[derive(Serialize)]
struct WebhookResponse {
    id: String,
    /// Where to send requests to, on the host of this API. Whoever knows it can start the workflow.
    path: String,
    /// What requests have to be signed with; absent when they need not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

pub(super) async fn list_webhooks(
    State(state): State<AppState>,
    caller: Allowed<can::ReadWebhooks>,
    Path(id): Path<WorkflowId>,
) -> Result<Body<WebhooksResponse>, ApiError> {
    let (store, trail, keys) = (&state.store, &state.trail, &state.hook_keys);
    let known = webhooks::list(store, trail, keys, &caller.0, &id, state.now()).await?;
    let items = known.into_iter().map(Into::into).collect();
    Ok(Body(WebhooksResponse { items }))
}

/// Verifies the body before it is parsed.
pub(super) async fn receive_webhook(
    State(state): State<AppState>,
    Path((workflow_id, hook_id, token)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    let address = Address {
        workflow_id: &workflow_id,
        hook_id: &hook_id,
        token: &token,
    };
    let hook = webhooks::find(&state.store, &state.hook_keys, &address).await?;
    let now = state.now();
    let signed = Signed {
        id: delivery::header(&headers, "webhook-id"),
        timestamp: delivery::header(&headers, "webhook-timestamp"),
        signature: delivery::header(&headers, "webhook-signature"),
        body: &body,
    };
    let query = uri.query().unwrap_or_default();
    hook.verify(&signed, !query.is_empty(), now)?;
    let delivery = delivery::read(&headers, query, &body)?;
    let done = hook.start(&state.store, &delivery, now).await?;
    let path = format!("/executions/{}", done.value.execution_id);
    made(StatusCode::ACCEPTED, &path, &done)
}

impl From<Known> for WebhookResponse {
    fn from(known: Known) -> Self {
        let secret = known.secret.as_ref();
        Self {
            id: known.id,
            path: format!("{PREFIX}{}", known.path),
            secret: secret.map(|secret| secret.expose_secret().to_owned()),
        }
    }
}
