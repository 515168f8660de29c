//! Acts on events that were received, as often as it takes.

use shared::{
    ids::{OrgId, RecordId},
    models::{BillingNotice, StripeClaim, StripeEvent, StripeEventState, Timestamp},
    store::{self, Store, Versioned, Write, commit_contended, stripe_events},
};

use crate::{
    AppState, CALLER,
    event::{PAYMENT_FAILED, TRIAL_WILL_END, is_noted},
    limits, notices, rivals,
    subscription::{self, Cause, Error, Reason, Settled},
    tier::Verdict,
};

/// How long an event is tried, in seconds: as long as Stripe itself delivers
/// (<https://docs.stripe.com/webhooks#retries>).
const TRIED_SECS: i64 = 3 * 24 * 3_600;

/// When the sweeper hands an event in again that could not be acted on, in seconds for each attempt
/// so far: the queue tries by itself meanwhile.
const PAUSE_SECS: i64 = 60;

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The organization is in step with Stripe.
    Applied {
        org_id: OrgId,
        verdict: Verdict,
        has_rivals: bool,
    },
    /// Money goes back: people decide what follows.
    Noted(Option<OrgId>),
    /// It needs a person.
    Parked(Reason),
    /// It was acted on before.
    Repeated,
    /// It could not be acted on, and is not tried again.
    Failed,
    /// There is no such event.
    Unknown,
}

/// Acts on an event, once for its id: the effect, its audit record, the mails and the event are one
/// commit. What follows from a change of the tier is done here too, and by the sweeper if that fails.
/// What was bought twice is ended here, by a repeat if that fails, and every night.
///
/// The event only says which customer to look at. So it does not matter in which order events come,
/// and a parked one need not be kept for later: the one that links its customer does its work.
pub(crate) async fn process(state: &AppState, id: &RecordId) -> Result<Outcome, Error> {
    let decided = commit_contended(&state.store, || decide(state, id)).await;
    let (event, outcome) = match decided {
        Ok(Some(decided)) => decided,
        Ok(None) => {
            tracing::error!(event.id = %id, "the queue has brought an event that is not kept");
            return Ok(Outcome::Unknown);
        }
        Err(error) => return give_up_in_the_end(state, id, error).await,
    };
    report(&event, &outcome);
    if let Some(org_id) = &event.org_id {
        limits::enforce(state, org_id).await?;
        // An earlier attempt may have ended before its work did.
        let may_have_rivals = match &outcome {
            Outcome::Applied { has_rivals, .. } => *has_rivals,
            _ => event.state == StripeEventState::Applied,
        };
        if let Some(customer_id) = event.customer_id.as_ref().filter(|_| may_have_rivals) {
            let cause = Cause::Event(&event.id);
            rivals::end(state, cause, customer_id, org_id).await?;
        }
    }
    Ok(outcome)
}

type Decided = Option<(StripeEvent, Outcome)>;

async fn decide(state: &AppState, id: &RecordId) -> Result<(Vec<Write>, Decided), Error> {
    let Some(mut event) = state.store.find_stripe_event(&CALLER, id).await? else {
        return Ok((Vec::new(), None));
    };
    if event.value.state != StripeEventState::Pending {
        return Ok((Vec::new(), Some((event.value, Outcome::Repeated))));
    }
    let (mut writes, outcome) = act(state, &event.value).await?;
    let (next, org_id) = match &outcome {
        Outcome::Applied { org_id, .. } => (StripeEventState::Applied, Some(org_id.clone())),
        Outcome::Noted(org_id) => (StripeEventState::Noted, org_id.clone()),
        _ => (StripeEventState::Parked, None),
    };
    event.value.state = next;
    event.value.org_id = org_id;
    event.value.sweep_at = None;
    writes.push(stripe_events::replace(&event)?);
    Ok((writes, Some((event.value, outcome))))
}

async fn act(state: &AppState, event: &StripeEvent) -> Result<(Vec<Write>, Outcome), Error> {
    let Some(customer) = &event.customer_id else {
        return Ok((Vec::new(), Outcome::Noted(None)));
    };
    // Read before anything else is: whoever writes it meanwhile may know something newer.
    let known = state.store.find_stripe_customer(&CALLER, customer).await?;
    let known = known.as_ref();
    let payer = subscription::find_payer(&state.store, customer).await?;
    if is_noted(&event.kind) {
        return Ok((Vec::new(), Outcome::Noted(payer)));
    }
    let cause = Cause::Event(&event.id);
    let settled = match resolve(payer, event.claim.as_ref()) {
        Ok(org_id) => {
            let settled = subscription::settle(state, cause, customer, known, &org_id).await?;
            settled.map(|settled| (org_id, settled))
        }
        Err(reason) => Err(reason),
    };
    let (org_id, settled) = match settled {
        Ok(settled) => settled,
        Err(reason) => {
            // Whoever links the customer meanwhile reads Stripe once more.
            let org_id = known.and_then(|known| known.value.org_id.as_ref());
            let seen = subscription::see(state, cause, customer, known, org_id)?;
            return Ok((vec![seen], Outcome::Parked(reason)));
        }
    };
    let Settled {
        verdict,
        has_rivals,
        changes: mut writes,
        seen,
        ..
    } = settled;
    writes.push(seen);
    writes.extend(tell(state, event, &org_id).await?);
    let outcome = Outcome::Applied {
        org_id,
        verdict,
        has_rivals,
    };
    Ok((writes, outcome))
}

