//! What the billing page needs: prices, hosted pages, invoices.

use jiff::Timestamp;
use serde::{Deserialize, de::Error as _};
use serde_json::json;

use super::{
    PAGE_SIZE, StripeClient,
    wire::{Anything, Link, Made, Page},
};
use crate::{
    ids::{OrgId, RecordId},
    stripe::{CallError, Error, Price},
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
        let items = order
            .prices
            .iter()
            .map(Price::line_item)
            .collect::<Vec<_>>();
        let metadata = json!({ "orgId": order.org_id });
        let form = json!({
            "mode": "subscription",
            "customer": order.customer_id,
            "client_reference_id": order.org_id,
            "line_items": items,
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
            "metadata": metadata,
            // The metadata of the session is not copied to its subscription. The flexible mode bills
            // the tokens used so far when a plan is changed; the classic one forgets them.
            "subscription_data": { "billing_mode": { "type": "flexible" }, "metadata": metadata },
        });
        let link: Link = self
            .write("/checkout/sessions", &form, idempotency_key)
            .await?;
        Ok(link.into())
    }

    /// The pages of a customer that can still be paid, the newest first; at most 100.
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn open_checkouts(&self, customer_id: &str) -> Result<Vec<String>, Error> {
        let query = json!({ "customer": customer_id, "status": "open", "limit": PAGE_SIZE });
        let found: Result<Page<Made>, _> = self.read("/checkout/sessions", &query).await;
        let found = found.map(|page| page.data);
        let found = self.of_customer(customer_id, found).await?.into_iter();
        Ok(found.map(|session| session.id).collect())
    }

    /// Closes a page, so that it cannot be paid any more; tells whether it was still open
    /// (<https://docs.stripe.com/api/checkout/sessions/expire>).
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn close_checkout(&self, id: &str) -> Result<bool, Error> {
        let path = format!("/checkout/sessions/{id}/expire");
        let key = RecordId::generate();
        let closed = self
            .write::<Anything>(&path, &json!({}), key.as_str())
            .await;
        match closed {
            Ok(_) => Ok(true),
            Err(CallError::Refused { status: 400, .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
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
        let found: Result<Page<Invoice>, _> = self.read("/invoices", &query).await;
        let found = found.map(|page| page.data);
        self.of_customer(customer_id, found).await
    }

    /// An invoice.
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn find_invoice(&self, id: &str) -> Result<Invoice, Error> {
        Ok(self.read(&format!("/invoices/{id}"), &json!({})).await?)
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
