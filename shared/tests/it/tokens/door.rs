//! The table of ID tokens against a route that asks for a [`Principal`].

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::FromRef,
    routing::get,
};
use http::{HeaderValue, Request, header::AUTHORIZATION};
use serde_json::Value;
use shared::{
    auth::FirebaseVerifier,
    http::{Authenticator, EdgeConfig, edge},
    models::Principal,
    testing::{memory_store, trail},
};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::{
    firebase_rows::{PROJECT, claims, rows},
    forge::Forge,
    verifier::{CountedKeys, clock},
};

#[derive(Clone)]
struct State(Authenticator);

impl FromRef<State> for Authenticator {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

/// A route that tells the caller's uid.
fn door(keys: Arc<CountedKeys>) -> Router {
    let (store, _) = memory_store();
    let verifier = Arc::new(FirebaseVerifier::new(PROJECT, keys, clock()));
    let state = State(Authenticator::new(
        verifier,
        store.clone(),
        trail(&store),
        clock(),
    ));
    let routes = Router::new()
        .route("/", get(async |caller: Principal| caller.uid.to_string()))
        .with_state(state);
    edge(routes, &EdgeConfig::default())
}

/// Status and, of an error, code.
async fn knock(door: &Router, headers: &[HeaderValue]) -> (u16, Option<String>) {
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    for value in headers {
        request.headers_mut().append(AUTHORIZATION, value.clone());
    }
    let response = door.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let body: Option<Value> = serde_json::from_slice(&body).ok();
    let code = body.and_then(|body| body["error"]["code"].as_str().map(str::to_owned));
    (status, code)
}

fn bearer(token: &str) -> HeaderValue {
    HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()).unwrap()
}

fn unauthenticated() -> (u16, Option<String>) {
    (401, Some("unauthenticated".to_owned()))
}

/// A server that nobody may ask for anything.
struct Trap(TcpListener);

impl Trap {
    async fn set() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Whether nobody came before this call: the first to come is the test itself.
    async fn is_untouched(&self) -> bool {
        let own = TcpStream::connect(self.address()).await.unwrap();
        let (_, first) = self.0.accept().await.unwrap();
        first == own.local_addr().unwrap()
    }
}

#[tokio::test]
async fn every_bad_token_is_refused_at_the_door_and_asks_nobody() {
    let trap = Trap::set().await;
    let forge = Forge::new(claims()).with_trap(format!("http://{}", trap.address()));
    let door = door(CountedKeys::of(&forge));
    for (name, recipe, verdict) in rows() {
        let answer = knock(&door, &[bearer(&forge.make(&recipe))]).await;
        if verdict.is_accepted() {
            assert_eq!(answer, (200, None), "{name}");
        } else {
            assert_eq!(answer, unauthenticated(), "{name}");
        }
    }
    assert!(trap.is_untouched().await);
}

#[tokio::test]
async fn headers_that_hold_no_one_token_are_refused() {
    let forge = Forge::new(claims());
    let door = door(CountedKeys::of(&forge));
    let good = forge.good();
    let value = |text: String| HeaderValue::from_bytes(text.as_bytes()).unwrap();
    let rows = [
        ("none", vec![]),
        ("empty", vec![value(String::new())]),
        ("two", vec![bearer(&good), bearer(&good)]),
        ("a good and a bad one", vec![bearer(&good), bearer("x")]),
        ("a bad and a good one", vec![bearer("x"), bearer(&good)]),
        ("another scheme", vec![value(format!("Basic {good}"))]),
        ("no scheme", vec![value(good.clone())]),
        ("only the scheme", vec![value("Bearer".to_owned())]),
        ("the scheme and a blank", vec![value("Bearer ".to_owned())]),
        ("no blank", vec![value(format!("Bearer{good}"))]),
        ("a colon", vec![value(format!("Bearer: {good}"))]),
        ("a tab", vec![value(format!("Bearer\t{good}"))]),
        (
            "the scheme twice",
            vec![value(format!("Bearer Bearer {good}"))],
        ),
        ("two tokens", vec![value(format!("Bearer {good} {good}"))]),
        (
            "a list",
            vec![value(format!("Bearer {good}, Bearer {good}"))],
        ),
        ("quotes", vec![value(format!("Bearer \"{good}\""))]),
        ("another script", vec![value(format!("Bearer {good}ä"))]),
        (
            "no text",
            vec![HeaderValue::from_bytes(b"Bearer \xff").unwrap()],
        ),
        ("100 kB", vec![bearer(&"a".repeat(100_000))]),
        (
            "100 kB around a token",
            vec![bearer(&format!("{good}{}", " x".repeat(50_000)))],
        ),
    ];
    for (name, headers) in rows {
        assert_eq!(knock(&door, &headers).await, unauthenticated(), "{name}");
    }
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-11.1>: the scheme's case does not matter.
#[tokio::test]
async fn the_scheme_may_be_written_in_any_case_and_blanks_do_not_matter() {
    let forge = Forge::new(claims());
    let door = door(CountedKeys::of(&forge));
    let good = forge.good();
    for text in [
        format!("Bearer {good}"),
        format!("bearer {good}"),
        format!("BEARER {good}"),
        format!("Bearer  {good}"),
        format!("Bearer {good}  "),
    ] {
        let value = HeaderValue::from_str(&text).unwrap();
        assert_eq!(knock(&door, &[value]).await, (200, None), "{text}");
    }
}

#[tokio::test]
async fn without_keys_the_answer_is_to_try_again() {
    let forge = Forge::new(claims());
    let door = door(CountedKeys::none());
    let answer = knock(&door, &[bearer(&forge.good())]).await;
    assert_eq!(answer, (503, Some("unavailable".to_owned())));
}
