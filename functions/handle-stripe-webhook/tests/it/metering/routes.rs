//! Cloud Scheduler has usage metered and compared, and nobody else does.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
};
use handle_stripe_webhook::{AppState, ProductTiers, WebhookConfig, router};
use http::Request;
use serde_json::{Value, json};
use shared::{
    http::ServiceCallers,
    testing::{RecordingQueue, TestServiceVerifier, trail},
};
use tower::ServiceExt;

use super::world::World;

fn app(world: &World) -> Router {
    let webhook = WebhookConfig {
        secrets: Vec::new(),
        livemode: false,
        product_tiers: ProductTiers::new(),
    };
    let (store, stripe) = (world.store.clone(), world.stripe.clone());
    let trail = trail(&store);
    let (queue, clock) = (Arc::new(RecordingQueue::new()), world.clock.shared());
    let callers = ServiceCallers::verified_by(Arc::new(TestServiceVerifier));
    router(AppState::with_ports(
        store, trail, stripe, queue, clock, webhook, callers,
    ))
}

async fn post(app: &Router, path: &str, token: &str) -> (u16, Value) {
    let request = Request::post(path).header("authorization", format!("Bearer {token}"));
    let request = request.body(Body::empty()).unwrap();
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    (parts.status.as_u16(), body)
}

#[tokio::test]
async fn the_scheduler_has_usage_metered_and_compared() {
    let world = World::over().await;
    let app = app(&world);
    for path in ["/meter", "/reconcile-usage"] {
        for (token, expected) in [
            (TestServiceVerifier::FOREIGN, 403),
            ("admin", 401),
            (TestServiceVerifier::UNDECIDED, 503),
        ] {
            assert_eq!(post(&app, path, token).await.0, expected, "{path} {token}");
        }
    }
    assert!(world.stripe.requests().is_empty());
    let metered = post(&app, "/meter", TestServiceVerifier::EXPECTED).await;
    let expected = json!({ "counted": 5, "sent": 3, "postponed": 0, "givenUp": 0 });
    assert_eq!(metered, (200, expected));
    let (status, report) = post(&app, "/reconcile-usage", TestServiceVerifier::EXPECTED).await;
    assert_eq!((status, &report[0]["day"]), (200, &json!("2026-11-22")));
}

#[tokio::test]
async fn a_missing_meter_is_an_error_that_the_scheduler_shows() {
    let world = World::over().await;
    world.stripe.remove_meter(true);
    let (status, body) = post(&app(&world), "/meter", TestServiceVerifier::EXPECTED).await;
    assert_eq!((status, &body["error"]["code"]), (500, &json!("internal")));
}
