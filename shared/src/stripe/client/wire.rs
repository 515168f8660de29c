//! The part of Stripe's objects that is used. Whole objects would link the decoders of everything
//! they can hold, and fail when any required field of it is missing.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

use super::Listed;
use crate::{
    ids::OrgId,
    stripe::{Subscription, SubscriptionItem},
};

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

/// A customer, and for which organization it was made.
#[derive(Deserialize)]
pub(super) struct WireCustomer {
    pub(super) id: String,
    #[serde(default)]
    pub(super) metadata: HashMap<String, String>,
}

/// What is left of a customer that was deleted tells so; of any other, nothing is read.
#[derive(Deserialize)]
pub(super) struct WireDeleted {
    #[serde(default)]
    pub(super) deleted: bool,
}

impl Listed for WireCustomer {
    fn id(&self) -> &str {
        &self.id
    }
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
    created: i64,
    #[serde(default)]
    metadata: HashMap<String, String>,
    #[serde(default)]
    cancel_at_period_end: bool,
    cancel_at: Option<i64>,
    billing_mode: Option<WireBillingMode>,
    pending_update: Option<IgnoredAny>,
    latest_invoice: Option<String>,
}

/// <https://docs.stripe.com/api/subscriptions/object#subscription_object-billing_mode>.
#[derive(Deserialize)]
struct WireBillingMode {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct WireItem {
    id: String,
    price: WirePrice,
    current_period_start: Option<i64>,
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
        let periods = wire
            .items
            .data
            .iter()
            .filter_map(|it| it.current_period_start);
        let period_began_at = periods.max().map(Timestamp::from_second);
        let items = wire.items.data.into_iter();
        let org_id = wire.metadata.get("orgId");
        Self {
            id: wire.id,
            status: wire.status.as_str().into(),
            created_at: Timestamp::from_second(wire.created).unwrap_or_default(),
            org_id: org_id.and_then(|id| OrgId::parse(id).ok()),
            is_ending: wire.cancel_at_period_end || wire.cancel_at.is_some(),
            is_flexible: wire
                .billing_mode
                .is_some_and(|mode| mode.kind == "flexible"),
            period_began_at: period_began_at.and_then(Result::ok),
            has_pending_update: wire.pending_update.is_some(),
            latest_invoice_id: wire.latest_invoice,
            items: items.map(SubscriptionItem::from).collect(),
            has_all_items: !wire.items.has_more,
        }
    }
}

impl From<WireItem> for SubscriptionItem {
    fn from(WireItem { id, price, .. }: WireItem) -> Self {
        let recurring = price.recurring;
        Self {
            id,
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
