use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request, header::CONTENT_TYPE, request::Builder};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::{
    ids::OrgId,
    models::{TriggerType, Workflow},
    store::workflows,
    testing::assert_security_headers,
};

use crate::{
    app::{Answer, ORIGIN, TestApp},
    seeds,
    table::seeded_app,
};

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

/// An application whose active workflow `w1` has two webhooks, one of which wants signatures.
async fn hooked_app() -> TestApp {
    let app = seeded_app().await;
    change(&app, |workflow| {
        workflow.active = true;
        workflow.triggers = vec![
            json!({ "type": "webhook", "id": "plain" }),
            json!({ "type": "webhook", "id": "signed", "signature": "required" }),
        ];
    })
    .await;
    app
}

async fn change(app: &TestApp, change: impl FnOnce(&mut Workflow)) {
    let id = "w1".parse().unwrap();
    let workflow = app.store.find_workflow(&org_id(), &id).await.unwrap();
    let mut workflow = workflow.unwrap();
    change(&mut workflow.value);
    let write = workflows::replace(&workflow).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

/// Path and secret of a webhook.
async fn known(app: &TestApp, id: &str) -> (String, Option<String>) {
    let answer = app.get("user", "/workflows/w1/webhooks").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let items = answer.body["items"].as_array().unwrap();
    let hook = items.iter().find(|item| item["id"] == id).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    (text(&hook["path"]).unwrap(), text(&hook["secret"]))
}

fn post(path: &str) -> Builder {
    Request::builder().method(Method::POST).uri(path)
}

async fn send(app: &TestApp, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = post(path).header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::from(body.to_owned())).unwrap())
        .await
}

#[tokio::test]
async fn a_request_starts_the_workflow_with_what_was_sent() {
    let app = hooked_app().await;
    let (path, secret) = known(&app, "plain").await;
    assert!(path.starts_with("/api/v1/hooks/w1/plain/"), "{path}");
    assert_eq!(secret, None);
    let headers = [("authorization", "Bearer x"), ("x-github-event", "push")];
    let accepted = send(
        &app,
        &format!("{path}?a=1&b=x&b=y"),
        &headers,
        "{\"n\":[[1]]}",
    )
    .await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let trigger = app.trigger_of(&accepted).await;
    assert_eq!(trigger.kind, TriggerType::Webhook);
    assert_eq!(trigger.source.uid, None);
    let expected = json!({
        "body": { "n": [[1]] },
        "query": { "a": "1", "b": ["x", "y"] },
        "headers": { "content-type": "application/json", "x-github-event": "push" },
    });
    assert_eq!(trigger.payload.0, expected);
}

#[tokio::test]
async fn every_address_that_is_not_the_right_one_is_answered_the_same() {
    let app = hooked_app().await;
    let (path, _) = known(&app, "plain").await;
    let token = path.rsplit('/').next().unwrap();
    let (other, _) = known(&app, "signed").await;
    let other = other.rsplit('/').next().unwrap();
    let before = app.db.commits().len();
    let paths = [
        format!("/w1/plain/{other}"),
        format!("/w1/plain/{}", "0".repeat(64)),
        format!("/w1/plain/{}", token.to_uppercase()),
        format!("/w1/plain/{}", &token[..63]),
        format!("/w1/other/{token}"),
        format!("/w2/plain/{token}"),
        format!("/foreign-w1/plain/{token}"),
        format!("/a%2Fb/plain/{token}"),
        format!("/w1/%ff/{token}"),
        "/w1/plain/x".to_owned(),
    ];
    let mut answers = Vec::new();
    for path in paths {
        answers.push(send(&app, &format!("/api/v1/hooks{path}"), &[], "{").await);
    }
    change(&app, |workflow| workflow.active = false).await;
    answers.push(send(&app, &path, &[], "{").await);
    change(&app, |workflow| {
        workflow.active = true;
        workflow.triggers.clear();
    })
    .await;
    answers.push(send(&app, &path, &[], "{").await);
    for answer in &answers {
        assert_eq!(answer.refusal(), (404, "not_found"));
        assert_eq!(answer.bytes, answers[0].bytes);
    }
    assert_eq!(app.db.commits().len(), before + 2, "by the changes alone");
}

