use reqwest::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::emulators::client;

async fn start() -> Web {
    Web::start(WebOptions::default()).await.expect("start")
}

async fn get(web: &Web, path: &str) -> (StatusCode, Value) {
    let request = client().get(format!("{}/{path}", web.url()));
    let response = request.send().await.expect("an answer");
    let status = response.status();
    (status, response.json().await.unwrap_or_default())
}

#[tokio::test]
async fn a_forecast_is_found_by_city() {
    let web = start().await;
    let (status, forecast) = get(&web, "v1/forecast?city=Berlin").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(forecast["days"][0]["sky"], "rain");
    let unknown = get(&web, "v1/forecast?city=Atlantis").await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&web, "v1/forecast").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_status_is_answered_as_asked() {
    let web = start().await;
    for code in [200, 204, 404, 429, 500] {
        let (status, _) = get(&web, &format!("v1/status/{code}")).await;
        assert_eq!(status.as_u16(), code);
    }
    assert_eq!(get(&web, "v1/status/101").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_flaky_page_fails_as_often_as_asked() {
    let web = start().await;
    let url = format!("{}/v1/flaky/a?failures=2", web.url());
    for _ in 0..2 {
        let response = client().get(&url).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "0");
    }
    let (status, body) = get(&web, "v1/flaky/a?failures=2").await;
    assert_eq!((status, &body["attempt"]), (StatusCode::OK, &json!(3)));
    let other = get(&web, "v1/flaky/b?failures=1").await;
    assert_eq!(other.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_file_is_as_long_as_asked() {
    let web = start().await;
    for (kind, bytes) in [("text/plain", &b"012"[..]), ("image/png", &[0, 1, 2])] {
        let url = format!("{}/v1/files/3?type={kind}", web.url());
        let response = client().get(url).send().await.expect("an answer");
        assert_eq!(response.headers()["content-type"], kind);
        assert_eq!(response.bytes().await.expect("a body"), bytes);
    }
    let (status, _) = get(&web, "v1/files/20000001?type=text/plain").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn calls_are_echoed_and_counted_by_idempotency_key() {
    let web = start().await;
    for _ in 0..2 {
        let response = client()
            .post(format!("{}/v1/echo", web.url()))
            .header("idempotency-key", "step-1")
            .json(&json!({ "text": "hello" }))
            .send()
            .await
            .expect("an answer");
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body, json!({ "text": "hello" }));
    }
    assert_eq!((web.calls("step-1"), web.calls("step-2")), (2, 0));
}
