//! Checkout and portal: one customer, no second subscription, no page but ours to come back to.

use futures::future::join_all;
use http::Method;
use serde_json::json;
use shared::{ids::OrgId, store::organizations, testing::StripeFault};

use super::{PAGE, Shop};
use crate::app::{json_body, request};

fn o2() -> OrgId {
    OrgId::parse("o2").unwrap()
}

#[tokio::test]
async fn an_admin_buys_a_plan_with_its_overage() {
    let shop = Shop::open().await;
    let answer = shop.buy_pro().await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let session = &shop.stripe.objects("checkout")[0];
    assert_eq!(
        answer.body,
        json!({ "id": session["id"], "url": session["url"] })
    );
    assert_eq!(session["client_reference_id"], shop.org_id.as_str());
    assert_eq!(session["metadata"]["orgId"], shop.org_id.as_str());
    let order = &shop.stripe.objects("order")[0]["params"];
    assert_eq!(
        order["subscription_data"]["metadata"]["orgId"],
        shop.org_id.as_str()
    );
    let items = order["line_items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["quantity"]), (2, &json!(1)));
    assert!(items[1].get("quantity").is_none());
    let customer = &shop.stripe.objects("customer")[0];
    assert_eq!(
        shop.organization().await.stripe_customer_id.as_deref(),
        customer["id"].as_str()
    );
    assert_eq!(customer["metadata"]["orgId"], shop.org_id.as_str());
    assert_eq!(
        shop.audited(),
        ["BILLING_CUSTOMER_CREATE", "BILLING_CHECKOUT_OPEN"]
    );
    assert_eq!(shop.stripe.problems(), [""; 0]);
}

#[tokio::test]
async fn a_plan_is_named_by_tier_and_interval_or_by_its_lookup_key() {
    let shop = Shop::open().await;
    let named = [
        json!({ "tier": "pro", "interval": "year", "returnUrl": PAGE }),
        json!({ "lookupKey": "pro_yearly", "successUrl": PAGE, "cancelUrl": PAGE }),
    ];
    for body in named {
        assert_eq!(shop.checkout(&body).await.status, 201);
    }
    let orders = shop.stripe.objects("order");
    assert_eq!(
        orders[0]["params"]["line_items"],
        orders[1]["params"]["line_items"]
    );
    let refused = [
        (json!({ "returnUrl": PAGE }), "tier"),
        (
            json!({ "tier": "pro", "lookupKey": "pro_yearly", "returnUrl": PAGE }),
            "tier",
        ),
        (
            json!({ "lookupKey": "pro_yearly", "interval": "year", "returnUrl": PAGE }),
            "tier",
        ),
        (json!({ "tier": "free", "returnUrl": PAGE }), "tier"),
        (
            json!({ "lookupKey": "pro_tokens_monthly", "returnUrl": PAGE }),
            "lookupKey",
        ),
        (
            json!({ "lookupKey": "gold", "returnUrl": PAGE }),
            "lookupKey",
        ),
        (json!({ "tier": "pro", "successUrl": PAGE }), "cancelUrl"),
        (json!({ "tier": "pro", "cancelUrl": PAGE }), "successUrl"),
        (
            json!({ "tier": "pro", "returnUrl": PAGE, "quantity": 2 }),
            "quantity",
        ),
    ];
    for (body, field) in refused {
        let answer = shop.checkout(&body).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{body}");
        assert_eq!(answer.fields(), [field], "{body}");
    }
    assert_eq!(shop.stripe.objects("checkout").len(), 2);
}

#[tokio::test]
async fn a_browser_comes_back_to_no_other_place() {
    let shop = Shop::open().await;
    shop.buy_pro().await;
    let calls = shop.stripe.calls().len();
    for url in [
        "https://evil.example/",
        "/billing",
        "https://app.example.com@evil.example/",
    ] {
        let fields = [
            (json!({ "tier": "pro", "returnUrl": url }), "successUrl"),
            (
                json!({ "tier": "pro", "returnUrl": PAGE, "successUrl": url }),
                "successUrl",
            ),
            (
                json!({ "tier": "pro", "returnUrl": PAGE, "cancelUrl": url }),
                "cancelUrl",
            ),
        ];
        for (body, field) in fields {
            let answer = shop.checkout(&body).await;
            assert_eq!(answer.refusal(), (400, "invalid_argument"), "{body}");
            assert_eq!(answer.fields(), [field], "{body}");
        }
        assert_eq!(shop.portal(url).await.fields(), ["returnUrl"]);
    }
    assert_eq!(shop.stripe.calls().len(), calls, "Stripe is asked nothing");
}

#[tokio::test]
async fn twenty_at_once_make_one_customer() {
    let shop = Shop::open().await;
    let answers = join_all((0..20).map(|_| shop.buy_pro())).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!(shop.stripe.objects("customer").len(), 1);
    let open = shop.pages().into_iter().filter(|page| page == "open");
    assert_eq!(open.count(), 1);
    let made = shop
        .audited()
        .into_iter()
        .filter(|deed| *deed == "BILLING_CUSTOMER_CREATE");
    assert_eq!(made.count(), 1);
}

#[tokio::test]
async fn a_checkout_that_dies_at_any_call_is_completed_by_the_next() {
    let reference = Shop::open().await;
    reference.buy_pro().await;
    let calls = reference.stripe.calls().len();
    assert!(calls >= 5, "{calls}");
    for number in 0..calls {
        for is_carried_out in [false, true] {
            let shop = Shop::open().await;
            shop.stripe.kill_at(number, is_carried_out);
            tokio::select! {
                answer = shop.buy_pro() => panic!("{number}: {}", answer.body),
                () = shop.stripe.death() => {}
            }
            // Stripe keeps a key for a day, and finds a customer after a minute.
            shop.app
                .clock
                .advance(std::time::Duration::from_secs(3_600));
            let again = shop.buy_pro().await;
            assert_eq!(again.status, 201, "{number}: {}", again.body);
            let customers = shop.stripe.objects("customer");
            assert_eq!(customers.len(), 1, "{number}");
            let linked = shop.organization().await.stripe_customer_id;
            assert_eq!(linked.as_deref(), customers[0]["id"].as_str());
        }
    }
}

#[tokio::test]
async fn a_customer_of_yesterday_that_nobody_linked_is_found() {
    let shop = Shop::open().await;
    let known = shop.stripe.add_customer(shop.org_id.as_str());
    shop.app
        .clock
        .advance(std::time::Duration::from_secs(2 * 24 * 3_600));
    assert_eq!(shop.buy_pro().await.status, 201);
    assert_eq!(shop.organization().await.stripe_customer_id, Some(known));
    assert_eq!(shop.stripe.objects("customer").len(), 1);
}

#[tokio::test]
async fn a_repeat_with_the_same_key_is_the_same_page() {
    let shop = Shop::open().await;
    let buy = async |key: &str, tier: &str| {
        let body = json!({ "tier": tier, "returnUrl": PAGE });
        let request = request(Method::POST, "/billing/checkout-session", "guest");
        let request = request.header("Idempotency-Key", key);
        shop.app.send(json_body(request, &body)).await
    };
    // The first makes the page and dies before it is kept.
    shop.app.db.fail_commit_after(1, false);
    let first = buy("k1", "pro").await;
    let again = buy("k1", "pro").await;
    assert_eq!(again.status, 201, "{} {}", first.body, again.body);
    assert_eq!(buy("k1", "pro").await.body, again.body);
    assert_eq!(shop.stripe.objects("checkout").len(), 1);
    assert_eq!(
        buy("k1", "enterprise").await.refusal(),
        (409, "already_exists")
    );
    assert_eq!(buy("k2", "pro").await.status, 201);
    assert_eq!(shop.stripe.objects("checkout").len(), 2);
}

#[tokio::test]
async fn of_two_pages_only_the_newer_can_be_paid() {
    let shop = Shop::open().await;
    let (older, newer) = (shop.buy_pro().await, shop.buy_pro().await);
    assert_eq!(shop.pages(), ["expired", "open"]);
    assert!(!shop.stripe.pay(older.id()));
    assert!(shop.stripe.pay(newer.id()));
    assert_eq!(shop.stripe.objects("subscription").len(), 1);
    assert_eq!(shop.stripe.problems(), [""; 0]);
}

#[tokio::test]
async fn while_a_page_is_being_paid_there_is_no_other() {
    let shop = Shop::open().await;
    let page = shop.buy_pro().await;
    shop.stripe
        .change("checkout", page.id(), "payment_status", json!("paid"));
    let refused = shop.buy_pro().await;
    assert_eq!(refused.refusal(), (409, "failed_precondition"));
    assert_eq!(shop.pages(), ["open", "expired"]);
}

/// Stripe's answer to a repeat is the page as it was.
#[tokio::test]
async fn a_page_that_was_closed_at_once_is_not_handed_out_to_a_repeat() {
    let shop = Shop::open().await;
    let buy = async |key: &str| {
        let body = json!({ "tier": "pro", "returnUrl": PAGE });
        let request = request(Method::POST, "/billing/checkout-session", "guest");
        let request = request.header("Idempotency-Key", key);
        shop.app.send(json_body(request, &body)).await
    };
    let page = shop.buy_pro().await;
    let pay = |status: &str| {
        let field = "payment_status";
        shop.stripe
            .change("checkout", page.id(), field, json!(status));
    };
    pay("paid");
    assert_eq!(buy("k1").await.refusal(), (409, "failed_precondition"));
    pay("unpaid");
    let closed = buy("k1").await;
    assert_eq!(closed.refusal(), (409, "already_exists"), "{}", closed.body);
    let message = closed.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("use another key"), "{message}");
    assert_eq!(shop.stripe.objects("checkout").len(), 2);
    let opened = buy("k2").await;
    assert_eq!(opened.status, 201, "{}", opened.body);
    assert_eq!(shop.pages(), ["expired", "expired", "open"]);
    assert!(shop.stripe.pay(opened.id()));
}