#[tokio::test]
async fn a_repeat_of_an_event_is_the_same_execution() {
    let app = hooked_app().await;
    let (path, _) = known(&app, "plain").await;
    let before = app.db.count("triggers");
    for (name, key) in [
        ("webhook-id", "m1"),
        ("idempotency-key", "k1"),
        ("x-github-delivery", "d1"),
    ] {
        let first = send(&app, &path, &[(name, key)], "1").await;
        assert!(
            !first.headers.contains_key("idempotency-replayed"),
            "{name}"
        );
        for expires in [false, true] {
            if expires {
                crate::idempotency::expire_answers(&app).await;
            }
            let again = [
                (name, key),
                ("webhook-timestamp", "1"),
                ("user-agent", "other"),
            ];
            let repeat = send(&app, &path, &again, "1").await;
            assert_eq!(
                (repeat.status, &repeat.body),
                (first.status, &first.body),
                "{name}"
            );
            assert_eq!(repeat.headers["idempotency-replayed"], "true");
            for (path, body) in [(path.clone(), "2"), (format!("{path}?a=1"), "1")] {
                let other = send(&app, &path, &[(name, key)], body).await;
                assert_eq!(other.refusal(), (409, "already_exists"), "{name}");
            }
        }
    }
    assert_eq!(app.db.count("triggers"), before + 3);
}

#[tokio::test]
async fn a_deleted_execution_is_not_started_again_by_a_repeat() {
    let app = hooked_app().await;
    let (path, _) = known(&app, "plain").await;
    let first = send(&app, &path, &[("webhook-id", "m1")], "1").await;
    let id = first.body["executionId"].as_str().unwrap();
    let cancel = json!({ "status": "cancelled" });
    app.patch("admin", &format!("/executions/{id}"), &cancel)
        .await;
    let deleted = app.delete("admin", &format!("/executions/{id}")).await;
    assert_eq!(deleted.status, 204);
    let before = app.db.count("triggers");
    let repeat = send(&app, &path, &[("webhook-id", "m1")], "1").await;
    assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
    assert_eq!(app.db.count("triggers"), before);
}

#[tokio::test]
async fn parallel_repeats_start_one_execution() {
    let app = hooked_app().await;
    let (path, _) = known(&app, "plain").await;
    let before = app.db.count("triggers");
    let key = [("webhook-id", "m1")];
    let answers = join_all((0..10).map(|_| send(&app, &path, &key, "1"))).await;
    for answer in &answers {
        assert_eq!(
            (answer.status.as_u16(), &answer.body),
            (202, &answers[0].body)
        );
    }
    assert_eq!(app.db.count("triggers"), before + 1);
}

#[tokio::test]
async fn without_a_key_each_request_is_an_event() {
    let app = hooked_app().await;
    let (path, _) = known(&app, "plain").await;
    let ids = [
        send(&app, &path, &[], "1").await,
        send(&app, &path, &[], "1").await,
    ];
    assert_ne!(ids[0].body["executionId"], ids[1].body["executionId"]);
}

