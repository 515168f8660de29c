use serde_json::{Value, json};

use super::{
    actor::{Actor, SIGNED_IN_AT},
    workflows,
};

/// What the world has beside one document of every model, in plain JSON.
pub(super) fn documents() -> Vec<(String, Value)> {
    users().into_iter().chain(others()).collect()
}

fn users() -> Vec<(String, Value)> {
    let in_org = |actor, org_id: Value, role: Value| {
        user(
            actor,
            json!({ "organizationId": org_id, "role": role, "disabled": false }),
        )
    };
    let admin = |actor, field: &str, value: Value| {
        user(
            actor,
            json!({ "organizationId": "o1", "role": "admin", field: value }),
        )
    };
    // Before and after the second in which everybody signed in.
    let same_second = time(SIGNED_IN_AT * 1_000 + 999);
    let next_second = time(SIGNED_IN_AT * 1_000 + 1_000);
    vec![
        in_org(Actor::Admin, json!("o1"), json!("admin")),
        user(
            Actor::User,
            json!({
                "organizationId": "o1", "role": "user", "disabled": false, "tokensValidAfter": null,
            }),
        ),
        // As documents were before `disabled` and `tokensValidAfter`.
        user(
            Actor::Viewer,
            json!({ "organizationId": "o1", "role": "viewer" }),
        ),
        admin(Actor::SignedInAgain, "tokensValidAfter", same_second),
        in_org(Actor::Foreign, json!("o2"), json!("admin")),
        admin(Actor::Disabled, "disabled", json!(true)),
        admin(Actor::OddlyDisabled, "disabled", json!("true")),
        admin(Actor::LoggedOut, "tokensValidAfter", next_second),
        admin(Actor::OddlyLoggedOut, "tokensValidAfter", json!(1)),
        in_org(Actor::UnknownRole, json!("o1"), json!("owner")),
        in_org(Actor::ListOfRoles, json!("o1"), json!(["admin"])),
        in_org(Actor::EmptyOrganization, json!(""), json!("admin")),
        in_org(Actor::NullOrganization, json!(null), json!("admin")),
        user(Actor::NoOrganization, json!({ "role": "admin" })),
    ]
}

fn user(actor: Actor, mut document: Value) -> (String, Value) {
    document["uid"] = json!(actor.uid());
    document["email"] = json!("ada@example.com");
    document["createdAt"] = json!({ "timestampValue": "2026-11-23T12:00:00Z" });
    document["settings"] = json!({ "theme": "dark", "notifications": true });
    (format!("users/{}", actor.uid()), document)
}

fn time(millis: i64) -> Value {
    let instant = jiff::Timestamp::from_millisecond(millis).unwrap();
    json!({ "timestampValue": instant.to_string() })
}

/// Documents of organization `o2`, some of no organization, one that lies about its parent's,
/// and some of collections that the services do not know.
fn others() -> Vec<(String, Value)> {
    let documents = [
        (
            "organizations/o2",
            json!({ "id": "o2", "name": "Two", "subscriptionTier": "free" }),
        ),
        ("organizations/o2/stats/current", json!({ "tokens": 1 })),
        (
            "agents/foreign",
            json!({ "id": "foreign", "orgId": "o2", "name": "Eve" }),
        ),
        (
            "agents/empty",
            json!({ "id": "empty", "orgId": "", "name": "Eve" }),
        ),
        (
            "agents/null",
            json!({ "id": "null", "orgId": null, "name": "Eve" }),
        ),
        ("agents/none", json!({ "id": "none", "name": "Eve" })),
        ("workflows/foreign", workflows::least("foreign", "o2")),
        (
            "executions/foreign",
            json!({ "id": "foreign", "orgId": "o2" }),
        ),
        (
            "executions/foreign/logs/1",
            json!({ "seq": 1, "orgId": "o1" }),
        ),
        (
            "executions/missing/logs/1",
            json!({ "seq": 1, "orgId": "o1" }),
        ),
        (
            "audit_logs/foreign",
            json!({ "id": "foreign", "orgId": "o2" }),
        ),
        ("secrets/s1", json!({ "orgId": "o1" })),
        ("agents/a1/hidden/h1", json!({ "orgId": "o1" })),
    ];
    documents
        .map(|(path, document)| (path.to_owned(), document))
        .into()
}
