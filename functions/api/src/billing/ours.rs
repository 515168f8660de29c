//! Which subscriptions and items are of the plans: people make others in Stripe's dashboard.
//!
//! Known here are lookup keys, by how they begin, and the products that `stripe-setup` makes. The
//! webhook takes tiers from other products as well (`STRIPE_PRODUCT_TIERS`), and keeps the tier while
//! a price is paid that it does not know. So whatever stands may be what a tier is paid by.

use shared::{
    ids::OrgId,
    models::SubscriptionTier,
    quota::prices::{Catalog, OVERAGE_PRODUCT, tier_of_lookup_key, tier_of_product},
    store::Store,
    stripe::{Subscription, SubscriptionItem},
};

use crate::{
    error::{Error, Refusal},
    organization,
};

/// Refuses to buy or change a plan where another subscription may be what the tier is paid by. The
/// tier is read here: what stands at Stripe was asked for before.
pub(super) async fn refuse_paid_by_hand(
    store: &Store,
    org_id: &OrgId,
    mut standing: impl Iterator<Item = &Subscription>,
) -> Result<(), Error> {
    if standing.next().is_none() {
        return Ok(());
    }
    let organization = organization::find(store, org_id).await?;
    if organization.subscription_tier == SubscriptionTier::Free {
        return Ok(());
    }
    Err(Refusal::Transition(
        "the plan is paid by a subscription that was made by hand: only whoever made it at Stripe can \
         change or end it",
    )
    .into())
}

/// Whether a subscription is to a plan by its lookup key, also one that somebody has made by hand, or
/// by a product of ours.
pub(super) fn is_of_a_plan(subscription: &Subscription) -> bool {
    let mut flat = subscription.items.iter().filter(|item| !item.metered);
    flat.any(|item| {
        let by_key = item.lookup_key.as_deref().and_then(tier_of_lookup_key);
        by_key
            .or_else(|| tier_of_product(&item.product_id))
            .is_some()
    })
}

/// The tier that the subscription is for, by a price that is sold or was.
pub(super) fn find_tier(
    catalog: &Catalog,
    subscription: &Subscription,
) -> Result<SubscriptionTier, Refusal> {
    let mut items = subscription.items.iter();
    let found = items.find_map(|item| tier_of(catalog, item));
    found.ok_or(Refusal::Transition(
        "the subscription is none of the plans that are sold: it cannot be changed here",
    ))
}

/// Whether an item is of a plan that is sold, or of the tokens above it.
pub(super) fn is_ours(catalog: &Catalog, item: &SubscriptionItem) -> bool {
    let key = item.lookup_key.as_deref();
    tier_of(catalog, item).is_some()
        || key.is_some_and(|key| catalog.is_overage(key))
        || item.product_id == OVERAGE_PRODUCT
}

fn tier_of(catalog: &Catalog, item: &SubscriptionItem) -> Option<SubscriptionTier> {
    let sold = item.lookup_key.as_deref();
    let sold = sold.and_then(|key| catalog.price_with(key));
    sold.map(|(tier, _)| tier)
        .or_else(|| tier_of_product(&item.product_id))
}
