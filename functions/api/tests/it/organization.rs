use serde_json::json;

use crate::app::{NOW, TestApp};

#[tokio::test]
async fn callers_see_themselves() {
    let app = TestApp::new().await;
    let me = app.get("viewer", "/me").await;
    let expected = json!({
        "uid": "viewer",
        "organizationId": "o1",
        "role": "viewer",
        "email": "viewer@example.com",
        "settings": { "theme": "dark" },
    });
    assert_eq!((me.status.as_u16(), me.body), (200, expected));
}

#[tokio::test]
async fn callers_see_their_organization_with_its_plan() {
    let app = TestApp::new().await;
    let organization = app.get("viewer", "/organization").await.body;
    assert_eq!(organization["id"], "o1");
    assert_eq!(organization["subscriptionTier"], "free");
    assert_eq!(organization["apiUsage"], 42);
    assert_eq!(organization["createdAt"], NOW);
    assert_eq!(organization["plan"]["agents"], 1);
    assert_eq!(organization["plan"]["memoryDepth"], "session");
    assert!(organization.get("stripeCustomerId").is_none());
    let other = app.get("stranger", "/organization").await.body;
    assert_eq!(
        (&other["id"], &other["plan"]["agents"]),
        (&json!("o2"), &json!(5))
    );
}
