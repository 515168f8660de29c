//! The least that a gateway does, in a process of its own.

use std::sync::Arc;

use anyhow::Result;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use reqwest::{Client, StatusCode};
use shared::{config::Env, http::client};

use crate::bench::contender::serve;

/// The variable with the model's address.
pub(super) const UPSTREAM: &str = "OPENAI_BASE_URL";

/// Serves a pass-through: the least that a gateway does.
///
/// # Errors
/// Returns what is missing.
pub async fn serve_pass_through() -> Result<()> {
    let env = Env::from_process();
    let url = format!("{}/chat/completions", env.required(UPSTREAM)?);
    let state = Arc::new((client()?, url));
    let path = "/api/v1/llm/chat/completions";
    serve(Router::new().route(path, post(pass)).with_state(state)).await
}

async fn pass(
    State(state): State<Arc<(Client, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, StatusCode> {
    let (client, url) = &*state;
    let mut request = client.post(url).body(body);
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        request = request.header(CONTENT_TYPE, kind);
    }
    let answer = request.send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let (status, kind) = (answer.status(), answer.headers().get(CONTENT_TYPE).cloned());
    let body = Body::from_stream(answer.bytes_stream());
    let mut response = (status, body).into_response();
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    Ok(response)
}
