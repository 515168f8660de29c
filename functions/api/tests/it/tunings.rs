//! Conversations are approved for training, taken out, and models are made from them.

use http::Method;
use serde_json::{Value, json};
use shared::{
    ids::{AgentId, ExecutionId, OrgId, RecordId},
    models::{
        AgentStatus, ChatMessage, ChatRole, Limits, LlmSwitch, SubscriptionTier, TunedModel,
        Tuning, TuningState, UsageEntry, UsageState,
    },
    prompt,
    store::{decode, organizations, platform::set_llm_switch, sessions, tunings, users},
};

use crate::{
    app::{Answer, TestApp, empty, request},
    seeds,
};

const TUNINGS: &str = "/agents/working/tunings";
const BASE: &str = "gpt-4.1-mini-2025-04-14";
const TUNED: &str = "ft:gpt-4.1-mini-2025-04-14:org:ix:1";

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

fn agent_id() -> AgentId {
    AgentId::parse("working").unwrap()
}

fn order() -> Value {
    json!({ "baseModel": BASE })
}

/// An application in which `user` has talked with agent `working` so often.
async fn app_with(conversations: usize) -> TestApp {
    let app = TestApp::new().await;
    let write = seeds::deployed_agent("working", AgentStatus::Active);
    app.store.commit(vec![write]).await.unwrap();
    set_tier(&app, SubscriptionTier::Enterprise, Limits::default()).await;
    for number in 0..conversations {
        talk(&app, &format!("s{number}")).await;
    }
    app
}

