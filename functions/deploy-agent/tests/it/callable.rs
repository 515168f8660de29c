use axum::body::{Body, to_bytes};
use futures::future::join_all;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    ids::{AgentId, OrgId},
    models::{Agent, AgentStatus, DeployState, MemoryDepth, Presence, Role, SubscriptionTier},
    store::agents,
    testing::{
        assert_no_page_may_call, assert_pages_of_one_origin_may_call, assert_security_headers,
    },
};
use tower::ServiceExt;

use crate::app::{Answer, NOW, ORIGIN, TestApp, agent, now, request};

const PATHS: [&str; 3] = [
    "/",
    "/deployAgent",
    "/demo-project/europe-west1/deployAgent",
];

#[tokio::test]
async fn deploying_makes_the_agent_active() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let answer = app.deploy("a1").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let result = &answer.body["result"];
    assert_eq!(result["agentId"], "a1");
    assert_eq!(result["status"], "active");
    assert_eq!(result["deployState"], "deployed");
    assert_eq!(result["runtime"]["kind"], "registered");
    assert_eq!(result["runtime"]["registeredAt"], NOW);
    let agent = app.agent("a1").await;
    assert_eq!(
        (agent.status, agent.deploy_state),
        (AgentStatus::Active, DeployState::Deployed)
    );
    assert_eq!(agent.presence, Presence::at(now()));
    assert_eq!(
        serde_json::to_value(agent.runtime).unwrap(),
        result["runtime"]
    );
    assert_eq!(app.deployed().await, 1);
}

#[tokio::test]
async fn agent_quota_and_audit_record_are_one_commit() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let before = app.db.commits().len();
    app.deploy("a1").await;
    let commits = app.db.commits().split_off(before);
    let [commit] = &commits[..] else {
        panic!("{} commits", commits.len())
    };
    let mut paths: Vec<_> = commit.iter().map(|write| write.path.as_str()).collect();
    paths.sort_unstable();
    let [agent, head, audit, quota] = paths[..] else {
        panic!("{paths:?}")
    };
    assert_eq!(
        (agent, head, quota),
        (
            "agents/a1",
            "audit_heads/o1",
            "organizations/o1/quota/agents"
        )
    );
    assert!(audit.starts_with("audit_logs/"), "{audit}");
}

#[tokio::test]
async fn the_configuration_is_kept_with_the_deployment() {
    let app = TestApp::with_agents(SubscriptionTier::Pro, 1).await;
    let config = json!({
        "systemPrompt": "You sell.",
        "model": "fast",
        "memoryDepth": "long_term",
        "tools": ["google.gmail.search"],
        "personality": { "empathy": 1, "confidence": 0, "style": "warm" },
        "voiceConfig": { "model": "en-US-Neural2-A", "speed": 2, "pitch": -1 },
        "runtime": "registered",
    });
    let answer = app
        .call("admin", json!({ "agentId": "a1", "config": config }))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let agent = app.agent("a1").await;
    assert_eq!(agent.system_prompt, "You sell.");
    assert_eq!(agent.model, "fast");
    assert_eq!(agent.memory_depth, MemoryDepth::LongTerm);
    assert_eq!(agent.tools, ["google.gmail.search"]);
    assert_eq!(agent.personality.style, "warm");
    assert_eq!(agent.voice_config.model, "en-US-Neural2-A");
}

#[tokio::test]
async fn a_repeat_answers_the_same_and_writes_nothing() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let data = json!({ "agentId": "a1", "config": { "systemPrompt": "You sell." } });
    let first = app.call("admin", data.clone()).await;
    let commits = app.db.commits().len();
    for repeat in [data, json!({ "agentId": "a1" })] {
        let answer = app.call("admin", repeat).await;
        assert_eq!((answer.status, &answer.body), (StatusCode::OK, &first.body));
    }
    assert_eq!(app.db.commits().len(), commits);
    assert_eq!(app.audits(), 1);
}

#[tokio::test]
async fn another_configuration_deploys_again_in_the_same_place() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let first = app.deploy("a1").await;
    let data = json!({ "agentId": "a1", "config": { "systemPrompt": "You sell." } });
    let second = app.call("admin", data).await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.body);
    let revision = |answer: &Answer| answer.body["result"]["runtime"]["revision"].clone();
    assert_ne!(revision(&first), revision(&second));
    assert_eq!((app.deployed().await, app.audits()), (1, 2));
}

