use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    ids::OrgId,
    members::Members,
    models::{AuditAction, SubscriptionTier, Timestamp, User},
    store::{Store, Write},
};

use crate::{error::Error, organization};

/// The writes that count the user out of its organization and record it. The last admin cannot
/// leave others behind.
pub(crate) async fn leave(
    trail: &Trail,
    user: &User,
    members: Members,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let (org_id, uid) = (&user.organization_id, &user.uid);
    let entry = Entry::new(org_id, uid.as_str(), AuditAction::MemberLeave, json!({})).about(uid);
    let count = members.leave(user)?;
    let mut writes = trail.append(entry, now).await?;
    writes.push(count);
    Ok(writes)
}

/// The same for somebody who may be the only member: its organization is left behind empty, so
/// nothing may be in it that nobody could reach any more.
pub(crate) async fn leave_for_another(
    store: &Store,
    trail: &Trail,
    user: &User,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let members = Members::load(store, &user.organization_id).await?;
    if members.has_one() {
        require_empty(store, &user.organization_id).await?;
    }
    leave(trail, user, members, now).await
}

pub(crate) async fn require_empty(store: &Store, org_id: &OrgId) -> Result<(), Error> {
    let organization = organization::find(store, org_id).await?;
    let agents = store.find_agent_quota(org_id).await?;
    let problem = if organization.subscription_tier != SubscriptionTier::Free {
        "your organization has a subscription: end it first"
    } else if agents.is_some_and(|quota| quota.value.created > 0) {
        "your organization has agents: delete them first"
    } else if store.has_workflow(org_id).await? {
        "your organization has workflows: delete them first"
    } else if store.has_integration(org_id).await? {
        "your organization has integrations: disconnect them first"
    } else {
        return Ok(());
    };
    Err(Error::Precondition(problem))
}
