use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    audit::Trail,
    ids::{OrgId, RecordId, fingerprint},
    models::{AuditAction, Principal, SubscriptionTier, Timestamp},
    quota::prices::{Catalog, Interval, PlanPrice},
    store::Store,
    stripe::{Billing as _, CheckoutOrder, HostedPage, Price, StripeClient},
};

use super::{
    Billing,
    customer::ensure_customer,
    entry, is_live,
    ours::{is_of_a_plan, refuse_paid_by_hand},
};
use crate::{
    error::{Dependency, Error, Problem, Refusal},
    idempotency::{Done, Once},
};

/// What is to be bought, and where the browser comes back to.
#[derive(Clone, Debug, Serialize, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CheckoutRequest {
    /// The tier, unless `lookupKey` names the price.
    tier: Option<SubscriptionTier>,
    /// How often it is paid; each month unless told.
    interval: Option<Interval>,
    lookup_key: Option<String>,
    /// Where both go that are not given.
    return_url: Option<String>,
    success_url: Option<String>,
    cancel_url: Option<String>,
}

/// A page of Stripe's.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PageResponse {
    id: String,
    url: String,
}

impl CheckoutRequest {
    /// The price of our catalog, which is not free.
    fn price<'a>(&self, catalog: &'a Catalog) -> Result<&'a PlanPrice, Error> {
        let (field, found) = match (&self.lookup_key, self.tier) {
            (Some(key), None) if self.interval.is_none() => {
                let found = catalog.price_with(key);
                ("lookupKey", found.map(|(_, price)| price))
            }
            (None, Some(tier)) => {
                let interval = self.interval.unwrap_or_default();
                ("tier", catalog.price_of(tier, interval))
            }
            _ => {
                let message = "is needed, perhaps with `interval`, or else `lookupKey` alone";
                return Err(Error::Invalid(vec![Problem::new("tier", message)]));
            }
        };
        found.filter(|price| price.amount_cents > 0).ok_or_else(|| {
            Error::Invalid(vec![Problem::new(field, "is nothing that can be bought")])
        })
    }

    fn url(&self, field: &'static str, own: Option<&String>) -> Result<String, Error> {
        let url = own.or(self.return_url.as_ref());
        url.cloned().ok_or_else(|| {
            let message = "is needed, unless there is a `returnUrl`";
            Error::Invalid(vec![Problem::new(field, message)])
        })
    }
}

/// Opens the page on which the caller's organization subscribes.
pub(crate) async fn open_checkout(
    billing: &Billing,
    (store, trail): (&Store, &Trail),
    principal: &Principal,
    once: &Once,
    request: &CheckoutRequest,
    now: Timestamp,
) -> Result<Done<PageResponse>, Error> {
    let catalog = Catalog::load();
    let wanted = request.price(&catalog)?;
    let success_url = request.url("successUrl", request.success_url.as_ref())?;
    let cancel_url = request.url("cancelUrl", request.cancel_url.as_ref())?;
    billing.return_urls.check("successUrl", &success_url)?;
    billing.return_urls.check("cancelUrl", &cancel_url)?;
    let stripe = billing.stripe()?;
    if let Some(done) = once.replay(store).await? {
        return Ok(done);
    }
    let customer_id = ensure_customer(stripe, (store, trail), principal, now).await?;
    let org_id = &principal.org_id;
    refuse_second((stripe, store), org_id, &customer_id).await?;
    let order = CheckoutOrder {
        org_id: org_id.clone(),
        customer_id,
        prices: find_prices(stripe, wanted).await?,
        success_url,
        cancel_url,
    };
    let page = stripe
        .open_checkout(&order, &key_at_stripe("checkout", once))
        .await;
    let page = &page.map_err(Dependency::from)?;
    close_older((stripe, store), &order, (&page.id, once)).await?;
    once.commit(store, || async move {
        let metadata = json!({ "lookupKey": wanted.lookup_key, "sessionId": page.id });
        let entry = entry(principal, AuditAction::BillingCheckoutOpen, metadata);
        Ok((trail.append(entry, now).await?, page.clone().into()))
    })
    .await
}