#[tokio::test]
async fn a_paused_agent_is_made_active_again() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    app.deploy("a1").await;
    let (org_id, id) = (OrgId::parse("o1").unwrap(), AgentId::parse("a1").unwrap());
    let mut agent = app.store.find_agent(&org_id, &id).await.unwrap().unwrap();
    agent.value.status = AgentStatus::Paused;
    app.store
        .commit(vec![agents::replace(&agent).unwrap()])
        .await
        .unwrap();
    app.deploy("a1").await;
    assert_eq!(app.agent("a1").await.status, AgentStatus::Active);
    assert_eq!((app.deployed().await, app.audits()), (1, 2));
}

#[tokio::test]
async fn parallel_deploys_of_one_agent_are_one_deployment() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let answers = join_all((0..20).map(|_| app.deploy("a1"))).await;
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.body),
            (StatusCode::OK, &answers[0].body)
        );
    }
    assert_eq!((app.deployed().await, app.audits()), (1, 1));
}

#[tokio::test]
async fn after_a_downgrade_exactly_as_many_are_deployed_as_the_tier_allows() {
    for (tier, limit) in [(SubscriptionTier::Free, 1), (SubscriptionTier::Pro, 5)] {
        let app = TestApp::with_agents(tier, 12).await;
        let ids: Vec<_> = (1..=12).map(|number| format!("a{number}")).collect();
        let answers = join_all(ids.iter().map(|id| app.deploy(id))).await;
        let (accepted, refused): (Vec<_>, Vec<_>) = answers
            .iter()
            .partition(|answer| answer.status == StatusCode::OK);
        assert_eq!(accepted.len(), limit);
        for answer in refused {
            assert_eq!(answer.refusal(), (429, "RESOURCE_EXHAUSTED"));
        }
        let deployed = i64::try_from(limit).unwrap();
        assert_eq!((app.deployed().await, app.audits()), (deployed, limit));
    }
}

#[tokio::test]
async fn a_suspended_agent_is_not_deployed_anew_while_there_is_no_place() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    app.deploy("a1").await;
    app.suspend("a1", 2).await;
    let refused = app.deploy("a1").await;
    assert_eq!(refused.refusal(), (429, "RESOURCE_EXHAUSTED"));
    assert!(!app.agent("a1").await.is_at_work());
    // The agent that has the place goes.
    app.suspend("a1", 1).await;
    assert_eq!(app.deploy("a1").await.status, StatusCode::OK);
    assert!(app.agent("a1").await.is_at_work());
    assert_eq!(app.quota().await.suspended, 0);
}

#[tokio::test]
async fn the_quota_error_tells_limit_and_tier() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 2).await;
    app.deploy("a1").await;
    let answer = app.deploy("a2").await;
    assert_eq!(answer.refusal(), (429, "RESOURCE_EXHAUSTED"));
    let details = &answer.body["error"]["details"];
    assert_eq!(details["resource"], "agents");
    assert_eq!(
        (&details["limit"], &details["tier"]),
        (&json!(1), &json!("free"))
    );
    assert_eq!(app.agent("a2").await.deploy_state, DeployState::Draft);
}

#[tokio::test]
async fn long_term_memory_needs_the_pro_tier() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let data = json!({ "agentId": "a1", "config": { "memoryDepth": "long_term" } });
    let answer = app.call("admin", data).await;
    assert_eq!(answer.refusal(), (400, "FAILED_PRECONDITION"));
    assert_eq!(app.agent("a1").await, agent("o1", "a1"));
}

#[tokio::test]
async fn an_archived_agent_stays_archived() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 0).await;
    let archived = Agent {
        deploy_state: DeployState::Archived,
        ..agent("o1", "a1")
    };
    app.store
        .commit(vec![agents::create(&archived).unwrap()])
        .await
        .unwrap();
    assert_eq!(
        app.deploy("a1").await.refusal(),
        (400, "FAILED_PRECONDITION")
    );
    assert_eq!(app.agent("a1").await, archived);
}

