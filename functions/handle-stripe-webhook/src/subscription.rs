//! Brings an organization's tier in step with its customer's subscriptions.

use serde_json::json;
use shared::{
    audit::{self, Entry},
    ids::{OrgId, RecordId},
    models::{
        AuditAction, BillingNotice, Organization, StripeCustomer, SubscriptionTier, TierDrift,
        Timestamp,
    },
    quota::Plan,
    retry::Transient,
    store::{self, Store, Versioned, Write, organizations, stripe_customers},
    stripe::{self, Subscription},
};

use crate::{
    AppState, CALLER, SWEEP_SECS, notices, rivals,
    tier::{self, Verdict},
};

/// How far Stripe's clock may be behind, and its whole seconds, in seconds.
const CLOCKS_DIFFER_SECS: i64 = 5;

/// How long Stripe delivers an event, in seconds (<https://docs.stripe.com/webhooks#retries>): what
/// changes later was not asked here.
const DELIVERED_SECS: i64 = 3 * 24 * 3_600;

/// How long a call is under way at most, in seconds.
const CALL_SECS: i64 = 1_800;

/// Why nothing could be done; it may be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database did not do what was asked.
    #[error("the tier cannot be kept")]
    Store(#[from] store::Error),
    /// It cannot be recorded.
    #[error("the change cannot be recorded")]
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

/// Why a tier is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause<'a> {
    /// An event of Stripe.
    Event(&'a RecordId),
    /// The nightly comparison of all tiers.
    Reconcile(&'a RecordId),
}

/// What Stripe says, and what has to be written for it to be so.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) verdict: Verdict,
    /// Whether subscriptions were bought beside another, or the end of one is not told yet.
    pub(crate) has_rivals: bool,
    /// How the tier changes, if it does.
    pub(crate) drift: Option<TierDrift>,
    /// Empty when the organization is in step.
    pub(crate) changes: Vec<Write>,
    /// Has whoever has read Stripe before lose the race.
    pub(crate) seen: Write,
}

/// Reads the subscriptions of the organization's customer and derives the tier from them.
///
/// Of two that do so at a time, one with an older reading never wins: both write the customer's
/// document on the condition that it is as it was before Stripe was read, which `known` is.
pub(crate) async fn settle(
    state: &AppState,
    cause: Cause<'_>,
    customer_id: &RecordId,
    known: Option<&Known>,
    org_id: &OrgId,
) -> Result<Result<Settled, Reason>, Error> {
    let subscriptions = state
        .billing
        .list_subscriptions(customer_id.as_str())
        .await?;
    // Read after Stripe was, which takes long: usage is counted in this document all the time.
    let Some(organization) = state.store.find_organization(org_id).await? else {
        return Ok(Err(Reason::UnknownOrganization));
    };
    let owner = organization.value.stripe_customer_id.as_deref();
    if owner.is_some_and(|owner| owner != customer_id.as_str()) {
        return Ok(Err(Reason::OtherCustomer));
    }
    let current = organization.value.subscription_tier;
    let products = &state.webhook.product_tiers;
    let verdict = tier::derive(&subscriptions, products, current);
    let drift = (verdict.tier != current).then(|| TierDrift {
        org_id: org_id.clone(),
        from: current,
        to: verdict.tier,
    });
    Ok(Ok(Settled {
        changes: change(
            state,
            cause,
            (customer_id, &subscriptions),
            organization,
            drift.as_ref(),
        )
        .await?,
        seen: see(state, cause, customer_id, known, Some(org_id))?,
        has_rivals: rivals::are_left(known, &subscriptions, products, org_id),
        verdict,
        drift,
    }))
}

/// What is known of a customer.
pub(crate) type Known = Versioned<StripeCustomer>;

/// Keeps that the customer was looked at, if nobody else has done so since `known` was read.
pub(crate) fn see(
    state: &AppState,
    cause: Cause<'_>,
    customer_id: &RecordId,
    known: Option<&Known>,
    org_id: Option<&OrgId>,
) -> Result<Write, store::Error> {
    let seen = StripeCustomer {
        org_id: org_id.cloned(),
        last_event_id: cause.id().clone(),
        ending: known.map_or_else(Vec::new, |known| known.value.ending.clone()),
        updated_at: state.now(),
    };
    stripe_customers::set(customer_id, &seen, known.map(|known| known.version))
}

impl Cause<'_> {
    pub(crate) fn id(&self) -> &RecordId {
        match self {
            Self::Event(id) | Self::Reconcile(id) => id,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Event(_) => "stripeEventId",
            Self::Reconcile(_) => "reconcileId",
        }
    }
}

