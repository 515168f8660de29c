use serde::{Deserialize, Serialize};

use super::{JsonText, Timestamp};
use crate::ids::{OrgId, RecordId};

/// What was done. The names are those of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuditAction {
    /// An organization was made.
    OrganizationCreate,
    /// A subscription changed the tier.
    TierChange,
    /// An agent was made.
    AgentCreate,
    /// An agent was changed.
    AgentUpdate,
    /// An agent was deployed.
    AgentDeploy,
    /// An agent was deleted.
    AgentDelete,
    /// A workflow was deleted.
    DeleteWorkflow,
    /// An execution was cancelled.
    ExecutionCancel,
    /// An execution was deleted.
    ExecutionDelete,
    /// Masked metadata of a credential was looked at.
    KeyView,
}

/// `audit_logs/{id}`: append-only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditLog {
    /// Equal to the document id.
    pub id: RecordId,
    /// The organization it happened in.
    pub org_id: OrgId,
    /// A uid or `system:<function>`.
    pub actor_id: String,
    /// What was done.
    pub action: AuditAction,
    /// Context, without secrets.
    pub metadata: JsonText,
    /// When it was done.
    pub timestamp: Timestamp,
}
