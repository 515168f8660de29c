//! An organization buys a plan on the local Stripe's page, and has it.

use emulator_tests::client::{Answer, Client, http_client, send};
use reqwest::{Method, StatusCode, redirect::Policy};
use serde_json::json;

use super::{PATIENCE, agent, start};

const PAGE: &str = "http://localhost:5173/billing";

async fn create_agent(client: &Client) -> Answer {
    let request = client.request(Method::POST, "/agents/create");
    send(request.json(&agent())).await.unwrap()
}

/// Returns when the organization is on the tier.
async fn comes_to(client: &Client, tier: &str) {
    let look = async {
        let mut interval = tokio::time::interval(std::time::Duration::from_millis(20));
        loop {
            interval.tick().await;
            let organization = client.get("/organization").await.unwrap();
            if organization["subscriptionTier"] == tier {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap();
}

/// The page's button; where the browser goes then.
pub(super) async fn press(url: &str) -> String {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none());
    let answer = client.build().unwrap().post(url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_organization_that_pays_has_its_plan_and_one_that_ends_it_has_not() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    assert_eq!(create_agent(&client).await.status, StatusCode::CREATED);
    let refused = create_agent(&client).await;
    assert_eq!(refused.error_code(), "resource_exhausted");

    let order = json!({
        "tier": "pro",
        "successUrl": format!("{PAGE}?session={{CHECKOUT_SESSION_ID}}"),
        "cancelUrl": PAGE,
    });
    let page = client
        .post("/billing/checkout-session", &order)
        .await
        .unwrap();
    let url = page["url"].as_str().unwrap();
    let html = http_client().unwrap().get(url).send().await.unwrap();
    assert!(html.text().await.unwrap().contains("pro_monthly"));
    let back = press(url).await;
    assert_eq!(
        back,
        format!("{PAGE}?session={}", page["id"].as_str().unwrap())
    );

    comes_to(&client, "pro").await;
    assert_eq!(create_agent(&client).await.status, StatusCode::CREATED);
    let billing = client.get("/billing").await.unwrap();
    assert_eq!(billing["invoices"][0]["totalCents"], 4_900);

    let larger = json!({ "tier": "enterprise" });
    let changed = client.post("/billing/plan", &larger).await.unwrap();
    assert_eq!(changed["status"], "changed");
    comes_to(&client, "enterprise").await;

    let portal = json!({ "returnUrl": PAGE });
    let portal = client
        .post("/billing/portal-session", &portal)
        .await
        .unwrap();
    let subscription = &billing_subscription(&harness);
    let url = format!("{}/{subscription}", portal["url"].as_str().unwrap());
    assert_eq!(press(&url).await, PAGE);
    comes_to(&client, "free").await;
    assert_eq!(harness.stripe().unwrap().account().problems(), [""; 0]);
    harness.stop().await;
}

fn billing_subscription(harness: &emulator_tests::Harness) -> String {
    let account = harness.stripe().unwrap().account();
    let subscription = &account.objects("subscription")[0];
    subscription["id"].as_str().unwrap().to_owned()
}
