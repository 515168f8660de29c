//! What it costs to tune a model, within the monthly limits.

use super::{Error, Plan, budget, sheet::Sheet};
use crate::{
    ids::{OrgId, RecordId},
    llm::price,
    models::{Metering, Timestamp, Tuning, UsageEntry, UsageState},
    store::{Store, Write, organizations::day_of, usage_ledger},
};

/// How long a reservation for training stands, in seconds: jobs wait and run for days at most.
const RESERVATION_SECS: i64 = 30 * 24 * 3_600;

/// What a tuning has used, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trained {
    /// Nothing that is billed.
    Nothing,
    /// So many tokens.
    Tokens(i64),
    /// Nobody knows: what was reserved is booked.
    Unknown,
}

/// Whether the organization's plan lets it tune models.
///
/// # Errors
/// Returns [`Error::UnknownOrganization`] and [`Error::Store`].
pub async fn allows_tuning(store: &Store, org_id: &OrgId) -> Result<bool, Error> {
    let organization = store.find_organization(org_id).await?;
    let organization = organization.ok_or(Error::UnknownOrganization)?;
    Ok(Plan::for_organization(&organization.value).fine_tuning)
}

/// The writes that reserve what a tuning may cost, a token for each byte, for the commit that begins
/// it; and what that is, in millionths of a US dollar.
///
/// # Errors
/// Returns [`Error::Exhausted`] when a monthly limit leaves no room, [`Error::SwitchedOff`],
/// [`Error::UnknownModel`], [`Error::UnknownOrganization`] or [`Error::Store`].
pub async fn reserve_training(
    store: &Store,
    tuning: &Tuning,
    now: Timestamp,
) -> Result<(Vec<Write>, i64), Error> {
    let model = &tuning.base_model;
    let price = price::tunable(model, &day_of(now));
    let price = price.ok_or_else(|| Error::UnknownModel(model.clone()))?;
    let tokens = tuning.max_bytes.saturating_mul(tuning.epochs);
    let entry = UsageEntry {
        agent_id: Some(tuning.agent_id.clone()),
        model: model.clone(),
        input_tokens: tokens,
        cost_micro_usd: price.training_micro_usd(tokens),
        // As with a stream, the provider has worked when nobody comes back to it.
        is_stream: true,
        ..budget::entry(entry_id(&tuning.id), tuning.org_id.clone(), now)
    };
    let mut sheet = Sheet::read(store, &tuning.org_id).await?;
    if sheet.quota.is_blocked || store.find_llm_switch().await?.is_off {
        return Err(Error::SwitchedOff);
    }
    budget::reserve(&mut sheet.quota, &sheet.limits, &entry, &entry.id, now)?;
    budget::prolong_call(
        &mut sheet.quota,
        &entry.id,
        now.plus_seconds(RESERVATION_SECS),
    );
    let writes = vec![usage_ledger::set(&entry, None)?, sheet.save()?];
    Ok((writes, entry.cost_micro_usd))
}

/// The writes that book what a tuning has used, for the commit that ends it, and what that costs in
/// millionths of a US dollar; none when it is booked.
///
/// # Errors
/// Returns [`Error::UnknownModel`], [`Error::UnknownOrganization`] or [`Error::Store`].
pub async fn settle_training(
    store: &Store,
    tuning: &Tuning,
    trained: Trained,
    now: Timestamp,
) -> Result<(Vec<Write>, i64), Error> {
    let org_id = &tuning.org_id;
    let found = store
        .find_usage_entry(org_id, &entry_id(&tuning.id))
        .await?;
    let Some(found) = found else {
        return Ok((Vec::new(), 0));
    };
    let entry = &found.value;
    if entry.state != UsageState::Reserved {
        return Ok((Vec::new(), entry.cost_micro_usd));
    }
    let booked = booked(entry, trained)?;
    let mut sheet = Sheet::read(store, org_id).await?;
    budget::settle_last(&mut sheet.quota, &booked);
    let mut writes = Vec::new();
    if booked.state == UsageState::Settled {
        let at = booked.created_at;
        writes.extend(sheet.show(booked.amount(), 1, at, now).await?);
    }
    writes.push(usage_ledger::set(&booked, Some(&found))?);
    writes.push(sheet.save()?);
    Ok((writes, booked.cost_micro_usd))
}

/// At the price of the day on which it was reserved.
fn booked(entry: &UsageEntry, trained: Trained) -> Result<UsageEntry, Error> {
    let price = price::find_tuned(&entry.model, &entry.day);
    let price = price.ok_or_else(|| Error::UnknownModel(entry.model.clone()))?;
    let (tokens, state) = match trained {
        Trained::Nothing => (0, UsageState::Released),
        Trained::Tokens(tokens) => (tokens.max(0), UsageState::Settled),
        Trained::Unknown => (entry.input_tokens, UsageState::Settled),
    };
    let is_settled = state == UsageState::Settled;
    Ok(UsageEntry {
        input_tokens: tokens,
        cost_micro_usd: price.training_micro_usd(tokens),
        state,
        is_estimated: trained == Trained::Unknown,
        meter: is_settled.then_some(Metering::Pending),
        ..entry.clone()
    })
}

fn entry_id(tuning: &RecordId) -> RecordId {
    RecordId::derive(&["tuning", tuning.as_str()])
}
