//! Customers: one for each organization, whatever fails while it is made.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    StripeClient,
    wire::{Anything, Made, Page, WireCustomer, WireDeleted},
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

    /// Whether somebody has deleted a customer: Stripe tells so for ever, and nothing can be bought
    /// as it any more (<https://docs.stripe.com/api/customers/delete>).
    ///
    /// # Errors
    /// Returns [`Error`] when Stripe refuses or cannot be reached, also for a customer that it never
    /// had: the key may be another account's.
    pub async fn is_deleted(&self, customer_id: &str) -> Result<bool, Error> {
        let path = format!("/customers/{customer_id}");
        let found: WireDeleted = self.read(&path, &json!({})).await?;
        Ok(found.deleted)
    }

    /// What was asked about a customer; nothing about one that was deleted.
    pub(super) async fn of_customer<T>(
        &self,
        customer_id: &str,
        listed: Result<Vec<T>, CallError>,
    ) -> Result<Vec<T>, Error> {
        match listed {
            Err(error) if error.has_code("resource_missing") => {
                match self.is_deleted(customer_id).await {
                    Ok(true) => Ok(Vec::new()),
                    Ok(false) | Err(Error::Rejected { .. }) => Err(error.into()),
                    Err(unavailable) => Err(unavailable),
                }
            }
            listed => Ok(listed?),
        }
    }

    /// The customer of an organization: made once within 24 hours, whoever asks and however often.
    /// After [`CallError::Failed`] the same attempt never succeeds; the next one may make another
    /// customer, so that [`Self::find_new_customer`] is to be asked first.
    ///
    /// # Errors
    /// Returns [`CallError`] when Stripe refuses or cannot be reached.
    pub async fn create_customer(&self, org_id: &OrgId, attempt: i64) -> Result<String, CallError> {
        self.make_customer(org_id, &format!("customer-{org_id}"), attempt)
            .await
    }

    /// The same in the place of a customer that was deleted.
    ///
    /// # Errors
    /// Returns [`CallError`] when Stripe refuses or cannot be reached.
    pub async fn replace_customer(
        &self,
        org_id: &OrgId,
        deleted: &str,
        attempt: i64,
    ) -> Result<String, CallError> {
        let key = format!("customer-{org_id}-after-{deleted}");
        self.make_customer(org_id, &key, attempt).await
    }

    /// All that is sent is equal for every caller: Stripe refuses a key that comes with other
    /// parameters.
    async fn make_customer(
        &self,
        org_id: &OrgId,
        key: &str,
        attempt: i64,
    ) -> Result<String, CallError> {
        let form = json!({ "metadata": { "orgId": org_id } });
        let key = match attempt {
            0 => key.to_owned(),
            _ => format!("{key}-{attempt}"),
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