#[tokio::test]
async fn the_same_key_at_another_webhook_is_another_event() {
    let app = hooked_app().await;
    change(&app, |workflow| {
        workflow
            .triggers
            .push(json!({ "type": "webhook", "id": "second" }));
    })
    .await;
    let mut ids = Vec::new();
    for hook in ["plain", "second"] {
        let (path, _) = known(&app, hook).await;
        let answer = send(&app, &path, &[("webhook-id", "m1")], "1").await;
        ids.push(answer.body["executionId"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

fn sign(secret: &str, id: &str, timestamp: &str, body: &str) -> String {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    assert_eq!(key.len(), 32);
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let tag = mac
        .chain_update(format!("{id}.{timestamp}.{body}"))
        .finalize();
    format!("v1,{}", STANDARD.encode(tag.into_bytes()))
}

#[tokio::test]
async fn a_webhook_that_wants_signatures_accepts_those_of_its_secret() {
    let app = hooked_app().await;
    let (path, secret) = known(&app, "signed").await;
    let now = seeds::now().instant().as_second().to_string();
    let signature = sign(&secret.unwrap(), "m1", &now, "{}");
    let headers = [
        ("webhook-id", "m1"),
        ("webhook-timestamp", now.as_str()),
        ("webhook-signature", signature.as_str()),
    ];
    let accepted = send(&app, &path, &headers, "{}").await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let payload = app.trigger_of(&accepted).await.payload.0;
    assert_eq!(payload["headers"].get("webhook-signature"), None);
    let before = app.db.count("triggers");
    let old = (seeds::now().instant().as_second() - 301).to_string();
    let late = sign(&known(&app, "signed").await.1.unwrap(), "m2", &old, "{}");
    for (headers, body) in [
        (headers.as_slice(), "{ }"),
        (&headers[..2], "{}"),
        (&[], "{"),
        (&[("webhook-id", "m2"), headers[1], headers[2]], "{}"),
        (
            &[
                ("webhook-id", "m2"),
                ("webhook-timestamp", &old),
                ("webhook-signature", &late),
            ],
            "{}",
        ),
    ] {
        let refused = send(&app, &path, headers, body).await;
        assert_eq!(refused.refusal(), (401, "unauthenticated"), "{headers:?}");
    }
    let refused = send(&app, &format!("{path}?a=1"), &headers, "{}").await;
    assert_eq!(refused.refusal(), (400, "invalid_argument"));
    assert_eq!(refused.fields(), ["query"], "it is not signed");
    assert_eq!(app.db.count("triggers"), before);
}

#[tokio::test]
async fn another_id_is_another_address_with_another_secret() {
    let app = hooked_app().await;
    let before = known(&app, "signed").await;
    assert_eq!(known(&app, "signed").await, before, "the same each time");
    change(&app, |workflow| {
        workflow.triggers =
            vec![json!({ "type": "webhook", "id": "signed-2", "signature": "required" })];
    })
    .await;
    let after = known(&app, "signed-2").await;
    assert_ne!(before.1, after.1);
    assert_ne!(before.0.rsplit('/').next(), after.0.rsplit('/').next());
    let old = send(&app, &before.0, &[], "{}").await;
    assert_eq!(old.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn looking_at_addresses_is_recorded_and_not_for_viewers() {
    let app = hooked_app().await;
    known(&app, "plain").await;
    assert_eq!(app.audited(), ["KEY_VIEW"]);
    let refused = app.get("viewer", "/workflows/w1/webhooks").await;
    assert_eq!(refused.refusal(), (403, "permission_denied"));
    assert_eq!(app.audited().len(), 1);
}

#[tokio::test]
async fn bodies_are_limited() {
    let app = hooked_app().await;
    let (path, _) = known(&app, "plain").await;
    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    let most = send(&app, &path, &[], &text(256_000)).await;
    assert_eq!(most.status, 202, "{}", most.body);
    let refused = send(&app, &path, &[], &text(256_001)).await;
    assert_eq!(refused.refusal(), (413, "invalid_argument"));
    assert_eq!(refused.fields(), ["body"]);
    let request = post(&path).header(CONTENT_TYPE, "text/plain");
    let body = Body::from("\u{1}".repeat(100_000));
    let refused = app.send(request.body(body).unwrap()).await;
    assert_eq!(
        refused.refusal(),
        (400, "invalid_argument"),
        "six bytes each as JSON"
    );
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(send(&app, &path, &[], &nested(99)).await.status, 202);
    let refused = send(&app, &path, &[], &nested(100)).await;
    assert_eq!(refused.refusal(), (400, "invalid_argument"));
    assert_eq!(refused.fields(), ["body"], "it is one level deep itself");
    let malformed = send(&app, &path, &[], "{").await;
    assert_eq!(malformed.refusal(), (400, "invalid_argument"));
}

#[tokio::test]
async fn no_page_may_call_though_one_may_call_the_rest() {
    let app = hooked_app().await;
    let (path, _) = known(&app, "plain").await;
    let request = post(&path)
        .header(CONTENT_TYPE, "application/json")
        .header("origin", ORIGIN);
    let answer = app.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.status, 202);
    let cors = answer
        .headers
        .keys()
        .find(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(cors, None);
    assert_security_headers(&answer.headers, &path);
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri(&path)
        .header("origin", ORIGIN)
        .header("access-control-request-method", "POST");
    let preflight = app.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(preflight.refusal(), (405, "invalid_argument"));
}
