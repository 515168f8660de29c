use std::collections::BTreeMap;

use serde_json::json;

use super::{
    OPEN,
    access::Access,
    actor::Actor,
    case::{Case, Operation, collection_of, condition, deny},
};
use crate::models;

/// Paths below which nobody should find anything.
const UNKNOWN: [&str; 2] = ["secrets/s1", "agents/a1/hidden/h1"];

/// Collections that no client may touch: every one that is not open, and some that nobody knows.
pub(super) fn accesses() -> Vec<Access> {
    let documents = models::documents();
    let paths = documents.iter().map(|(path, _)| path.as_str());
    let by_collection: BTreeMap<String, &str> = paths
        .chain(UNKNOWN)
        .map(|path| (collection_of(path), path))
        .filter(|(collection, _)| !OPEN.contains(&collection.as_str()))
        .collect();
    by_collection.into_values().map(Access::none).collect()
}

/// Other ways of listing them.
pub(super) fn cases() -> Vec<Case> {
    accesses().iter().flat_map(listings).collect()
}

fn listings(access: &Access) -> Vec<Case> {
    let (collection, _) = access.document.rsplit_once('/').unwrap_or_default();
    let name = collection.rsplit('/').next().unwrap_or_default();
    let of_org = condition("orgId", "EQUAL", json!("o1"));
    vec![
        deny(Actor::Admin, collection, Operation::List(Vec::new())),
        deny(Actor::Admin, name, Operation::ListGroup(vec![of_org])),
    ]
}
