//! Customers: one for each organization, whatever fails while it is made.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    StripeClient,
    wire::{Anything, Made, Page, WireCustomer},
};
use crate::{
    ids::OrgId,
    stripe::{CallError, Error},
};

/// What is younger is looked for in the list: the search may not know it yet.
const UNINDEXED: SignedDuration = SignedDuration::from_hours(1);

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

    /// The customer that was made for an organization within the last hour, even a moment ago.
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached.
    pub async fn find_new_customer(
        &self,
        org_id: &OrgId,
        now: Timestamp,
    ) -> Result<Option<String>, Error> {
        let since = (now - UNINDEXED).as_second();
        let filter = json!({ "created": { "gte": since } });
        let recent: Vec<WireCustomer> = self.read_all("/customers", &filter).await?;
        let mut of_it = recent.into_iter().filter(|customer| {
            let made_for = customer.metadata.get("orgId");
            made_for.is_some_and(|id| id == org_id.as_str())
        });
        Ok(of_it.next().map(|customer| customer.id))
    }

    /// The customer of an organization: made once within 24 hours, whoever asks and however often.
    /// After [`CallError::Failed`] the same attempt never succeeds; the next one may make another
    /// customer, so that [`Self::find_new_customer`] is to be asked first.
    ///
    /// # Errors
    /// Returns [`CallError`] when Stripe refuses or cannot be reached.
    pub async fn create_customer(&self, org_id: &OrgId, attempt: i64) -> Result<String, CallError> {
        // All that is sent is equal for every caller: Stripe refuses a key that comes with other
        // parameters.
        let form = json!({ "metadata": { "orgId": org_id } });
        let key = match attempt {
            0 => format!("customer-{org_id}"),
            _ => format!("customer-{org_id}-{attempt}"),
        };
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
}
