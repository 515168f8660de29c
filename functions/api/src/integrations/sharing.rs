use serde_json::json;
use shared::{
    audit::Entry,
    ids::IntegrationId,
    models::{AuditAction, Integration, Principal, Role, Timestamp},
    store::{commit_contended, integrations},
};

use super::{
    Hub, IntegrationSummary, NO_SUCH, metadata,
    sync::{find, publish},
};
use crate::error::{Error, Refusal};

/// What is to be changed of an account, as far as it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IntegrationChange {
    /// What is synced is found by everybody in the organization, or by who has connected the account
    /// alone. The next sync does it with what is there already.
    pub(crate) shares_knowledge: Option<bool>,
    /// Mail that comes starts workflows, which are shown it and act for who has connected the account.
    pub(crate) allows_triggers: Option<bool>,
}

/// Changes what becomes of an account's mail and files.
pub(crate) async fn update(
    hub: &Hub,
    principal: &Principal,
    id: &IntegrationId,
    change: IntegrationChange,
    now: Timestamp,
) -> Result<IntegrationSummary, Error> {
    find(&hub.store, principal, id).await?;
    let (is_changed, summary) = commit_contended(&hub.store, || async move {
        let found = hub.store.find_integration(&principal.org_id, id).await?;
        let mut found = found.ok_or(NO_SUCH)?;
        require_say(principal, &found.value, change)?;
        let changed = change.of(&found.value);
        if changed == found.value {
            return Ok((Vec::new(), (false, IntegrationSummary::from(&found.value))));
        }
        found.value = changed;
        let mut metadata = metadata(id, found.value.service);
        metadata["sharesKnowledge"] = json!(found.value.shares_knowledge);
        metadata["allowsTriggers"] = json!(found.value.allows_triggers);
        let (org_id, uid) = (&principal.org_id, principal.uid.as_str());
        let entry = Entry::new(org_id, uid, AuditAction::IntegrationShare, metadata);
        let mut writes = Vec::from(integrations::replace(&found)?);
        writes.extend(hub.trail.append(entry, now).await?);
        Ok::<_, Error>((writes, (true, IntegrationSummary::from(&found.value))))
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

/// Admins may end what the owner has allowed, but nobody else may have an owner's mail start
/// workflows.
fn require_say(
    principal: &Principal,
    integration: &Integration,
    change: IntegrationChange,
) -> Result<(), Error> {
    if integration.owner_uid == principal.uid {
        return Ok(());
    }
    if principal.role != Role::Admin {
        let message = "it is for who has connected the account, and for admins";
        return Err(Refusal::Denied(message).into());
    }
    match change.allows_triggers {
        Some(true) if !integration.allows_triggers => {
            let message = "only who has connected the account may let its mail start workflows";
            Err(Refusal::Denied(message).into())
        }
        _ => Ok(()),
    }
}

impl IntegrationChange {
    fn of(self, integration: &Integration) -> Integration {
        let Self {
            shares_knowledge,
            allows_triggers,
        } = self;
        Integration {
            shares_knowledge: shares_knowledge.unwrap_or(integration.shares_knowledge),
            allows_triggers: allows_triggers.unwrap_or(integration.allows_triggers),
            ..integration.clone()
        }
    }
}
