use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use shared::{
    ids::{OrgId, RecordId, Uid},
    models::{Approval, ApprovalStatus, AskedAccount, AskedAction, AuditAction, Role, Wakeup},
    store::{approvals, decode},
};

use crate::{
    app::{Answer, TestApp},
    seeds,
    table::seeded_app,
};

const DECIDE: &str = "/approvals/p1/decisions";

fn approve() -> Value {
    json!({ "decision": "approve" })
}

fn reject() -> Value {
    json!({ "decision": "reject" })
}

/// An application whose approval `p1` was changed.
async fn app_with(change: impl FnOnce(&mut Approval)) -> TestApp {
    let app = seeded_app().await;
    app.add_user("user2", "o1", Role::User).await;
    let mut approval = seeds::approval_model("p1", "running");
    change(&mut approval);
    let writes = vec![
        approvals::delete(&approval.id),
        approvals::create(&approval).unwrap(),
    ];
    for write in writes {
        app.store.commit(vec![write]).await.unwrap();
    }
    app
}

async fn approval(app: &TestApp) -> Approval {
    let (org_id, id) = (OrgId::parse("o1").unwrap(), RecordId::parse("p1").unwrap());
    let found = app.store.find_approval(&org_id, &id).await;
    found.unwrap().unwrap().value
}

fn wakeups(app: &TestApp) -> Vec<Wakeup> {
    let documents = app.db.documents("wakeups/");
    documents.iter().map(|one| decode(one).unwrap()).collect()
}

async fn decide(app: &TestApp, token: &str, body: &Value) -> Answer {
    app.post(token, DECIDE, body).await
}

#[tokio::test]
async fn an_approval_decides_wakes_the_run_up_and_is_recorded_in_one_commit() {
    let app = app_with(|_| ()).await;
    let before = app.db.commits().len();
    let body = json!({ "decision": "approve", "comment": "Fine." });
    let decided = decide(&app, "user", &body).await;
    assert_eq!(decided.status, 200, "{}", decided.body);
    assert_eq!(decided.body["status"], "approved");
    assert_eq!(decided.body["approvals"], 1);
    assert_eq!(decided.body["ownDecision"], "approve");
    assert_eq!(decided.body["canDecide"], false);
    assert_eq!(app.db.commits().len(), before + 1);
    let kept = approval(&app).await;
    assert_eq!(kept.status, ApprovalStatus::Approved);
    assert_eq!(kept.decisions[0].comment.as_deref(), Some("Fine."));
    let wakeups = wakeups(&app);
    assert_eq!(wakeups.len(), 1);
    assert_eq!(wakeups[0].id, RecordId::derive(&["approved", "p1"]));
    assert_eq!(wakeups[0].execution_id.as_str(), "running");
    let record = &app.records(&OrgId::parse("o1").unwrap())[0];
    assert_eq!(record.action, AuditAction::ApprovalDecide);
    let expected = json!({
        "approvalId": "p1", "executionId": "running", "nodeId": "ask", "decision": "approve",
    });
    assert_eq!(record.metadata.0, expected);
    let writes = app.db.commits().pop().unwrap();
    let touches_execution = |path: &str| path.starts_with("executions/");
    assert!(
        !writes
            .iter()
            .any(|write| touches_execution(write.path.as_str()))
    );
}

#[tokio::test]
async fn approvers_see_what_is_going_to_be_done() {
    let input = json!({ "to": ["ada@example.com"], "subject": "Hello", "text": "Hi." });
    let action = AskedAction {
        name: "google.gmail.send".to_owned(),
        input: input.clone().into(),
        request_hash: "00ff".to_owned(),
        account: Some(AskedAccount {
            integration_id: "i1".parse().unwrap(),
            label: "a…@example.com".to_owned(),
        }),
    };
    let app = app_with(|approval| approval.action = Some(action)).await;
    let account = json!({ "label": "a…@example.com" });
    let expected = json!({ "name": "google.gmail.send", "input": input, "account": account });
    let asked = app.get("user", "/approvals/p1").await;
    assert_eq!(asked.body["action"], expected);
    let listed = app.get("user", "/approvals").await;
    assert_eq!(listed.body["items"][0]["action"], expected);
}

#[tokio::test]
async fn as_many_as_are_required_have_to_approve() {
    let app = app_with(|approval| approval.required = 2).await;
    let first = decide(&app, "user", &approve()).await;
    assert_eq!(
        (first.status.as_u16(), &first.body["status"]),
        (200, &json!("pending"))
    );
    assert!(wakeups(&app).is_empty());
    let second = decide(&app, "admin", &approve()).await;
    assert_eq!(second.body["status"], "approved");
    assert_eq!(second.body["approvals"], 2);
    assert_eq!(wakeups(&app).len(), 1);
}