async fn set_tier(app: &TestApp, tier: SubscriptionTier, limits: Limits) {
    let found = app.store.find_organization(&org_id()).await.unwrap();
    let mut organization = found.unwrap();
    organization.value.subscription_tier = tier;
    organization.value.limits = limits;
    let write = organizations::replace(&organization).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

async fn talk(app: &TestApp, id: &str) {
    let session = seeds::session_of("working", id, "user");
    let mut writes = vec![sessions::create(&session).unwrap()];
    let said = [
        (ChatRole::User, "My key is sk-0123456789abcdef01"),
        (ChatRole::Assistant, "Keep it secret."),
        (ChatRole::User, "Later"),
    ];
    for (seq, (role, content)) in (1..).zip(said) {
        let message = ChatMessage {
            seq,
            org_id: org_id(),
            role,
            content: content.to_owned(),
            done: Vec::new(),
            failure: None,
            turn: format!("t{seq}"),
            execution_id: ExecutionId::parse("e1").unwrap(),
            created_at: seeds::now(),
        };
        writes.push(sessions::create_message(&session, &message).unwrap());
    }
    app.store.commit(writes).await.unwrap();
}

async fn approve(app: &TestApp, id: &str) -> Answer {
    put(
        app,
        "user",
        &format!("/agents/working/sessions/{id}/approval"),
    )
    .await
}

async fn put(app: &TestApp, token: &str, path: &str) -> Answer {
    app.send(empty(request(Method::PUT, path, token))).await
}

async fn approved(conversations: usize) -> TestApp {
    let app = app_with(conversations).await;
    for number in 0..conversations {
        assert_eq!(approve(&app, &format!("s{number}")).await.status, 204);
    }
    app
}

fn only_tuning(app: &TestApp) -> Tuning {
    let documents = app.db.documents("agents/working/tunings/");
    assert_eq!(documents.len(), 1);
    decode(&documents[0]).unwrap()
}

async fn agent_status(app: &TestApp) -> AgentStatus {
    let agent = app.store.find_agent(&org_id(), &agent_id()).await;
    agent.unwrap().unwrap().value.status
}

fn entries(app: &TestApp) -> Vec<UsageEntry> {
    let documents = app.db.documents("usage_ledger/");
    documents.iter().map(|one| decode(one).unwrap()).collect()
}

#[tokio::test]
async fn owners_alone_approve_their_conversations_and_withdraw_them() {
    let app = app_with(1).await;
    let path = "/agents/working/sessions/s0/approval";
    assert_eq!(put(&app, "admin", path).await.status, 404);
    assert_eq!(approve(&app, "s0").await.status, 204);
    let listed = app.get("user", "/agents/working/sessions").await.body;
    let expected = json!(seeds::now());
    assert_eq!(listed["items"][0]["approvedForTraining"], expected);
    assert_eq!(app.delete("admin", path).await.status, 404);
    assert_eq!(app.delete("user", path).await.status, 204);
    let listed = app.get("user", "/agents/working/sessions").await.body;
    assert!(listed["items"][0].get("approvedForTraining").is_none());
    assert_eq!(app.audited(), ["SESSION_APPROVE", "SESSION_WITHDRAW"]);
}

#[tokio::test]
async fn the_data_set_has_what_was_approved_and_no_secrets() {
    let app = app_with(2).await;
    approve(&app, "s0").await;
    let id = RecordId::parse("s0").unwrap();
    let found = app.store.find_session(&org_id(), &agent_id(), &id).await;
    let session = found.unwrap().unwrap().value;
    let late = ChatMessage {
        seq: 4,
        org_id: org_id(),
        role: ChatRole::Assistant,
        content: "Not approved".to_owned(),
        done: Vec::new(),
        failure: None,
        turn: "t4".to_owned(),
        execution_id: ExecutionId::parse("e1").unwrap(),
        created_at: seeds::now().plus_seconds(1),
    };
    let write = sessions::create_message(&session, &late).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let prompt = json!({ "systemPrompt": "You sort support mail." });
    app.patch("admin", "/agents/working", &prompt).await;
    let answer = app.get("admin", "/agents/working/dataset").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/jsonl");
    let agent = app.store.find_agent(&org_id(), &agent_id()).await;
    let told = prompt::compile(&agent.unwrap().unwrap().value);
    assert!(told.contains("You sort support mail."), "{told}");
    let line = |role, content: &str| json!({ "role": role, "content": content });
    let expected = json!({ "messages": [
        line("system", &told),
        line("user", "My key is [redacted]"),
        line("assistant", "Keep it secret."),
    ] });
    let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    let records = ["SESSION_APPROVE", "AGENT_UPDATE", "DATASET_EXPORT"];
    assert_eq!(app.audited(), records);
}

/// Adds a turn to conversation `s0`, in which the agent sends a mail.
async fn say(app: &TestApp, seq: i64, answer: &str, failure: Option<&str>) {
    let session = seeds::session_of("working", "s0", "user");
    let prompt = ChatMessage {
        seq,
        org_id: org_id(),
        role: ChatRole::User,
        content: format!("Question {seq}"),
        done: Vec::new(),
        failure: None,
        turn: format!("turn {seq}"),
        execution_id: ExecutionId::parse("e1").unwrap(),
        created_at: seeds::now(),
    };
    let answer = ChatMessage {
        seq: seq + 1,
        role: ChatRole::Assistant,
        content: answer.to_owned(),
        done: vec!["google.gmail.send".to_owned()],
        failure: failure.map(str::to_owned),
        ..prompt.clone()
    };
    let writes = [prompt, answer];
    let writes = writes.map(|one| sessions::create_message(&session, &one).unwrap());
    app.store.commit(writes.into()).await.unwrap();
}

/// Role and content of what the only example has after the system prompt.
async fn example(app: &TestApp) -> Vec<(String, String)> {
    let answer = app.get("admin", "/agents/working/dataset").await;
    let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let example: Value = serde_json::from_str(&text).unwrap();
    let messages = example["messages"].as_array().unwrap().iter().skip(1);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = messages.map(|one| (text(&one["role"]), text(&one["content"])));
    lines.collect()
}

#[tokio::test]
async fn a_model_learns_answers_only_and_nothing_of_failed_turns() {
    let app = app_with(1).await;
    approve(&app, "s0").await;
    say(&app, 4, "", Some("the model has said nothing")).await;
    say(&app, 6, "Sent.", None).await;
    let example = example(&app).await;
    let contents: Vec<_> = example.iter().map(|(_, content)| &**content).collect();
    let expected = [
        "My key is [redacted]",
        "Keep it secret.",
        "Later",
        "Question 6",
        "Sent.",
    ];
    assert_eq!(contents, expected);
}

#[tokio::test]
async fn a_long_conversation_is_read_to_its_end() {
    let app = app_with(1).await;
    approve(&app, "s0").await;
    for turn in 0..30 {
        say(&app, 4 + 2 * turn, "Yes.", None).await;
    }
    assert_eq!(example(&app).await.len(), 63);
}

#[tokio::test]
async fn conversations_of_who_is_no_member_any_more_are_left_out() {
    for is_disabled in [true, false] {
        let app = approved(1).await;
        let uid = seeds::session_of("working", "s0", "user").uid.unwrap();
        let mut user = app.store.find_user(&uid).await.unwrap().unwrap();
        match is_disabled {
            true => user.value.disabled = true,
            false => user.value.organization_id = OrgId::parse("o2").unwrap(),
        }
        let write = users::set_membership(&user).unwrap();
        app.store.commit(vec![write]).await.unwrap();
        let answer = app.get("admin", "/agents/working/dataset").await;
        assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 0));
    }
}

