//! Answers that are kept for the same question.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use shared::testing::ScriptedLlm;

use crate::{
    app::{Answer, json_body, request},
    llm_routes::{FAST, Upstreams, question, two},
};

/// A question whose answer does not change, and whether it was told to be an answer from before.
async fn ask_calmly(upstreams: &Upstreams, token: &str, more: Value) -> (Answer, bool) {
    let mut question = question("fast");
    question["temperature"] = json!(0);
    question
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let answer = upstreams
        .app
        .post(token, "/llm/chat/completions", &question)
        .await;
    let is_hit = answer
        .headers
        .get("x-infinityx-cache")
        .is_some_and(|told| told == "hit");
    (answer, is_hit)
}

async fn caching(any_temperature: bool) -> Upstreams {
    let upstreams = Upstreams::new(ScriptedLlm::answering("GPT")).await;
    let mut route = two();
    route["cache"] = json!({ "ttlSecs": 60, "anyTemperature": any_temperature });
    upstreams.set(&route).await;
    upstreams
}

#[tokio::test]
async fn the_same_question_is_answered_from_before_and_free() {
    let upstreams = caching(false).await;
    let (first, is_hit) = ask_calmly(&upstreams, "user", json!({})).await;
    assert!(first.status == 200 && !is_hit, "{}", first.body);
    let (second, is_hit) = ask_calmly(&upstreams, "admin", json!({})).await;
    assert!(is_hit);
    assert_eq!(second.body["choices"], first.body["choices"]);
    assert_eq!(
        second.body["usage"]["total_tokens"],
        first.body["usage"]["total_tokens"]
    );
    assert_eq!((upstreams.asked(), upstreams.booked().len()), ([1, 0], 1));
    for more in [
        json!({ "temperature": null }),
        json!({ "max_tokens": 9 }),
        json!({ "stop": "x" }),
    ] {
        assert!(
            !ask_calmly(&upstreams, "user", more).await.1,
            "it is another question"
        );
    }
    upstreams.app.clock.advance(Duration::from_secs(60));
    assert!(
        !ask_calmly(&upstreams, "user", json!({})).await.1,
        "it has expired"
    );
}

#[tokio::test]
async fn an_answer_is_kept_for_its_organization_and_its_route() {
    let upstreams = caching(true).await;
    let words = json!({ "temperature": 0.7 });
    assert!(!ask_calmly(&upstreams, "user", words.clone()).await.1);
    assert!(
        ask_calmly(&upstreams, "user", words.clone()).await.1,
        "any temperature"
    );
    let mut route = two();
    route["cache"] = json!({ "ttlSecs": 60, "anyTemperature": true });
    upstreams.app.put("stranger", FAST, &route).await;
    let (other, is_hit) = ask_calmly(&upstreams, "stranger", words.clone()).await;
    assert!(other.status == 200 && !is_hit);
    route["timeouts"] = json!({ "totalMs": 7_000 });
    upstreams.set(&route).await;
    upstreams.app.clock.advance(Duration::from_secs(5));
    assert!(
        !ask_calmly(&upstreams, "user", words).await.1,
        "the route has changed"
    );
}

#[tokio::test]
async fn who_asks_for_no_store_has_a_new_answer_that_is_not_kept() {
    let upstreams = caching(false).await;
    let mut question = question("fast");
    question["temperature"] = json!(0);
    for _ in 0..2 {
        let request = request(Method::POST, "/llm/chat/completions", "user");
        let request = request.header("cache-control", "max-age=0, No-Store");
        let answer = upstreams.app.send(json_body(request, &question)).await;
        assert!(answer.headers.get("x-infinityx-cache").is_none());
    }
    assert!(
        upstreams
            .app
            .db
            .documents("organizations/o1/llm_cache")
            .is_empty()
    );
    assert_eq!(upstreams.asked(), [2, 0]);
}

#[tokio::test]
async fn an_answer_that_is_not_in_the_format_asked_for_is_not_kept() {
    let schema = json!({ "type": "json_schema",
        "json_schema": { "name": "s", "schema": { "type": "object" } } });
    let object = json!({ "type": "json_object" });
    for (said, format, is_kept) in [
        ("GPT", &schema, false),
        ("GPT", &object, false),
        ("[]", &object, false),
        ("[]", &schema, true),
        ("{}", &object, true),
    ] {
        let upstreams = Upstreams::new(ScriptedLlm::answering(said)).await;
        let mut route = two();
        route["cache"] = json!({ "ttlSecs": 60 });
        upstreams.set(&route).await;
        let more = json!({ "response_format": format });
        let (first, _) = ask_calmly(&upstreams, "user", more.clone()).await;
        assert_eq!(first.status, 200, "{}", first.body);
        let (_, is_hit) = ask_calmly(&upstreams, "user", more).await;
        assert_eq!(is_hit, is_kept, "{said} {format}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_kept() {
    let upstreams = Upstreams::new(ScriptedLlm::answering("x".repeat(256 * 1024))).await;
    let mut route = two();
    route["cache"] = json!({ "ttlSecs": 60 });
    upstreams.set(&route).await;
    for _ in 0..2 {
        assert!(!ask_calmly(&upstreams, "user", json!({})).await.1);
    }
}
