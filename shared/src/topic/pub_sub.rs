use async_trait::async_trait;
use futures::future::try_join_all;
use google_cloud_auth::credentials::anonymous;
use google_cloud_pubsub::{client::Publisher, error::PublishError, model};
use tokio::sync::OnceCell;

use super::{Error, Message, Topic, TopicConfig};

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
}

#[async_trait]
impl Topic for PubSub {
    async fn publish(&self, messages: Vec<Message>) -> Result<(), Error> {
        let publisher = self.publisher().await?;
        let taken = messages.into_iter().map(|message| {
            let message = model::Message::new()
                .set_data(message.data)
                .set_attributes(message.attributes);
            publisher.publish(message)
        });
        try_join_all(taken).await.map_err(from_publisher)?;
        Ok(())
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
