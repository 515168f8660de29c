use emulator_tests::client::{Client, http_client, send};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{agent, run, start, two_users, workflow_of};

#[tokio::test]
async fn a_second_user_gets_404_for_everything_of_the_first() {
    let harness = start().await;
    let (owner, stranger) = two_users(harness.endpoints()).await;
    let agent = owner.post("/agents/create", &agent()).await.unwrap();
    let node = json!({ "id": "work", "type": "transform", "position": { "x": 0, "y": 0 },
        "data": { "value": "${trigger.x}" } });
    let execution = run(&owner, &workflow_of(node), json!({ "x": 1 }))
        .await
        .unwrap();
    let (agent, execution_id) = (&agent["id"], &execution["id"]);
    let workflow = &execution["workflowId"];
    let text = |id: &serde_json::Value| id.as_str().unwrap().to_owned();
    let calls = [
        (Method::GET, format!("/agents/{}", text(agent))),
        (Method::GET, format!("/agents/{}/status", text(agent))),
        (Method::PATCH, format!("/agents/{}", text(agent))),
        (Method::DELETE, format!("/agents/{}", text(agent))),
        (Method::GET, format!("/workflows/{}", text(workflow))),
        (Method::DELETE, format!("/workflows/{}", text(workflow))),
        (
            Method::POST,
            format!("/workflows/trigger/{}", text(workflow)),
        ),
        (Method::GET, format!("/executions/{}", text(execution_id))),
        (
            Method::DELETE,
            format!("/executions/{}", text(execution_id)),
        ),
    ];
    let parts = ["steps", "steps/work/body", "logs", "stream", "graph.svg"];
    let parts = parts.map(|part| format!("/executions/{}/{part}", text(execution_id)));
    let parts = parts.map(|path| (Method::GET, path));
    for (method, path) in calls.into_iter().chain(parts) {
        let mut request = stranger.request(method.clone(), &path);
        if method == Method::POST || method == Method::PATCH {
            request = request.json(&json!({}));
        }
        let foreign = send(request).await.unwrap();
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert_eq!(foreign.error_code(), "not_found", "{method} {path}");
    }
    let still_there = owner
        .get(&format!("/agents/{}", text(agent)))
        .await
        .unwrap();
    assert_eq!(still_there["id"], *agent);
    harness.stop().await;
}

#[tokio::test]
async fn without_a_valid_token_there_is_only_401() {
    let harness = start().await;
    let url = format!("{}/api/v1/agents", harness.endpoints().api_url);
    let http = http_client().unwrap();
    for token in [None, Some("x"), Some("eyJhbGciOiJub25lIn0.e30.")] {
        let request = http.get(&url);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = send(request).await.unwrap();
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token:?}");
        assert_eq!(answer.error_code(), "unauthenticated", "{token:?}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn of_fifty_parallel_creators_exactly_one_gets_the_free_agent() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let create = |_| {
        send(
            client
                .request(Method::POST, "/agents/create")
                .json(&agent()),
        )
    };
    let answers = join_all((0..50).map(create)).await;
    let statuses: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().status)
        .collect();
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!(count(StatusCode::CREATED), 1, "{statuses:?}");
    assert_eq!(count(StatusCode::TOO_MANY_REQUESTS), 49, "{statuses:?}");
    let agents = client.get("/agents").await.unwrap();
    assert_eq!(agents["items"].as_array().unwrap().len(), 1);
    harness.stop().await;
}

#[tokio::test]
async fn usage_tells_what_the_model_used() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let node = json!({ "id": "work", "type": "llm", "position": { "x": 0, "y": 0 },
        "data": { "prompt": "Say something about ${trigger.topic}." } });
    run(&client, &workflow_of(node), json!({ "topic": "rust" }))
        .await
        .unwrap();
    let usage = client.get("/analytics/usage").await.unwrap();
    assert_eq!(usage["totals"]["requests"], 1, "{usage}");
    assert!(
        usage["totals"]["inputTokens"].as_i64().unwrap() > 0,
        "{usage}"
    );
    assert!(
        usage["totals"]["outputTokens"].as_i64().unwrap() > 0,
        "{usage}"
    );
    harness.stop().await;
}
