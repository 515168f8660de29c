//! What a message asks for.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    ids::{IntegrationId, OrgId},
    topic,
};

/// The attribute that tells what a message is about.
pub(crate) const KIND: &str = "kind";

/// What [`KIND`] is for one integration.
const INTEGRATION: &str = "integration";

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

/// Which integration is due: `{"integrationId", "orgId"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Due {
    pub(crate) integration_id: IntegrationId,
    pub(crate) org_id: OrgId,
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
            Some(INTEGRATION) => parse_due(data).map(Self::Integration).map_err(Error::Data),
            Some(_) => Err(Error::UnknownKind),
            None => match serde_json::from_slice(data) {
                Ok(change) => Ok(Self::Mailbox(change)),
                Err(_) => Err(Error::UnknownKind),
            },
        }
    }
}

impl Due {
    /// What asks for it.
    pub(crate) fn message(&self) -> Result<topic::Message, serde_json::Error> {
        Ok(topic::Message {
            data: serde_json::to_vec(self)?,
            attributes: BTreeMap::from([(KIND.to_owned(), INTEGRATION.to_owned())]),
        })
    }
}

/// A derived `Deserialize` would also take an array of the fields' values in order.
fn parse_due(data: &[u8]) -> Result<Due, serde_json::Error> {
    let object: Map<String, Value> = serde_json::from_slice(data)?;
    serde_json::from_value(object.into())
}
