//! What the policy tests share.

use shared::{
    ids::OrgId,
    models::{Limits, Organization, Stats, SubscriptionTier, SystemPrincipal, Timestamp},
    store::{Store, decode, organizations},
    testing::MemoryDb,
};

pub(crate) const CALLER: SystemPrincipal = SystemPrincipal { function: "test" };

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

pub(crate) async fn create_organization(store: &Store, limits: Limits) -> OrgId {
    let organization = Organization {
        id: OrgId::generate(),
        name: "Ada's organization".to_owned(),
        subscription_tier: SubscriptionTier::Free,
        former_tiers: Vec::new(),
        plan_asked_at: None,
        plan_asked_since: None,
        stripe_customer_id: None,
        stripe_customer_attempts: 0,
        api_usage: 0,
        limits,
        created_at: time("2026-01-01T00:00:00Z"),
    };
    let write = organizations::create(&organization).unwrap();
    store.commit(vec![write]).await.unwrap();
    organization.id
}

/// Usage of a UTC month, `YYYY-MM`, if anything was counted in it.
pub(crate) fn month(db: &MemoryDb, org_id: &OrgId, period: &str) -> Option<Stats> {
    let documents = db.documents(&format!("organizations/{org_id}/stats/{period}"));
    documents.first().map(|stats| decode(stats).unwrap())
}
