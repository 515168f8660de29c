//! The billing page and the organization's own cap.

use serde_json::json;
use shared::testing::StripeFault;

use super::Shop;
use crate::app::TestApp;

#[tokio::test]
async fn a_free_organization_sees_its_plan_and_that_nothing_was_bought() {
    let shop = Shop::open().await;
    let billing = shop.app.get("guest", "/billing").await;
    assert_eq!(billing.status, 200);
    let expected = json!({
        "subscriptionTier": "free",
        "product": "Starter",
        "usage": {
            "period": "2026-11",
            "tokens": 0,
            "includedTokens": 200_000,
            "overageTokens": 0,
            "monthlyTokens": 200_000,
            "planMonthlyTokens": 200_000,
            "ownMonthlyTokens": null,
            "percentOfLimit": 0.0,
        },
        "hasCustomer": false,
        "subscriptions": [],
        "invoices": [],
    });
    assert_eq!(billing.body, expected);
    assert_eq!(shop.stripe.calls(), []);
}

#[tokio::test]
async fn an_admin_sees_subscriptions_and_invoices() {
    let shop = Shop::open().await;
    let id = shop.subscribe().await;
    shop.stripe.set_status(&id, "past_due");
    let billing = shop.app.get("guest", "/billing").await.body;
    let subscription = &billing["subscriptions"][0];
    assert_eq!(subscription["status"], "past_due");
    assert_eq!(
        subscription["lookupKeys"],
        json!(["pro_monthly", "pro_tokens_monthly"])
    );
    let invoice = &shop.stripe.objects("invoice")[0];
    let expected = json!([{
        "number": invoice["number"],
        "createdAt": "2026-11-23T12:00:00Z",
        "status": "paid",
        "currency": "usd",
        "totalCents": 4_900,
        "hostedUrl": invoice["hosted_invoice_url"],
        "pdfUrl": invoice["invoice_pdf"],
    }]);
    assert_eq!(billing["invoices"], expected);
}

#[tokio::test]
async fn other_members_see_no_invoices() {
    let app = TestApp::new().await;
    for (token, sees) in [("viewer", false), ("user", false), ("admin", true)] {
        let billing = app.get(token, "/billing").await;
        assert_eq!(billing.status, 200);
        for field in ["invoices", "subscriptions", "hasCustomer"] {
            assert_eq!(billing.body.get(field).is_some(), sees, "{token} {field}");
        }
    }
}

#[tokio::test]
async fn the_page_goes_without_what_stripe_does_not_tell() {
    let shop = Shop::open().await;
    shop.buy_pro().await;
    shop.stripe.fail_next([StripeFault::Status(401); 2]);
    let billing = shop.app.get("guest", "/billing").await;
    assert_eq!(billing.status, 200);
    assert_eq!(billing.body["subscriptionTier"], "free");
    assert_eq!(billing.body["hasCustomer"], true);
    assert_eq!(billing.body["invoices"], json!(null));
    assert_eq!(billing.body["subscriptions"], json!(null));
}

#[tokio::test]
async fn an_admin_caps_the_organization_below_its_plan_and_never_above() {
    let shop = Shop::open().await;
    let set = async |tokens| {
        let body = json!({ "monthlyTokens": tokens });
        shop.app.put("guest", "/billing/cap", &body).await
    };
    let capped = set(Some(1_000)).await;
    assert_eq!(
        capped.body,
        json!({ "monthlyTokens": 1_000, "ownMonthlyTokens": 1_000 })
    );
    let usage = shop.app.get("guest", "/billing").await.body["usage"].clone();
    assert_eq!(
        (&usage["monthlyTokens"], &usage["includedTokens"]),
        (&json!(1_000), &json!(1_000))
    );
    assert_eq!(usage["planMonthlyTokens"], 200_000);
    for tokens in [200_001, -1] {
        let answer = set(Some(tokens)).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"));
        assert_eq!(answer.fields(), ["monthlyTokens"]);
    }
    assert_eq!(set(Some(1_000)).await.status, 200);
    let free = set(None).await;
    assert_eq!(
        free.body,
        json!({ "monthlyTokens": 200_000, "ownMonthlyTokens": null })
    );
    assert_eq!(shop.audited(), ["BILLING_CAP_SET"; 2]);
    let missing = shop.app.put("guest", "/billing/cap", &json!({})).await;
    assert_eq!(missing.refusal(), (400, "invalid_argument"));
}
