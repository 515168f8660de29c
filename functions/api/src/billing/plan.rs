use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    audit::Trail,
    models::{AuditAction, Principal, SubscriptionTier, Timestamp},
    quota::prices::{Catalog, Interval, PlanPrice},
    store::{Store, commit_contended, organizations},
    stripe::{
        Billing as _, CallError, ItemChange, Price, StripeClient, Subscription, SubscriptionStatus,
    },
};

use super::{
    Billing,
    checkout::{find_prices, key_at_stripe},
    entry, is_live,
    ours::{find_tier, is_of_a_plan, is_ours, refuse_paid_by_hand},
    unsettled::require_settled,
    usage::require_little_used,
};
use crate::{
    error::{Dependency, Error, Problem, Refusal},
    idempotency::{Done, Once},
    organization,
};

/// The plan that is wanted.
#[derive(Clone, Debug, Serialize, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlanRequest {
    tier: SubscriptionTier,
    /// How often it is paid; each month unless told.
    interval: Option<Interval>,
}

/// What has become of a request for another plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanResponse {
    status: PlanStatus,
    lookup_key: String,
    /// Where the payment is made that the change waits for.
    pay_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlanStatus {
    Changed,
    /// It is the plan already.
    Unchanged,
    /// The payment failed: the plan is as it was until it succeeds.
    PaymentRequired,
}

impl PlanRequest {
    /// The price of our catalog, which is not free.
    fn price<'a>(&self, catalog: &'a Catalog) -> Result<&'a PlanPrice, Error> {
        let interval = self.interval.unwrap_or_default();
        let found = catalog.price_of(self.tier, interval);
        found.filter(|price| price.amount_cents > 0).ok_or_else(|| {
            let message = "is nothing that can be bought: a subscription is ended in the portal";
            Error::Invalid(vec![Problem::new("tier", message)])
        })
    }
}

impl PlanResponse {
    fn new(wanted: &PlanPrice, status: PlanStatus) -> Self {
        Self {
            status,
            lookup_key: wanted.lookup_key.clone(),
            pay_url: None,
        }
    }
}

/// Has the organization's subscription come to another plan, at once. The tier follows when Stripe
/// tells of the change, as it does of every other.
pub(crate) async fn change_plan(
    billing: &Billing,
    (store, trail): (&Store, &Trail),
    principal: &Principal,
    once: &Once,
    request: &PlanRequest,
    now: Timestamp,
) -> Result<Done<PlanResponse>, Error> {
    let catalog = Catalog::load();
    let wanted = request.price(&catalog)?;
    let stripe = billing.stripe()?;
    if let Some(done) = once.replay(store).await? {
        return Ok(done);
    }
    let subscription = find_subscription(stripe, store, principal).await?;
    let response = match has(&subscription, &wanted.lookup_key) {
        true => PlanResponse::new(wanted, PlanStatus::Unchanged),
        false => {
            let from = find_tier(&catalog, &subscription)?;
            require_changeable(&subscription)?;
            if request.tier < from {
                require_little_used(store, &principal.org_id, request.tier, now).await?;
            }
            record(store, trail, principal, (&subscription, wanted), now).await?;
            require_settled(store, &principal.org_id, from).await?;
            let prices = find_prices(stripe, wanted).await?;
            let changes = changes(&catalog, &subscription, prices);
            let key = key_at_stripe("plan", once);
            let changed = stripe.change_items(&subscription.id, &changes, &key).await;
            respond(stripe, wanted, changed).await?
        }
    };
    let response = &response;
    once.commit(store, || async move { Ok((Vec::new(), response.clone())) })
        .await
}

/// The one that stands, whatever somebody has made beside it by hand.
async fn find_subscription(
    stripe: &StripeClient,
    store: &Store,
    principal: &Principal,
) -> Result<Subscription, Error> {
    let missing = Refusal::Transition("there is no subscription: open a checkout");
    let organization = organization::find(store, &principal.org_id).await?;
    let customer_id = organization.stripe_customer_id.ok_or(missing)?;
    let subscriptions = stripe.list_subscriptions(&customer_id).await;
    let subscriptions = subscriptions.map_err(Dependency::from)?.into_iter();
    let live = subscriptions.filter(is_live);
    let (of_plans, others): (Vec<_>, Vec<_>) = live.partition(is_of_a_plan);
    let mut of_plans = of_plans.into_iter();
    let Some(found) = of_plans.next() else {
        refuse_paid_by_hand(store, &principal.org_id, others.iter()).await?;
        return Err(missing.into());
    };
    match of_plans.next() {
        None => Ok(found),
        Some(_) => Err(Refusal::Transition(
            "there are two subscriptions: try again when one of them has ended",
        )
        .into()),
    }
}

