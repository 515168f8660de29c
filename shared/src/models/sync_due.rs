use serde::{Deserialize, Serialize};

use crate::ids::{IntegrationId, OrgId};

/// What a message of the sync's topic carries whose attribute `kind` is [`SyncDue::KIND`]: which
/// integration is to be synced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncDue {
    /// The integration.
    pub integration_id: IntegrationId,
    /// The organization that connected it.
    pub org_id: OrgId,
}

impl SyncDue {
    /// What the attribute `kind` is.
    pub const KIND: &str = "integration";
}