#[tokio::test]
async fn one_rejection_decides() {
    let app = app_with(|approval| approval.required = 3).await;
    decide(&app, "user", &approve()).await;
    let rejected = decide(&app, "admin", &reject()).await;
    assert_eq!(rejected.body["status"], "rejected");
    assert_eq!(rejected.body["approvals"], 1);
    assert_eq!(wakeups(&app).len(), 1);
    let late = decide(&app, "user2", &approve()).await;
    assert_eq!(late.refusal(), (400, "failed_precondition"));
}

#[tokio::test]
async fn a_repeat_answers_the_same_and_another_answer_is_refused() {
    for required in [1, 2] {
        let app = app_with(|approval| approval.required = required).await;
        let first = decide(&app, "user", &approve()).await;
        let repeat = decide(&app, "user", &approve()).await;
        assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
        for other in [
            reject(),
            json!({ "decision": "approve", "comment": "Or not." }),
            json!({ "decision": "approve", "values": { "x": 1 } }),
        ] {
            let refused = decide(&app, "user", &other).await;
            assert_eq!(refused.refusal(), (409, "already_exists"), "{other}");
        }
        assert_eq!(app.audited(), ["APPROVAL_DECIDE"]);
        assert_eq!(approval(&app).await.decisions.len(), 1);
    }
}

#[tokio::test]
async fn only_the_roles_that_are_asked_may_decide() {
    let app = app_with(|approval| approval.roles = vec![Role::Admin, Role::Viewer]).await;
    let refused = decide(&app, "user", &approve()).await;
    assert_eq!(refused.refusal(), (403, "permission_denied"));
    let refused = decide(&app, "viewer", &approve()).await;
    assert_eq!(
        refused.refusal(),
        (403, "permission_denied"),
        "a viewer never"
    );
    assert!(approval(&app).await.decisions.is_empty());
    assert_eq!(decide(&app, "admin", &approve()).await.status, 200);
}

#[tokio::test]
async fn whoever_started_the_run_may_be_excluded() {
    let (id, uid) = (RecordId::parse("p1").unwrap(), Uid::parse("user").unwrap());
    let app = app_with(|approval| approval.excluded = Some(Approval::decider(&id, &uid))).await;
    let refused = decide(&app, "user", &approve()).await;
    assert_eq!(refused.refusal(), (403, "permission_denied"));
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("started the run"), "{message}");
    let seen = app.get("user", "/approvals/p1").await.body;
    assert_eq!(seen["canDecide"], false);
    assert_eq!(decide(&app, "user2", &approve()).await.status, 200);
}

#[tokio::test]
async fn what_is_too_late_changes_nothing() {
    let end = seeds::now().plus_seconds(60);
    let app = app_with(|approval| approval.expires_at = Some(end)).await;
    app.clock.advance(Duration::from_secs(60));
    let refused = decide(&app, "user", &approve()).await;
    assert_eq!(refused.refusal(), (400, "failed_precondition"));
    assert_eq!(
        approval(&app).await.status,
        ApprovalStatus::Pending,
        "that is up to the engine"
    );
    assert!(app.audited().is_empty());
    let seen = app.get("user", "/approvals/p1").await.body;
    assert_eq!(seen["canDecide"], false);
}

#[tokio::test]
async fn what_has_ended_is_not_decided() {
    for status in [ApprovalStatus::Expired, ApprovalStatus::Cancelled] {
        let app = app_with(|approval| approval.status = status).await;
        let refused = decide(&app, "user", &approve()).await;
        assert_eq!(refused.refusal(), (400, "failed_precondition"));
        assert!(wakeups(&app).is_empty());
    }
}

fn form(approval: &mut Approval) {
    let fields = [("amount", "number"), ("note", "string"), ("any", "any")];
    approval.fields = fields
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .into();
}

#[tokio::test]
async fn the_form_is_filled_in_by_whoever_approves() {
    let cases = [
        (
            json!({}),
            vec!["values.any", "values.amount", "values.note"],
        ),
        (
            json!({ "amount": "1", "note": "x", "any": null }),
            vec!["values.amount"],
        ),
        (
            json!({ "amount": 1, "note": "x", "any": 1, "more": 1 }),
            vec!["values.more"],
        ),
        (
            json!({ "amount": 1, "note": "x".repeat(20_000), "any": 1 }),
            vec!["values"],
        ),
        (json!([]), vec!["values"]),
    ];
    let app = app_with(form).await;
    for (values, mut fields) in cases {
        let body = json!({ "decision": "approve", "values": values });
        let refused = decide(&app, "user", &body).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument"), "{values}");
        let mut named = refused.fields();
        named.sort_unstable();
        fields.sort_unstable();
        assert_eq!(named, fields, "{values}");
    }
    let values = json!({ "amount": 1.5, "note": "x", "any": null });
    let body = json!({ "decision": "approve", "values": values });
    assert_eq!(decide(&app, "user", &body).await.status, 200);
    assert_eq!(approval(&app).await.decisions[0].values.0, values);
}

