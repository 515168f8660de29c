//! Organizations by what they subscribe to.

use super::{
    Error, Store, Versioned,
    document_db::{Comparison, Order, Query, ValueType, value},
};
use crate::{
    ids::OrgId,
    models::{Organization, PayingOrganization, SystemPrincipal, Timestamp},
};

impl Store {
    /// The organization that pays as this Stripe customer.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_organization_by_stripe_customer(
        &self,
        _caller: &SystemPrincipal,
        customer_id: &str,
    ) -> Result<Option<Versioned<Organization>>, Error> {
        let query = Query::new("organizations", 1).filter(
            "stripeCustomerId",
            Comparison::Equal,
            customer_id,
        );
        Ok(self.list(&query).await?.pop())
    }

    /// Organizations that have a Stripe customer, by its id, from the one after `after` on. One that
    /// cannot be read is an error: none may be missed.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_paying_organizations(
        &self,
        _caller: &SystemPrincipal,
        after: Option<&PayingOrganization>,
        limit: u32,
    ) -> Result<Vec<PayingOrganization>, Error> {
        let mut query = Query::new("organizations", limit)
            .filter("stripeCustomerId", Comparison::GreaterOrEqual, "")
            .order(Order::Ascending("stripeCustomerId"));
        query.after = after.map(|after| {
            let customer = ValueType::StringValue(after.customer_id.clone());
            (Some(value(customer)), after.org_id.to_string())
        });
        let found: Vec<Versioned<Organization>> = self.list(&query).await?;
        let paying = found.into_iter().filter_map(|found| {
            Some(PayingOrganization {
                customer_id: found.value.stripe_customer_id?,
                org_id: found.value.id,
            })
        });
        Ok(paying.collect())
    }

    /// Organizations whose agents are to be brought within the limit by now, longest due first.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_agent_limits(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OrgId>, Error> {
        self.list_due_quotas("enforceAt", now, limit).await
    }
}
