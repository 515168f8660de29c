//! The billing page and the organization's own cap.

use serde_json::json;
use shared::{
    models::{Limits, MeteredMonth, SubscriptionTier, TokenQuota},
    store::{meter_events, organizations::set_token_quota},
    testing::StripeFault,
};

use super::Shop;
use crate::app::TestApp;

impl Shop {
    /// Has tokens of this month be used, part of them with the organization's own keys.
    async fn have_used(&self, tokens: i64, own_key: i64) {
        let period = "2026-11".to_owned();
        let quota = TokenQuota {
            period: period.clone(),
            used: tokens,
            ..TokenQuota::default()
        };
        let month = MeteredMonth {
            period,
            counted: tokens - own_key,
            own_key,
            ..MeteredMonth::default()
        };
        let writes = vec![
            set_token_quota(&self.org_id, &quota, None).unwrap(),
            meter_events::set_month(&self.org_id, &month, None).unwrap(),
        ];
        self.app.store.commit(writes).await.unwrap();
    }
}

#[tokio::test]
async fn a_free_organization_sees_its_plan_and_that_nothing_was_bought() {
    let shop = Shop::open().await;
    let billing = shop.app.get("guest", "/billing").await;
    assert_eq!(billing.status, 200);
    let expected = json!({
        "subscriptionTier": "free",
        "plan": {
            "product": "Starter",
            "agents": 1,
            "includedTokens": 200_000,
            "monthlyTokens": 200_000,
            "monthlyCostMicroUsd": null,
            "memoryDepth": "session",
            "workspace": false,
            "fineTuning": false,
        },
        "usage": {
            "period": "2026-11",
            "tokens": 0,
            "ownKeyTokens": 0,
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
async fn the_plan_is_that_of_the_organization_with_the_limits_it_was_given() {
    let shop = Shop::open().await;
    let given = Limits {
        agents: Some(7),
        monthly_cost_micro_usd: Some(25_000_000),
        ..Limits::default()
    };
    shop.change(|organization| {
        organization.subscription_tier = SubscriptionTier::Enterprise;
        organization.limits = given;
    })
    .await;
    let expected = json!({
        "product": "Enterprise",
        "agents": 7,
        "includedTokens": 50_000_000,
        "monthlyTokens": 500_000_000,
        "monthlyCostMicroUsd": 25_000_000,
        "memoryDepth": "long_term",
        "workspace": true,
        "fineTuning": true,
    });
    for path in ["/billing", "/organization"] {
        let answer = shop.app.get("guest", path).await;
        assert_eq!(answer.body["plan"], expected, "{path}");
    }
}

/// Both tell it as metering bills it: above what was sold, whatever admins allow, without tokens of
/// own keys, and not where nothing above it is sold.
#[tokio::test]
async fn overage_is_told_as_it_is_billed() {
    let table = [
        ("pro", 7_000_000, 0, None, 2_000_000),
        ("pro", 7_000_000, 1_500_000, None, 500_000),
        ("pro", 7_000_000, 1_500_000, Some(1_000), 500_000),
        ("pro", 4_000_000, 0, Some(1_000), 0),
        ("free", 250_000, 0, None, 0),
    ];
    for (tier, used, own_key, cap, overage) in table {
        let shop = Shop::open().await;
        shop.change(|organization| {
            organization.subscription_tier = serde_json::from_value(json!(tier)).unwrap();
            organization.limits.own_monthly_tokens = cap;
        })
        .await;
        shop.have_used(used, own_key).await;
        let usage = shop.app.get("guest", "/billing").await.body["usage"].clone();
        let report = shop.app.get("guest", "/analytics/usage").await.body;
        let case = format!("{tier} {used} {own_key} {cap:?}");
        for told in [&usage, &report] {
            assert_eq!(told["overageTokens"], overage, "{case}: {told}");
            assert_eq!(told["ownKeyTokens"], own_key, "{case}: {told}");
        }
        assert_eq!(usage["includedTokens"], report["plan"]["includedTokens"]);
        assert_eq!(usage["tokens"], report["periodTokens"]);
    }
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
        (&json!(1_000), &json!(200_000))
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
