use async_trait::async_trait;
use futures::future::try_join_all;
use google_cloud_auth::credentials::anonymous;
use google_cloud_pubsub::{client::Publisher, error::PublishError, model};
use tokio::sync::OnceCell;
use tracing::Instrument;

use super::{Error, Message, Topic, TopicConfig};
use crate::telemetry::{TRACE, TRACEPARENT, fail, traceparent};

/// A topic of Pub/Sub (<https://cloud.google.com/pubsub/docs/publisher>). It connects on first use;
/// the client tries again what fails for a while.
pub struct PubSub {
    config: TopicConfig,
    publisher: OnceCell<Publisher>,
}

impl PubSub {
    /// The topic that a configuration names.
    #[must_use]
    pub fn new(config: TopicConfig) -> Self {
        Self {
            config,
            publisher: OnceCell::new(),
        }
    }

    async fn publisher(&self) -> Result<&Publisher, Error> {
        let connect = || async {
            let builder = Publisher::builder(&self.config.topic);
            let builder = match &self.config.emulator_host {
                Some(host) => builder
                    .with_endpoint(format!("http://{host}"))
                    .with_credentials(anonymous::Builder::new().build()),
                None => builder,
            };
            let unavailable = |error| Error::Unavailable(Box::new(error));
            builder.build().await.map_err(unavailable)
        };
        self.publisher.get_or_try_init(connect).await
    }

    async fn send(&self, messages: Vec<Message>) -> Result<(), Error> {
        let publisher = self.publisher().await?;
        let traceparent = traceparent().map(|value| (TRACEPARENT.to_owned(), value));
        let taken = messages.into_iter().map(|message| {
            let attributes = message.attributes.into_iter().chain(traceparent.clone());
            let message = model::Message::new()
                .set_data(message.data)
                .set_attributes(attributes);
            publisher.publish(message)
        });
        try_join_all(taken).await.map_err(from_publisher)?;
        Ok(())
    }
}

#[async_trait]
impl Topic for PubSub {
    async fn publish(&self, messages: Vec<Message>) -> Result<(), Error> {
        let span = tracing::info_span!(
            target: TRACE,
            "send messages",
            otel.kind = "producer",
            messaging.operation.type = "send",
            messaging.system = "gcp_pubsub",
            messaging.destination.name = self.config.topic,
            messaging.batch.message_count = messages.len(),
        );
        let sent = self.send(messages).instrument(span.clone()).await;
        if sent.is_err() {
            fail(&span, "unavailable");
        }
        sent
    }
}

fn from_publisher(error: PublishError) -> Error {
    let code = match &error {
        PublishError::Rpc(error) => error.status().map(|status| status.code.name()),
        _ => None,
    };
    match code {
        Some("NOT_FOUND" | "PERMISSION_DENIED" | "INVALID_ARGUMENT" | "UNAUTHENTICATED") => {
            Error::Refused(Box::new(error))
        }
        _ => Error::Unavailable(Box::new(error)),
    }
}
