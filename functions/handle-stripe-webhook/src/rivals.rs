//! Subscriptions that were bought beside another, on two pages that were open at once: one goes on,
//! the others are ended.

use std::cmp::Reverse;

use serde_json::json;
use shared::{
    audit::Entry,
    ids::{OrgId, RecordId},
    models::{AuditAction, BillingNotice, StripeCustomer},
    retry::Transient,
    store::{Versioned, Write, commit_contended, stripe_customers},
    stripe::{Subscription, SubscriptionStatus},
};

use crate::{
    AppState, CALLER, notices,
    subscription::{Cause, Error, Known},
    tier::{ProductTiers, tier_named},
};

/// All but the best that are paid. Of equals one that is to end by itself goes before one that is
/// not, and the oldest stays: it has billed the usage so far. Only what a checkout of ours has made
/// for the organization counts: who makes one by hand may want two. What is not paid for is left to
/// its invoice.
fn find<'a>(
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
    bought.sort_by_key(|(tier, it)| {
        let age = (Reverse(it.created_at), Reverse(&it.id));
        (*tier, !it.is_ending, age)
    });
    bought.pop();
    bought.into_iter().map(|(_, it)| it).collect()
}

/// Whether any is to be ended, or the end of one is not told yet.
pub(crate) fn are_left(
    known: Option<&Known>,
    subscriptions: &[Subscription],
    products: &ProductTiers,
    org_id: &OrgId,
) -> bool {
    known.is_some_and(|known| !known.value.ending.is_empty())
        || !find(subscriptions, products, org_id).is_empty()
}

/// Ends them, with credit for what was paid: each is recorded before, once, and told to the admins
/// when Stripe has done it. A repeat finds those that are left, and those that are not told yet.
pub(crate) async fn end(
    state: &AppState,
    cause: Cause<'_>,
    customer_id: &RecordId,
    org_id: &OrgId,
) -> Result<(), Error> {
    // Before Stripe is asked: what was recorded is among what Stripe tells.
    let known = state
        .store
        .find_stripe_customer(&CALLER, customer_id)
        .await?;
    let recorded = known.map_or_else(Vec::new, |known| known.value.ending);
    let subscriptions = state
        .billing
        .list_subscriptions(customer_id.as_str())
        .await?;
    let rivals = find(&subscriptions, &state.webhook.product_tiers, org_id);
    for id in &recorded {
        let is_over = |it: &Subscription| it.id == *id && it.status == SubscriptionStatus::Canceled;
        if subscriptions.iter().any(is_over) {
            tell(state, customer_id, org_id, id).await?;
        } else if !rivals.iter().any(|rival| rival.id == *id) {
            // It goes on: the other has ended meanwhile.
            forget(state, customer_id, id).await?;
        }
    }
    for rival in rivals {
        record(state, cause, (customer_id, org_id), rival).await?;
        let ended = state.billing.end_subscription(rival).await;
        let id = rival.id.as_str();
        match ended {
            Ok(()) => {
                tracing::error!(org.id = %org_id, subscription.id = id, "bought twice: ended");
                tell(state, customer_id, org_id, id).await?;
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

/// Records that it is to be ended, unless that was done before.
async fn record(
    state: &AppState,
    cause: Cause<'_>,
    (customer_id, org_id): (&RecordId, &OrgId),
    rival: &Subscription,
) -> Result<(), Error> {
    let keys = rival.items.iter().map(|item| &item.lookup_key);
    let keys: Vec<_> = keys.flatten().collect();
    let metadata = json!({
        "lookupKeys": keys,
        "reason": "bought_twice",
        "subscriptionId": rival.id,
        cause.name(): cause.id(),
    });
    let metadata = &metadata;
    commit_contended(&state.store, || async move {
        let known = state
            .store
            .find_stripe_customer(&CALLER, customer_id)
            .await?;
        let version = known.as_ref().map(|known| known.version);
        let mut customer = known.map_or_else(
            || StripeCustomer {
                org_id: Some(org_id.clone()),
                last_event_id: cause.id().clone(),
                ending: Vec::new(),
                updated_at: state.now(),
            },
            |known| known.value,
        );
        if customer.ending.contains(&rival.id) {
            return Ok((Vec::new(), ()));
        }
        customer.ending.push(rival.id.clone());
        customer.updated_at = state.now();
        let action = AuditAction::BillingSubscriptionEnd;
        let entry = Entry::new(org_id, CALLER.actor_id(), action, metadata.clone());
        let mut writes = state.trail.append(entry, state.now()).await?;
        writes.push(stripe_customers::set(customer_id, &customer, version)?);
        Ok::<_, Error>((writes, ()))
    })
    .await
}

/// Writes the mails about one that has ended, once.
async fn tell(
    state: &AppState,
    customer_id: &RecordId,
    org_id: &OrgId,
    id: &str,
) -> Result<(), Error> {
    commit_contended(&state.store, || async move {
        let notice = BillingNotice::BoughtTwice;
        let mut writes = notices::write(state, org_id, &notice, id).await?;
        writes.extend(take_out(state, customer_id, id).await?);
        Ok::<_, Error>((writes, ()))
    })
    .await
}

async fn forget(state: &AppState, customer_id: &RecordId, id: &str) -> Result<(), Error> {
    commit_contended(&state.store, || async move {
        let write = take_out(state, customer_id, id).await?;
        Ok::<_, Error>((Vec::from_iter(write), ()))
    })
    .await
}

/// Has nothing be left to do about a subscription, if there was.
async fn take_out(
    state: &AppState,
    customer_id: &RecordId,
    id: &str,
) -> Result<Option<Write>, Error> {
    let known = state
        .store
        .find_stripe_customer(&CALLER, customer_id)
        .await?;
    let is_recorded =
        |known: &Versioned<StripeCustomer>| known.value.ending.iter().any(|it| it == id);
    let Some(mut known) = known.filter(is_recorded) else {
        return Ok(None);
    };
    known.value.ending.retain(|it| it != id);
    known.value.updated_at = state.now();
    let version = Some(known.version);
    Ok(Some(stripe_customers::set(
        customer_id,
        &known.value,
        version,
    )?))
}
