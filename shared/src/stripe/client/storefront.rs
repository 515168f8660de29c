//! What the billing page needs: customers, prices, hosted pages, invoices.

use jiff::Timestamp;
use serde::{Deserialize, de::Error as _};
use serde_json::{Value, json};

use super::{
    PAGE_SIZE, StripeClient,
    wire::{Anything, Link, Made, Page},
};
use crate::{
    ids::OrgId,
    stripe::{Error, Price},
};

/// A checkout of a subscription (<https://docs.stripe.com/api/checkout/sessions/create>).
#[derive(Clone, Debug)]
pub struct CheckoutOrder {
    /// Whom it is for: told to Stripe as metadata of the checkout and of the subscription.
    pub org_id: OrgId,
    /// Who pays.
    pub customer_id: String,
    /// What is subscribed to.
    pub prices: Vec<Price>,
    /// Where the browser goes when it is paid.
    pub success_url: String,
    /// Where the browser goes when it is given up.
    pub cancel_url: String,
}

/// A page of Stripe's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedPage {
    /// Stripe's id of the session.
    pub id: String,
    /// Where the browser goes.
    pub url: String,
}

/// An invoice (<https://docs.stripe.com/api/invoices/object>).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Invoice {
    /// Stripe's id.
    pub id: String,
    /// What is printed on it; a draft has none.
    pub number: Option<String>,
    /// `draft`, `open`, `paid`, `uncollectible` or `void`.
    pub status: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "seconds")]
    pub created: Timestamp,
    /// Three letters, in lower case.
    pub currency: String,
    /// What it comes to, in the smallest unit of the currency.
    pub total: i64,
    /// Where it is shown and paid.
    pub hosted_invoice_url: Option<String>,
    /// Where it can be had as a PDF.
    pub invoice_pdf: Option<String>,
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    Timestamp::from_second(seconds).map_err(D::Error::custom)
}

impl StripeClient {
    /// The customer that was made for an organization: Stripe finds one a minute after it was made
    /// (<https://docs.stripe.com/search#data-freshness>).
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn find_customer(&self, org_id: &OrgId) -> Result<Option<String>, Error> {
        let query = json!({ "query": format!("metadata['orgId']:'{org_id}'"), "limit": 1 });
        let found: Page<Made> = self.read("/customers/search", &query).await?;
        Ok(found.data.into_iter().next().map(|customer| customer.id))
    }

    /// The customer of an organization: made once within 24 hours, whoever asks and however often.
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn create_customer(&self, org_id: &OrgId) -> Result<String, Error> {
        // All that is sent is equal for every caller: Stripe refuses a key that comes with other
        // parameters.
        let form = json!({ "metadata": { "orgId": org_id } });
        let key = format!("customer-{org_id}");
        let made: Made = self.write("/customers", &form, &key).await?;
        Ok(made.id)
    }

    /// Tells Stripe the name of an organization and whom to send invoices to.
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn describe_customer(
        &self,
        customer_id: &str,
        name: &str,
        email: &str,
    ) -> Result<(), Error> {
        let form = json!({ "name": name, "email": email });
        let path = format!("/customers/{customer_id}");
        let key = format!("describe-{customer_id}");
        let _: Anything = self.write(&path, &form, &key).await?;
        Ok(())
    }

    /// The active prices that have these lookup keys.
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn find_prices(&self, lookup_keys: &[&str]) -> Result<Vec<Price>, Error> {
        let query = json!({ "lookup_keys": lookup_keys, "active": true, "limit": PAGE_SIZE });
        let found: Page<Price> = self.read("/prices", &query).await?;
        Ok(found.data)
    }

    /// Opens the page on which a subscription is paid.
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn open_checkout(
        &self,
        order: &CheckoutOrder,
        idempotency_key: &str,
    ) -> Result<HostedPage, Error> {
        let items = order.prices.iter().map(line_item).collect::<Vec<_>>();
        let metadata = json!({ "orgId": order.org_id });
        let form = json!({
            "mode": "subscription",
            "customer": order.customer_id,
            "client_reference_id": order.org_id,
            "line_items": items,
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
            "metadata": metadata,
            // The metadata of the session is not copied to its subscription.
            "subscription_data": { "metadata": metadata },
        });
        let link: Link = self
            .write("/checkout/sessions", &form, idempotency_key)
            .await?;
        Ok(link.into())
    }

    /// Opens the page on which a customer looks after its subscription and its cards, by a
    /// configuration or as the account has it.
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn open_portal(
        &self,
        customer_id: &str,
        return_url: &str,
        configuration: Option<&str>,
        idempotency_key: &str,
    ) -> Result<HostedPage, Error> {
        let mut form = json!({ "customer": customer_id, "return_url": return_url });
        if let Some(configuration) = configuration {
            form["configuration"] = json!(configuration);
        }
        let path = "/billing_portal/sessions";
        let link: Link = self.write(path, &form, idempotency_key).await?;
        Ok(link.into())
    }

    /// The last invoices of a customer, the newest first; at most 100.
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn list_invoices(
        &self,
        customer_id: &str,
        limit: usize,
    ) -> Result<Vec<Invoice>, Error> {
        let query = json!({ "customer": customer_id, "limit": limit });
        let found: Page<Invoice> = self.read("/invoices", &query).await?;
        Ok(found.data)
    }
}

/// Usage is counted by the meter: such an item takes no quantity.
fn line_item(price: &Price) -> Value {
    match price.is_metered() {
        true => json!({ "price": price.id }),
        false => json!({ "price": price.id, "quantity": 1 }),
    }
}

impl From<Link> for HostedPage {
    fn from(link: Link) -> Self {
        Self {
            id: link.id,
            url: link.url,
        }
    }
}
