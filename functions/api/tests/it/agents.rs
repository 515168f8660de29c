use std::time::Duration;

use futures::future::join_all;
use http::{
    Method,
    header::{ETAG, IF_NONE_MATCH, LOCATION},
};
use serde_json::{Value, json};
use shared::{
    ids::{AgentId, OrgId},
    models::AgentQuota,
    store::{agents, organizations},
};

use crate::{
    app::{Answer, NOW, TestApp, agent_request, empty, request},
    seeds::{self, agent_model, now},
};

/// Rounds of P10 for each limit with each number of creators: a fifth of its full size, which takes
/// half a minute.
const ROUNDS: usize = 10;

fn o1() -> OrgId {
    OrgId::parse("o1").unwrap()
}

async fn quota(app: &TestApp) -> AgentQuota {
    let quota = app.store.find_agent_quota(&o1()).await.unwrap();
    quota.unwrap().value
}

#[tokio::test]
async fn a_new_agent_is_a_paused_draft_with_a_location() {
    let app = TestApp::new().await;
    let created = app.post("admin", "/agents/create", &agent_request()).await;
    assert_eq!(created.status, 201);
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(created.headers[LOCATION], format!("/api/v1/agents/{id}"));
    assert_eq!(created.body["status"], "paused");
    assert_eq!(created.body["deployState"], "draft");
    assert_eq!(created.body["type"], "custom");
    assert_eq!(created.body["orgId"], "o1");
    assert_eq!(created.body["createdAt"], NOW);
    assert_eq!(created.body["model"], "gpt-4.1-mini");
    let found = app.get("viewer", &format!("/agents/{id}")).await;
    assert_eq!(found.body, created.body);
}

#[tokio::test]
async fn creation_counts_and_is_audited_in_the_same_commit() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    app.post("admin", "/agents", &agent_request()).await;
    let commits = app.db.commits();
    assert_eq!(commits.len(), before + 1);
    assert_eq!(app.audited(), ["AGENT_CREATE"]);
    assert_eq!(quota(&app).await.created, 1);
    let stats = app.store.find_current_stats(&o1()).await.unwrap();
    assert_eq!(stats.unwrap().value.agents, 1);
}

#[tokio::test]
async fn the_second_agent_of_the_free_tier_is_refused_with_the_quota() {
    let app = TestApp::new().await;
    app.post("admin", "/agents", &agent_request()).await;
    let second = app.post("user", "/agents", &agent_request()).await;
    assert_eq!(second.refusal(), (429, "resource_exhausted"));
    let details = &second.body["error"]["details"];
    assert_eq!(details["limit"], 1);
    assert_eq!(details["used"], 1);
    assert_eq!(details["tier"], "free");
    assert_eq!(app.db.count("agents"), 1);
}

async fn assert_exact(limit: usize, creators: usize) {
    let app = TestApp::new().await;
    let mut organization = app.store.find_organization(&o1()).await.unwrap().unwrap();
    organization.value.limits.agents = i64::try_from(limit).ok();
    let write = organizations::replace(&organization).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let body = agent_request();
    let creations = (0..creators).map(|_| app.post("admin", "/agents/create", &body));
    let answers = join_all(creations).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, limit, "{creators} creators");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.refusal(), (429, "resource_exhausted"));
    }
    assert_eq!(app.db.count("agents"), limit);
    assert_eq!(Some(quota(&app).await.created), i64::try_from(limit).ok());
    assert_eq!(app.audited(), vec!["AGENT_CREATE"; limit]);
}

/// P10.
#[tokio::test]
async fn of_parallel_creators_exactly_as_many_succeed_as_the_limit_allows() {
    for limit in [1, 5] {
        for creators in [20, 50, 200] {
            for _ in 0..ROUNDS {
                assert_exact(limit, creators).await;
            }
        }
    }
}

