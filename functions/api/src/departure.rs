use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    ids::OrgId,
    members::Members,
    models::{AuditAction, SubscriptionTier, Timestamp, User},
    store::{Store, Write, organizations},
};

use crate::{billing::Billing, error::Error, organization};

/// The name of an organization that nobody belongs to any more: the old one may tell a person's.
const CLOSED: &str = "Closed organization";

/// The writes that count the user out of its organization and record by `entry` why. The last admin
/// cannot leave others behind. An organization that loses its only member must be empty, because
/// nobody could reach what is in it any more, and forgets its name.
pub(crate) async fn depart(
    billing: &Billing,
    store: &Store,
    trail: &Trail,
    user: &User,
    members: Members,
    entry: Entry,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let org_id = &user.organization_id;
    let is_last = members.has_one();
    let count = members.leave(user)?;
    let entry = if is_last { entry.closing() } else { entry };
    // Appended before the organization is looked into: whoever puts something there by the API after
    // the look moves the chain's end, and one of the two commits loses the race.
    let mut writes = trail.append(entry, now).await?;
    writes.push(count);
    if is_last {
        require_empty(billing, store, org_id).await?;
        writes.push(organizations::set_name(org_id, CLOSED)?);
    }
    Ok(writes)
}

/// The same for a member that leaves for another organization.
pub(crate) async fn leave(
    billing: &Billing,
    store: &Store,
    trail: &Trail,
    user: &User,
    members: Members,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let (org_id, uid) = (&user.organization_id, &user.uid);
    let entry = Entry::new(org_id, uid.as_str(), AuditAction::MemberLeave, json!({})).about(uid);
    depart(billing, store, trail, user, members, entry, now).await
}

async fn require_empty(billing: &Billing, store: &Store, org_id: &OrgId) -> Result<(), Error> {
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
    } else if billing.would_charge(&organization).await? {
        "your organization has a subscription or pays for one: end it first"
    } else {
        return Ok(());
    };
    Err(Error::Precondition(problem))
}
