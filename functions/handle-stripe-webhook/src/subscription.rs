//! Brings an organization's tier in step with its customer's subscriptions.

use serde_json::json;
use shared::{
    audit::{self, Entry},
    ids::OrgId,
    models::{
        AuditAction, Organization, StripeCustomer, StripeEvent, StripeEventState, SubscriptionTier,
        SystemPrincipal,
    },
    retry::Transient,
    store::{
        self, Versioned, Write, commit_contended, organizations, stripe_customers, stripe_events,
    },
    stripe,
};

use crate::{
    AppState,
    event::{Change, Claim, Customer, Event},
    tier::{self, Verdict},
};

/// Acts for itself: Stripe has called, not a user.
const CALLER: SystemPrincipal = SystemPrincipal {
    function: "handle-stripe-webhook",
};

/// Why an event could not be acted on; it did nothing and may come again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database did not do what was asked.
    #[error("the event cannot be kept")]
    Store(#[from] store::Error),
    /// It cannot be recorded.
    #[error("the event's effect cannot be recorded")]
    Audit(#[from] audit::Error),
    /// Stripe did not tell the subscriptions.
    #[error("the subscriptions cannot be read")]
    Billing(#[from] stripe::Error),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient() || error.is_lost_race(),
            Self::Audit(error) => error.is_transient() || error.is_lost_race(),
            Self::Billing(error) => error.is_transient(),
        }
    }
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The organization is in step with Stripe.
    Applied { org_id: OrgId, verdict: Verdict },
    /// It means nothing here.
    Ignored,
    /// It needs a person.
    Parked(Reason),
    /// It was acted on before.
    Repeated,
}

/// Why an event needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    #[error("no organization has this customer")]
    UnknownCustomer,
    #[error("the organization that the checkout names does not exist")]
    UnknownOrganization,
    #[error("the organization that the checkout names has another customer")]
    OtherCustomer,
    #[error("the customer belongs to another organization than the checkout names")]
    OtherOrganization,
    #[error("the checkout contradicts itself about its organization")]
    InvalidClaim,
}

/// Acts on an event, once for its id: the effect, its audit record and the event are one commit.
///
/// The event only says which customer to look at. So it does not matter in which order events
/// come, and a parked one need not be kept for later: the next about its customer does its work.
pub(crate) async fn apply(state: &AppState, event: &Event) -> Result<Outcome, Error> {
    commit_contended(&state.store, || decide(state, event)).await
}

async fn decide(state: &AppState, event: &Event) -> Result<(Vec<Write>, Outcome), Error> {
    if state
        .store
        .find_stripe_event(&CALLER, &event.id)
        .await?
        .is_some()
    {
        return Ok((Vec::new(), Outcome::Repeated));
    }
    let Change::Subscriptions(customer) = &event.change else {
        let write = record(state, event, None, StripeEventState::Ignored)?;
        return Ok((vec![write], Outcome::Ignored));
    };
    // Read before Stripe is: whoever writes it meanwhile may know something newer.
    let known = state
        .store
        .find_stripe_customer(&CALLER, &customer.id)
        .await?;
    match resolve(state, customer).await? {
        Ok(org_id) => reconcile(state, event, customer, known, org_id).await,
        Err(reason) => park(state, event, reason),
    }
}

/// The organization that the customer pays for.
async fn resolve(state: &AppState, customer: &Customer) -> Result<Result<OrgId, Reason>, Error> {
    let id = customer.id.as_str();
    let linked = state
        .store
        .find_organization_by_stripe_customer(&CALLER, id)
        .await?;
    let linked = linked.map(|organization| organization.value.id);
    Ok(match (linked, &customer.claim) {
        (_, Claim::Invalid) => Err(Reason::InvalidClaim),
        (Some(linked), Claim::Organization(named)) if linked != *named => {
            Err(Reason::OtherOrganization)
        }
        (Some(linked), _) => Ok(linked),
        (None, Claim::None) => Err(Reason::UnknownCustomer),
        (None, Claim::Organization(named)) => Ok(named.clone()),
    })
}

async fn reconcile(
    state: &AppState,
    event: &Event,
    customer: &Customer,
    known: Option<Versioned<StripeCustomer>>,
    org_id: OrgId,
) -> Result<(Vec<Write>, Outcome), Error> {
    let subscriptions = state
        .billing
        .list_subscriptions(customer.id.as_str())
        .await?;
    // Read after Stripe was, which takes long: usage is counted in this document all the time.
    let Some(organization) = state.store.find_organization(&org_id).await? else {
        return park(state, event, Reason::UnknownOrganization);
    };
    let owner = organization.value.stripe_customer_id.as_deref();
    if owner.is_some_and(|owner| owner != customer.id.as_str()) {
        return park(state, event, Reason::OtherCustomer);
    }
    let current = organization.value.subscription_tier;
    let verdict = tier::derive(&subscriptions, &state.webhook.product_tiers, current);
    let mut writes =
        change_organization(state, event, customer, organization, verdict.tier).await?;
    let seen = StripeCustomer {
        org_id: org_id.clone(),
        last_event_id: event.id.clone(),
        updated_at: state.now(),
    };
    let version = known.map(|known| known.version);
    writes.push(stripe_customers::set(&customer.id, &seen, version)?);
    writes.push(record(
        state,
        event,
        Some(&org_id),
        StripeEventState::Applied,
    )?);
    Ok((writes, Outcome::Applied { org_id, verdict }))
}

/// Nothing, when customer and tier are as they should be.
async fn change_organization(
    state: &AppState,
    event: &Event,
    customer: &Customer,
    mut organization: Versioned<Organization>,
    tier: SubscriptionTier,
) -> Result<Vec<Write>, Error> {
    let before = organization.value.clone();
    organization.value.subscription_tier = tier;
    organization.value.stripe_customer_id = Some(customer.id.to_string());
    if organization.value == before {
        return Ok(Vec::new());
    }
    let mut writes = vec![organizations::replace(&organization)?];
    if before.subscription_tier != tier {
        let metadata = json!({
            "from": before.subscription_tier,
            "to": tier,
            "stripeEventId": event.id,
        });
        let action = AuditAction::TierChange;
        let entry = Entry::new(&before.id, CALLER.actor_id(), action, metadata);
        writes.extend(state.trail.append(entry, state.now()).await?);
    }
    Ok(writes)
}

fn park(state: &AppState, event: &Event, reason: Reason) -> Result<(Vec<Write>, Outcome), Error> {
    let write = record(state, event, None, StripeEventState::Parked)?;
    Ok((vec![write], Outcome::Parked(reason)))
}

fn record(
    state: &AppState,
    event: &Event,
    org_id: Option<&OrgId>,
    outcome: StripeEventState,
) -> Result<Write, Error> {
    let customer_id = match &event.change {
        Change::Subscriptions(customer) => Some(customer.id.to_string()),
        Change::None => None,
    };
    Ok(stripe_events::create(&StripeEvent {
        id: event.id.clone(),
        kind: event.kind.clone(),
        customer_id,
        org_id: org_id.cloned(),
        state: outcome,
        received_at: state.now(),
    })?)
}