#[tokio::test]
async fn an_agent_in_training_stays_in_training() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 0).await;
    let training = Agent {
        status: AgentStatus::Training,
        deploy_state: DeployState::Deployed,
        ..agent("o1", "a1")
    };
    let write = agents::create(&training).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    assert_eq!(
        app.deploy("a1").await.refusal(),
        (400, "FAILED_PRECONDITION")
    );
    assert_eq!(app.agent("a1").await, training);
}

#[tokio::test]
async fn a_foreign_agent_is_answered_like_an_unknown_one() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let foreign = agents::create(&agent("o2", "b1")).unwrap();
    app.store.commit(vec![foreign]).await.unwrap();
    let (foreign, unknown) = (app.deploy("b1").await, app.deploy("x1").await);
    assert_eq!(foreign.refusal(), (404, "NOT_FOUND"));
    assert_eq!(
        (foreign.status, foreign.body),
        (unknown.status, unknown.body)
    );
    assert_eq!(app.audits(), 0);
}

#[tokio::test]
async fn each_role_may_deploy_or_not() {
    for (role, expected) in [(Role::Admin, 200), (Role::User, 200), (Role::Viewer, 403)] {
        let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
        app.add_user("o1", "somebody", role).await;
        let answer = app.call("somebody", json!({ "agentId": "a1" })).await;
        assert_eq!(answer.status.as_u16(), expected, "{role:?}");
        if expected == 403 {
            assert_eq!(answer.refusal(), (403, "PERMISSION_DENIED"));
        }
    }
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_deployed() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let body = json!({ "data": { "agentId": "a1" } }).to_string();
    let missing = Request::post("/")
        .header("content-type", "application/json")
        .body(Body::from(body.clone()))
        .unwrap();
    for request in [
        missing,
        request("/", "forged", &body),
        request("/", "", &body),
    ] {
        assert_eq!(app.send(request).await.refusal(), (401, "UNAUTHENTICATED"));
    }
    assert_eq!(app.agent("a1").await, agent("o1", "a1"));
}