/// Equal for every repeat of a request that has a key of its own.
pub(super) fn key_at_stripe(kind: &str, once: &Once) -> String {
    match once.trigger_id() {
        Some(id) => fingerprint(&[kind, id.as_str()]),
        None => RecordId::generate().to_string(),
    }
}

/// Two open pages could both be paid. Of those that are opened at the same time the newest stays;
/// while an older one is being paid, none does.
async fn close_older(
    (stripe, store): (&StripeClient, &Store),
    order: &CheckoutOrder,
    (newest, once): (&str, &Once),
) -> Result<(), Error> {
    let customer_id = &order.customer_id;
    let open = find_open(stripe, customer_id).await?;
    // Stripe answers a repeat as it did the first time, whatever has become of the page since.
    if once.trigger_id().is_some() && !open.iter().any(|id| id == newest) {
        return Err(Refusal::KEY_SPENT.into());
    }
    let mut are_closed = true;
    for page in older(open, newest) {
        let closed = stripe.close_checkout(&page).await;
        are_closed &= closed.map_err(Dependency::from)?;
    }
    // Another request may have closed one before.
    let left = match are_closed {
        true => Vec::new(),
        false => older(find_open(stripe, customer_id).await?, newest),
    };
    let problem = "a page that was opened before is being paid: look again in a minute";
    let refused = match left.is_empty() {
        // One may have been paid since the first look.
        true => refuse_second((stripe, store), &order.org_id, customer_id).await,
        false => Err(Refusal::Transition(problem).into()),
    };
    if refused.is_err() {
        let closed = stripe.close_checkout(newest).await;
        closed.map_err(Dependency::from)?;
    }
    refused
}

/// The open pages, the newest first.
async fn find_open(stripe: &StripeClient, customer_id: &str) -> Result<Vec<String>, Error> {
    let open = stripe.open_checkouts(customer_id).await;
    Ok(open.map_err(Dependency::from)?)
}

/// The open pages that were made before one.
fn older(open: Vec<String>, newest: &str) -> Vec<String> {
    let open = open.into_iter();
    open.skip_while(|id| id != newest).skip(1).collect()
}

/// A second subscription to a plan would be paid beside the first.
async fn refuse_second(
    (stripe, store): (&StripeClient, &Store),
    org_id: &OrgId,
    customer_id: &str,
) -> Result<(), Error> {
    let subscriptions = stripe.list_subscriptions(customer_id).await;
    let subscriptions = subscriptions.map_err(Dependency::from)?;
    let live = subscriptions.iter().filter(|it| is_live(it));
    if live.clone().any(is_of_a_plan) {
        let problem = "there is a subscription already: change its plan";
        return Err(Refusal::Transition(problem).into());
    }
    refuse_paid_by_hand(store, org_id, live).await
}

/// The price and that of tokens above it, as Stripe knows them.
pub(super) async fn find_prices(
    stripe: &StripeClient,
    wanted: &PlanPrice,
) -> Result<Vec<Price>, Error> {
    let mut keys = vec![&*wanted.lookup_key];
    keys.extend(wanted.overage.as_ref().map(|overage| &*overage.lookup_key));
    let found = stripe.find_prices(&keys).await.map_err(Dependency::from)?;
    let in_order = keys.iter().map(|key| {
        let mut found = found.iter();
        found
            .find(|price| price.lookup_key.as_deref() == Some(key))
            .cloned()
    });
    in_order.collect::<Option<_>>().ok_or_else(|| {
        let key = &wanted.lookup_key;
        tracing::error!(price.lookup_key = %key, "a price is missing at Stripe: run stripe-setup");
        Error::Precondition("this plan cannot be bought at the moment")
    })
}

impl From<HostedPage> for PageResponse {
    fn from(page: HostedPage) -> Self {
        Self {
            id: page.id,
            url: page.url,
        }
    }
}
