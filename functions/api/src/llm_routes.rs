//! Routes to models: an organization's own names for them.

use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    ids::RouteAlias,
    llm::{price, router::Candidate},
    models::{AuditAction, LlmRoute, Principal, Timestamp},
    quota::MAX_ROUTES,
    store::{Store, commit_contended, llm_routes, organizations::day_of},
};

use crate::error::{Error, Problem, Refusal};

/// What an organization does not have.
const NO_SUCH: Error = Error::NotFound("route");

/// The routes of the caller's organization.
pub(crate) async fn list(store: &Store, principal: &Principal) -> Result<Vec<LlmRoute>, Error> {
    Ok(store.list_llm_routes(&principal.org_id, MAX_ROUTES).await?)
}

/// What is wrong with a route, if anything. A candidate without a price today would be refused by
/// every call. Vectors are kept with the name of the model that has made them, and can be compared
/// with its own only: no other may answer to that name.
pub(crate) fn check(route: &LlmRoute) -> Result<(), Problem> {
    let wrong = route.route.check();
    wrong.map_err(|wrong| Problem::new(wrong.field, wrong.message))?;
    if price::is_embedding(route.alias.as_str()) {
        return Err(Problem::new("alias", "is the name of an embedding model"));
    }
    let day = day_of(route.updated_at);
    for (step, number, candidate) in places(route) {
        let Candidate { provider, model } = candidate;
        if price::find_at(*provider, model, &day).is_none() {
            let field = format!("steps[{step}].candidates[{number}].model");
            return Err(Problem::new(field, "has no price at this provider"));
        }
    }
    Ok(())
}

/// Keeps a route, in the place of the one of the same name if there is one.
pub(crate) async fn set(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    route: &LlmRoute,
) -> Result<(), Error> {
    check(route).map_err(|problem| Error::Invalid(vec![problem]))?;
    commit_contended(store, || async move {
        let found = store.find_llm_route(&route.org_id, &route.alias).await?;
        let version = found.map(|found| found.version);
        if version.is_none() {
            let known = store.list_llm_routes(&route.org_id, MAX_ROUTES).await?;
            if known.len() >= MAX_ROUTES as usize {
                return Err(Refusal::Exhausted("there are as many routes as may be").into());
            }
        }
        let entry = entry(principal, AuditAction::LlmRouteSet, &route.alias);
        let mut writes = trail.append(entry, route.updated_at).await?;
        writes.push(llm_routes::set(route, version)?);
        Ok((writes, ()))
    })
    .await
}

/// Deletes a route.
pub(crate) async fn delete(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    alias: &RouteAlias,
    now: Timestamp,
) -> Result<(), Error> {
    commit_contended(store, || async move {
        let found = store.find_llm_route(&principal.org_id, alias).await?;
        let found = found.ok_or(NO_SUCH)?;
        let entry = entry(principal, AuditAction::LlmRouteDelete, alias);
        let mut writes = trail.append(entry, now).await?;
        writes.push(llm_routes::delete(&found));
        Ok((writes, ()))
    })
    .await
}

fn entry(principal: &Principal, action: AuditAction, alias: &RouteAlias) -> Entry {
    let (org_id, uid) = (&principal.org_id, principal.uid.as_str());
    Entry::new(org_id, uid, action, json!({ "alias": alias }))
}

fn places(route: &LlmRoute) -> impl Iterator<Item = (usize, usize, &Candidate)> {
    let steps = route.route.steps.iter().enumerate();
    steps.flat_map(|(step, candidates)| {
        let candidates = candidates.candidates.iter().enumerate();
        candidates.map(move |(number, weighted)| (step, number, &weighted.candidate))
    })
}