#[tokio::test]
async fn other_tiers_neither_take_conversations_out_nor_tune() {
    for tier in [SubscriptionTier::Free, SubscriptionTier::Pro] {
        let app = approved(10).await;
        set_tier(&app, tier, Limits::default()).await;
        let before = app.db.commits().len();
        let taken_out = app.get("admin", "/agents/working/dataset").await;
        assert_eq!(taken_out.refusal(), (400, "failed_precondition"));
        let tuned = app.post("admin", TUNINGS, &order()).await;
        assert_eq!(tuned.refusal(), (400, "failed_precondition"));
        assert_eq!(app.db.commits().len(), before);
    }
}

#[tokio::test]
async fn a_tuning_begins_with_its_reservation_in_one_commit_and_once() {
    let app = approved(10).await;
    let before = app.db.commits().len();
    let answer = app.post_once("k1", TUNINGS, &order()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(app.db.commits().len(), before + 1);
    assert_eq!(answer.body["state"], "queued");
    assert_eq!(
        (&answer.body["examples"], &answer.body["epochs"]),
        (&json!(10), &json!(3))
    );
    let tuning = only_tuning(&app);
    assert_eq!(tuning.due_at, Some(seeds::now()));
    assert_eq!(agent_status(&app).await, AgentStatus::Training);
    let entries = entries(&app);
    assert_eq!((entries.len(), entries[0].state), (1, UsageState::Reserved));
    assert_eq!(entries[0].input_tokens, tuning.max_bytes * 3);
    // 5.00 US dollars a million tokens.
    assert_eq!(entries[0].cost_micro_usd, tuning.max_bytes * 15);
    assert_eq!(answer.body["costMicroUsd"], entries[0].cost_micro_usd);
    assert_eq!(app.audited().last().unwrap(), "TUNING_START");
    let again = app.post_once("k1", TUNINGS, &order()).await;
    assert_eq!(again.body, answer.body);
    assert_eq!(app.db.commits().len(), before + 1);
    // One at a time.
    let second = app.post_once("k2", TUNINGS, &order()).await;
    assert_eq!(second.refusal(), (409, "failed_precondition"));
    let path = answer.headers["location"].to_str().unwrap();
    let path = path.strip_prefix("/api/v1").unwrap();
    assert_eq!(app.get("admin", path).await.body, answer.body);
    let listed = app.get("admin", TUNINGS).await.body;
    assert_eq!(listed["items"], json!([answer.body]));
}

#[tokio::test]
async fn what_cannot_be_tuned_is_refused_and_changes_nothing() {
    let app = approved(9).await;
    let before = app.db.commits().len();
    let few = app.post("admin", TUNINGS, &order()).await;
    assert_eq!(few.refusal(), (400, "failed_precondition"));
    for model in ["gpt-4.1-mini", "gpt-unheard-of"] {
        let body = json!({ "baseModel": model });
        let unknown = app.post("admin", TUNINGS, &body).await;
        assert_eq!(unknown.fields(), ["baseModel"]);
    }
    let epochs = json!({ "baseModel": BASE, "epochs": 11 });
    let epochs = app.post("admin", TUNINGS, &epochs).await;
    assert_eq!(epochs.fields(), ["epochs"]);
    assert_eq!(app.db.commits().len(), before);
}

#[tokio::test]
async fn a_tuning_that_does_not_fit_into_the_month_is_refused() {
    let app = approved(10).await;
    let limits = Limits {
        monthly_cost_micro_usd: Some(1_000),
        ..Limits::default()
    };
    set_tier(&app, SubscriptionTier::Enterprise, limits).await;
    let answer = app.post("admin", TUNINGS, &order()).await;
    assert_eq!(answer.refusal(), (429, "resource_exhausted"));
    assert_eq!(agent_status(&app).await, AgentStatus::Active);
    assert!(entries(&app).is_empty());
}

#[tokio::test]
async fn a_tuning_is_refused_while_models_are_switched_off() {
    let app = approved(10).await;
    let write = set_llm_switch(LlmSwitch { is_off: true }).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let answer = app.post("admin", TUNINGS, &order()).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!(agent_status(&app).await, AgentStatus::Active);
    assert!(entries(&app).is_empty());
}

#[tokio::test]
async fn a_tuning_is_told_to_stop_once() {
    let app = approved(10).await;
    app.post("admin", TUNINGS, &order()).await;
    let tuning = only_tuning(&app);
    let path = format!("{TUNINGS}/{}/cancel", tuning.id);
    for _ in 0..2 {
        let answer = app.send(empty(request(Method::POST, &path, "admin"))).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body["isCancelling"], true);
    }
    let stopped = only_tuning(&app);
    assert_eq!(
        stopped.due_at, tuning.due_at,
        "whoever is at it stays alone"
    );
    let cancels = app.audited().into_iter();
    assert_eq!(
        cancels.filter(|action| action == "TUNING_CANCEL").count(),
        1
    );
}

