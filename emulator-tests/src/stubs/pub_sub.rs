//! A topic that speaks Pub/Sub's `Publish` and pushes what was published at least once, from memory.
//!
//! Wire: `google.pubsub.v1.Publisher` over gRPC
//! (<https://github.com/googleapis/googleapis/blob/master/google/pubsub/v1/pubsub.proto>), and the
//! envelope of a push (<https://cloud.google.com/pubsub/docs/push#receive_push>).

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use shared::{
    clock::{Clock, SystemClock},
    retry::{Policy, Transient, retry},
};
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::wire::{Message, PublishRequest, PublishResponse};
use crate::emulators::LocalServer;

mod wire;

/// Pushes under way at once.
const MAX_PARALLEL: usize = 32;
/// The subscription's `retryPolicy`: `minimumBackoff`, doubling up to `maximumBackoff`.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// `INVALID_ARGUMENT` and `NOT_FOUND` of
/// <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>.
const INVALID_ARGUMENT: u8 = 3;
const NOT_FOUND: u8 = 5;

/// What a [`PubSub`] starts with.
#[derive(Debug, Clone, Default)]
pub struct PubSubOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The only topic there is: `projects/…/topics/…`.
    pub topic: String,
    /// The only subscription: `projects/…/subscriptions/…`.
    pub subscription: String,
    /// Where it pushes to.
    pub endpoint: String,
    /// Chance from 0 to 1 that a message is pushed twice.
    pub duplicates: f64,
}

/// How far the messages have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that were published.
    pub published: usize,
    /// Pushes, duplicates included.
    pub pushes: usize,
    /// Messages that were acknowledged.
    pub acknowledged: usize,
}

/// A running topic; dropping it stops it.
#[derive(Debug)]
pub struct PubSub {
    server: LocalServer,
    state: Arc<PubSubState>,
}

#[derive(Debug)]
struct PubSubState {
    options: PubSubOptions,
    client: reqwest::Client,
    parallel: Semaphore,
    retries: Policy,
    counts: watch::Sender<Counts>,
    stop: CancellationToken,
    pushes: TaskTracker,
}

/// A subscriber did not acknowledge a message.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the subscriber answered {0}")]
    Status(StatusCode),
    #[error("the subscriber cannot be reached")]
    Unreachable(#[from] reqwest::Error),
}

impl Transient for Refused {
    fn is_transient(&self) -> bool {
        true
    }

    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

impl Counts {
    /// Whether every message was acknowledged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.acknowledged == self.published
    }
}

impl PubSub {
    /// Starts to take messages and to push them.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: PubSubOptions) -> anyhow::Result<Self> {
        let port = options.port;
        let state = Arc::new(PubSubState {
            options,
            client: reqwest::Client::builder().no_proxy().build()?,
            parallel: Semaphore::new(MAX_PARALLEL),
            retries: Policy::new(u32::MAX, MIN_BACKOFF, MAX_BACKOFF, Duration::MAX)
                .context("no policy")?,
            counts: watch::Sender::default(),
            stop: CancellationToken::new(),
            pushes: TaskTracker::new(),
        });
        let router = Router::new()
            .route("/google.pubsub.v1.Publisher/Publish", post(publish))
            .with_state(Arc::clone(&state));
        let server = LocalServer::start("pubsub", port, router).await?;
        Ok(Self { server, state })
    }

    /// The address for `PUBSUB_EMULATOR_HOST`.
    #[must_use]
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// Publishes a message, as Cloud Scheduler does.
    pub fn publish(&self, attributes: &[(&str, &str)], data: &[u8]) {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let message = Message {
            data: data.to_vec(),
            attributes: attributes.collect(),
        };
        PubSubState::take(&self.state, message);
    }

    /// How far the messages have come.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.state.counts.borrow()
    }

    /// The counts, once they are as asked.
    pub async fn wait_for(&self, is_reached: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.state.counts.subscribe();
        let reached = counts.wait_for(is_reached).await;
        // The sender lives as long as `self`.
        reached.map_or_else(|_| Counts::default(), |counts| *counts)
    }

    /// Stops it wherever its pushes are; what was not acknowledged is lost.
    pub async fn shutdown(&self) {
        self.state.stop.cancel();
        self.server.shutdown().await;
        self.state.pushes.close();
        self.state.pushes.wait().await;
    }
}

impl Drop for PubSub {
    fn drop(&mut self) {
        self.state.stop.cancel();
    }
}

impl PubSubState {
    /// Takes a message and pushes it until it is acknowledged; tells its id.
    fn take(state: &Arc<Self>, message: Message) -> String {
        let mut number = 0;
        state.counts.send_modify(|counts| {
            counts.published += 1;
            number = counts.published;
        });
        let id = number.to_string();
        let envelope = state.envelope(&id, &message);
        let (pushing, stop) = (Arc::clone(state), state.stop.clone());
        let push = async move { pushing.push(&envelope).await };
        state.pushes.spawn(stop.run_until_cancelled_owned(push));
        id
    }

    fn envelope(&self, id: &str, message: &Message) -> Value {
        let published_at = SystemClock.now().to_string();
        json!({
            "subscription": self.options.subscription,
            "message": {
                "data": STANDARD.encode(&message.data),
                "attributes": message.attributes,
                "messageId": id,
                "message_id": id,
                "publishTime": published_at,
                "publish_time": published_at,
            },
        })
    }

    async fn push(&self, envelope: &Value) {
        let times = 1 + usize::from(rand::random::<f64>() < self.options.duplicates);
        for _ in 0..times {
            let pushed = retry(self.retries, async || {
                // Not held over the pauses: a message that is refused must not keep others back.
                let _permit = self.parallel.acquire().await;
                self.counts.send_modify(|counts| counts.pushes += 1);
                let request = self.client.post(&self.options.endpoint).json(envelope);
                let response = request.send().await?;
                match response.status().is_success() {
                    true => Ok(()),
                    false => Err(Refused::Status(response.status())),
                }
            });
            if pushed.await.is_err() {
                return;
            }
        }
        self.counts.send_modify(|counts| counts.acknowledged += 1);
    }
}

async fn publish(State(state): State<Arc<PubSubState>>, body: Bytes) -> Response {
    let Some(request) = wire::read::<PublishRequest>(&body) else {
        return answer(Bytes::new(), INVALID_ARGUMENT);
    };
    if request.topic != state.options.topic {
        return answer(Bytes::new(), NOT_FOUND);
    }
    let is_empty = |message: &Message| message.data.is_empty() && message.attributes.is_empty();
    if request.messages.is_empty() || request.messages.iter().any(is_empty) {
        return answer(Bytes::new(), INVALID_ARGUMENT);
    }
    let messages = request.messages.into_iter();
    let message_ids = messages.map(|message| PubSubState::take(&state, message));
    let response = PublishResponse {
        message_ids: message_ids.collect(),
    };
    answer(wire::write(&response), 0)
}

/// An answer over gRPC, whose status is told in the trailers
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses>).
fn answer(message: Bytes, status: u8) -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(u16::from(status)));
    let body = Full::new(message).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    let content_type = HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests;
