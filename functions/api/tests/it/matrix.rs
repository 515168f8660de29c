//! Every route, for every kind of caller and of id: verdicts by the permission table.

use std::collections::BTreeSet;

use api::ROUTES;
use http::{HeaderMap, Method, header::AUTHORIZATION};
use shared::{auth::is_allowed, ids::OrgId, models::Role};

use crate::{
    app::{Answer, TestApp, empty, request},
    edge::call,
    table::{Route, routes, seeded_app},
};

/// The members of `o1`, by the tokens of [`TestApp`].
const MEMBERS: [(&str, Role); 3] = [
    ("viewer", Role::Viewer),
    ("user", Role::User),
    ("admin", Role::Admin),
];

fn malformed_ids() -> Vec<String> {
    let mut ids = ["%20", "a%2Fb", "__x__", "%ff"].map(str::to_owned).to_vec();
    ids.push("x".repeat(129));
    ids
}

fn is_denied(route: &Route, role: Role) -> bool {
    route
        .action()
        .is_some_and(|action| !is_allowed(role, action))
}

/// What a client can tell two answers apart by.
pub(crate) fn visible(answer: &Answer) -> (u16, HeaderMap, &[u8]) {
    let mut headers = answer.headers.clone();
    headers.remove("x-request-id");
    (answer.status.as_u16(), headers, &answer.bytes)
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let declared = ROUTES.iter().copied().flatten();
    let declared: BTreeSet<String> = declared
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let rows = routes();
    let named: BTreeSet<String> = rows.iter().map(Route::name).collect();
    assert_eq!(named, declared);
    assert_eq!(named.len(), rows.len(), "a row is written twice");
}

#[tokio::test]
async fn nobody_gets_anything_without_a_valid_token() {
    let app = seeded_app().await;
    let before = app.db.commits().len();
    for route in routes() {
        let mut paths = vec![route.path()];
        if route.has_id() {
            paths.extend([route.foreign_path(), route.path_with("unknown")]);
            paths.extend(malformed_ids().iter().map(|id| route.path_with(id)));
        }
        for path in paths {
            let unknown = call(&app, &route, "nobody", &path).await;
            let mut bare = empty(request(route.method.clone(), &path, "admin"));
            bare.headers_mut().remove(AUTHORIZATION);
            for answer in [unknown, app.send(bare).await] {
                assert_eq!(answer.refusal(), (401, "unauthenticated"), "{path}");
            }
        }
    }
    assert_eq!(app.db.commits().len(), before);
}

#[tokio::test]
async fn members_do_what_their_role_allows_with_what_is_theirs() {
    for route in routes() {
        for (token, role) in MEMBERS {
            let app = seeded_app().await;
            let before = app.db.commits().len();
            let answer = call(&app, &route, token, &route.path()).await;
            let what = format!("{token}: {} {}", route.name(), answer.body);
            if is_denied(&route, role) {
                assert_eq!(answer.refusal(), (403, "permission_denied"), "{what}");
                assert_eq!(app.db.commits().len(), before, "{what}");
            } else if route.action().is_some() || role == Role::Admin {
                assert_eq!(answer.status, route.status, "{what}");
            } else {
                assert!(
                    !matches!(answer.status.as_u16(), 401 | 403 | 500..),
                    "{what}"
                );
            }
        }
    }
}

/// A role that is denied learns nothing about ids; for the others, what is not theirs is not there.
async fn refused(app: &TestApp, route: &Route, token: &str, role: Role, path: &str) -> Answer {
    let expected = match is_denied(route, role) {
        true => (403, "permission_denied"),
        false => (404, "not_found"),
    };
    let answer = call(app, route, token, path).await;
    assert_eq!(
        answer.refusal(),
        expected,
        "{token} {} {path}",
        route.name()
    );
    answer
}

#[tokio::test]
async fn what_is_foreign_is_answered_byte_for_byte_like_what_never_was() {
    let app = seeded_app().await;
    let before = app.db.commits().len();
    for route in routes().iter().filter(|route| route.has_id()) {
        let members = MEMBERS.map(|(token, role)| (token, role, route.foreign_path()));
        let stranger = ("stranger", Role::Admin, route.path());
        for (token, role, foreign) in members.into_iter().chain([stranger]) {
            let foreign = refused(&app, route, token, role, &foreign).await;
            let unknown = refused(&app, route, token, role, &route.path_with("unknown")).await;
            assert_eq!(
                visible(&foreign),
                visible(&unknown),
                "{token} {}",
                route.name()
            );
        }
    }
    assert_eq!(app.db.commits().len(), before, "and nothing was changed");
}

#[tokio::test]
async fn what_cannot_be_an_id_is_not_there() {
    let app = seeded_app().await;
    for route in routes().iter().filter(|route| route.has_id()) {
        for id in malformed_ids() {
            let stranger = ("stranger", Role::Admin);
            for (token, role) in MEMBERS.into_iter().chain([stranger]) {
                refused(&app, route, token, role, &route.path_with(&id)).await;
            }
        }
    }
}

#[tokio::test]
async fn another_organization_reaches_what_is_its_own() {
    for route in routes().iter().filter(|route| route.has_id()) {
        let app = seeded_app().await;
        let answer = call(&app, route, "stranger", &route.foreign_path()).await;
        assert_eq!(
            answer.status,
            route.status,
            "{} {}",
            route.name(),
            answer.body
        );
    }
}

/// What reads without a record, and what machines do by the thousand and journals tell of.
fn is_unrecorded(route: &Route) -> bool {
    let recorded_reads = [
        "GET /me/export",
        "GET /audit",
        "GET /audit/export",
        "GET /agents/{id}/memories/export",
        "GET /agents/{id}/dataset",
        "GET /workflows/{id}/webhooks",
        "GET /integrations/{id}",
    ];
    let journalled = [
        "POST /executions",
        "POST /workflows/trigger/{id}",
        "POST /agents/{id}/heartbeat",
        "POST /agents/{id}/messages",
        "POST /agents/{id}/speech",
        "POST /integrations/{id}/sync",
        "POST /knowledge/search",
        "POST /llm/chat/completions",
        "POST /llm/embeddings",
    ];
    let name = route.name();
    let is_read = route.method == Method::GET && !recorded_reads.contains(&name.as_str());
    is_read || journalled.contains(&name.as_str())
}

#[tokio::test]
async fn each_effect_leaves_one_record_in_its_commit() {
    for route in routes() {
        let app = seeded_app().await;
        let before = app.db.commits().len();
        let answer = call(&app, &route, "admin", &route.path()).await;
        let is_done = answer.status.is_success() && !is_unrecorded(&route);
        let name = route.name();
        let records = app.records(&OrgId::parse("o1").unwrap());
        assert_eq!(records.len(), usize::from(is_done), "{name}");
        let commits = app.db.commits().split_off(before);
        let last = commits.last().into_iter().flatten();
        let is_recorded = last
            .into_iter()
            .any(|write| write.path.as_str().starts_with("audit_logs/"));
        assert_eq!(
            is_recorded, is_done,
            "{name}: the last commit has the record"
        );
    }
}
