//! `http` nodes against a server of this machine.

mod answers;
mod copies;
mod pages;
mod stored;

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};
use shared::{
    models::{Execution, ExecutionStatus},
    storage::Bucket,
};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use crate::app::{App, Outside, edge, node};

const HOST: &str = "demo.localhost";

/// The function, and what it calls.
struct Web {
    app: App,
    server: MockServer,
}

impl Web {
    async fn new(mocks: impl IntoIterator<Item = Mock>) -> Self {
        Self::with_artifacts(mocks, None).await
    }

    async fn with_artifacts(
        mocks: impl IntoIterator<Item = Mock>,
        artifacts: Option<Arc<dyn Bucket>>,
    ) -> Self {
        let server = MockServer::start().await;
        for mock in mocks {
            server.register(mock).await;
        }
        let app = App::reaching(Outside {
            hosts: HashMap::from([(HOST.to_owned(), *server.address())]),
            artifacts,
            ..Outside::default()
        })
        .await;
        Self { app, server }
    }

    /// One that answers every request alike.
    async fn answering(response: ResponseTemplate) -> Self {
        Self::new([Mock::given(any()).respond_with(response)]).await
    }

    /// Runs trigger → `call` (an `http` node with `data`); a `GET` of `/` unless it says otherwise.
    async fn run(&self, data: Value) -> Execution {
        self.run_with(data, json!({})).await
    }

    async fn run_with(&self, data: Value, payload: Value) -> Execution {
        let mut call = node("call", "http", json!({ "method": "GET", "url": url("/") }));
        for (name, value) in data.as_object().unwrap() {
            call["data"][name] = value.clone();
        }
        let nodes = json!([node("start", "trigger", json!({})), call]);
        self.app.save(nodes, json!([edge("start", "call")])).await;
        self.app.run(payload).await
    }

    async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }

    async fn keys(&self) -> Vec<String> {
        let requests = self.requests().await;
        let keys = requests
            .iter()
            .map(|request| header(request, "idempotency-key"));
        keys.collect()
    }
}

fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

fn header(request: &Request, name: &str) -> String {
    let value = request.headers.get(name);
    value.map_or("", |value| value.to_str().unwrap()).to_owned()
}

/// The output of `call`.
fn output(execution: &Execution) -> &Value {
    assert_eq!(
        execution.status,
        ExecutionStatus::Succeeded,
        "{:?}",
        execution.error
    );
    &execution.output.as_ref().unwrap().0["call"]
}

/// Code and message of the failure.
fn failure(execution: &Execution) -> (&str, &str) {
    let error = execution.error.as_ref().unwrap();
    (error.code.as_str(), error.message.as_str())
}

fn text(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string(body)
}

#[tokio::test]
async fn a_request_is_sent_as_the_node_says() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] {
        let web = Web::answering(ResponseTemplate::new(200)).await;
        let data = json!({
            "method": method,
            "url": url("/${trigger.id}?a=1"),
            "headers": { "X-Key": "k-${trigger.id}" },
            "query": { "q": "${trigger.text}", "n": 7 },
        });
        let execution = web.run_with(data, json!({ "id": 42, "text": "ä &" })).await;
        output(&execution);
        let request = &web.requests().await[0];
        assert_eq!(request.method.as_str(), method);
        assert_eq!(request.url.path(), "/42");
        assert_eq!(request.url.query(), Some("a=1&n=7&q=%C3%A4+%26"));
        assert_eq!(header(request, "x-key"), "k-42");
        assert_eq!(web.keys().await[0].len(), 64);
    }
}

#[tokio::test]
async fn a_body_is_json_text_or_a_form() {
    let cases = [
        (
            json!({ "body": { "a": ["${trigger.text}"] } }),
            "application/json",
            "{\"a\":[\"ä & b\"]}",
        ),
        (
            json!({ "body": "say ${trigger.text}" }),
            "text/plain; charset=utf-8",
            "say ä & b",
        ),
        (
            json!({ "form": { "a": "${trigger.text}", "b": 1 } }),
            "application/x-www-form-urlencoded",
            "a=%C3%A4+%26+b&b=1",
        ),
        (
            json!({ "body": "<a/>", "headers": { "Content-Type": "application/xml" } }),
            "application/xml",
            "<a/>",
        ),
    ];
    for (mut data, content_type, body) in cases {
        let web = Web::answering(ResponseTemplate::new(200)).await;
        data["method"] = json!("POST");
        output(&web.run_with(data, json!({ "text": "ä & b" })).await);
        let request = &web.requests().await[0];
        assert_eq!(header(request, "content-type"), content_type);
        assert_eq!(String::from_utf8_lossy(&request.body), body);
    }
}

#[tokio::test]
async fn credentials_are_sent() {
    let cases = [
        (
            json!({ "type": "basic", "username": "${trigger.user}", "password": "open sesame" }),
            // `Aladdin:open sesame`, the example of RFC 7617.
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (
            json!({ "type": "bearer", "token": "t-${trigger.user}" }),
            "Bearer t-Aladdin",
        ),
    ];
    for (auth, expected) in cases {
        let web = Web::answering(ResponseTemplate::new(200)).await;
        let payload = json!({ "user": "Aladdin" });
        output(&web.run_with(json!({ "auth": auth }), payload).await);
        assert_eq!(header(&web.requests().await[0], "authorization"), expected);
    }
}

#[tokio::test]
async fn credentials_are_in_no_record_whatever_happens() {
    let canaries = ["canary-1", "canary-2"];
    let basic = json!({ "type": "basic", "username": "u", "password": "${'canary' + '-1'}" });
    let colon = json!({ "type": "basic", "username": "u:${'canary' + '-1'}", "password": "p" });
    let bearer = json!({ "type": "bearer", "token": "${'canary' + '-2'}" });
    let broken = json!({ "type": "bearer", "token": "${'canary' + '-2'}\r\nx: y" });
    for auth in [basic, colon, bearer, broken] {
        for status in [200, 401, 503] {
            let web = Web::answering(text(status, "no")).await;
            let execution = web.run(json!({ "auth": auth })).await;
            let step = web.app.step("call").await;
            let record = format!("{execution:?} {step:?} {:?}", web.app.log().await);
            for canary in canaries {
                assert!(!record.contains(canary), "{record}");
            }
        }
    }
}

#[tokio::test]
async fn a_user_name_with_a_colon_is_refused() {
    let web = Web::answering(ResponseTemplate::new(200)).await;
    let auth = json!({ "type": "basic", "username": "${'a:b'}", "password": "p" });
    let execution = web.run(json!({ "auth": auth })).await;
    assert_eq!(failure(&execution).0, "invalid_argument");
    assert!(web.requests().await.is_empty());
}
