use serde::{Deserialize, Serialize};

use super::{BillingNotice, Hold, JsonText, Metering, Timestamp, Use};
use crate::ids::{AgentId, ExecutionId, IntegrationId, OrgId, RecordId, Uid, WorkflowId};

/// `idempotency/{key}` for a request: the answer that a repeat gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdempotencyRecord {
    /// The organization of the caller.
    pub org_id: OrgId,
    /// Fingerprint of the request: another one under the same key is refused.
    pub request_hash: String,
    /// Body of the answer.
    pub body: JsonText,
    /// When the record may go (TTL field).
    pub expires_at: Timestamp,
}

/// `idempotency/{key}` for an event: it was handled, or can never be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessedEvent {
    /// The event's source.
    pub source: String,
    /// The event's id.
    pub event_id: String,
    /// Why it was given up, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it was handled.
    pub processed_at: Timestamp,
    /// When the record may go (TTL field).
    pub expires_at: Timestamp,
}

impl ProcessedEvent {
    /// Pub/Sub, which carries all events, keeps a message for at most 31 days
    /// (<https://cloud.google.com/pubsub/docs/subscription-properties#message_retention>).
    const KEPT_SECS: i64 = 31 * 24 * 3_600;

    /// The record of an event that was handled `now`, or given up for the reason in `failure`.
    #[must_use]
    pub fn new(source: &str, event_id: &str, failure: Option<String>, now: Timestamp) -> Self {
        Self {
            source: source.to_owned(),
            event_id: event_id.to_owned(),
            failure,
            processed_at: now,
            expires_at: now.plus_seconds(Self::KEPT_SECS),
        }
    }
}

/// `oauth_states/{hash}`: an authorization under way, single use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OAuthState {
    /// The organization it is for.
    pub org_id: OrgId,
    /// The user that began it.
    pub uid: Uid,
    /// The service.
    pub service: super::IntegrationService,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// Whether the user was made to consent anew, which brings a refresh token.
    #[serde(default)]
    pub is_new_consent: bool,
    /// When it ends (TTL field).
    pub expires_at: Timestamp,
}

/// `outbox/{id}`: a message to send, written in the commit that causes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxRow {
    /// Equal to the document id.
    pub id: RecordId,
    /// The organization it belongs to.
    pub org_id: OrgId,
    /// What to send.
    pub message: OutboxMessage,
    /// How far it has come.
    pub state: OutboxState,
    /// Attempts begun.
    pub attempts: i64,
    /// Not before this time; a claim moves it on.
    pub due_at: Timestamp,
    /// Code of the last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
}

/// What an outbox row sends. Recipients are resolved when it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum OutboxMessage {
    /// The welcome e-mail.
    WelcomeEmail {
        /// The new user.
        uid: Uid,
    },
    /// The link by which an invitation is accepted.
    Invitation {
        /// The invitation of the row's organization.
        invitation_id: RecordId,
    },
    /// An integration works no more.
    BrokenIntegration {
        /// The integration of the row's organization.
        integration_id: IntegrationId,
    },
    /// A monthly limit of model calls is close, or reached.
    UsageAlert {
        /// The admin who is told.
        uid: Uid,
        /// Which limit, as `monthlyTokens`.
        limit: String,
        /// Which share of it is used.
        percent: i64,
        /// The UTC month, `YYYY-MM`.
        period: String,
    },
    /// Something about the subscription.
    BillingNotice {
        /// The admin who is told.
        uid: Uid,
        /// What.
        notice: BillingNotice,
    },
}

/// How far an outbox row has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxState {
    /// To be sent.
    Pending,
    /// Claimed: after a crash its outcome is unknown.
    Sending,
    /// The provider accepted it.
    Sent,
    /// The provider refused it for good.
    Failed,
    /// A crash hid the outcome; it is not sent again.
    Unknown,
}

/// `schedule_ticks/last`: how far the schedules have been looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleTick {
    /// The last minute whose schedules have been fired.
    pub minute: Timestamp,
}

/// `usage_ledger/{id}`: one LLM call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageEntry {
    /// Derived from the call's idempotency key, equal to the document id.
    pub id: RecordId,
    /// The organization that pays.
    pub org_id: OrgId,
    /// The agent that thought, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// The workflow that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<WorkflowId>,
    /// The execution that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<ExecutionId>,
    /// The member who caused it, if one did: an event or a schedule is nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// The model that answered.
    pub model: String,
    /// Tokens in.
    pub input_tokens: i64,
    /// Tokens out.
    pub output_tokens: i64,
    /// Price in millionths of a US dollar.
    pub cost_micro_usd: i64,
    /// Reserved or settled.
    pub state: UsageState,
    /// Whether the provider did not tell what was used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_estimated: bool,
    /// What is booked in all once repeats have used more than the estimate: the difference has entries
    /// of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_to: Option<Use>,
    /// Whether the answer comes in pieces, some of which may be out when the call is broken off.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_stream: bool,
    /// The lease that it was admitted by, if it was not the quota itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Whether it was made with the organization's own key at the provider, who bills it there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_own_key: bool,
    /// What is billed of it, once it is settled; none for what is older than metering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter: Option<Metering>,
    /// UTC month, `YYYY-MM`.
    pub period: String,
    /// UTC day, `YYYY-MM-DD`.
    pub day: String,
    /// When the call was admitted.
    pub created_at: Timestamp,
}

impl UsageEntry {
    /// What it is about: the most that the call may use, or what it has used.
    #[must_use]
    pub fn amount(&self) -> Use {
        Use {
            tokens: self.input_tokens.saturating_add(self.output_tokens),
            cost_micro_usd: self.cost_micro_usd,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// How far a ledger entry has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageState {
    /// Admitted; the amounts are the most it may use.
    Reserved,
    /// Paid; the amounts are what it used.
    Settled,
    /// Not made, or failed before use.
    Released,
}
