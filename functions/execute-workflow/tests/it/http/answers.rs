//! What becomes of an answer.

use super::*;

/// The output's body for an answer with this content type.
async fn body(format: &str, content_type: &str, content: &[u8]) -> Result<Value, String> {
    let answer = ResponseTemplate::new(200).set_body_raw(content, content_type);
    let web = Web::answering(answer).await;
    let execution = web.run(json!({ "response": format })).await;
    match &execution.error {
        None => Ok(output(&execution)["body"].clone()),
        Some(error) => Err(error.code.clone()),
    }
}

#[tokio::test]
async fn an_answer_is_what_its_server_says_or_its_bytes_are() {
    let json_types = [
        "application/json",
        "application/problem+json; charset=utf-8",
    ];
    for content_type in json_types {
        let found = body("auto", content_type, b"{\"a\":1}").await;
        assert_eq!(found, Ok(json!({ "a": 1 })), "{content_type}");
    }
    assert_eq!(
        body("auto", "application/json", b" ").await,
        Ok(Value::Null)
    );
    let text = "ä {}".as_bytes();
    assert_eq!(body("auto", "text/html", text).await, Ok(json!("ä {}")));
    let broken = body("auto", "application/json", b"{").await;
    assert_eq!(broken, Err("failed_precondition".to_owned()));
}

#[tokio::test]
async fn an_answer_is_read_as_the_node_says() {
    let parsed = body("json", "text/plain", b"[1]").await;
    assert_eq!(parsed, Ok(json!([1])));
    let text = body("text", "application/json", b"[1]").await;
    assert_eq!(text, Ok(json!("[1]")));
    for (format, content) in [("json", &b"no"[..]), ("json", b"\xff"), ("text", b"\xff")] {
        let found = body(format, "text/plain", content).await;
        assert_eq!(found, Err("failed_precondition".to_owned()), "{format}");
    }
}

#[tokio::test]
async fn an_output_tells_status_and_headers() {
    let web = Web::answering(text(201, "done").insert_header("X-Id", "7")).await;
    let execution = web.run(json!({})).await;
    let output = output(&execution);
    assert_eq!(output["status"], 201);
    assert_eq!(output["headers"]["x-id"], "7");
}

#[tokio::test]
async fn the_node_says_which_statuses_are_success() {
    let codes = json!({ "successCodes": [204, 404, 503] });
    for status in [404, 503] {
        let web = Web::answering(text(status, "no")).await;
        let execution = web.run(codes.clone()).await;
        assert_eq!(output(&execution)["status"], status);
    }
    let web = Web::answering(text(200, "yes")).await;
    let execution = web.run(codes).await;
    assert_eq!(
        failure(&execution),
        ("failed_precondition", "the server answered 200 OK")
    );
}

/// How often a server that always answers so is asked, and the code of the failure.
async fn attempts(response: ResponseTemplate) -> (usize, String) {
    let web = Web::answering(response).await;
    let retry = json!({ "attempts": 3, "firstDelayMs": 1, "maxDelayMs": 1 });
    let data = json!({ "method": "POST", "body": {}, "retry": retry });
    let execution = web.run(data).await;
    let keys = web.keys().await;
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    (keys.len(), failure(&execution).0.to_owned())
}

#[tokio::test]
async fn only_answers_that_may_change_are_asked_for_again() {
    for status in [400, 401, 403, 404, 409, 410, 422, 451] {
        let expected = (1, "failed_precondition".to_owned());
        assert_eq!(attempts(text(status, "no")).await, expected, "{status}");
    }
    for status in [408, 429, 500, 502, 503, 504] {
        let expected = (3, "unavailable".to_owned());
        assert_eq!(attempts(text(status, "no")).await, expected, "{status}");
    }
}

#[tokio::test]
async fn a_server_says_when_it_may_be_asked_again() {
    // The run's clock stands at 12:00; an hour is more than retries may take.
    for (retry_after, expected) in [
        ("0", 3),
        ("Mon, 23 Nov 2026 11:59:59 GMT", 3),
        ("soon", 3),
        ("3600", 1),
        ("Mon, 23 Nov 2026 13:00:00 GMT", 1),
    ] {
        let answer = text(429, "slow down").insert_header("Retry-After", retry_after);
        assert_eq!(attempts(answer).await.0, expected, "{retry_after}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let app = App::reaching(Outside {
        hosts: HashMap::from([(HOST.to_owned(), address)]),
        ..Outside::default()
    })
    .await;
    let call = json!({ "method": "GET", "url": url("/") });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("call", "http", call)
    ]);
    app.save(nodes, json!([edge("start", "call")])).await;
    let execution = app.run(json!({})).await;
    assert_eq!(failure(&execution), ("unavailable", "the call failed"));
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_fails_the_node() {
    let silent = ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(60));
    let web = Web::answering(silent).await;
    let execution = web.run(json!({ "timeoutSecs": 1 })).await;
    assert_eq!(failure(&execution).0, "deadline_exceeded");
}
