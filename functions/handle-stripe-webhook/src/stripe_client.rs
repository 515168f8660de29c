//! Stripe's API, through `async-stripe`.

use std::time::Duration;

use async_trait::async_trait;
use miniserde::Deserialize;
use secrecy::{ExposeSecret, SecretString};
use shared::{
    retry::{Policy, retry},
    stripe::{Billing, Error, Subscription, SubscriptionItem},
};
use stripe::{Client, ClientBuilder, StripeError, StripeRequest};
use stripe_billing::subscription::{ListSubscription, ListSubscriptionStatus};

/// The most that Stripe gives at once (<https://docs.stripe.com/api/pagination>).
const PAGE_SIZE: i64 = 100;

/// Four attempts of this length leave time to answer the webhook within 10 s.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// The key or the URL of Stripe's API cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the client for stripe cannot be built")]
pub struct InvalidClient(#[source] StripeError);

/// Reads subscriptions, with the API version that `async-stripe` is made for.
#[derive(Clone, Debug)]
pub struct StripeClient {
    client: Client,
}

impl StripeClient {
    /// A client with a secret or restricted key, for `https://api.stripe.com/` or another base
    /// URL, which ends with a slash.
    ///
    /// # Errors
    /// Returns [`InvalidClient`] when the key cannot be a header or the URL is none.
    pub fn new(api_key: &SecretString, base_url: &str) -> Result<Self, InvalidClient> {
        let client = ClientBuilder::new(api_key.expose_secret())
            .url(base_url)
            .timeout(ATTEMPT_TIMEOUT)
            .build();
        Ok(Self {
            client: client.map_err(InvalidClient)?,
        })
    }

    async fn page(&self, request: &ListSubscription) -> Result<SubscriptionPage, Error> {
        retry(Policy::REMOTE_CALL, async || {
            // Only the fields below are decoded: Stripe's whole object would link the decoders of
            // everything it can hold, and fail when any required field of it is missing.
            let request = request.build().customize::<SubscriptionPage>();
            request.send(&self.client).await.map_err(classify)
        })
        .await
    }
}

#[async_trait]
impl Billing for StripeClient {
    async fn list_subscriptions(&self, customer_id: &str) -> Result<Vec<Subscription>, Error> {
        let first = ListSubscription::new()
            .customer(customer_id)
            .status(ListSubscriptionStatus::All)
            .limit(PAGE_SIZE);
        let mut subscriptions: Vec<Subscription> = Vec::new();
        loop {
            let request = match subscriptions.last() {
                Some(last) => first.clone().starting_after(last.id.clone()),
                None => first.clone(),
            };
            let page = self.page(&request).await?;
            let is_last = !page.has_more || page.data.is_empty();
            subscriptions.extend(page.data.into_iter().map(Subscription::from));
            if is_last {
                return Ok(subscriptions);
            }
        }
    }
}

/// 409, 424, 429 and 5xx may pass (<https://docs.stripe.com/error-low-level#status-codes>). What
/// is not JSON comes from a proxy in between.
fn classify(error: StripeError) -> Error {
    match error {
        StripeError::Stripe(_, status @ 400..=499) if !matches!(status, 409 | 424 | 429) => {
            Error::Rejected { status }
        }
        // Stripe's message may quote what was asked for: the status is enough.
        StripeError::Stripe(_, status) => Error::Unavailable(format!("status {status}").into()),
        other => Error::Unavailable(Box::new(other)),
    }
}

/// <https://docs.stripe.com/api/subscriptions/list>.
#[derive(Deserialize)]
struct SubscriptionPage {
    data: Vec<WireSubscription>,
    has_more: bool,
}

#[derive(Deserialize)]
struct WireSubscription {
    id: String,
    status: String,
    items: ItemPage,
}

#[derive(Deserialize)]
struct ItemPage {
    data: Vec<WireItem>,
    has_more: bool,
}

#[derive(Deserialize)]
struct WireItem {
    price: WirePrice,
}

#[derive(Deserialize)]
struct WirePrice {
    id: String,
    lookup_key: Option<String>,
    product: String,
    recurring: Option<WireRecurring>,
}

#[derive(Deserialize)]
struct WireRecurring {
    usage_type: String,
}

impl From<WireSubscription> for Subscription {
    fn from(wire: WireSubscription) -> Self {
        Self {
            id: wire.id,
            status: wire.status.as_str().into(),
            items: wire
                .items
                .data
                .into_iter()
                .map(SubscriptionItem::from)
                .collect(),
            has_all_items: !wire.items.has_more,
        }
    }
}

impl From<WireItem> for SubscriptionItem {
    fn from(WireItem { price }: WireItem) -> Self {
        let recurring = price.recurring;
        Self {
            price_id: price.id,
            lookup_key: price.lookup_key,
            product_id: price.product,
            metered: recurring.is_some_and(|recurring| recurring.usage_type == "metered"),
        }
    }
}
