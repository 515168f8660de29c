//! The topic that fans work out: at least once, in no given order.

mod config;
mod pub_sub;
mod sync_due;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

pub use config::{TopicConfig, topic_name};
pub use pub_sub::PubSub;
pub use sync_due::SyncDue;

use crate::retry::Transient;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why messages were not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The topic cannot be reached or is overloaded; it may have taken some of the messages.
    #[error("the topic is unavailable")]
    Unavailable(#[source] BoxError),
    /// The topic refuses for good: it is not there, or this service may not publish.
    #[error("the topic refused the messages")]
    Refused(#[source] BoxError),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Something to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub data: Vec<u8>,
    /// What it is about, for those who choose among messages.
    pub attributes: BTreeMap<String, String>,
}

/// A topic. Whoever publishes waits until all messages are taken; a repeat tells them again.
#[async_trait]
pub trait Topic: Send + Sync {
    /// Hands messages in.
    ///
    /// # Errors
    /// Returns [`Error`] when not all of them were taken.
    async fn publish(&self, messages: Vec<Message>) -> Result<(), Error>;
}

/// A topic that several owners share.
pub type SharedTopic = Arc<dyn Topic>;
