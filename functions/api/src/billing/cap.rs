use serde_json::json;
use shared::{
    audit::Trail,
    models::{AuditAction, Organization, Principal, Timestamp},
    quota::Plan,
    store::{Store, commit_contended, organizations},
};

use super::entry;
use crate::error::{Error, Problem};

/// Sets how many tokens a month the caller's organization allows itself; none is what its plan
/// allows.
pub(crate) async fn set_cap(
    (store, trail): (&Store, &Trail),
    principal: &Principal,
    tokens: Option<i64>,
    now: Timestamp,
) -> Result<Organization, Error> {
    commit_contended(store, || async move {
        let organization = store.find_organization(&principal.org_id).await?;
        let mut organization = organization.ok_or(Error::NotFound("organization"))?;
        let most = Plan::sold_to(&organization.value).monthly_tokens;
        if tokens.is_some_and(|tokens| !(0..=most).contains(&tokens)) {
            let message = format!("must be from 0 to {most}, what the plan allows");
            return Err(Error::Invalid(vec![Problem::new("monthlyTokens", message)]));
        }
        let own = &mut organization.value.limits.own_monthly_tokens;
        let before = std::mem::replace(own, tokens);
        if before == tokens {
            return Ok((Vec::new(), organization.value));
        }
        let metadata = json!({ "from": before, "to": tokens });
        let entry = entry(principal, AuditAction::BillingCapSet, metadata);
        let mut writes = trail.append(entry, now).await?;
        writes.push(organizations::replace(&organization)?);
        Ok((writes, organization.value))
    })
    .await
}
