//! Subscriptions that were bought beside another, on two pages that were open at once: one goes on,
//! the others are ended.

use shared::{
    ids::{OrgId, RecordId},
    models::BillingNotice,
    retry::Transient,
    store::commit_contended,
    stripe::{Subscription, SubscriptionStatus},
};

use crate::{
    AppState, notices,
    subscription::Error,
    tier::{ProductTiers, tier_named},
};

/// All but the best that are paid, and of equals the newest. Only what a checkout of ours has made
/// for the organization counts: who makes one by hand may want two. What is not paid for is left to
/// its invoice.
pub(crate) fn find<'a>(
    subscriptions: &'a [Subscription],
    products: &ProductTiers,
    org_id: &OrgId,
) -> Vec<&'a Subscription> {
    let bought = subscriptions.iter().filter(|it| {
        let is_paid = matches!(
            it.status,
            SubscriptionStatus::Active | SubscriptionStatus::Trialing
        );
        is_paid && it.org_id.as_ref() == Some(org_id)
    });
    let mut bought: Vec<_> = bought
        .filter_map(|it| Some((tier_named(it, products)?, it)))
        .collect();
    bought.sort_by_key(|(tier, it)| (*tier, it.created_at, &it.id));
    bought.pop();
    bought.into_iter().map(|(_, it)| it).collect()
}

/// Ends them, with credit for what was paid. A repeat finds those that are left.
pub(crate) async fn end(
    state: &AppState,
    customer_id: &RecordId,
    org_id: &OrgId,
) -> Result<(), Error> {
    let subscriptions = state
        .billing
        .list_subscriptions(customer_id.as_str())
        .await?;
    for rival in find(&subscriptions, &state.webhook.product_tiers, org_id) {
        commit_contended(&state.store, || async {
            let notice = BillingNotice::BoughtTwice;
            let writes = notices::write(state, org_id, &notice, &rival.id).await?;
            Ok::<_, Error>((writes, ()))
        })
        .await?;
        let ended = state.billing.end_subscription(rival).await;
        let id = rival.id.as_str();
        match ended {
            Ok(()) => {
                tracing::error!(org.id = %org_id, subscription.id = id, "bought twice: ended")
            }
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(org.id = %org_id, subscription.id = id, error, "bought twice: not ended");
            }
        }
    }
    Ok(())
}
