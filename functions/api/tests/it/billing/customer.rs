//! One customer, whatever Stripe does while it is made.

use std::time::Duration;

use futures::future::join_all;
use shared::testing::StripeFault;

use super::Shop;

const KEPT: StripeFault = StripeFault::Kept {
    is_carried_out: false,
};
const DONE: StripeFault = StripeFault::Kept {
    is_carried_out: true,
};

/// Has the request for a customer fail, which comes after the search for one, and after a look into
/// the list if one has failed before.
async fn fail_to_make(shop: &Shop, fault: StripeFault) {
    let attempts = shop.organization().await.stripe_customer_attempts;
    let request = if attempts == 0 { 1 } else { 2 };
    shop.stripe.fail_at(request, fault);
    assert_eq!(shop.buy_pro().await.refusal(), (503, "unavailable"));
}

#[tokio::test]
async fn a_failure_that_stripe_keeps_to_for_a_day_blocks_no_checkout() {
    let shop = Shop::open().await;
    for _ in 0..3 {
        fail_to_make(&shop, KEPT).await;
        assert_eq!(shop.stripe.objects("customer").len(), 0);
    }
    assert_eq!(shop.buy_pro().await.status, 201);
    assert_eq!(shop.stripe.objects("customer").len(), 1);
    assert_eq!(shop.stripe.problems(), [""; 0]);
}

#[tokio::test]
async fn a_customer_that_was_made_by_what_failed_is_taken_at_once_and_later() {
    for wait_secs in [0, 59, 61, 7_200] {
        let shop = Shop::open().await;
        fail_to_make(&shop, DONE).await;
        shop.app.clock.advance(Duration::from_secs(wait_secs));
        assert_eq!(shop.buy_pro().await.status, 201, "{wait_secs}");
        let customers = shop.stripe.objects("customer");
        assert_eq!(customers.len(), 1, "{wait_secs}");
        let linked = shop.organization().await.stripe_customer_id;
        assert_eq!(linked.as_deref(), customers[0]["id"].as_str());
    }
}

#[tokio::test]
async fn all_who_come_after_a_failure_get_the_same_customer() {
    for fault in [KEPT, DONE] {
        let shop = Shop::open().await;
        fail_to_make(&shop, fault).await;
        let answers = join_all((0..10).map(|_| shop.buy_pro())).await;
        assert!(answers.iter().all(|answer| answer.status == 201));
        assert_eq!(shop.stripe.objects("customer").len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_asked_for_with_the_same_key() {
    let shop = Shop::open().await;
    shop.stripe.fail_at(1, StripeFault::Dropped);
    assert_eq!(shop.buy_pro().await.status, 201);
    assert_eq!(shop.stripe.objects("customer").len(), 1);
    assert_eq!(shop.organization().await.stripe_customer_attempts, 0);
}