#[tokio::test]
async fn a_tuned_model_is_its_organizations_alone_and_costs_what_tuned_models_do() {
    let app = app_with(0).await;
    let mut tuning = seeds::tuning_model("working", "t1");
    tuning.state = TuningState::Succeeded;
    let model = TunedModel::of(&tuning, TUNED, seeds::now());
    let write = tunings::register(&model).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let names = |answer: &Answer| answer.body["data"].to_string();
    assert!(names(&app.get("user", "/llm/models").await).contains(TUNED));
    assert!(!names(&app.get("stranger", "/llm/models").await).contains(TUNED));
    let body = json!({ "model": TUNED, "messages": [{ "role": "user", "content": "Hi" }] });
    let path = "/llm/chat/completions";
    let answer = app.post("user", path, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let entry = entries(&app).pop().unwrap();
    assert_eq!(
        (entry.model.as_str(), entry.state),
        (TUNED, UsageState::Settled)
    );
    // 0.80 and 3.20 US dollars a million tokens, rounded up.
    let nanos = entry.input_tokens * 800 + entry.output_tokens * 3_200;
    assert_eq!(entry.cost_micro_usd, (nanos + 999) / 1_000);
    let foreign = app.post("stranger", path, &body).await;
    let unknown = json!({ "model": "ft:none", "messages": body["messages"] });
    let unknown = app.post("stranger", path, &unknown).await;
    assert_eq!(foreign.status, unknown.status);
    assert!(!foreign.status.is_success());
    assert_eq!(entries(&app).len(), 1);
}

#[tokio::test]
async fn a_tuned_model_is_not_asked_any_more_after_a_downgrade() {
    let app = app_with(0).await;
    let mut tuning = seeds::tuning_model("working", "t1");
    tuning.state = TuningState::Succeeded;
    let model = TunedModel::of(&tuning, TUNED, seeds::now());
    let write = tunings::register(&model).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let body = json!({ "model": TUNED, "messages": [{ "role": "user", "content": "Hi" }] });
    let path = "/llm/chat/completions";
    set_tier(&app, SubscriptionTier::Pro, Limits::default()).await;
    let answer = app.post("user", path, &body).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert!(entries(&app).is_empty(), "nothing is reserved");
}

#[tokio::test]
async fn a_tuned_model_whose_base_has_no_price_is_not_asked() {
    let app = app_with(0).await;
    let mut tuning = seeds::tuning_model("working", "t1");
    tuning.base_model = "gpt-unheard-of".to_owned();
    let model = TunedModel::of(&tuning, TUNED, seeds::now());
    let write = tunings::register(&model).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let body = json!({ "model": TUNED, "messages": [{ "role": "user", "content": "Hi" }] });
    let answer = app.post("user", "/llm/chat/completions", &body).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert!(entries(&app).is_empty());
}

#[tokio::test]
async fn an_unknown_tuning_is_not_there() {
    let app = app_with(0).await;
    let id = RecordId::generate();
    let answer = app.get("admin", &format!("{TUNINGS}/{id}")).await;
    assert_eq!(answer.status, 404);
}

/// Registers so many tuned models.
async fn register(app: &TestApp, count: usize) {
    let tuning = seeds::tuning_model("working", "t1");
    let models = (0..count).map(|number| {
        let model = TunedModel::of(&tuning, &format!("{TUNED}{number}"), seeds::now());
        tunings::register(&model).unwrap()
    });
    app.store.commit(models.collect()).await.unwrap();
}

async fn ask(app: &TestApp, model: &str) -> Answer {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }] });
    app.post("user", "/llm/chat/completions", &body).await
}

