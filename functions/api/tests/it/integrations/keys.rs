use serde_json::{Value, json};
use shared::models::{AuditAction, IntegrationStatus};

use super::{only, org_id, path};
use crate::{app::TestApp, seeds};

const PATH: &str = "/integrations";
const KEY: &str = "sk_live_canary-0123456789";

fn stripe() -> Value {
    json!({ "service": "stripe", "key": KEY })
}

async fn with_key() -> TestApp {
    let app = TestApp::new().await;
    app.service.accept(KEY, &seeds::account(Some("acct_1")));
    app
}

#[tokio::test]
async fn a_key_connects_and_is_shown_to_nobody() {
    let app = with_key().await;
    let made = app.post("user", PATH, &stripe()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = only(&app).id;
    assert_eq!(made.body["id"], id.as_str());
    let expected = (AuditAction::IntegrationConnect, "user".to_owned(), None);
    assert_eq!(app.deeds(&org_id("o1")), [expected]);
    let listed = app.get("viewer", PATH).await;
    assert_eq!(listed.body["items"][0], made.body);
    assert!(listed.body["items"][0].get("accountLabel").is_none());
    let shown = format!("{:?}{}{}", app.db.commits(), made.body, listed.body);
    assert!(!shown.contains(KEY), "{shown}");
}

#[tokio::test]
async fn the_masked_key_is_seen_by_editors_and_the_look_is_recorded() {
    let app = with_key().await;
    app.post("admin", PATH, &stripe()).await;
    let path = path(&only(&app).id);
    let seen = app.get("user", &path).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    assert_eq!(seen.body["accountLabel"], "…4242");
    assert!(!seen.body.to_string().contains(KEY));
    let deeds = app.deeds(&org_id("o1"));
    let expected = (AuditAction::KeyView, "user".to_owned(), None);
    assert_eq!(deeds.last(), Some(&expected));
    let denied = app.get("viewer", &path).await;
    assert_eq!(denied.refusal(), (403, "permission_denied"));
}

#[tokio::test]
async fn a_key_that_the_service_refuses_is_named_and_not_repeated() {
    let app = TestApp::new().await;
    let twilio = json!({
        "service": "twilio", "accountSid": "AC1", "keySid": "SK1", "secret": KEY,
    });
    let github = json!({
        "service": "github", "appId": "Iv1", "installationId": "7", "privateKey": KEY,
    });
    let table = [
        (stripe(), "key"),
        (twilio, "secret"),
        (github, "privateKey"),
    ];
    for (body, field) in table {
        let answer = app.post("admin", PATH, &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{field}");
        assert_eq!(answer.fields(), [field]);
        assert!(!answer.body.to_string().contains(KEY));
    }
    assert_eq!(app.db.count("integrations"), 0);
    assert!(app.audited().is_empty());
}

#[tokio::test]
async fn fields_of_another_service_and_missing_ones_are_named() {
    let app = with_key().await;
    let table: [(Value, &[&str]); 8] = [
        (json!({}), &["service"]),
        (json!({ "service": KEY }), &["service"]),
        (json!({ "service": "google", "key": KEY }), &["service"]),
        (json!({ "service": "stripe" }), &["key"]),
        (json!({ "service": "stripe", "key": " " }), &["key"]),
        (
            json!({ "service": "stripe", "key": KEY, "secret": KEY }),
            &["secret"],
        ),
        (
            json!({ "service": "twilio", "key": KEY }),
            &["key", "accountSid", "keySid", "secret"],
        ),
        (
            json!({ "service": "github", "appId": "1", "installationId": "x", "privateKey": "k" }),
            &["installationId"],
        ),
    ];
    for (body, fields) in table {
        let answer = app.post("admin", PATH, &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{body}");
        assert_eq!(answer.fields(), fields, "{body}");
        assert!(!answer.body.to_string().contains(KEY));
    }
    assert_eq!(app.service.checks(), 0);
}

#[tokio::test]
async fn parallel_connects_of_one_account_make_one_integration() {
    let app = with_key().await;
    let other = "sk_live_other";
    app.service.accept(other, &seeds::account(Some("acct_1")));
    let bodies = [stripe(), json!({ "service": "stripe", "key": other })];
    let posts = (0..10).map(|post| app.post("admin", PATH, &bodies[post % 2]));
    for answer in futures::future::join_all(posts).await {
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    only(&app);
}

#[tokio::test]
async fn a_new_key_of_the_same_account_mends_an_integration() {
    let app = with_key().await;
    app.post("admin", PATH, &stripe()).await;
    let before = only(&app);
    let found = app.store.find_integration(&before.org_id, &before.id).await;
    let mut found = found.unwrap().unwrap();
    found.value.status = IntegrationStatus::Error;
    found.value.error_cause = Some("unauthorized".to_owned());
    let writes = shared::store::integrations::replace(&found).unwrap();
    app.store.commit(writes.into()).await.unwrap();

    let reconnect = format!("{}/reconnect", path(&before.id));
    app.service
        .accept("sk_new", &seeds::account(Some("acct_1")));
    app.service
        .accept("sk_foreign", &seeds::account(Some("acct_2")));
    app.service.accept("rk_nameless", &seeds::account(None));
    for key in ["sk_foreign", "sk_unknown", "rk_nameless"] {
        let answer = app.post("admin", &reconnect, &json!({ "key": key })).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{key}");
        assert_eq!(answer.fields(), ["key"], "{key}");
    }
    let nameless = json!({ "key": "rk_nameless" });
    let refused = app.post("admin", &reconnect, &nameless).await;
    let lacks = "the permission to read the account";
    assert!(refused.body.to_string().contains(lacks), "{}", refused.body);
    let named = json!({ "service": "stripe", "key": "sk_new" });
    assert_eq!(
        app.post("admin", &reconnect, &named).await.fields(),
        ["service"]
    );
    let mended = app
        .post("admin", &reconnect, &json!({ "key": "sk_new" }))
        .await;
    assert_eq!(
        (mended.status.as_u16(), &mended.body["status"]),
        (200, &json!("connected"))
    );
    let after = only(&app);
    assert_eq!((after.id, after.error_cause), (before.id, None));
    assert_eq!(app.audited().last().unwrap(), "INTEGRATION_RECONNECT");
}

#[tokio::test]
async fn space_around_a_key_makes_no_other_key_of_it() {
    let app = with_key().await;
    app.post("admin", PATH, &stripe()).await;
    let spaced = json!({ "service": "stripe", "key": format!(" {KEY}\n") });
    let answer = app.post("admin", PATH, &spaced).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    only(&app);
}

#[tokio::test]
async fn a_repeat_is_answered_whatever_the_service_says_by_now() {
    let app = with_key().await;
    let first = app.post_once("k1", PATH, &stripe()).await;
    assert_eq!(first.status, 201, "{}", first.body);
    app.service.refuse(KEY);
    let again = app.post_once("k1", PATH, &stripe()).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &first.body));
    let other = json!({ "service": "stripe", "key": "sk_live_other" });
    let reused = app.post_once("k1", PATH, &other).await;
    assert_eq!(reused.refusal(), (409, "already_exists"));
    assert_eq!(app.service.checks(), 1);
}

#[tokio::test]
async fn a_repeat_of_a_reconnection_is_answered_when_the_integration_is_gone() {
    let app = with_key().await;
    app.post("admin", PATH, &stripe()).await;
    let path = path(&only(&app).id);
    let (reconnect, key) = (format!("{path}/reconnect"), json!({ "key": KEY }));
    let first = app.post_once("k1", &reconnect, &key).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(app.delete("admin", &path).await.status, 200);
    let again = app.post_once("k1", &reconnect, &key).await;
    assert_eq!((again.status.as_u16(), again.body), (200, first.body));
}
