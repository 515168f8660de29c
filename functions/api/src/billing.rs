//! How organizations pay: by Stripe's own pages.

mod cap;
mod checkout;
mod customer;
mod ours;
mod overview;
mod plan;
mod portal;
mod return_urls;
mod unsettled;
mod usage;

use serde_json::Value;
use shared::{
    audit::Entry,
    config::{self, Env},
    models::{AuditAction, Organization, Principal},
    stripe::{Billing as _, StripeClient, Subscription, SubscriptionStatus},
};

use crate::error::{Dependency, Error};

pub(crate) use self::{
    cap::set_cap,
    checkout::{CheckoutRequest, open_checkout},
    overview::{Overview, overview},
    plan::{PlanRequest, change_plan},
    portal::{PortalRequest, open_portal},
    return_urls::ReturnUrls,
};

/// Where organizations pay.
#[derive(Clone, Debug)]
pub(crate) struct Billing {
    /// The platform's account at Stripe, if there is one.
    pub(crate) stripe: Option<StripeClient>,
    /// What the portal offers, unless it is what the account's does.
    pub(crate) portal_configuration: Option<String>,
    /// Where Stripe's pages may send a browser back to.
    pub(crate) return_urls: ReturnUrls,
}

/// The platform's account at Stripe.
#[derive(Clone, Debug)]
pub struct StripeConfig {
    /// `STRIPE_API_KEY`: secret or restricted key.
    pub api_key: secrecy::SecretString,
    /// `STRIPE_API_BASE_URL`: where the API is; default `https://api.stripe.com/`.
    pub api_base_url: String,
    /// `STRIPE_PORTAL_CONFIGURATION`: what the portal offers; default what the account's does.
    pub portal_configuration: Option<String>,
}

impl StripeConfig {
    /// Reads the variables; none without a key.
    pub(crate) fn load_optional(env: &Env) -> Result<Option<Self>, config::Error> {
        if env.optional("STRIPE_API_KEY").is_none() {
            return Ok(None);
        }
        let base_url: String =
            env.parsed("STRIPE_API_BASE_URL", "https://api.stripe.com".to_owned())?;
        Ok(Some(Self {
            api_key: env.secret("STRIPE_API_KEY")?,
            api_base_url: format!("{}/", base_url.trim_end_matches('/')),
            portal_configuration: env
                .optional("STRIPE_PORTAL_CONFIGURATION")
                .map(str::to_owned),
        }))
    }
}

impl Billing {
    fn stripe(&self) -> Result<&StripeClient, Error> {
        let missing = Error::Precondition("payments are not set up here");
        self.stripe.as_ref().ok_or(missing)
    }

    /// Whether the organization pays for something, or may have begun to, as Stripe knows it: the
    /// tier tells later. Its open pages are closed, so that nobody pays for it from here on.
    pub(crate) async fn would_charge(&self, organization: &Organization) -> Result<bool, Error> {
        let (Some(stripe), Some(customer_id)) = (&self.stripe, &organization.stripe_customer_id)
        else {
            return Ok(false);
        };
        let is_being_paid = close_pages(stripe, customer_id).await?;
        let subscriptions = stripe.list_subscriptions(customer_id).await;
        let subscriptions = subscriptions.map_err(Dependency::from)?;
        let is_begun = |it: &Subscription| it.status == SubscriptionStatus::Incomplete;
        let mut subscriptions = subscriptions.iter();
        Ok(is_being_paid || subscriptions.any(|it| is_live(it) || is_begun(it)))
    }
}

/// Closes the pages of a customer; tells whether one is being paid, so that it cannot be.
async fn close_pages(stripe: &StripeClient, customer_id: &str) -> Result<bool, Error> {
    let mut are_closed = true;
    let open = stripe.open_checkouts(customer_id).await;
    for page in open.map_err(Dependency::from)? {
        let closed = stripe.close_checkout(&page).await;
        are_closed &= closed.map_err(Dependency::from)?;
    }
    if are_closed {
        return Ok(false);
    }
    // Another request may have closed it before.
    let left = stripe.open_checkouts(customer_id).await;
    Ok(!left.map_err(Dependency::from)?.is_empty())
}

/// Whether a subscription stands: a second one would be paid beside it.
fn is_live(subscription: &Subscription) -> bool {
    match subscription.status {
        SubscriptionStatus::Canceled
        | SubscriptionStatus::Incomplete
        | SubscriptionStatus::IncompleteExpired => false,
        SubscriptionStatus::Trialing
        | SubscriptionStatus::Active
        | SubscriptionStatus::PastDue
        | SubscriptionStatus::Unpaid
        | SubscriptionStatus::Paused
        | SubscriptionStatus::Other => true,
    }
}

fn entry(principal: &Principal, action: AuditAction, metadata: Value) -> Entry {
    Entry::new(&principal.org_id, principal.uid.as_str(), action, metadata)
}
