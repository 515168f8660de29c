use serde_json::json;
use shared::{
    audit::Trail,
    ids::OrgId,
    models::{AuditAction, Organization, Principal, Timestamp},
    store::{Store, commit_contended, organizations},
    stripe::{self, CallError, StripeClient},
};

use super::entry;
use crate::{
    error::{Dependency, Error},
    organization,
};

/// Stripe's id of the caller's organization, made with the first question for it, and anew when
/// somebody has deleted it at Stripe.
///
/// Stripe makes one customer within a day for all who ask, and finds it by the organization's id
/// later: who dies in between leaves nothing behind that is not taken up.
pub(super) async fn ensure_customer(
    stripe: &StripeClient,
    (store, trail): (&Store, &Trail),
    principal: &Principal,
    now: Timestamp,
) -> Result<String, Error> {
    let organization = organization::find(store, &principal.org_id).await?;
    let known = organization.stripe_customer_id.as_deref();
    if let Some(known) = known
        && !is_deleted(stripe, known).await?
    {
        return Ok(known.to_owned());
    }
    let customer_id = match find(stripe, &organization, now).await? {
        Some(found) => found,
        None => make(stripe, store, &organization).await?,
    };
    let linked = link(store, trail, principal, (&customer_id, known), now).await?;
    if linked == customer_id {
        describe(stripe, store, principal, (&customer_id, &organization.name)).await?;
    }
    Ok(linked)
}

/// Whether somebody has deleted a customer at Stripe.
pub(super) async fn is_deleted(stripe: &StripeClient, customer_id: &str) -> Result<bool, Error> {
    let is_deleted = stripe.is_deleted(customer_id).await;
    Ok(is_deleted.map_err(Dependency::from)?)
}

/// A customer that an earlier request has made. After a failure of Stripe's the list is looked
/// through as well: what had failed may have been done a moment ago. The search may still know the
/// one that was deleted.
async fn find(
    stripe: &StripeClient,
    organization: &Organization,
    now: Timestamp,
) -> Result<Option<String>, Error> {
    let org_id = &organization.id;
    let found = stripe.find_customer(org_id).await;
    let found = found.map_err(Dependency::from)?;
    let found = found.filter(|found| organization.stripe_customer_id.as_ref() != Some(found));
    if found.is_some() || organization.stripe_customer_attempts == 0 {
        return Ok(found);
    }
    let found = stripe.find_new_customer(org_id, now.instant()).await;
    Ok(found.map_err(Dependency::from)?)
}

async fn make(
    stripe: &StripeClient,
    store: &Store,
    organization: &Organization,
) -> Result<String, Error> {
    let attempt = organization.stripe_customer_attempts;
    let org_id = &organization.id;
    let made = match &organization.stripe_customer_id {
        None => stripe.create_customer(org_id, attempt).await,
        Some(deleted) => stripe.replace_customer(org_id, deleted, attempt).await,
    };
    if let Err(CallError::Failed) = made {
        count_attempt(store, org_id, attempt).await?;
    }
    Ok(made
        .map_err(stripe::Error::from)
        .map_err(Dependency::from)?)
}

/// Has whoever comes next use another key; once, for all who used the same.
async fn count_attempt(store: &Store, org_id: &OrgId, failed: i64) -> Result<(), Error> {
    commit_contended(store, || async move {
        let organization = store.find_organization(org_id).await?;
        let mut organization = organization.ok_or(Error::NotFound("organization"))?;
        if organization.value.stripe_customer_attempts != failed {
            return Ok((Vec::new(), ()));
        }
        organization.value.stripe_customer_attempts += 1;
        Ok((vec![organizations::replace(&organization)?], ()))
    })
    .await
}

/// The customer that the organization has now: this one, unless it got another meanwhile than the one
/// that was deleted.
async fn link(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    (customer_id, deleted): (&str, Option<&str>),
    now: Timestamp,
) -> Result<String, Error> {
    commit_contended(store, || async move {
        let organization = store.find_organization(&principal.org_id).await?;
        let mut organization = organization.ok_or(Error::NotFound("organization"))?;
        match organization.value.stripe_customer_id {
            Some(known) if Some(&*known) != deleted => return Ok((Vec::new(), known)),
            _ => {}
        }
        organization.value.stripe_customer_id = Some(customer_id.to_owned());
        let action = AuditAction::BillingCustomerCreate;
        let mut metadata = json!({ "customerId": customer_id });
        if let Some(deleted) = deleted {
            metadata["deletedCustomerId"] = json!(deleted);
        }
        let mut writes = trail
            .append(entry(principal, action, metadata), now)
            .await?;
        writes.push(organizations::replace(&organization)?);
        Ok((writes, customer_id.to_owned()))
    })
    .await
}

/// Only for the eyes of people: the checkout asks for what is missing.
async fn describe(
    stripe: &StripeClient,
    store: &Store,
    principal: &Principal,
    (customer_id, name): (&str, &str),
) -> Result<(), Error> {
    let caller = organization::find_caller(store, principal).await?;
    let Some(email) = caller.value.email else {
        return Ok(());
    };
    let described = stripe.describe_customer(customer_id, name, &email).await;
    if let Err(error) = described {
        let org_id = &principal.org_id;
        tracing::warn!(%error, org.id = %org_id, "the customer is not named at Stripe");
    }
    Ok(())
}
