//! Connecting an organization's accounts of outside services, and seeing which there are.

mod callback;
mod consent;
mod features;
mod hand_over;
mod keys;
mod removal;
mod sharing;
mod sync;
mod sync_stream;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    actions,
    audit::{self, Entry, Trail},
    auth::{Action, is_allowed},
    connectors::google::oauth::GoogleOAuth,
    crypto::{MacKey, message},
    ids::{IntegrationId, OrgId, Uid},
    invitation::AppUrl,
    models::{
        AuditAction, Integration, IntegrationService, IntegrationStatus, Principal, SyncStatus,
        Timestamp,
    },
    store::{Listing, Page, Store, Write},
    topic::SharedTopic,
    vault::{Connection, Vault},
};

pub(crate) use self::{
    callback::{Finished, Return, Unfinished, finish_google_consent},
    consent::{Consent, begin_google_consent},
    features::Feature,
    hand_over::{MAX_RETURNED_LEN, hand_over},
    keys::{Keys, connect, reconnect},
    removal::{Disconnected, disconnect},
    sharing::{IntegrationChange, update},
    sync::{SyncReport, SyncRequested, report, request_sync},
    sync_stream::{Watched, watch},
};
use crate::error::{Error, Refusal};

/// What integrations are made and seen with.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) store: Store,
    pub(crate) trail: Trail,
    /// None when no key for credentials is configured.
    pub(crate) vault: Option<Vault>,
    /// None when syncs are not configured.
    pub(crate) topic: Option<SharedTopic>,
    pub(crate) key: Arc<dyn MacKey>,
    pub(crate) app_url: AppUrl,
}

/// An integration as members see it: without what its credentials show of themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IntegrationSummary {
    pub(crate) id: IntegrationId,
    service: IntegrationService,
    status: IntegrationStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_sync: Option<Timestamp>,
    /// Scopes that actions of the service need and the user has not granted.
    missing_scopes: Vec<String>,
    /// Whether everybody in the organization finds what is synced, not only who has connected it.
    #[serde(default)]
    shares_knowledge: bool,
    /// Whether mail that comes starts workflows.
    #[serde(default)]
    allows_triggers: bool,
}

/// An integration with what its credentials show of themselves.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IntegrationDetails {
    #[serde(flatten)]
    summary: IntegrationSummary,
    /// Masked.
    account_label: String,
    granted_scopes: Vec<String>,
}

impl Hub {
    fn vault(&self) -> Result<&Vault, Error> {
        let vault = self.vault.as_ref();
        vault.ok_or(Error::Precondition("integrations are not configured"))
    }

    fn google(&self) -> Result<&GoogleOAuth, Error> {
        let google = self.vault()?.google();
        google.ok_or(Error::Precondition("Google sign-in is not configured"))
    }

    /// The PKCE verifier of a consent (RFC 7636). It is derived from the state's token, which only
    /// the user's browser has, and kept nowhere.
    async fn code_verifier(&self, state: &str) -> Result<SecretString, Error> {
        let parts: [&[u8]; 2] = [b"infinity-x pkce", state.as_bytes()];
        let tag = self.key.sign(&message(&parts)).await;
        let tag = tag.map_err(audit::Error::from)?;
        Ok(hex::encode(tag.expose_secret()).into())
    }
}

/// The integrations of the caller's organization.
pub(crate) async fn list(
    store: &Store,
    principal: &Principal,
    page: &Page,
) -> Result<Listing<IntegrationSummary>, Error> {
    let listing = store.list_integration_statuses(&principal.org_id, page);
    let listing = listing.await?;
    Ok(Listing {
        items: listing.items.into_iter().map(Into::into).collect(),
        next: listing.next,
    })
}

/// One of them with the masked key; the look is recorded.
pub(crate) async fn view(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &IntegrationId,
    now: Timestamp,
) -> Result<IntegrationDetails, Error> {
    let found = store.find_integration_status(&principal.org_id, id).await?;
    let found = found.ok_or(NO_SUCH)?;
    let (org_id, uid) = (&principal.org_id, &principal.uid);
    let entry = entry(org_id, uid, AuditAction::KeyView, id, found.service);
    trail.record(entry, now).await?;
    Ok(IntegrationDetails {
        account_label: found.account_label.clone(),
        granted_scopes: found.granted_scopes.clone(),
        summary: found.into(),
    })
}

/// What an id is answered that is nobody's, or another organization's.
const NO_SUCH: Error = Error::NotFound("integration");

/// Whose models an organization's prompts go to is not for everybody to say.
fn require_right(principal: &Principal, service: IntegrationService) -> Result<(), Error> {
    let is_of_models = matches!(
        service,
        IntegrationService::Openai | IntegrationService::Anthropic | IntegrationService::Gemini
    );
    if !is_of_models || is_allowed(principal.role, Action::EditLlmRoutes) {
        return Ok(());
    }
    Err(Refusal::Denied("keys of models are for admins").into())
}

/// The writes that keep the connection with who has made it.
async fn keep(
    hub: &Hub,
    principal: &Principal,
    connection: &Connection,
    now: Timestamp,
) -> Result<(Vec<Write>, IntegrationSummary), Error> {
    let (mut writes, before) = hub.vault()?.keep_connection(connection).await?;
    let action = match before {
        Some(_) => AuditAction::IntegrationReconnect,
        None => AuditAction::IntegrationConnect,
    };
    let integration = connection.integration();
    let (org_id, uid) = (&principal.org_id, &principal.uid);
    let entry = entry(org_id, uid, action, &integration.id, integration.service);
    writes.extend(hub.trail.append(entry, now).await?);
    Ok((writes, integration.into()))
}

fn entry(
    org_id: &OrgId,
    uid: &Uid,
    action: AuditAction,
    id: &IntegrationId,
    service: IntegrationService,
) -> Entry {
    Entry::new(org_id, uid.as_str(), action, metadata(id, service))
}

fn metadata(id: &IntegrationId, service: IntegrationService) -> Value {
    json!({ "integrationId": id, "service": service })
}

impl From<SyncStatus> for IntegrationSummary {
    fn from(status: SyncStatus) -> Self {
        Self {
            missing_scopes: missing_scopes(status.service, &status.granted_scopes),
            id: status.id,
            service: status.service,
            status: status.status,
            error_cause: status.error_cause,
            last_sync: status.last_sync,
            shares_knowledge: status.shares_knowledge,
            allows_triggers: status.allows_triggers,
        }
    }
}

impl From<&Integration> for IntegrationSummary {
    fn from(integration: &Integration) -> Self {
        Self {
            id: integration.id.clone(),
            service: integration.service,
            status: integration.status,
            error_cause: integration.error_cause.clone(),
            last_sync: integration.last_sync,
            shares_knowledge: integration.shares_knowledge,
            allows_triggers: integration.allows_triggers,
            missing_scopes: missing_scopes(integration.service, &integration.granted_scopes),
        }
    }
}

/// What the actions of a service lack, each scope once.
fn missing_scopes(service: IntegrationService, granted: &[String]) -> Vec<String> {
    let actions = actions::all().filter(|action| action.service == service);
    let mut missing: Vec<String> = Vec::new();
    for scope in actions.flat_map(|action| action.missing_scopes(granted)) {
        if !missing.iter().any(|known| known == scope) {
            missing.push(scope.to_owned());
        }
    }
    missing
}