#[tokio::test]
async fn pages_of_others_stay_open() {
    let shop = Shop::open().await;
    shop.buy_pro().await;
    let admin = json!({ "tier": "pro", "returnUrl": PAGE });
    let other = shop.stripe.add_customer("o2");
    let mut organization = shop
        .app
        .store
        .find_organization(&o2())
        .await
        .unwrap()
        .unwrap();
    organization.value.stripe_customer_id = Some(other);
    let write = organizations::replace(&organization).unwrap();
    shop.app.store.commit(vec![write]).await.unwrap();
    let path = "/billing/checkout-session";
    assert_eq!(shop.app.post("stranger", path, &admin).await.status, 201);
    assert_eq!(shop.pages(), ["open", "open"]);
}

#[tokio::test]
async fn who_has_a_subscription_gets_no_second() {
    let table = [
        ("active", 409),
        ("trialing", 409),
        ("past_due", 409),
        ("unpaid", 409),
        ("paused", 409),
        ("canceled", 201),
        ("incomplete_expired", 201),
    ];
    for (status, expected) in table {
        let shop = Shop::open().await;
        let subscription = shop.subscribe().await;
        shop.stripe.set_status(&subscription, status);
        let answer = shop.buy_pro().await;
        assert_eq!(answer.status, expected, "{status}: {}", answer.body);
        if expected == 409 {
            assert_eq!(answer.refusal().1, "failed_precondition");
        }
        assert_eq!(shop.portal(PAGE).await.status, 201, "{status}");
    }
}

