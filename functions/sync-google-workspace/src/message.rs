//! What a message asks for.

use serde::Deserialize;
use serde_json::{Map, Value};
use shared::ids::{IntegrationId, OrgId};

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Time has come to look at all integrations. Attribute `kind` is `tick`.
    Tick,
    /// One integration is due. Attribute `kind` is `integration`.
    Integration(Due),
}

/// Which integration is due: `{"integrationId", "orgId"}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Due {
    pub(crate) integration_id: IntegrationId,
    pub(crate) org_id: OrgId,
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
            Some("integration") => parse_due(data).map(Self::Integration).map_err(Error::Data),
            _ => Err(Error::UnknownKind),
        }
    }
}

/// A derived `Deserialize` would also take an array of the fields' values in order.
fn parse_due(data: &[u8]) -> Result<Due, serde_json::Error> {
    let object: Map<String, Value> = serde_json::from_slice(data)?;
    serde_json::from_value(object.into())
}