#[tokio::test]
async fn models_in_the_making_take_places_too() {
    let app = approved(10).await;
    let other = seeds::deployed_agent("other", AgentStatus::Training);
    app.store.commit(vec![other]).await.unwrap();
    register(&app, 99).await;
    let full = app.post("admin", TUNINGS, &order()).await;
    assert_eq!(full.refusal(), (429, "resource_exhausted"));
}

#[tokio::test]
async fn a_model_beyond_the_listed_ones_is_asked_all_the_same() {
    let app = app_with(0).await;
    register(&app, 120).await;
    for number in 0..120 {
        let answer = ask(&app, &format!("{TUNED}{number}")).await;
        assert_eq!(answer.status, 200, "{number} {}", answer.body);
    }
}

#[tokio::test]
async fn a_tuned_model_is_asked_while_the_plan_has_tuning() {
    let app = app_with(0).await;
    register(&app, 1).await;
    let model = format!("{TUNED}0");
    set_tier(&app, SubscriptionTier::Pro, Limits::default()).await;
    assert!(ask(&app, &model).await.status.is_client_error());
    let listed = app.get("user", "/llm/models").await.body;
    assert!(!listed.to_string().contains(TUNED));
    assert!(entries(&app).is_empty());
}

#[tokio::test]
async fn a_deleted_agent_leaves_no_tuning_that_has_ended() {
    let app = app_with(0).await;
    let mut running = seeds::tuning_model("working", "running");
    running.state = TuningState::Running;
    let mut ended = seeds::tuning_model("working", "ended");
    ended.state = TuningState::Failed;
    let writes = [&running, &ended].map(|one| tunings::create(one).unwrap());
    app.store.commit(writes.into()).await.unwrap();
    assert_eq!(app.delete("admin", "/agents/working").await.status, 204);
    assert_eq!(only_tuning(&app).state, TuningState::Running);
    let path = format!("{TUNINGS}/{}", running.id);
    assert_eq!(app.get("admin", &path).await.status, 404);
}
