use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Message;
use crate::ids::{IntegrationId, OrgId};

/// Tells that one integration is to be synced: the data of a message whose attribute
/// [`SyncDue::ATTRIBUTE`] is [`SyncDue::KIND`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncDue {
    /// The integration.
    pub integration_id: IntegrationId,
    /// The organization that connected it.
    pub org_id: OrgId,
}

impl SyncDue {
    /// The attribute that tells what a message is about.
    pub const ATTRIBUTE: &str = "kind";

    /// What it is here.
    pub const KIND: &str = "integration";

    /// The message.
    ///
    /// # Errors
    /// Returns what JSON does not hold; there is no such thing in it.
    pub fn message(&self) -> Result<Message, serde_json::Error> {
        Ok(Message {
            data: serde_json::to_vec(self)?,
            attributes: BTreeMap::from([(Self::ATTRIBUTE.to_owned(), Self::KIND.to_owned())]),
        })
    }
}
