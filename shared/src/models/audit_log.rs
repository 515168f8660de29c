use serde::{Deserialize, Serialize};

use super::{JsonText, Timestamp};
use crate::ids::{OrgId, RecordId};

/// What was done. The names are those of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuditAction {
    /// An organization was made.
    OrganizationCreate,
    /// An organization got another name.
    OrganizationRename,
    /// A subscription changed the tier.
    TierChange,
    /// A customer was made at Stripe.
    BillingCustomerCreate,
    /// The page on which a subscription is paid was opened.
    BillingCheckoutOpen,
    /// The page on which a subscription is looked after was opened.
    BillingPortalOpen,
    /// Another plan was asked for.
    BillingPlanChange,
    /// A subscription that was bought beside another is to be ended.
    BillingSubscriptionEnd,
    /// The organization's own cap of tokens was changed.
    BillingCapSet,
    /// Somebody was invited.
    InvitationCreate,
    /// An invitation was withdrawn.
    InvitationRevoke,
    /// A user joined.
    MemberJoin,
    /// A user left.
    MemberLeave,
    /// A member's role or access was changed.
    MemberUpdate,
    /// A member was put out.
    MemberRemove,
    /// A user ended all sessions.
    SessionsRevoke,
    /// A user had its own data exported.
    AccountExport,
    /// A user's account was deleted.
    AccountDelete,
    /// A deleted user's id was replaced by a pseudonym in this organization's records.
    AccountErase,
    /// An agent was made.
    AgentCreate,
    /// An agent was changed.
    AgentUpdate,
    /// An agent's deployment began, ended or failed, as `deployState` in the metadata tells.
    AgentDeploy,
    /// An agent was told to refuse work.
    AgentPause,
    /// An agent was told to work again.
    AgentResume,
    /// An agent was taken out of service for good.
    AgentArchive,
    /// An agent was deleted.
    AgentDelete,
    /// A conversation with an agent was deleted.
    SessionDelete,
    /// What an agent remembers was taken out as a whole.
    MemoryExport,
    /// Something that an agent remembered was deleted.
    MemoryDelete,
    /// The owner of a conversation approved it for training.
    SessionApprove,
    /// The owner of a conversation withdrew it from training.
    SessionWithdraw,
    /// The approved conversations with an agent were taken out.
    DatasetExport,
    /// The tuning of a model began.
    TuningStart,
    /// The tuning of a model was told to stop.
    TuningCancel,
    /// The tuning of a model ended, as `state` in the metadata tells.
    TuningEnd,
    /// A workflow was made.
    WorkflowCreate,
    /// A workflow was changed through the API; what clients save past it is not recorded.
    WorkflowUpdate,
    /// A workflow was deleted.
    DeleteWorkflow,
    /// An execution was repeated in part.
    ExecutionRerun,
    /// An execution was cancelled.
    ExecutionCancel,
    /// An execution was deleted.
    ExecutionDelete,
    /// Somebody approved or rejected what an execution asked.
    ApprovalDecide,
    /// An account of an outside service was connected.
    IntegrationConnect,
    /// An account got other credentials.
    IntegrationReconnect,
    /// An account was disconnected.
    IntegrationDisconnect,
    /// What is synced through an account was shared with the organization, or made private again.
    IntegrationShare,
    /// A route to models was made or changed.
    LlmRouteSet,
    /// A route to models was deleted.
    LlmRouteDelete,
    /// Masked metadata of a credential was looked at.
    KeyView,
    /// The trail was read.
    AuditRead,
    /// The trail was exported.
    AuditExport,
}

