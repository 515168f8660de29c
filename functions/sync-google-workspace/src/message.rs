//! What a message asks for.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
pub(crate) use shared::topic::SyncDue as Due;

/// The attribute that tells what a message is about.
pub(crate) const KIND: &str = Due::ATTRIBUTE;

/// What a message asks for.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// Time has come to look at all integrations. Attribute `kind` is `tick`.
    Tick,
    /// One integration is due. Attribute `kind` is `integration`.
    Integration(Due),
    /// Gmail tells that a mailbox has changed; it sets no attribute.
    Mailbox(MailboxChange),
}

/// Which mailbox has changed
/// (<https://developers.google.com/workspace/gmail/api/guides/push#receive_notifications>). What has
/// changed is read from where the last sync ended.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MailboxChange {
    pub(crate) email_address: SecretString,
}

/// Why a message can never be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The attribute that tells what it is about is missing or unknown.
    #[error("attribute `kind` is not `tick` or `integration`")]
    UnknownKind,
    /// The data is not what the kind asks for.
    #[error("the data is not an object of `integrationId` and `orgId`")]
    Data(#[source] serde_json::Error),
}

impl Message {
    /// Reads a message from its attribute `kind` and its data.
    pub(crate) fn parse(kind: Option<&str>, data: &[u8]) -> Result<Self, Error> {
        match kind {
            Some("tick") => Ok(Self::Tick),
            Some(Due::KIND) => parse_due(data).map(Self::Integration).map_err(Error::Data),
            Some(_) => Err(Error::UnknownKind),
            None => match serde_json::from_slice(data) {
                Ok(change) => Ok(Self::Mailbox(change)),
                Err(_) => Err(Error::UnknownKind),
            },
        }
    }
}

/// A derived `Deserialize` would also take an array of the fields' values in order.
fn parse_due(data: &[u8]) -> Result<Due, serde_json::Error> {
    let object: Map<String, Value> = serde_json::from_slice(data)?;
    serde_json::from_value(object.into())
}