/// The organization that the customer pays for.
fn resolve(payer: Option<OrgId>, claim: Option<&StripeClaim>) -> Result<OrgId, Reason> {
    match (payer, claim) {
        (_, Some(StripeClaim::Invalid)) => Err(Reason::InvalidClaim),
        (Some(payer), Some(StripeClaim::Organization { org_id })) if payer != *org_id => {
            Err(Reason::OtherOrganization)
        }
        (Some(payer), _) => Ok(payer),
        (None, None) => Err(Reason::UnknownCustomer),
        (None, Some(StripeClaim::Organization { org_id })) => Ok(org_id.clone()),
    }
}

/// The mails about what the event tells, if it is something that admins should know.
async fn tell(
    state: &AppState,
    event: &StripeEvent,
    org_id: &OrgId,
) -> Result<Vec<Write>, store::Error> {
    let notice = match event.kind.as_str() {
        PAYMENT_FAILED => BillingNotice::PaymentFailed,
        TRIAL_WILL_END => BillingNotice::TrialEnding,
        _ => return Ok(Vec::new()),
    };
    match &event.subject {
        Some(subject) => notices::write(state, org_id, &notice, subject).await,
        None => Ok(Vec::new()),
    }
}

/// Counts an attempt. The error is told until there were too many, so that the queue tries again.
async fn give_up_in_the_end(
    state: &AppState,
    id: &RecordId,
    error: Error,
) -> Result<Outcome, Error> {
    let counted = commit_contended(&state.store, || {
        count_attempt(&state.store, id, state.now())
    });
    match counted.await {
        Ok(Some(StripeEventState::Failed)) => {
            let source = &error as &dyn std::error::Error;
            tracing::error!(event.id = %id, error = source, "event given up");
            Ok(Outcome::Failed)
        }
        // The attempt is not counted while the database is down: nothing could be done about it.
        _ => Err(error),
    }
}

async fn count_attempt(
    store: &Store,
    id: &RecordId,
    now: Timestamp,
) -> Result<(Vec<Write>, Option<StripeEventState>), store::Error> {
    let found = store.find_stripe_event(&CALLER, id).await?;
    let pending = |event: &Versioned<StripeEvent>| event.value.state == StripeEventState::Pending;
    let Some(mut event) = found.filter(pending) else {
        return Ok((Vec::new(), None));
    };
    event.value.attempts += 1;
    event.value.sweep_at = Some(now.plus_seconds(PAUSE_SECS * event.value.attempts));
    if event.value.received_at.plus_seconds(TRIED_SECS) <= now {
        event.value.state = StripeEventState::Failed;
        event.value.sweep_at = None;
    }
    Ok((
        vec![stripe_events::replace(&event)?],
        Some(event.value.state),
    ))
}

/// Errors are what an alert is made of.
fn report(event: &StripeEvent, outcome: &Outcome) {
    let (id, kind) = (&event.id, event.kind.as_str());
    match outcome {
        Outcome::Applied {
            org_id, verdict, ..
        } if !verdict.unknown.is_empty() => {
            let unknown = verdict.unknown.join(" ");
            tracing::error!(event.id = %id, org.id = %org_id, unknown, "unknown price: tier kept");
        }
        Outcome::Applied {
            org_id, verdict, ..
        } => {
            let tier = verdict.tier.as_str();
            tracing::info!(event.id = %id, event.kind = kind, org.id = %org_id, tier, "tier in step");
        }
        Outcome::Noted(org_id) => {
            let org_id = org_id.as_ref().map(OrgId::as_str);
            tracing::error!(event.id = %id, event.kind = kind, org.id = org_id, "money goes back");
        }
        Outcome::Parked(reason) => {
            tracing::error!(event.id = %id, event.kind = kind, %reason, "event parked");
        }
        Outcome::Repeated | Outcome::Failed | Outcome::Unknown => {
            tracing::info!(event.id = %id, event.kind = kind, "no effect");
        }
    }
}