#[tokio::test]
async fn values_out_of_range_are_refused_by_field() {
    let app = TestApp::new().await;
    let cases = [
        ("/name", json!(""), "name"),
        ("/name", json!("x".repeat(81)), "name"),
        ("/industry", json!("mining"), "industry"),
        ("/personality/empathy", json!(1.1), "personality.empathy"),
        (
            "/personality/confidence",
            json!(-0.1),
            "personality.confidence",
        ),
        (
            "/personality/style",
            json!("x".repeat(501)),
            "personality.style",
        ),
        ("/voiceConfig/speed", json!(5), "voiceConfig.speed"),
        ("/voiceConfig/pitch", json!(-21), "voiceConfig.pitch"),
        ("/voiceConfig/model", json!(""), "voiceConfig.model"),
        ("/systemPrompt", json!("x".repeat(20_001)), "systemPrompt"),
        ("/systemPrompt", json!(1), "systemPrompt"),
        ("/personality", json!([0.5, 0.5, ""]), "personality"),
    ];
    for (pointer, value, field) in cases {
        let mut body = agent_request();
        *body.pointer_mut(pointer).unwrap() = value;
        for answer in [
            app.post("admin", "/agents", &body).await,
            patch_valid_agent(&app, &body).await,
        ] {
            assert_eq!(answer.refusal(), (400, "invalid_argument"));
            assert_eq!(answer.fields(), [field]);
        }
    }
    assert_eq!(app.db.count("agents"), 0);
}

/// The body is checked before the agent is looked for.
async fn patch_valid_agent(app: &TestApp, body: &Value) -> Answer {
    app.patch("admin", "/agents/unknown", body).await
}

#[tokio::test]
async fn unknown_fields_are_refused_at_every_depth() {
    let app = TestApp::new().await;
    let mut body = agent_request();
    body["personality"]["mood"] = json!(1);
    let answer = app.post("admin", "/agents", &body).await;
    assert_eq!(answer.refusal(), (400, "invalid_argument"));
    assert_eq!(answer.fields(), ["personality.mood"]);
}

#[tokio::test]
async fn fields_that_only_the_server_writes_are_refused() {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::agent("a1")]).await.unwrap();
    for field in [
        "id",
        "orgId",
        "status",
        "deployState",
        "presence",
        "createdAt",
    ] {
        let answer = app
            .patch("admin", "/agents/a1", &json!({ field: "x" }))
            .await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{field}");
        assert_eq!(answer.fields(), [field]);
    }
}

#[tokio::test]
async fn a_change_keeps_the_rest_and_is_audited_with_its_fields() {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::agent("a1")]).await.unwrap();
    app.clock.advance(Duration::from_secs(60));
    let change = json!({ "name": "Bob", "tools": ["google.gmail.search"] });
    let changed = app.patch("user", "/agents/a1", &change).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.body["name"], "Bob");
    assert_eq!(changed.body["industry"], "tech");
    assert_eq!(changed.body["updatedAt"], "2026-11-23T12:01:00Z");
    let record = &app.db.documents("audit_logs/")[0];
    let record: Value = shared::store::decode(record).unwrap();
    let metadata: Value = serde_json::from_str(record["metadata"].as_str().unwrap()).unwrap();
    assert_eq!(
        metadata,
        json!({ "agentId": "a1", "fields": ["name", "tools"] })
    );
    assert_eq!(
        (&record["action"], &record["actorId"]),
        (&json!("AGENT_UPDATE"), &json!("user"))
    );
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing() {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::agent("a1")]).await.unwrap();
    let before = app.db.commits().len();
    for change in [json!({}), json!({ "name": "Ada" })] {
        assert_eq!(app.patch("admin", "/agents/a1", &change).await.status, 200);
    }
    assert_eq!(app.db.commits().len(), before);
}

#[tokio::test]
async fn no_field_can_be_unset() {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::agent("a1")]).await.unwrap();
    let answer = app
        .patch("admin", "/agents/a1", &json!({ "name": null }))
        .await;
    assert_eq!(answer.refusal(), (400, "invalid_argument"));
    assert_eq!(answer.fields(), ["name"]);
}

#[tokio::test]
async fn parallel_changes_of_different_fields_are_all_kept() {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::agent("a1")]).await.unwrap();
    let changes = [
        json!({ "name": "Bob" }),
        json!({ "industry": "finance" }),
        json!({ "systemPrompt": "Be brief." }),
    ];
    let answers = changes
        .iter()
        .map(|change| app.patch("admin", "/agents/a1", change));
    for answer in join_all(answers).await {
        assert_eq!(answer.status, 200);
    }
    let agent = app.get("admin", "/agents/a1").await.body;
    assert_eq!(
        (&agent["name"], &agent["industry"], &agent["systemPrompt"]),
        (&json!("Bob"), &json!("finance"), &json!("Be brief."))
    );
}

