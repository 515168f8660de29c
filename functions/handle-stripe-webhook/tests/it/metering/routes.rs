//! Cloud Scheduler has usage metered and compared, and nobody else does.

use serde_json::json;
use shared::testing::TestServiceVerifier;

use super::world::World;

#[tokio::test]
async fn the_scheduler_has_usage_metered_and_compared() {
    let world = World::over().await;
    for path in ["/meter", "/reconcile-usage"] {
        for (token, expected) in [
            (TestServiceVerifier::FOREIGN, 403),
            ("admin", 401),
            (TestServiceVerifier::UNDECIDED, 503),
        ] {
            let (status, _) = world.post(path, token, Vec::new()).await;
            assert_eq!(status, expected, "{path} {token}");
        }
    }
    assert!(world.stripe.requests().is_empty());
    let metered = world.tick("/meter").await;
    let expected = json!({ "counted": 5, "sent": 3, "postponed": 0, "givenUp": 0 });
    assert_eq!(metered, expected);
    let begun = world.tick("/reconcile-usage").await;
    assert_eq!(
        (&begun["day"], &begun["finished"]),
        (&json!("2026-11-22"), &json!(false))
    );
}

#[tokio::test]
async fn a_missing_meter_is_an_error_that_the_scheduler_shows() {
    let world = World::over().await;
    world.stripe.remove_meter(true);
    let tick = world.post("/meter", TestServiceVerifier::EXPECTED, Vec::new());
    let (status, body) = tick.await;
    assert_eq!((status, &body["error"]["code"]), (500, &json!("internal")));
}