/// Nothing, when customer and tier are as they should be.
async fn change(
    state: &AppState,
    cause: Cause<'_>,
    (customer_id, subscriptions): (&RecordId, &[Subscription]),
    mut organization: Versioned<Organization>,
    drift: Option<&TierDrift>,
) -> Result<Vec<Write>, Error> {
    let is_linked = organization.value.stripe_customer_id.is_some();
    if is_linked && drift.is_none() {
        return Ok(Vec::new());
    }
    organization.value.stripe_customer_id = Some(customer_id.to_string());
    let Some(drift) = drift else {
        return Ok(vec![organizations::replace(&organization)?]);
    };
    let at = changed_at(&organization.value, subscriptions, drift.to, state.now());
    organization.value.change_tier(drift.to, at);
    let mut writes = vec![organizations::replace(&organization)?];
    writes.push(mark_limit(state, &drift.org_id).await?);
    let metadata = json!({ "from": drift.from, "to": drift.to, cause.name(): cause.id() });
    let action = AuditAction::TierChange;
    let entry = Entry::new(&drift.org_id, CALLER.actor_id(), action, metadata);
    writes.extend(state.trail.append(entry, state.now()).await?);
    if drift.to < drift.from {
        let notice = BillingNotice::TierLowered {
            from: product(drift.from),
            to: product(drift.to),
        };
        let about = cause.id().as_str();
        writes.extend(notices::write(state, &drift.org_id, &notice, about).await?);
    }
    Ok(writes)
}

/// When the plan has changed: as Stripe has begun a period if that was asked here, or else now. What is
/// used until the event of it comes is not on the plan before. Nor are, on the way to a smaller plan,
/// the calls that were under way: whoever asks for it has used no more than it includes until then.
fn changed_at(
    organization: &Organization,
    subscriptions: &[Subscription],
    to: SubscriptionTier,
    now: Timestamp,
) -> Timestamp {
    let asked = organization.plan_asked_since;
    let Some((asked_at, settles_at)) = asked.zip(organization.plan_settles_at()) else {
        return now;
    };
    let asked_at = asked_at.plus_seconds(-CLOCKS_DIFFER_SECS);
    let former = organization.former_tiers.last().map(|former| former.until);
    let paid = subscriptions.iter().filter(|it| tier::is_paid(it.status));
    let mut begun = paid.filter_map(|it| it.period_began_at.map(Timestamp::from));
    let made = begun.find(|begun_at| {
        // Each change of ours begins a period: another one in the same was made by hand.
        let is_ours = (asked_at..=settles_at).contains(begun_at) && former < Some(*begun_at);
        is_ours && now < begun_at.plus_seconds(DELIVERED_SECS)
    });
    let Some(made_at) = made else {
        return now;
    };
    match to < organization.subscription_tier {
        true => made_at.plus_seconds(-CALL_SECS),
        false => made_at.min(now),
    }
}

