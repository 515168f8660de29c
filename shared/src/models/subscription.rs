use serde::{Deserialize, Serialize};

use super::{SubscriptionTier, Timestamp};
use crate::ids::{OrgId, RecordId};

/// `stripe_events/{id}`: a webhook event, acted on once. It holds what that needs and no more: no
/// body and no personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StripeEvent {
    /// Stripe's event id, equal to the document id.
    pub id: RecordId,
    /// Stripe's event type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The customer it is about, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<RecordId>,
    /// Which organization its object says it is for, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<StripeClaim>,
    /// What a mail about it is about, so that there is one mail: an invoice, or a trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The organization it is about, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrgId>,
    /// What became of it.
    pub state: StripeEventState,
    /// How often it could not be acted on since it was last received.
    #[serde(default)]
    pub attempts: i64,
    /// When it was received.
    pub received_at: Timestamp,
    /// When the sweeper hands it in again, as long as it is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep_at: Option<Timestamp>,
}

/// Which organization an object of Stripe says it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum StripeClaim {
    /// Our own server wrote it into the metadata of the checkout.
    Organization {
        /// The organization.
        org_id: OrgId,
    },
    /// It contradicts itself, or names what cannot be an organization.
    Invalid,
}

/// What became of a Stripe event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StripeEventState {
    /// To be acted on.
    Pending,
    /// Acted on.
    Applied,
    /// Of no interest.
    Ignored,
    /// Of interest to people alone: a refund or a dispute.
    Noted,
    /// About a customer that no organization has.
    Parked,
    /// Given up after many attempts.
    Failed,
}

/// `stripe_customers/{customerId}`: one organization a customer.
///
/// Every event about the customer writes it. So of two that read Stripe at the same time, the one
/// that commits last has lost a race and reads again: a tier cannot come from an older reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StripeCustomer {
    /// The organization; none before one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrgId>,
    /// The event that was acted on last. It makes every write a change: Firestore keeps the
    /// version of a document that is replaced by its equal.
    pub last_event_id: RecordId,
    /// Subscriptions that are being ended because they were bought beside another: recorded, and not
    /// told to the admins yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ending: Vec<String>,
    /// When it was written.
    pub updated_at: Timestamp,
}

/// `platform/tier_reconcile`: the last comparison of all tiers with what Stripe says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TierReconcile {
    /// Which comparison.
    pub run_id: RecordId,
    /// The organization that was compared last, as long as there may be more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PayingOrganization>,
    /// Organizations compared.
    pub checked: i64,
    /// Organizations whose tier was wrong, and is right now.
    pub repaired: i64,
    /// Organizations that could not be compared.
    pub failed: i64,
    /// What was wrong; the first of many.
    #[serde(default)]
    pub drifts: Vec<TierDrift>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last went on.
    pub updated_at: Timestamp,
    /// When it was done, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// An organization and the Stripe customer as which it pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayingOrganization {
    /// Stripe's id of the customer.
    pub customer_id: String,
    /// The organization.
    pub org_id: OrgId,
}

/// A tier that was not what Stripe says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TierDrift {
    /// Whose.
    pub org_id: OrgId,
    /// What it was.
    pub from: SubscriptionTier,
    /// What it is now.
    pub to: SubscriptionTier,
}

/// What admins are told of their organization's subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BillingNotice {
    /// A payment has failed and is tried again.
    PaymentFailed,
    /// The trial ends in a few days.
    TrialEnding,
    /// The tier was lowered.
    TierLowered {
        /// The plan that it was, by the name that it is sold under.
        from: String,
        /// The plan that it is now.
        to: String,
    },
    /// Two subscriptions were paid; one of them is ended, and its price is credited.
    BoughtTwice,
}
