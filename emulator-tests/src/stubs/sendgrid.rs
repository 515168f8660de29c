//! A mail sink that speaks SendGrid's `POST /v3/mail/send`.
//!
//! Wire: <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonschema::Validator;
use serde_json::Value;
use tokio::sync::watch;

use super::contract;
use crate::emulators::LocalServer;
use error::ApiError;

pub use message::Message;

mod error;
mod message;
mod validate;

/// SendGrid's name for one accepted request.
const MESSAGE_ID: HeaderName = HeaderName::from_static("x-message-id");

/// What a [`SendGrid`] starts with.
#[derive(Debug, Clone, Copy, Default)]
pub struct SendGridOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
}

/// A running mail sink; dropping it stops it.
#[derive(Debug)]
pub struct SendGrid {
    server: LocalServer,
    state: Arc<SendGridState>,
}

#[derive(Debug)]
struct SendGridState {
    schema: Validator,
    messages: watch::Sender<Vec<Message>>,
}

type Shared = State<Arc<SendGridState>>;

impl SendGrid {
    /// Starts to serve.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: SendGridOptions) -> anyhow::Result<Self> {
        let state = Arc::new(SendGridState {
            schema: contract::sendgrid_mail()?,
            messages: watch::Sender::default(),
        });
        let router = Router::new()
            .route("/v3/mail/send", post(send_mail))
            .route("/messages", get(list_messages).delete(delete_messages))
            .with_state(Arc::clone(&state));
        let server = LocalServer::start("sendgrid", options.port, router).await?;
        Ok(Self { server, state })
    }

    /// The address for `SENDGRID_BASE_URL`, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Where people read the mails.
    #[must_use]
    pub fn messages_url(&self) -> String {
        format!("{}/messages", self.server.url())
    }

    /// The mails so far, newest last.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.state.messages.borrow().clone()
    }

    /// The mails, once there are `count` of them.
    pub async fn wait_for(&self, count: usize) -> Vec<Message> {
        let mut messages = self.state.messages.subscribe();
        let arrived = messages.wait_for(|messages| messages.len() >= count).await;
        // The sender lives as long as `self`.
        arrived.map_or_else(|_| Vec::new(), |messages| messages.clone())
    }

    /// The mails after the one named `last`, once there are any; all when it was deleted.
    pub async fn wait_after(&self, last: &str) -> Vec<Message> {
        let mut messages = self.state.messages.subscribe();
        let arrived = messages
            .wait_for(|messages| !after(messages, last).is_empty())
            .await;
        // The sender lives as long as `self`.
        arrived.map_or_else(|_| Vec::new(), |messages| after(&messages, last).to_vec())
    }

    /// Stops it and waits until its port is closed.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

fn after<'a>(messages: &'a [Message], last: &str) -> &'a [Message] {
    let position = messages.iter().rposition(|message| message.id == last);
    position.map_or(messages, |position| &messages[position + 1..])
}

async fn send_mail(
    State(state): Shared,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    check_key(&headers)?;
    let body: Value = serde_json::from_slice(&bytes).map_err(|_| ApiError::unreadable())?;
    validate::mail(&body, &state.schema)?;
    let messages = message::split(&body);
    let id = messages.first().map(|message| message.id.clone());
    state.messages.send_modify(|all| all.extend(messages));
    Ok((StatusCode::ACCEPTED, [(MESSAGE_ID, id.unwrap_or_default())]).into_response())
}

async fn list_messages(State(state): Shared) -> Json<Vec<Message>> {
    Json(state.messages.borrow().clone())
}

async fn delete_messages(State(state): Shared) -> StatusCode {
    state.messages.send_modify(Vec::clear);
    StatusCode::NO_CONTENT
}

fn check_key(headers: &HeaderMap) -> Result<(), ApiError> {
    let header = headers.get(header::AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok());
    match header.and_then(|text| text.strip_prefix("Bearer ")) {
        Some(key) if !key.is_empty() => Ok(()),
        _ => Err(ApiError::bad_key()),
    }
}

#[cfg(test)]
mod tests;