/// Has the agents be brought within the new limit, even if this process ends after the commit.
async fn mark_limit(state: &AppState, org_id: &OrgId) -> Result<Write, store::Error> {
    let found = state.store.find_agent_quota(org_id).await?;
    let version = found.as_ref().map(|found| found.version);
    let mut quota = found.map(|found| found.value).unwrap_or_default();
    quota.tier_changes += 1;
    quota.enforce_at = Some(state.now().plus_seconds(SWEEP_SECS));
    organizations::set_agent_quota(org_id, &quota, version)
}

fn product(tier: SubscriptionTier) -> String {
    Plan::of(tier).product
}

/// The organization that pays as this customer.
pub(crate) async fn find_payer(
    store: &Store,
    customer_id: &RecordId,
) -> Result<Option<OrgId>, store::Error> {
    let found = store
        .find_organization_by_stripe_customer(&CALLER, customer_id.as_str())
        .await?;
    Ok(found.map(|organization| organization.value.id))
}

#[cfg(test)]
mod tests {
    use shared::stripe::SubscriptionStatus;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from(jiff::Timestamp::UNIX_EPOCH).plus_seconds(secs)
    }

    fn subscription(period_began_at: Timestamp) -> Subscription {
        Subscription {
            id: "sub_1".to_owned(),
            status: SubscriptionStatus::Active,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            org_id: None,
            is_ending: false,
            is_flexible: true,
            period_began_at: Some(period_began_at.instant()),
            has_pending_update: false,
            latest_invoice_id: None,
            items: Vec::new(),
            has_all_items: true,
        }
    }

    #[test]
    fn a_change_that_was_asked_here_is_made_when_its_period_begins_and_any_other_now() {
        let name = "Ada".to_owned();
        let mut organization = Organization::new(OrgId::derive(&["o"]), name, at(0));
        let now = at(9_000);
        let both = [subscription(at(5)), subscription(at(1_003))];
        let (pro, free) = (SubscriptionTier::Pro, SubscriptionTier::Free);
        assert_eq!(changed_at(&organization, &both, pro, now), now);
        assert!(organization.ask_for_plan(at(1_000)));
        for (begun, expected) in [(900, now), (996, at(996)), (1_060, at(1_060)), (1_061, now)] {
            let found = changed_at(&organization, &[subscription(at(begun))], pro, now);
            assert_eq!(found, expected, "{begun}");
        }
        assert_eq!(changed_at(&organization, &both, pro, now), at(1_003));
        assert_eq!(changed_at(&organization, &both, pro, at(1_001)), at(1_001));
        let much_later = at(300_000);
        assert_eq!(
            changed_at(&organization, &both, pro, much_later),
            much_later
        );
        // The period goes on, and what changes in it was not asked here.
        organization.change_tier(pro, at(1_003));
        assert_eq!(changed_at(&organization, &both, free, now), now);
    }

    #[test]
    fn a_plan_that_ends_in_its_first_period_has_been_there_until_then() {
        let name = "Ada".to_owned();
        let mut organization = Organization::new(OrgId::derive(&["o"]), name, at(0));
        organization.change_tier(SubscriptionTier::Pro, at(900));
        assert!(organization.ask_for_plan(at(1_000)));
        let canceled = Subscription {
            status: SubscriptionStatus::Canceled,
            ..subscription(at(1_003))
        };
        let now = at(9_000);
        let ended_at = changed_at(&organization, &[canceled], SubscriptionTier::Free, now);
        assert_eq!(ended_at, now);
    }

    #[test]
    fn a_smaller_plan_that_was_asked_for_has_the_calls_that_were_under_way() {
        let name = "Ada".to_owned();
        let mut organization = Organization::new(OrgId::derive(&["o"]), name, at(0));
        organization.change_tier(SubscriptionTier::Enterprise, at(100));
        assert!(organization.ask_for_plan(at(10_000)));
        let begun = [subscription(at(10_001))];
        let pro = SubscriptionTier::Pro;
        let changed = changed_at(&organization, &begun, pro, at(10_005));
        assert_eq!(changed, at(10_001 - CALL_SECS));
    }
}
