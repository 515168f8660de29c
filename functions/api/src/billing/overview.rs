use std::time::Duration;

use serde::Serialize;
use shared::{
    auth::{Action, is_allowed},
    models::{Organization, Principal, SubscriptionTier, Timestamp},
    quota::{Plan, percent_of_limit},
    store::Store,
    stripe::{Billing as _, Error as StripeError, Invoice, StripeClient, SubscriptionStatus},
};
use tokio::time::timeout;

use super::{Billing, is_live};
use crate::{error::Error, month_use::MonthUse, organization, plan_view::PlanView};

/// How long the page waits for what Stripe knows.
const PATIENCE: Duration = Duration::from_secs(5);

/// Invoices that are shown.
const INVOICES: usize = 24;

/// What an organization pays for and has used.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    subscription_tier: SubscriptionTier,
    plan: PlanView,
    usage: Usage,
    /// For those who may pay.
    #[serde(flatten)]
    account: Option<Account>,
}

/// Tokens of the current UTC month.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    period: String,
    tokens: i64,
    /// What of them was used with the organization's own keys: it is in no price.
    own_key_tokens: i64,
    included_tokens: i64,
    /// What of the others is above the included tokens, where the plan charges it.
    overage_tokens: i64,
    /// Above this every call is refused.
    monthly_tokens: i64,
    /// What the plan allows, without the organization's own cap.
    plan_monthly_tokens: i64,
    /// The organization's own cap.
    own_monthly_tokens: Option<i64>,
    percent_of_limit: f64,
}

/// What Stripe knows; null where it did not answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    has_customer: bool,
    subscriptions: Option<Vec<SubscriptionView>>,
    invoices: Option<Vec<InvoiceView>>,
}

/// A subscription that stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionView {
    status: &'static str,
    lookup_keys: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InvoiceView {
    number: Option<String>,
    created_at: Timestamp,
    status: Option<String>,
    currency: String,
    total_cents: i64,
    hosted_url: Option<String>,
    pdf_url: Option<String>,
}

/// What the caller may see of it.
pub(crate) async fn overview(
    billing: &Billing,
    store: &Store,
    principal: &Principal,
    now: Timestamp,
) -> Result<Overview, Error> {
    let organization = organization::find(store, &principal.org_id).await?;
    let usage = usage(store, &organization, now).await?;
    let account = match is_allowed(principal.role, Action::ManageBilling) {
        true => Some(account(billing.stripe.as_ref(), &organization).await),
        false => None,
    };
    Ok(Overview {
        subscription_tier: organization.subscription_tier,
        plan: PlanView::from(&organization),
        usage,
        account,
    })
}

async fn usage(store: &Store, organization: &Organization, now: Timestamp) -> Result<Usage, Error> {
    let plan = Plan::for_organization(organization);
    let month = MonthUse::find(store, organization, now).await?;
    Ok(Usage {
        period: month.period,
        tokens: month.tokens,
        own_key_tokens: month.own_key,
        included_tokens: plan.included_tokens,
        overage_tokens: month.overage,
        monthly_tokens: plan.monthly_tokens,
        plan_monthly_tokens: Plan::sold_to(organization).monthly_tokens,
        own_monthly_tokens: organization.limits.own_monthly_tokens,
        percent_of_limit: percent_of_limit(month.tokens, plan.monthly_tokens),
    })
}

async fn account(stripe: Option<&StripeClient>, organization: &Organization) -> Account {
    let customer_id = organization.stripe_customer_id.as_deref();
    let (Some(stripe), Some(customer_id)) = (stripe, customer_id) else {
        return Account {
            has_customer: customer_id.is_some(),
            subscriptions: customer_id.is_none().then(Vec::new),
            invoices: customer_id.is_none().then(Vec::new),
        };
    };
    let (subscriptions, invoices) = tokio::join!(
        patient(stripe.list_subscriptions(customer_id)),
        patient(stripe.list_invoices(customer_id, INVOICES)),
    );
    let live = subscriptions.map(|all| all.into_iter().filter(is_live));
    let view = |subscription: shared::stripe::Subscription| SubscriptionView {
        status: status(subscription.status),
        lookup_keys: subscription
            .items
            .into_iter()
            .filter_map(|item| item.lookup_key)
            .collect(),
    };
    Account {
        has_customer: true,
        subscriptions: live.map(|live| live.map(view).collect()),
        invoices: invoices.map(|all| all.into_iter().map(InvoiceView::from).collect()),
    }
}

/// The rest of the page does not wait for Stripe longer than a person does.
async fn patient<T>(question: impl Future<Output = Result<T, StripeError>>) -> Option<T> {
    match timeout(PATIENCE, question).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the billing page goes without what Stripe knows");
            None
        }
        Err(_) => {
            tracing::warn!("the billing page did not wait for Stripe");
            None
        }
    }
}

/// Stripe's names.
fn status(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Incomplete => "incomplete",
        SubscriptionStatus::IncompleteExpired => "incomplete_expired",
        SubscriptionStatus::Trialing => "trialing",
        SubscriptionStatus::Active => "active",
        SubscriptionStatus::PastDue => "past_due",
        SubscriptionStatus::Canceled => "canceled",
        SubscriptionStatus::Unpaid => "unpaid",
        SubscriptionStatus::Paused => "paused",
        SubscriptionStatus::Other => "other",
    }
}

impl From<Invoice> for InvoiceView {
    fn from(invoice: Invoice) -> Self {
        Self {
            number: invoice.number,
            created_at: invoice.created.into(),
            status: invoice.status,
            currency: invoice.currency,
            total_cents: invoice.total,
            hosted_url: invoice.hosted_invoice_url,
            pdf_url: invoice.invoice_pdf,
        }
    }
}