#[tokio::test]
async fn without_a_customer_there_is_no_portal() {
    let shop = Shop::open().await;
    assert_eq!(
        shop.portal(PAGE).await.refusal(),
        (409, "failed_precondition")
    );
    shop.buy_pro().await;
    let portal = shop.portal(PAGE).await;
    assert_eq!(portal.status, 201);
    assert_eq!(portal.body["url"], shop.stripe.objects("portal")[0]["url"]);
    assert_eq!(shop.audited().last(), Some(&"BILLING_PORTAL_OPEN"));
}

#[tokio::test]
async fn a_price_that_nobody_made_cannot_be_bought() {
    let shop = Shop::open().await;
    let body = json!({ "tier": "enterprise", "returnUrl": PAGE });
    let answer = shop.checkout(&body).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!(shop.stripe.objects("checkout").len(), 0);
}

#[tokio::test]
async fn an_outage_of_stripe_is_told_as_one() {
    let shop = Shop::open().await;
    shop.stripe.fail_next([StripeFault::Status(500); 8]);
    assert_eq!(shop.buy_pro().await.refusal(), (503, "unavailable"));
    assert_eq!(shop.organization().await.stripe_customer_id, None);
}

#[tokio::test]
async fn an_address_goes_to_stripe_and_into_no_record_of_ours() {
    let shop = Shop::open().await;
    shop.app
        .add_user("payer", shop.org_id.as_str(), shared::models::Role::Admin)
        .await;
    let body = json!({ "tier": "pro", "returnUrl": PAGE });
    let answer = shop
        .app
        .post("payer", "/billing/checkout-session", &body)
        .await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(
        shop.stripe.objects("customer")[0]["email"],
        "payer@example.com"
    );
    for record in shop.app.records(&shop.org_id) {
        let text = serde_json::to_string(&record).unwrap();
        assert!(!text.contains("payer@example.com"), "{text}");
    }
}
