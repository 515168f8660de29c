use garde::Validate;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    audit::Trail,
    models::{AuditAction, Principal, SubscriptionTier, Timestamp},
    quota::{
        Plan,
        prices::{Catalog, Interval, OVERAGE_PRODUCT, PlanPrice, tier_of_product},
        taken,
    },
    store::{
        Store, commit_contended,
        organizations::{self, period_of},
    },
    stripe::{
        Billing as _, CallError, ItemChange, Price, StripeClient, Subscription, SubscriptionItem,
        SubscriptionStatus,
    },
};

use super::{
    Billing,
    checkout::{find_prices, key_at_stripe},
    entry, is_live,
    unsettled::require_settled,
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
            require_changeable(&subscription)?;
            let from = find_tier(&catalog, &subscription)?;
            if request.tier < from {
                require_little_used(store, principal, request.tier, now).await?;
            }
            require_settled(store, &principal.org_id, from).await?;
            record(store, trail, principal, (&subscription, wanted), now).await?;
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

/// The one that stands.
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
    let mut live = subscriptions.filter(is_live);
    let found = live.next().ok_or(missing)?;
    match live.next() {
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
            if !subscription.is_ending {
                return Ok(());
            }
            "the subscription is to end: have it go on in the portal first"
        }
        SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid => {
            "an invoice is not paid: pay it in the portal first"
        }
        _ => "the subscription rests: have it go on in the portal first",
    };
    Err(Refusal::Transition(problem))
}

/// The tier that the subscription is for, by a price that is sold or was.
fn find_tier(catalog: &Catalog, subscription: &Subscription) -> Result<SubscriptionTier, Refusal> {
    let mut items = subscription.items.iter();
    let found = items.find_map(|item| tier_of(catalog, item));
    found.ok_or(Refusal::Transition(
        "the subscription is none of the plans that are sold: it cannot be changed here",
    ))
}

fn tier_of(catalog: &Catalog, item: &SubscriptionItem) -> Option<SubscriptionTier> {
    let sold = item.lookup_key.as_deref();
    let sold = sold.and_then(|key| catalog.price_with(key));
    sold.map(|(tier, _)| tier)
        .or_else(|| tier_of_product(&item.product_id))
}

/// What is left of a period is paid back. So nobody comes to a smaller plan who has used, or may use
/// by calls under way, what only the larger one includes: this month, and the last, because periods
/// begin on any day of one.
async fn require_little_used(
    store: &Store,
    principal: &Principal,
    tier: SubscriptionTier,
    now: Timestamp,
) -> Result<(), Error> {
    let (org_id, period) = (&principal.org_id, period_of(now));
    let quota = store.find_token_quota(org_id).await?;
    let quota = quota.filter(|quota| quota.value.period == period);
    let last = store
        .find_metered_month(org_id, &period_before(now))
        .await?;
    let this = quota.map_or(0, |quota| taken(&quota.value).tokens);
    let last = last.map_or(0, |month| month.value.counted);
    if this.max(last) <= Plan::of(tier).included_tokens {
        return Ok(());
    }
    Err(Refusal::Transition(
        "more tokens were used, or are kept for calls under way, this month or the last than the \
         smaller plan includes: end the subscription in the portal, and buy the plan when it has ended",
    )
    .into())
}

/// The month before the one of an instant, `YYYY-MM`.
fn period_before(now: Timestamp) -> String {
    let day = now.instant().to_zoned(TimeZone::UTC).day();
    period_of(now.plus_seconds(-i64::from(day) * 24 * 3_600))
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
        organization.value.plan_asked_at = Some(now);
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

fn is_ours(catalog: &Catalog, item: &SubscriptionItem) -> bool {
    let key = item.lookup_key.as_deref();
    tier_of(catalog, item).is_some()
        || key.is_some_and(|key| catalog.is_overage(key))
        || item.product_id == OVERAGE_PRODUCT
}

async fn respond(
    stripe: &StripeClient,
    wanted: &PlanPrice,
    changed: Result<Subscription, CallError>,
) -> Result<PlanResponse, Error> {
    let changed = match changed {
        Ok(changed) => changed,
        Err(CallError::Refused {
            status: 400 | 402,
            code,
        }) => {
            tracing::warn!(code, "stripe refuses another plan");
            let problem = "stripe does not take this change: the means of payment may not allow it";
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
