use super::{Error, Vault, renew::is_own};
use crate::{
    connectors::Revocation,
    ids::{IntegrationId, OrgId},
    models::{Integration, IntegrationStatus},
    retry::{Policy, retry},
    store::{self, Store, Write, commit_contended, integrations, knowledge},
};

/// Documents that are deleted at once; a chunk of knowledge holds a vector.
const BATCH: u32 = 100;

/// An integration that nobody works with and whose traces are gone, but for itself.
pub struct Cleared {
    integration: Integration,
    is_revoked: bool,
}

impl Cleared {
    /// What it was.
    #[must_use]
    pub fn integration(&self) -> &Integration {
        &self.integration
    }

    /// Whether the credentials are worthless to the service. Otherwise they have to be ended there by
    /// hand.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.is_revoked
    }
}

impl Vault {
    /// Ends an integration's credentials and deletes what was synced through it; all of it can be
    /// repeated, until the integration itself goes with [`Vault::removal`].
    ///
    /// # Errors
    /// Returns [`Error::NotConnected`] when there is none, and the database's error.
    pub async fn clear(&self, org_id: &OrgId, id: &IntegrationId) -> Result<Cleared, Error> {
        let integration = self.mark_disconnecting(org_id, id).await?;
        let is_revoked = self.revoke(&integration).await;
        while forget_batch(&self.store, org_id, id).await? {}
        Ok(Cleared {
            integration,
            is_revoked,
        })
    }

    /// The writes that delete a cleared integration, for a commit that also records who has done
    /// it; none when it was connected again since. Build them anew after a lost race.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn removal(&self, cleared: &Cleared) -> Result<Vec<Write>, store::Error> {
        let Integration { org_id, id, .. } = &cleared.integration;
        let found = self.store.find_integration(org_id, id).await?;
        let own = found.filter(|found| is_own(found, &cleared.integration));
        let removed = own.map(|found| integrations::delete_unchanged(&found));
        Ok(removed.map(Vec::from).unwrap_or_default())
    }

    /// Whoever is renewing its credentials comes too late, and whoever calls is refused.
    async fn mark_disconnecting(
        &self,
        org_id: &OrgId,
        id: &IntegrationId,
    ) -> Result<Integration, Error> {
        commit_contended(&self.store, || async move {
            let found = self.store.find_integration(org_id, id).await?;
            let mut integration = found.ok_or(Error::NotConnected)?;
            if integration.value.is_disconnecting() {
                return Ok((Vec::new(), integration.value));
            }
            integration.value.status = IntegrationStatus::Error;
            integration.value.error_cause = Some(Integration::DISCONNECTING.to_owned());
            integration.value.renewal.fence = integration.value.renewal.fence.saturating_add(1);
            integration.value.renewal.until = None;
            let writes = integrations::replace(&integration)?.into();
            Ok((writes, integration.value))
        })
        .await
    }

    /// A service that fails must not keep an organization from having its data deleted.
    async fn revoke(&self, integration: &Integration) -> bool {
        let revoked = async {
            let credentials = self.open(integration).await?;
            let connector = self.connector(integration.service)?;
            let revoked = retry(Policy::REMOTE_CALL, || connector.revoke(&credentials));
            Ok::<_, Error>(revoked.await?)
        };
        let revoked = revoked.await.inspect_err(|error| {
            let error = error as &dyn std::error::Error;
            tracing::warn!(integration.id = %integration.id, error, "credentials not revoked");
        });
        matches!(revoked, Ok(Revocation::Ended))
    }
}

/// Deletes a batch of what was synced through an integration that is being disconnected; tells
/// whether there was any. What is known of a text goes after all of its chunks: while a chunk is
/// there, a repeat finds it.
///
/// # Errors
/// Returns the database's error.
pub async fn forget_batch(
    store: &Store,
    org_id: &OrgId,
    id: &IntegrationId,
) -> Result<bool, store::Error> {
    let cursors = store.list_sync_cursor_removals(id, BATCH).await?;
    let chunks = store.list_knowledge_removals(org_id, id, BATCH).await?;
    let writes: Vec<Write> = cursors.into_iter().chain(chunks).collect();
    if writes.is_empty() {
        return forget_documents(store, org_id, id).await;
    }
    store.commit(writes).await?;
    Ok(true)
}

/// Removes what is known of a batch of mails and files, and what they count against the plan;
/// tells whether there was any.
async fn forget_documents(
    store: &Store,
    org_id: &OrgId,
    id: &IntegrationId,
) -> Result<bool, store::Error> {
    commit_contended(store, || async move {
        let found = store.list_documents_of_integration(org_id, id, BATCH);
        let found = found.await?;
        let mut writes: Vec<Write> = found
            .iter()
            .map(|document| knowledge::delete_document(org_id, document))
            .collect();
        let used = store.find_knowledge_use(org_id).await?;
        if let Some(mut used) = used.filter(|_| !found.is_empty()) {
            for document in &found {
                used.value.documents -= 1;
                used.value.bytes -= document.value.bytes;
            }
            writes.push(knowledge::set_use(org_id, &used.value, Some(used.version))?);
        }
        Ok((writes, !found.is_empty()))
    })
    .await
}