#[tokio::test]
async fn long_term_memory_needs_the_pro_tier() {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::agent("a1")]).await.unwrap();
    let long_term = json!({ "memoryDepth": "long_term" });
    let mut body = agent_request();
    body["memoryDepth"] = json!("long_term");
    for answer in [
        app.patch("admin", "/agents/a1", &long_term).await,
        app.post("admin", "/agents", &body).await,
    ] {
        assert_eq!(answer.refusal(), (400, "failed_precondition"));
    }
    assert_eq!(app.post("stranger", "/agents", &body).await.status, 201);
}

#[tokio::test]
async fn a_deleted_agent_is_gone_and_its_place_is_free_again() {
    let app = TestApp::new().await;
    let created = app.post("admin", "/agents", &agent_request()).await;
    let path = format!("/agents/{}", created.body["id"].as_str().unwrap());
    let deleted = app.delete("admin", &path).await;
    assert_eq!((deleted.status.as_u16(), deleted.body), (204, Value::Null));
    assert_eq!(app.get("admin", &path).await.refusal(), (404, "not_found"));
    assert_eq!(
        app.delete("admin", &path).await.refusal(),
        (404, "not_found")
    );
    assert_eq!(quota(&app).await.created, 0);
    assert_eq!(app.audited(), ["AGENT_CREATE", "AGENT_DELETE"]);
    assert_eq!(
        app.post("admin", "/agents", &agent_request()).await.status,
        201
    );
}

#[tokio::test]
async fn an_agent_deleted_in_parallel_gives_one_place_back() {
    let app = TestApp::new().await;
    let counted = AgentQuota {
        created: 3,
        deployed: 1,
        ..AgentQuota::default()
    };
    let writes = vec![
        seeds::agent("a1"),
        organizations::set_agent_quota(&o1(), &counted, None).unwrap(),
    ];
    app.store.commit(writes).await.unwrap();
    let answers = join_all((0..10).map(|_| app.delete("admin", "/agents/a1"))).await;
    let deleted = answers.iter().filter(|answer| answer.status == 204).count();
    let missing = answers.iter().filter(|answer| answer.status == 404).count();
    assert_eq!((deleted, missing), (1, 9));
    assert_eq!(
        quota(&app).await,
        AgentQuota {
            created: 2,
            deployed: 1,
            ..AgentQuota::default()
        }
    );
}

#[tokio::test]
async fn presence_ends_ninety_seconds_after_the_last_beat() {
    let app = TestApp::new().await;
    let mut agent = agent_model("a1");
    agent.presence.last_seen_at = Some(now());
    app.store
        .commit(vec![agents::create(&agent).unwrap()])
        .await
        .unwrap();
    let expected = [(0, true), (89, true), (1, false)];
    for (seconds, online) in expected {
        app.clock.advance(Duration::from_secs(seconds));
        let status = app.get("viewer", "/agents/a1/status").await;
        let presence = json!({ "online": online, "lastSeenAt": NOW });
        assert_eq!(status.body["presence"], presence, "{seconds}");
    }
}

#[tokio::test]
async fn the_status_is_sent_again_only_when_it_has_changed() {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::agent("a1")]).await.unwrap();
    let first = app.get("admin", "/agents/a1/status").await;
    let expected = json!({
        "id": "a1",
        "status": "paused",
        "deployState": "draft",
        "presence": { "online": false, "lastSeenAt": null },
        "lastError": null,
    });
    assert_eq!((first.status.as_u16(), &first.body), (200, &expected));
    let etag = first.headers[ETAG].to_str().unwrap().to_owned();
    let ask = async |tag: &str| {
        let request = request(Method::GET, "/agents/a1/status", "admin");
        app.send(empty(request.header(IF_NONE_MATCH, tag))).await
    };
    for tag in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        "*".to_owned(),
    ] {
        let answer = ask(&tag).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body),
            (304, Value::Null),
            "{tag}"
        );
        assert_eq!(answer.headers[ETAG], *etag);
    }
    assert_eq!(ask("\"other\"").await.status, 200);
    let id = AgentId::parse("a1").unwrap();
    let mut agent = app.store.find_agent(&o1(), &id).await.unwrap().unwrap();
    agent.value.presence.last_seen_at = Some(now());
    app.store
        .commit(vec![agents::replace(&agent).unwrap()])
        .await
        .unwrap();
    assert_eq!(ask(&etag).await.status, 200);
}
