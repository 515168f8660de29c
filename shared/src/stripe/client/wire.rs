//! The part of Stripe's objects that is used. Whole objects would link the decoders of everything
//! they can hold, and fail when any required field of it is missing.

use serde::{Deserialize, de::IgnoredAny};

use super::Listed;
use crate::stripe::{Subscription, SubscriptionItem};

/// An answer that tells nothing more than that it went well.
pub(super) type Anything = IgnoredAny;

/// A list (<https://docs.stripe.com/api/pagination>).
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// What was made, by its id.
#[derive(Deserialize)]
pub(super) struct Made {
    pub(super) id: String,
}

/// What opens a hosted page.
#[derive(Deserialize)]
pub(super) struct Link {
    pub(super) id: String,
    pub(super) url: String,
}

/// <https://docs.stripe.com/api/subscriptions/object>.
#[derive(Deserialize)]
pub(super) struct WireSubscription {
    pub(super) id: String,
    status: String,
    items: Page<WireItem>,
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

/// <https://docs.stripe.com/api/billing/meter/object>.
#[derive(Deserialize)]
pub(super) struct WireMeter {
    pub(super) id: String,
    pub(super) event_name: String,
}

/// <https://docs.stripe.com/api/billing/meter-event_summary/object>.
#[derive(Deserialize)]
pub(super) struct WireSummary {
    pub(super) id: String,
    aggregated_value: f64,
}

impl WireSummary {
    /// Tokens are whole; Stripe writes them as it writes every decimal.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no meter counts beyond 2^53"
    )]
    pub(super) fn total(&self) -> i64 {
        self.aggregated_value.round() as i64
    }
}

impl From<WireSubscription> for Subscription {
    fn from(wire: WireSubscription) -> Self {
        let items = wire.items.data.into_iter();
        Self {
            id: wire.id,
            status: wire.status.as_str().into(),
            items: items.map(SubscriptionItem::from).collect(),
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

impl Listed for WireSubscription {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for WireMeter {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for WireSummary {
    fn id(&self) -> &str {
        &self.id
    }
}
