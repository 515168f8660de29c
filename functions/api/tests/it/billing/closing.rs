//! An organization that may be charged is not left by its last member.

use serde_json::json;
use shared::{
    auth::Claims,
    clock::Clock as _,
    ids::Uid,
    testing::{StripeFault, claims},
};

use super::Shop;
use crate::app::Answer;

impl Shop {
    /// The only member deletes its account, just signed in.
    pub(super) async fn close(&self) -> Answer {
        let claims = Claims {
            auth_time: self.app.clock.now().into(),
            ..claims(&Uid::parse("guest").unwrap())
        };
        self.app.verifier.accept("fresh", claims);
        self.app.delete("fresh", "/me").await
    }
}

#[tokio::test]
async fn what_is_paid_and_not_applied_yet_is_not_left_behind() {
    for (status, expected) in [
        ("active", 400),
        ("trialing", 400),
        ("incomplete", 400),
        ("past_due", 400),
        ("canceled", 204),
        ("incomplete_expired", 204),
    ] {
        let shop = Shop::open().await;
        let subscription = shop.subscribe().await;
        shop.stripe.set_status(&subscription, status);
        let answer = shop.close().await;
        assert_eq!(answer.status, expected, "{status}: {}", answer.body);
        if expected == 400 {
            let message = answer.body["error"]["message"].as_str().unwrap();
            assert!(message.contains("subscription"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_page_of_a_closed_organization_cannot_be_paid() {
    let shop = Shop::open().await;
    let page = shop.buy_pro().await;
    assert_eq!(shop.close().await.status, 204);
    assert!(!shop.stripe.pay(page.id()));
}

#[tokio::test]
async fn while_a_page_is_being_paid_its_organization_stays() {
    let shop = Shop::open().await;
    let page = shop.buy_pro().await;
    shop.stripe
        .change("checkout", page.id(), "payment_status", json!("paid"));
    assert_eq!(shop.close().await.status, 400);
}

#[tokio::test]
async fn while_stripe_is_down_nobody_leaves_what_may_be_paid() {
    let shop = Shop::open().await;
    shop.buy_pro().await;
    shop.stripe.fail_next([StripeFault::Status(503); 4]);
    assert_eq!(shop.close().await.refusal(), (503, "unavailable"));
    assert_eq!(shop.close().await.status, 204);
}

#[tokio::test]
async fn where_nothing_was_ever_bought_stripe_is_not_asked() {
    let shop = Shop::open().await;
    assert_eq!(shop.close().await.status, 204);
    assert_eq!(shop.stripe.calls(), []);
}
