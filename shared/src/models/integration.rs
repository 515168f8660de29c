use serde::{Deserialize, Serialize};

use super::{Sealed, SyncProgresses, Timestamp};
use crate::ids::{IntegrationId, OrgId, Uid};

/// An outside service that an organization can connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationService {
    /// Google Workspace.
    Google,
    /// The organization's own Stripe account.
    Stripe,
    /// GitHub.
    Github,
    /// Twilio.
    Twilio,
    /// SendGrid.
    Sendgrid,
    /// OpenAI.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Gemini.
    Gemini,
}

impl IntegrationService {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Stripe => "stripe",
            Self::Github => "github",
            Self::Twilio => "twilio",
            Self::Sendgrid => "sendgrid",
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

/// Whether an integration works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationStatus {
    /// Credentials were accepted.
    Connected,
    /// Needs attention; see the cause.
    Error,
}

/// `integrations/{id}`: sealed credentials. No client may read or write it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Integration {
    /// Equal to the document id.
    pub id: IntegrationId,
    /// The organization that connected it.
    pub org_id: OrgId,
    /// The user that connected it.
    pub owner_uid: Uid,
    /// The service.
    pub service: IntegrationService,
    /// Which account, for people; masked.
    pub account_label: String,
    /// Whether its id was made of its first key, since the service told of no account.
    #[serde(default)]
    pub is_of_key: bool,
    /// The sealed credentials.
    pub credentials: Sealed,
    /// Whether it works.
    pub status: IntegrationStatus,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_cause: Option<String>,
    /// Last full success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<Timestamp>,
    /// OAuth scopes that the user granted.
    #[serde(default)]
    pub granted_scopes: Vec<String>,
    /// Who may renew the credentials.
    #[serde(default)]
    pub renewal: RenewalLease,
    /// Whether everybody in the organization finds what is synced, not only who connected it.
    #[serde(default)]
    pub shares_knowledge: bool,
    /// Whether mail that comes starts workflows of the organization, which are shown it and act for
    /// who has connected the account.
    #[serde(default)]
    pub allows_triggers: bool,
}

impl Integration {
    /// The cause of one that is being disconnected: nobody works with it any more, nor connects it.
    pub const DISCONNECTING: &str = "disconnecting";

    /// Whether somebody has begun to disconnect it.
    #[must_use]
    pub fn is_disconnecting(&self) -> bool {
        self.error_cause.as_deref() == Some(Self::DISCONNECTING)
    }
}

/// A lease on the renewal of credentials, for any number of processes.
///
/// Whoever claims it or replaces the credentials raises the fence, and renewed credentials are kept
/// only under the fence that they were asked for under: who comes late changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalLease {
    /// Grows with each claim.
    pub fence: i64,
    /// When somebody else may claim it; absent when nobody has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl std::fmt::Debug for Integration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Integration");
        debug
            .field("id", &self.id)
            .field("org_id", &self.org_id)
            .field("service", &self.service);
        debug.finish_non_exhaustive()
    }
}

/// `integration_status/{id}`: the part of an integration that people may see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// The integration.
    pub id: IntegrationId,
    /// The organization that connected it.
    pub org_id: OrgId,
    /// The service.
    pub service: IntegrationService,
    /// Which account, masked.
    pub account_label: String,
    /// Whether it works.
    pub status: IntegrationStatus,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_cause: Option<String>,
    /// Last full success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<Timestamp>,
    /// OAuth scopes that the user granted.
    #[serde(default)]
    pub granted_scopes: Vec<String>,
    /// Whether everybody in the organization finds what is synced.
    #[serde(default)]
    pub shares_knowledge: bool,
    /// Whether mail that comes starts workflows.
    #[serde(default)]
    pub allows_triggers: bool,
    /// How far the syncs have come. Changes of the integration itself leave it as it is.
    #[serde(default)]
    pub sync: SyncProgresses,
}
