//! Organizations on the largest plan.

use anyhow::Result;
use shared::{
    clock::{Clock, SystemClock},
    ids::{OrgId, Uid},
    models::{Limits, Organization, Role, SubscriptionTier, User, UserSettings},
    store::{Store, organizations, users},
};

/// Makes an organization with an admin.
pub(super) async fn settle(store: &Store, org_id: &OrgId, uid: &Uid) -> Result<()> {
    let now = SystemClock.now().into();
    let organization = Organization {
        id: org_id.clone(),
        name: "Bench".to_owned(),
        subscription_tier: SubscriptionTier::Enterprise,
        former_tiers: Vec::new(),
        plan_asked_at: None,
        plan_asked_since: None,
        stripe_customer_id: None,
        stripe_customer_attempts: 0,
        api_usage: 0,
        limits: Limits::default(),
        created_at: now,
    };
    let user = User {
        uid: uid.clone(),
        email: Some("bench@example.com".to_owned()),
        role: Role::Admin,
        organization_id: org_id.clone(),
        created_at: now,
        settings: UserSettings::default(),
        disabled: false,
        tokens_valid_after: None,
    };
    let writes = vec![organizations::create(&organization)?, users::create(&user)?];
    store.commit(writes).await?;
    Ok(())
}