#[tokio::test]
async fn the_body_is_exactly_the_protocols() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let deep = format!("{{\"data\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let table = [
        ("", "body"),
        ("{", "body"),
        ("[]", "body"),
        ("{}", "data"),
        (r#"{"result":{"agentId":"a1"}}"#, "data"),
        (r#"{"data":{"agentId":"a1"},"context":{}}"#, "context"),
        (r#"{"data":null}"#, "data"),
        (r#"{"data":{}}"#, "data"),
        (r#"{"data":["a1",null]}"#, "data"),
        (
            r#"{"data":{"agentId":"a1","config":{"personality":[1,0,"warm"]}}}"#,
            "config.personality",
        ),
        (r#"{"data":{"agentId":7}}"#, "agentId"),
        (r#"{"data":{"agentId":"a1","force":true}}"#, "force"),
        (
            r#"{"data":{"agentId":"a1","config":{"orgId":"o2"}}}"#,
            "config.orgId",
        ),
        (deep.as_str(), "body"),
    ];
    for (body, field) in table {
        let answer = app.send(request("/", "admin", body)).await;
        assert_eq!(answer.refusal(), (400, "INVALID_ARGUMENT"), "{body}");
        let named = &answer.body["error"]["details"]["fields"][0]["field"];
        assert_eq!(named, field, "{body}");
    }
    assert_eq!(app.audits(), 0);
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let mut request = request("/", "admin", r#"{"data":{"agentId":"a1"}}"#);
    request
        .headers_mut()
        .insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(app.send(request).await.refusal(), (400, "INVALID_ARGUMENT"));
}

#[tokio::test]
async fn a_body_above_one_megabyte_is_refused() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let body = json!({ "data": "x".repeat(1_000_000) }).to_string();
    let answer = app.send(request("/", "admin", &body)).await;
    assert_eq!(answer.refusal(), (413, "INVALID_ARGUMENT"));
}

#[tokio::test]
async fn every_address_of_the_callable_works() {
    for path in [
        "/",
        "/deployAgent",
        "/demo-project/europe-west1/deployAgent",
    ] {
        let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
        let mut request = request(path, "admin", r#"{"data":{"agentId":"a1"}}"#);
        let headers = request.headers_mut();
        headers.insert("x-firebase-appcheck", "not.looked.at".parse().unwrap());
        headers.insert(
            "firebase-instance-id-token",
            "not:looked:at".parse().unwrap(),
        );
        headers.insert(
            "content-type",
            "application/json; charset=utf-8".parse().unwrap(),
        );
        assert_eq!(app.send(request).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let app = TestApp::new();
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let request = Request::builder().method(method).uri("/deployAgent");
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.refusal(), (405, "INVALID_ARGUMENT"), "{method}");
        assert_eq!(answer.headers["allow"], "POST");
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_call() {
    let app = TestApp::new();
    let preflight = |origin: &str| {
        Request::options("/deployAgent")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
            .body(Body::empty())
            .unwrap()
    };
    let allowed = app.send(preflight(ORIGIN)).await;
    assert_eq!(allowed.status, StatusCode::OK);
    assert_eq!(allowed.headers["access-control-allow-origin"], ORIGIN);
    let refused = app.send(preflight("https://evil.example.com")).await;
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_refusal_can_be_read_by_the_page_that_called() {
    let app = TestApp::new();
    let mut request = request("/", "forged", r#"{"data":{"agentId":"a1"}}"#);
    request
        .headers_mut()
        .insert("origin", ORIGIN.parse().unwrap());
    let answer = app.send(request).await;
    assert_eq!(answer.refusal(), (401, "UNAUTHENTICATED"));
    assert_eq!(answer.headers["access-control-allow-origin"], ORIGIN);
}

#[tokio::test]
async fn a_database_that_is_down_is_told_and_a_repeat_deploys_once() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    app.db.fail_all(true);
    assert_eq!(app.deploy("a1").await.refusal(), (503, "UNAVAILABLE"));
    app.db.fail_all(false);
    // The commit takes effect, its answer is lost.
    app.db.fail_next_commits(1, true);
    assert_eq!(app.deploy("a1").await.refusal(), (503, "UNAVAILABLE"));
    assert_eq!(app.deploy("a1").await.status, StatusCode::OK);
    assert_eq!((app.deployed().await, app.audits()), (1, 1));
}

#[tokio::test]
async fn an_unknown_path_is_answered_as_a_callable_is() {
    let app = TestApp::new();
    let request = Request::post("/nowhere/at/all/here")
        .body(Body::empty())
        .unwrap();
    let response = app.router.clone().oneshot(request).await.unwrap();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["status"], "NOT_FOUND");
    assert_eq!(body["error"]["code"], "not_found");
}

#[tokio::test]
async fn pages_of_the_allowed_origin_alone_may_call() {
    let app = TestApp::new();
    for path in PATHS {
        assert_pages_of_one_origin_may_call(&app.router, path, ORIGIN).await;
    }
}

#[tokio::test]
async fn without_origins_no_page_may_call() {
    assert_no_page_may_call(&TestApp::with_origins(&[]).router, &PATHS).await;
}

#[tokio::test]
async fn every_answer_has_the_headers_of_helmet() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 2).await;
    app.add_user("o1", "viewer", Role::Viewer).await;
    let deploy = |token: &str, agent: &str| {
        let body = json!({ "data": { "agentId": agent } }).to_string();
        request("/", token, &body)
    };
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let requests = [
        (deploy("admin", "a1"), 200),
        (get("/healthz"), 200),
        (request("/", "admin", "{"), 400),
        (deploy("forged", "a1"), 401),
        (deploy("viewer", "a1"), 403),
        (deploy("admin", "a9"), 404),
        (get("/no/such/path/at/all"), 404),
        (get("/deployAgent"), 405),
        (request("/", "admin", &" ".repeat(1_000_001)), 413),
        (deploy("admin", "a2"), 429),
    ];
    for (request, status) in requests {
        let answer = app.send(request).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_security_headers(&answer.headers, status);
    }
    app.db.fail_all(true);
    let answer = app.send(deploy("admin", "a1")).await;
    assert_eq!(answer.status, 503);
    assert_security_headers(&answer.headers, 503);
}
