use std::collections::BTreeMap;

use serde_json::json;

use super::{
    OPEN,
    actor::Actor,
    case::{Case, Operation, collection_of, condition, deny, list, update},
};
use crate::models;

/// Collections that no client may touch: every one that is not open, and one that nobody knows.
pub(super) fn cases() -> Vec<Case> {
    let documents = models::documents();
    let paths = documents.iter().map(|(path, _)| path.as_str());
    let by_collection: BTreeMap<String, &str> = paths
        .chain(["secrets/s1", "agents/a1/hidden/h1"])
        .map(|path| (collection_of(path), path))
        .filter(|(collection, _)| !OPEN.contains(&collection.as_str()))
        .collect();
    by_collection
        .values()
        .flat_map(|path| closed(path))
        .collect()
}

fn closed(path: &str) -> Vec<Case> {
    let (collection, id) = path.rsplit_once('/').unwrap_or_default();
    let name = collection.rsplit('/').next().unwrap_or_default();
    let of_org = || condition("orgId", "EQUAL", json!("o1"));
    let new = format!("{collection}/new-{id}");
    let mut cases = Vec::new();
    for actor in [Actor::Admin, Actor::User, Actor::Viewer, Actor::Nobody] {
        cases.push(deny(actor, path, Operation::Get));
        cases.push(deny(actor, collection, list("orgId", "EQUAL", json!("o1"))));
    }
    cases.extend([
        deny(Actor::Admin, collection, Operation::List(Vec::new())),
        deny(Actor::Admin, name, Operation::ListGroup(vec![of_org()])),
        deny(
            Actor::Admin,
            &new,
            Operation::Create(json!({ "orgId": "o1" })),
        ),
        deny(Actor::Admin, path, update(json!({ "orgId": "o1" }))),
        deny(Actor::Admin, path, Operation::Delete),
    ]);
    cases
}
