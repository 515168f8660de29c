//! `stripe_customers`: which organization pays as which Stripe customer.

use super::{DocumentPath, Error, Store, Versioned, Write, document_db::Precondition};
use crate::{
    ids::RecordId,
    models::{StripeCustomer, SystemPrincipal, Timestamp},
};

impl Store {
    /// What is known of a Stripe customer.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_stripe_customer(
        &self,
        _caller: &SystemPrincipal,
        customer_id: &RecordId,
    ) -> Result<Option<Versioned<StripeCustomer>>, Error> {
        self.load(&path(customer_id)).await
    }
}

/// Sets what is known of the customer, if nobody changed it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set(
    customer_id: &RecordId,
    customer: &StripeCustomer,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(path(customer_id), customer, precondition)
}

fn path(customer_id: &RecordId) -> DocumentPath {
    DocumentPath::new("stripe_customers", customer_id.as_str())
}
