//! Stripe, by which organizations pay: the port that the tier and the metering stand on, and the
//! client of everything else.

mod client;
mod price;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{ids::OrgId, retry::Transient};

pub use client::{
    API_VERSION, CallError, CheckoutOrder, HostedPage, InvalidClient, Invoice, ItemChange, Listed,
    StripeClient,
};
pub use price::Price;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The events that the webhook endpoint is told of, and no others
/// (<https://docs.stripe.com/api/events/types>).
pub const WEBHOOK_EVENTS: [&str; 12] = [
    "charge.dispute.created",
    "charge.refunded",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "invoice.paid",
    "invoice.payment_failed",
];

/// Why Stripe did not answer a question.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Stripe cannot be reached, is overloaded, or something else answered in its place.
    #[error("stripe is unavailable")]
    Unavailable(#[source] BoxError),
    /// Stripe refuses the request for good: a wrong key, or a customer of another mode.
    #[error("stripe refused the request with status {status}")]
    Rejected {
        /// HTTP status of the refusal.
        status: u16,
    },
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// A subscription of a customer
/// (<https://docs.stripe.com/api/subscriptions/object>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Stripe's id.
    pub id: String,
    /// How far it has come.
    pub status: SubscriptionStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// For which organization, if a checkout of ours has made it.
    pub org_id: Option<OrgId>,
    /// Whether it is to end by itself, at the end of its period mostly.
    pub is_ending: bool,
    /// Whether its billing mode is the flexible one
    /// (<https://docs.stripe.com/billing/subscriptions/billing-mode>): the classic one forgets the
    /// usage before a change of its items.
    pub is_flexible: bool,
    /// When the period began that is the latest of its items'.
    pub period_began_at: Option<Timestamp>,
    /// Whether a change waits for its payment, which the latest invoice asks for.
    pub has_pending_update: bool,
    /// Stripe's id of the latest invoice.
    pub latest_invoice_id: Option<String>,
    /// What is subscribed to.
    pub items: Vec<SubscriptionItem>,
    /// Whether `items` holds all of them: Stripe cuts long lists.
    pub has_all_items: bool,
}

/// How far a subscription has come
/// (<https://docs.stripe.com/api/subscriptions/object#subscription_object-status>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// The first payment is missing.
    Incomplete,
    /// The first payment never came.
    IncompleteExpired,
    /// In its trial period.
    Trialing,
    /// Paid.
    Active,
    /// A payment failed and is tried again.
    PastDue,
    /// Over.
    Canceled,
    /// All attempts to collect a payment failed.
    Unpaid,
    /// The trial ended without a means of payment.
    Paused,
    /// A state that Stripe has added since.
    Other,
}

impl From<&str> for SubscriptionStatus {
    fn from(text: &str) -> Self {
        match text {
            "incomplete" => Self::Incomplete,
            "incomplete_expired" => Self::IncompleteExpired,
            "trialing" => Self::Trialing,
            "active" => Self::Active,
            "past_due" => Self::PastDue,
            "canceled" => Self::Canceled,
            "unpaid" => Self::Unpaid,
            "paused" => Self::Paused,
            _ => Self::Other,
        }
    }
}

/// One price of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionItem {
    /// Stripe's id.
    pub id: String,
    /// Stripe's id of the price.
    pub price_id: String,
    /// Our name of the price, if it has one: `pro_monthly`.
    pub lookup_key: Option<String>,
    /// Stripe's id of the product.
    pub product_id: String,
    /// Whether usage is billed: such an item stands beside a tier and names none.
    pub metered: bool,
}

/// Usage of a customer (<https://docs.stripe.com/api/billing/meter-event/object>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterEvent {
    /// Which meter counts it.
    pub event_name: String,
    /// Who used it.
    pub customer_id: String,
    /// How much.
    pub value: i64,
    /// What makes a repeat within 24 hours harmless; up to 100 characters.
    pub identifier: String,
    /// When; at most 35 days ago.
    pub at: Timestamp,
}

/// What Stripe knows about the customers of the platform.
#[async_trait]
pub trait Billing: Send + Sync {
    /// All subscriptions of the customer, ended ones too; none for a customer that has none.
    async fn list_subscriptions(&self, customer_id: &str) -> Result<Vec<Subscription>, Error>;

    /// Ends a subscription at once. What was paid for the rest of its period becomes credit of the
    /// customer, and no usage is billed by it any more. One that has ended stays as it is.
    async fn end_subscription(&self, subscription: &Subscription) -> Result<(), Error>;

    /// Hands in usage, under its identifier as the idempotency key. Stripe only says that it took
    /// it: an unknown customer shows up later, in an event of its own.
    async fn record_meter_event(&self, event: &MeterEvent) -> Result<(), Error>;

    /// What a meter has counted for a customer from a whole minute on and before another.
    async fn meter_total(
        &self,
        meter_id: &str,
        customer_id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<i64, Error>;

    /// Stripe's id of the active meter of events with this name.
    async fn find_meter(&self, event_name: &str) -> Result<Option<String>, Error>;
}
