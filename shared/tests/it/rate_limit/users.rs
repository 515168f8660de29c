//! How often a user may come, from wherever.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{FromRef, FromRequestParts, State},
    response::Response,
    routing::get,
};
use http::{Request, request::Parts};
use shared::{
    auth::Claims,
    http::{Authenticator, ClientLimit, EdgeConfig, Verified, edge},
    ids::Uid,
    models::Principal,
    rate_limit::{RateLimits, Rule},
    store::{Store, users},
    testing::{TestVerifier, claims, memory_store, trail},
};
use tower::ServiceExt;

use super::{adapter::TestClock, config};
use crate::support::time;

#[derive(Clone)]
struct AppState(Authenticator);

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.0.clone()
    }
}

/// Looks at its caller again, as a stream does every now and then.
async fn look_again(State(state): State<AppState>, _: Principal, mut parts: Parts) -> String {
    for _ in 0..5 {
        let caller = Principal::from_request_parts(&mut parts, &state).await;
        assert!(caller.is_ok());
    }
    "seen".to_owned()
}

fn service(variables: &[(&str, &str)]) -> Router {
    let (store, _) = memory_store();
    service_on(&store, variables)
}

fn service_on(store: &Store, variables: &[(&str, &str)]) -> Router {
    let clock = TestClock::at_noon().shared();
    let verifier = TestVerifier::new();
    for uid in ["ada", "bob"] {
        verifier.accept(uid, claims(&Uid::parse(uid).unwrap()));
    }
    let later = Claims {
        auth_time: time("2026-11-27T12:00:00Z"),
        ..claims(&Uid::parse("ada").unwrap())
    };
    verifier.accept("ada-since", later);
    let limits = RateLimits::new(config(variables), clock.clone()).unwrap();
    let authenticator = Authenticator::new(Arc::new(verifier), store.clone(), trail(store), clock);
    let authenticator = authenticator.with_limits(Some(limits.clone()));
    let routes = Router::new()
        .route("/", get(async |_: Principal| "ok"))
        .route("/verified", get(async |_: Verified| "ok"))
        .route("/again", get(look_again))
        .with_state(AppState(authenticator));
    let rule = Rule::shared("test", limits.config().client);
    let config = EdgeConfig {
        client_limit: Some(ClientLimit::new(&limits, rule)),
        ..EdgeConfig::default()
    };
    edge(routes, &config)
}

async fn call(service: &Router, path: &str, token: &str, client: &str) -> Response {
    let request = Request::get(path)
        .header("authorization", format!("Bearer {token}"))
        .header("x-forwarded-for", client)
        .body(Body::empty());
    service.clone().oneshot(request.unwrap()).await.unwrap()
}

async fn status(service: &Router, path: &str, token: &str, client: &str) -> u16 {
    let response = call(service, path, token, client).await;
    response.status().as_u16()
}

#[tokio::test]
async fn a_user_is_counted_across_addresses_and_apart_from_others() {
    let service = service(&[("RATE_LIMIT_USER", "3")]);
    for (number, expected) in [200, 200, 200, 429].into_iter().enumerate() {
        let client = format!("198.51.100.{number}");
        let path = ["/", "/verified"][number % 2];
        assert_eq!(status(&service, path, "ada", &client).await, expected);
    }
    assert_eq!(status(&service, "/", "bob", "198.51.100.1").await, 200);
}

#[tokio::test]
async fn a_caller_who_is_looked_at_again_is_counted_once() {
    let service = service(&[("RATE_LIMIT_USER", "2")]);
    assert_eq!(status(&service, "/again", "ada", "198.51.100.1").await, 200);
    assert_eq!(status(&service, "/again", "ada", "198.51.100.1").await, 200);
    assert_eq!(status(&service, "/again", "ada", "198.51.100.1").await, 429);
}

#[tokio::test]
async fn nobody_is_counted_for_a_token_that_is_not_theirs() {
    let service = service(&[("RATE_LIMIT_USER", "1")]);
    for _ in 0..5 {
        assert_eq!(status(&service, "/", "forged", "198.51.100.1").await, 401);
    }
    assert_eq!(status(&service, "/", "ada", "198.51.100.1").await, 200);
}

#[tokio::test]
async fn the_token_of_an_ended_session_takes_nothing_from_its_user() {
    let (store, _) = memory_store();
    let service = service_on(&store, &[("RATE_LIMIT_USER", "2")]);
    assert_eq!(status(&service, "/", "ada", "198.51.100.1").await, 200);
    let ada = store.find_user(&Uid::parse("ada").unwrap()).await;
    let ended = users::end_sessions(&ada.unwrap().unwrap(), time("2026-11-26T12:00:00Z"));
    store.commit(vec![ended.unwrap()]).await.unwrap();
    for _ in 0..5 {
        assert_eq!(status(&service, "/", "ada", "198.51.100.2").await, 401);
    }
    let answer = status(&service, "/", "ada-since", "198.51.100.1").await;
    assert_eq!(answer, 200);
}

#[tokio::test]
async fn an_answer_tells_of_the_limit_that_is_tighter() {
    let rows = [
        (
            [("RATE_LIMIT_CLIENT", "5"), ("RATE_LIMIT_USER", "9")],
            200,
            "5",
            "4",
        ),
        (
            [("RATE_LIMIT_CLIENT", "9"), ("RATE_LIMIT_USER", "5")],
            200,
            "5",
            "4",
        ),
    ];
    for (variables, expected, limit, remaining) in rows {
        let answer = call(&service(&variables), "/", "ada", "198.51.100.1").await;
        assert_eq!(answer.status(), expected);
        assert_eq!(answer.headers()["ratelimit-limit"], limit);
        assert_eq!(answer.headers()["ratelimit-remaining"], remaining);
    }
    let service = service(&[("RATE_LIMIT_USER", "1")]);
    call(&service, "/", "ada", "198.51.100.1").await;
    let refused = call(&service, "/", "ada", "198.51.100.1").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["ratelimit-limit"], "1");
    assert_eq!(refused.headers()["retry-after"], "60");
}
