//! A customer that somebody has deleted in Stripe's dashboard.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use shared::testing::StripeFault;

use super::{PAGE, Shop, plan::assert_refused};

impl Shop {
    /// An organization whose customer was deleted; the customer's id.
    async fn with_deleted_customer() -> (Self, String) {
        let shop = Self::open().await;
        shop.subscribe().await;
        shop.app.clock.advance(Duration::from_secs(3_600));
        let customer = shop.organization().await.stripe_customer_id.unwrap();
        shop.stripe.delete_customer(&customer);
        (shop, customer)
    }
}

/// The search knows it for another minute, and the key that it was made with for a day.
#[tokio::test]
async fn the_next_checkout_makes_another_customer() {
    for wait_secs in [0, 120, 2 * 24 * 3_600] {
        let (shop, deleted) = Shop::with_deleted_customer().await;
        shop.app.clock.advance(Duration::from_secs(wait_secs));
        let page = shop.buy_pro().await;
        assert_eq!(page.status, 201, "{wait_secs}: {}", page.body);
        let linked = shop.organization().await.stripe_customer_id.unwrap();
        assert_ne!(linked, deleted);
        assert_eq!(shop.stripe.objects("customer").len(), 2, "{wait_secs}");
        let session = shop.stripe.objects("checkout").pop().unwrap();
        assert_eq!(session["customer"], *linked);
        let audited = shop.audited();
        assert_eq!(
            audited[audited.len() - 2..],
            ["BILLING_CUSTOMER_CREATE", "BILLING_CHECKOUT_OPEN"]
        );
        assert!(shop.stripe.pay(page.id()));
        assert_eq!(shop.stripe.problems(), [""; 0]);
    }
}

#[tokio::test]
async fn all_who_ask_at_once_get_the_same_one() {
    let (shop, _) = Shop::with_deleted_customer().await;
    let before = shop.audited().len();
    let answers = join_all((0..10).map(|_| shop.buy_pro())).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!(shop.stripe.objects("customer").len(), 2);
    let made = shop.audited().into_iter().skip(before);
    let made = made.filter(|deed| *deed == "BILLING_CUSTOMER_CREATE");
    assert_eq!(made.count(), 1);
}

#[tokio::test]
async fn a_checkout_that_dies_at_any_call_is_completed_by_the_next() {
    let (reference, _) = Shop::with_deleted_customer().await;
    let before = reference.stripe.calls().len();
    reference.buy_pro().await;
    let calls = reference.stripe.calls().len() - before;
    assert!(calls >= 6, "{calls}");
    for number in 0..calls {
        for is_carried_out in [false, true] {
            let (shop, _) = Shop::with_deleted_customer().await;
            shop.stripe.kill_at(number, is_carried_out);
            tokio::select! {
                answer = shop.buy_pro() => panic!("{number}: {}", answer.body),
                () = shop.stripe.death() => {}
            }
            let again = shop.buy_pro().await;
            assert_eq!(again.status, 201, "{number}: {}", again.body);
            assert_eq!(shop.stripe.objects("customer").len(), 2, "{number}");
        }
    }
}

#[tokio::test]
async fn a_failure_that_stripe_keeps_to_blocks_no_checkout() {
    let (shop, deleted) = Shop::with_deleted_customer().await;
    let fault = StripeFault::Kept {
        is_carried_out: false,
    };
    // After the question for the old one, and the search.
    shop.stripe.fail_at(2, fault);
    assert_eq!(shop.buy_pro().await.refusal(), (503, "unavailable"));
    assert_eq!(shop.organization().await.stripe_customer_id, Some(deleted));
    assert_eq!(shop.buy_pro().await.status, 201);
    assert_eq!(shop.stripe.objects("customer").len(), 2);
}

#[tokio::test]
async fn nothing_is_shown_of_it_and_nothing_is_to_be_changed() {
    let (shop, _) = Shop::with_deleted_customer().await;
    let billing = shop.app.get("guest", "/billing").await;
    assert_eq!(billing.status, 200);
    assert_eq!(billing.body["subscriptions"], json!([]));
    assert_eq!(billing.body["invoices"], json!([]));
    assert_refused(&shop, "open a checkout").await;
    let portal = shop.portal(PAGE).await;
    assert_eq!(portal.refusal(), (409, "failed_precondition"));
    let message = portal.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("open a checkout"), "{message}");
    assert_eq!(shop.close().await.status, 204);
}

/// The key may be another account's: that must part nobody from its customer.
#[tokio::test]
async fn a_customer_that_stripe_never_had_is_not_replaced() {
    let (shop, _) = Shop::with_deleted_customer().await;
    let mut organization = shop.app.store.find_organization(&shop.org_id).await;
    let mut organization = organization.as_mut().unwrap().take().unwrap();
    organization.value.stripe_customer_id = Some("cus_elsewhere".to_owned());
    let write = shared::store::organizations::replace(&organization).unwrap();
    shop.app.store.commit(vec![write]).await.unwrap();
    assert_eq!(shop.buy_pro().await.refusal(), (500, "internal"));
    assert_eq!(
        shop.organization().await.stripe_customer_id.as_deref(),
        Some("cus_elsewhere")
    );
    assert_eq!(shop.stripe.objects("customer").len(), 1);
}
