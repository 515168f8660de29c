//! The port to Stripe's billing: what the tier of an organization is derived from.

use async_trait::async_trait;

use crate::retry::Transient;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
    /// Stripe's id of the price.
    pub price_id: String,
    /// Our name of the price, if it has one: `pro_monthly`.
    pub lookup_key: Option<String>,
    /// Stripe's id of the product.
    pub product_id: String,
    /// Whether usage is billed: such an item stands beside a tier and names none.
    pub metered: bool,
}

/// What Stripe knows about the customers of the platform.
#[async_trait]
pub trait Billing: Send + Sync {
    /// All subscriptions of the customer, ended ones too; none for a customer that has none.
    async fn list_subscriptions(&self, customer_id: &str) -> Result<Vec<Subscription>, Error>;
}