fn has(subscription: &Subscription, lookup_key: &str) -> bool {
    let mut items = subscription.items.iter();
    items.any(|item| item.lookup_key.as_deref() == Some(lookup_key))
}

fn require_changeable(subscription: &Subscription) -> Result<(), Refusal> {
    let problem = match subscription.status {
        SubscriptionStatus::Active | SubscriptionStatus::Trialing => {
            if subscription.is_ending {
                "the subscription is to end: have it go on in the portal first"
            } else if !subscription.is_flexible {
                "the subscription is in the classic billing mode of stripe, which would forget the \
                 tokens used so far: have it migrated to the flexible mode first"
            } else {
                return Ok(());
            }
        }
        SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid => {
            "an invoice is not paid: pay it in the portal first"
        }
        _ => "the subscription rests: have it go on in the portal first",
    };
    Err(Refusal::Transition(problem))
}

/// Recorded before it is asked for: whoever dies on the way has left a record. What is used from now
/// on is told to Stripe when the change is made.
async fn record(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    (subscription, wanted): (&Subscription, &PlanPrice),
    now: Timestamp,
) -> Result<(), Error> {
    let keys = subscription.items.iter().map(|item| &item.lookup_key);
    let from: Vec<_> = keys.flatten().collect();
    let metadata = json!({
        "from": from,
        "to": wanted.lookup_key,
        "subscriptionId": subscription.id,
    });
    let metadata = &metadata;
    commit_contended(store, || async move {
        let organization = store.find_organization(&principal.org_id).await?;
        let mut organization = organization.ok_or(Error::NotFound("organization"))?;
        if !organization.value.ask_for_plan(now) {
            let problem = "another plan was asked for again and again: try again in ten minutes";
            return Err(Refusal::Transition(problem).into());
        }
        let entry = entry(principal, AuditAction::BillingPlanChange, metadata.clone());
        let mut writes = trail.append(entry, now).await?;
        writes.push(organizations::replace(&organization)?);
        Ok((writes, ()))
    })
    .await
}

/// The plan's items get the prices; what somebody has added by hand stays.
fn changes(catalog: &Catalog, subscription: &Subscription, prices: Vec<Price>) -> Vec<ItemChange> {
    let ours = subscription.items.iter();
    let mut ours: Vec<_> = ours.filter(|item| is_ours(catalog, item)).collect();
    let mut changes = Vec::new();
    for price in prices {
        let place = ours.iter().position(|it| it.metered == price.is_metered());
        changes.push(match place {
            None => ItemChange::Add(price),
            Some(place) => ItemChange::Swap {
                item_id: ours.remove(place).id.clone(),
                price,
            },
        });
    }
    changes.extend(ours.into_iter().map(|item| ItemChange::Remove {
        item_id: item.id.clone(),
    }));
    changes
}

async fn respond(
    stripe: &StripeClient,
    wanted: &PlanPrice,
    changed: Result<Subscription, CallError>,
) -> Result<PlanResponse, Error> {
    let changed = match changed {
        Ok(changed) => changed,
        Err(CallError::Refused {
            status: 400 | 402 | 404,
            code,
        }) => {
            tracing::warn!(code, "stripe refuses another plan");
            let problem = "stripe does not take this change: the means of payment may not allow it, \
                           or the subscription has ended";
            return Err(Refusal::Transition(problem).into());
        }
        Err(error) => return Err(Dependency::from(shared::stripe::Error::from(error)).into()),
    };
    if !changed.has_pending_update {
        return Ok(PlanResponse::new(wanted, PlanStatus::Changed));
    }
    let invoice = match &changed.latest_invoice_id {
        Some(id) => Some(stripe.find_invoice(id).await.map_err(Dependency::from)?),
        None => None,
    };
    Ok(PlanResponse {
        pay_url: invoice.and_then(|invoice| invoice.hosted_invoice_url),
        ..PlanResponse::new(wanted, PlanStatus::PaymentRequired)
    })
}
