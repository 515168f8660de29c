use serde::Serialize;
use serde_json::json;
use shared::{
    audit::Entry,
    ids::IntegrationId,
    models::{AuditAction, Principal, Timestamp},
    store::commit_contended,
    vault,
};

use super::{Hub, NO_SUCH, metadata, require_right};
use crate::error::Error;

/// What became of an integration that was disconnected.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Disconnected {
    /// Whether the service has ended the credentials; only Google offers it. Otherwise they have to
    /// be ended there.
    revoked: bool,
}

/// Ends the integration at its service and deletes it with what was synced through it. A repeat
/// goes on where an earlier call stopped.
pub(crate) async fn disconnect(
    hub: &Hub,
    principal: &Principal,
    id: &IntegrationId,
    now: Timestamp,
) -> Result<Disconnected, Error> {
    let (org_id, vault) = (&principal.org_id, hub.vault()?);
    if let Some(found) = hub.store.find_integration(org_id, id).await? {
        require_right(principal, found.value.service)?;
    }
    let cleared = vault.clear(org_id, id).await;
    let cleared = &cleared.map_err(|error| match error {
        vault::Error::NotConnected => NO_SUCH,
        error => error.into(),
    })?;
    let revoked = cleared.is_revoked();
    commit_contended(&hub.store, || async move {
        let mut writes = vault.removal(cleared).await?;
        if writes.is_empty() {
            return match hub.store.find_integration(org_id, id).await? {
                // Another request has ended it.
                None => Ok((writes, ())),
                Some(_) => Err(Error::Precondition("it was connected again meanwhile")),
            };
        }
        let mut metadata = metadata(id, cleared.integration().service);
        metadata["revoked"] = json!(revoked);
        let (uid, action) = (&principal.uid, AuditAction::IntegrationDisconnect);
        let entry = Entry::new(org_id, uid.as_str(), action, metadata);
        writes.extend(hub.trail.append(entry, now).await?);
        Ok((writes, ()))
    })
    .await?;
    Ok(Disconnected { revoked })
}
