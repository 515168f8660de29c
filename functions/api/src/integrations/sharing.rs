use serde_json::json;
use shared::{
    audit::Entry,
    ids::IntegrationId,
    models::{AuditAction, Principal, Role, Timestamp},
    store::{commit_contended, integrations},
};

use super::{
    Hub, IntegrationSummary, NO_SUCH, metadata,
    sync::{find, publish},
};
use crate::error::{Error, Refusal};

/// Has what is synced through the account be found by everybody in the organization, or by who has
/// connected it alone. The next sync does it with what is there already.
pub(crate) async fn share(
    hub: &Hub,
    principal: &Principal,
    id: &IntegrationId,
    shares_knowledge: bool,
    now: Timestamp,
) -> Result<IntegrationSummary, Error> {
    find(&hub.store, principal, id).await?;
    let (is_changed, summary) = commit_contended(&hub.store, || async move {
        let found = hub.store.find_integration(&principal.org_id, id).await?;
        let mut found = found.ok_or(NO_SUCH)?;
        if found.value.owner_uid != principal.uid && principal.role != Role::Admin {
            let message = "it is for who has connected the account, and for admins";
            return Err(Error::from(Refusal::Denied(message)));
        }
        if found.value.shares_knowledge == shares_knowledge {
            return Ok((Vec::new(), (false, IntegrationSummary::from(&found.value))));
        }
        found.value.shares_knowledge = shares_knowledge;
        let mut metadata = metadata(id, found.value.service);
        metadata["sharesKnowledge"] = json!(shares_knowledge);
        let (org_id, uid) = (&principal.org_id, principal.uid.as_str());
        let entry = Entry::new(org_id, uid, AuditAction::IntegrationShare, metadata);
        let mut writes = Vec::from(integrations::replace(&found)?);
        writes.extend(hub.trail.append(entry, now).await?);
        Ok((writes, (true, IntegrationSummary::from(&found.value))))
    })
    .await?;
    if let Some(topic) = hub.topic.as_deref().filter(|_| is_changed)
        && let Err(error) = publish(topic, principal, id).await
    {
        // The next tick does the same, only later.
        let error = &error as &dyn std::error::Error;
        tracing::warn!(
            error,
            "a sync after sharing was changed is left to the next tick"
        );
    }
    Ok(summary)
}
