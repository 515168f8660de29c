use std::sync::{Mutex, PoisonError};

use axum::routing::any;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

const TOPIC: &str = "projects/p/topics/t";

/// A subscriber, which answers with the statuses in turn, then with 204; and what comes to it.
async fn subscriber(statuses: &[u16]) -> (LocalServer, UnboundedReceiver<Value>) {
    let (sender, pushes) = unbounded_channel();
    let statuses: Vec<u16> = statuses.iter().rev().copied().collect();
    let statuses = Arc::new(Mutex::new(statuses));
    let handle = move |body: Bytes| async move {
        let body = serde_json::from_slice(&body).expect("JSON");
        sender.send(body).ok();
        let status = statuses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        StatusCode::from_u16(status.unwrap_or(204)).expect("a status")
    };
    let router = Router::new().route("/", any(handle));
    let server = LocalServer::start("subscriber", 0, router).await;
    (server.expect("start"), pushes)
}

async fn start(subscriber: &LocalServer, duplicates: f64) -> PubSub {
    let options = PubSubOptions {
        topic: TOPIC.to_owned(),
        subscription: "projects/p/subscriptions/s".to_owned(),
        endpoint: subscriber.url(),
        duplicates,
        ..PubSubOptions::default()
    };
    PubSub::start(options).await.expect("start")
}

/// What a gRPC client sends, and the bytes of the answer.
async fn call(topic: &PubSub, request: &PublishRequest) -> Bytes {
    let client = reqwest::Client::builder().no_proxy();
    let client = client.http2_prior_knowledge().build().expect("a client");
    let url = format!("http://{}/google.pubsub.v1.Publisher/Publish", topic.host());
    let call = client
        .post(url)
        .header("content-type", "application/grpc")
        .body(wire::write(request));
    let answer = call.send().await.expect("an answer");
    answer.bytes().await.expect("a body")
}

fn request(topic: &str, data: &[&str]) -> PublishRequest {
    let message = |data: &&str| Message {
        data: data.as_bytes().to_vec(),
        attributes: [("kind".to_owned(), "tick".to_owned())].into(),
    };
    PublishRequest {
        topic: topic.to_owned(),
        messages: data.iter().map(message).collect(),
    }
}

#[tokio::test]
async fn what_is_published_is_pushed_until_it_is_acknowledged() {
    let (server, mut pushes) = subscriber(&[503]).await;
    let topic = start(&server, 0.0).await;
    let answer = call(&topic, &request(TOPIC, &["hello"])).await;
    let answer: PublishResponse = wire::read(&answer).expect("a message");
    assert_eq!(answer.message_ids, ["1"]);
    topic.wait_for(Counts::is_idle).await;
    let (first, second) = (pushes.recv().await, pushes.recv().await);
    assert_eq!(first, second);
    let message = &first.expect("a push")["message"];
    assert_eq!(message["data"], STANDARD.encode("hello"));
    assert_eq!(message["attributes"], json!({ "kind": "tick" }));
    assert_eq!(topic.counts().pushes, 2);
}

#[tokio::test]
async fn duplicates_are_pushes_of_the_same_message() {
    let (server, mut pushes) = subscriber(&[]).await;
    let topic = start(&server, 1.0).await;
    topic.publish(&[("kind", "tick")], b"");
    topic.wait_for(Counts::is_idle).await;
    assert_eq!(pushes.recv().await, pushes.recv().await);
    assert_eq!(topic.counts().pushes, 2);
}

#[tokio::test]
async fn what_pub_sub_refuses_is_not_pushed() {
    let (server, _pushes) = subscriber(&[]).await;
    let topic = start(&server, 0.0).await;
    let nothing = PublishRequest {
        messages: vec![Message::default()],
        ..request(TOPIC, &[])
    };
    for refused in [
        request("projects/p/topics/other", &["x"]),
        request(TOPIC, &[]),
        nothing,
    ] {
        assert!(call(&topic, &refused).await.is_empty());
    }
    assert_eq!(topic.counts(), Counts::default());
}

#[test]
fn a_frame_that_is_cut_off_is_no_message() {
    let framed = wire::write(&request(TOPIC, &["x"]));
    assert!(wire::read::<PublishRequest>(&framed).is_some());
    for len in 0..framed.len() {
        assert!(
            wire::read::<PublishRequest>(&framed[..len]).is_none(),
            "{len}"
        );
    }
}