impl AuditAction {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrganizationCreate => "ORGANIZATION_CREATE",
            Self::OrganizationRename => "ORGANIZATION_RENAME",
            Self::TierChange => "TIER_CHANGE",
            Self::BillingCustomerCreate => "BILLING_CUSTOMER_CREATE",
            Self::BillingCheckoutOpen => "BILLING_CHECKOUT_OPEN",
            Self::BillingPortalOpen => "BILLING_PORTAL_OPEN",
            Self::BillingPlanChange => "BILLING_PLAN_CHANGE",
            Self::BillingSubscriptionEnd => "BILLING_SUBSCRIPTION_END",
            Self::BillingCapSet => "BILLING_CAP_SET",
            Self::InvitationCreate => "INVITATION_CREATE",
            Self::InvitationRevoke => "INVITATION_REVOKE",
            Self::MemberJoin => "MEMBER_JOIN",
            Self::MemberLeave => "MEMBER_LEAVE",
            Self::MemberUpdate => "MEMBER_UPDATE",
            Self::MemberRemove => "MEMBER_REMOVE",
            Self::SessionsRevoke => "SESSIONS_REVOKE",
            Self::AccountExport => "ACCOUNT_EXPORT",
            Self::AccountDelete => "ACCOUNT_DELETE",
            Self::AccountErase => "ACCOUNT_ERASE",
            Self::AgentCreate => "AGENT_CREATE",
            Self::AgentUpdate => "AGENT_UPDATE",
            Self::AgentDeploy => "AGENT_DEPLOY",
            Self::AgentPause => "AGENT_PAUSE",
            Self::AgentResume => "AGENT_RESUME",
            Self::AgentArchive => "AGENT_ARCHIVE",
            Self::AgentDelete => "AGENT_DELETE",
            Self::SessionDelete => "SESSION_DELETE",
            Self::MemoryExport => "MEMORY_EXPORT",
            Self::MemoryDelete => "MEMORY_DELETE",
            Self::SessionApprove => "SESSION_APPROVE",
            Self::SessionWithdraw => "SESSION_WITHDRAW",
            Self::DatasetExport => "DATASET_EXPORT",
            Self::TuningStart => "TUNING_START",
            Self::TuningCancel => "TUNING_CANCEL",
            Self::TuningEnd => "TUNING_END",
            Self::WorkflowCreate => "WORKFLOW_CREATE",
            Self::WorkflowUpdate => "WORKFLOW_UPDATE",
            Self::DeleteWorkflow => "DELETE_WORKFLOW",
            Self::ExecutionRerun => "EXECUTION_RERUN",
            Self::ExecutionCancel => "EXECUTION_CANCEL",
            Self::ExecutionDelete => "EXECUTION_DELETE",
            Self::ApprovalDecide => "APPROVAL_DECIDE",
            Self::IntegrationConnect => "INTEGRATION_CONNECT",
            Self::IntegrationReconnect => "INTEGRATION_RECONNECT",
            Self::IntegrationDisconnect => "INTEGRATION_DISCONNECT",
            Self::IntegrationShare => "INTEGRATION_SHARE",
            Self::LlmRouteSet => "LLM_ROUTE_SET",
            Self::LlmRouteDelete => "LLM_ROUTE_DELETE",
            Self::KeyView => "KEY_VIEW",
            Self::AuditRead => "AUDIT_READ",
            Self::AuditExport => "AUDIT_EXPORT",
        }
    }
}

/// `audit_logs/{id}`: one link of an organization's chain; append-only.
///
/// The tag covers everything but `actorId` and `subjectId`, which are personal data: it covers
/// their pseudonyms instead, so that an erasure leaves the chain valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditLog {
    /// Equal to the document id.
    pub id: RecordId,
    /// The organization it happened in.
    pub org_id: OrgId,
    /// Place in the organization's chain, from 1 and without gaps.
    pub seq: i64,
    /// A uid or `system:<function>`; `erased:<pseudonym>` after the account was deleted.
    pub actor_id: String,
    /// Keyed hash of the actor.
    pub actor_pseudonym: String,
    /// The user that it was done to, if any; `erased:<pseudonym>` after the account was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<String>,
    /// Keyed hash of the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_pseudonym: Option<String>,
    /// What was done.
    pub action: AuditAction,
    /// Context, without secrets and without personal data.
    pub metadata: JsonText,
    /// When it was done.
    pub timestamp: Timestamp,
    /// The key that the chain's key comes from.
    pub key_version: String,
    /// `mac` of the record before; empty in the first.
    pub prev_mac: String,
    /// HMAC-SHA256 over the record and `prevMac`, in hexadecimal.
    pub mac: String,
}

/// `audit_heads/{orgId}`: the end of an organization's chain.
///
/// Every record moves it, so that of two that would follow the same one the second has lost a race.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditHead {
    /// The organization, equal to the document id.
    pub org_id: OrgId,
    /// `seq` of the last record.
    pub seq: i64,
    /// `mac` of the last record.
    pub mac: String,
    /// When it was appended.
    pub updated_at: Timestamp,
    /// Whether nobody is left in the organization: nothing is done there any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}