#[tokio::test]
async fn whoever_rejects_need_not_fill_the_form_in() {
    let app = app_with(form).await;
    for (values, field) in [
        (json!({ "amount": "1" }), "values.amount"),
        (json!({ "x": 1 }), "values.x"),
    ] {
        let body = json!({ "decision": "reject", "values": values });
        assert_eq!(decide(&app, "user", &body).await.fields(), [field]);
    }
    assert_eq!(decide(&app, "user", &reject()).await.status, 200);
}

#[tokio::test]
async fn what_is_no_decision_is_refused_by_field() {
    let app = app_with(|_| ()).await;
    let long = json!({ "decision": "approve", "comment": "x".repeat(1_001) });
    for (body, field) in [
        (json!({ "decision": "maybe" }), "decision"),
        (json!({ "decision": "approve", "values": null }), "values"),
        (long, "comment"),
    ] {
        let refused = decide(&app, "user", &body).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument"), "{body}");
        assert_eq!(refused.fields(), [field]);
    }
}

#[tokio::test]
async fn parallel_decisions_count_once_each() {
    let app = app_with(|approval| approval.required = 3).await;
    let tokens = ["admin", "user", "user2", "user", "admin"];
    let approve = approve();
    let answers = join_all(tokens.map(|token| decide(&app, token, &approve))).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let kept = approval(&app).await;
    assert_eq!(
        (kept.decisions.len(), kept.status),
        (3, ApprovalStatus::Approved)
    );
    assert_eq!(app.audited(), ["APPROVAL_DECIDE"; 3]);
    assert_eq!(wakeups(&app).len(), 1);
}

#[tokio::test]
async fn nobody_learns_who_else_has_decided() {
    let app = app_with(|approval| approval.required = 2).await;
    let body = json!({ "decision": "approve", "comment": "secret" });
    decide(&app, "user", &body).await;
    for path in ["/approvals/p1", "/approvals"] {
        let answer = app.get("admin", path).await;
        let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
        assert!(text.contains("\"approvals\":1"), "{text}");
        let decider = Approval::decider(&"p1".parse().unwrap(), &"user".parse().unwrap());
        for hidden in ["secret", "decider", "excluded", &decider] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
}

#[tokio::test]
async fn everybody_is_shown_what_their_role_may_decide() {
    let app = seeded_app().await;
    let mut writes = vec![seeds::approval("p2", "running")];
    for (id, roles, status) in [
        ("p3", vec![Role::Admin], ApprovalStatus::Pending),
        ("p4", vec![Role::User], ApprovalStatus::Pending),
        (
            "p5",
            vec![Role::User, Role::Admin],
            ApprovalStatus::Rejected,
        ),
        ("p6", vec![Role::Viewer], ApprovalStatus::Pending),
    ] {
        let mut approval = seeds::approval_model(id, "running");
        (approval.roles, approval.status) = (roles, status);
        writes.push(approvals::create(&approval).unwrap());
    }
    app.store.commit(writes).await.unwrap();
    for (token, expected) in [
        ("admin", vec!["p1", "p2", "p3"]),
        ("user", vec!["p1", "p2", "p4"]),
        ("viewer", vec![]),
        ("stranger", vec!["foreign-p1"]),
    ] {
        for limit in [1, 2, 100] {
            assert_eq!(walk(&app, token, limit).await, expected, "{token} {limit}");
        }
    }
    let first = &app.get("user", "/approvals?limit=1").await.body["items"][0];
    assert_eq!(first["canDecide"], true);
    assert_eq!(first["ownDecision"], Value::Null);
    assert_eq!(first["message"], "Refund?");
    let decided = app.get("viewer", "/approvals/p5").await;
    assert_eq!(decided.body["status"], "rejected");
}

/// The ids of all pages in order.
async fn walk(app: &TestApp, token: &str, limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut next = String::new();
    loop {
        let page = app
            .get(token, &format!("/approvals?limit={limit}{next}"))
            .await;
        assert_eq!(page.status, 200, "{}", page.body);
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
        ids.extend(items.iter().map(id));
        match &page.body["nextPageToken"] {
            Value::String(token) => next = format!("&pageToken={token}"),
            _ => return ids,
        }
    }
}
