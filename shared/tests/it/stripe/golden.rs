//! Requests are those that Stripe's own library sends for the same calls.

use serde_json::Value;
use shared::{
    ids::OrgId,
    stripe::{Billing, CheckoutOrder, ItemChange, MeterEvent},
    testing::{FakeStripe, FixedClock, StripeCall},
};

const GOLDEN: &str = include_str!("../../contracts/stripe-billing-requests.json");

fn vector(call: &str) -> Value {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let mut vectors = golden["vectors"].as_array().unwrap().iter();
    let found = vectors.find(|vector| vector["call"] == call);
    found.unwrap().clone()
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect();
    pairs.sort();
    pairs
}

/// All is equal but the parameters that are named.
fn assert_golden(sent: &StripeCall, call: &str, but: &[&str]) {
    let golden = vector(call);
    let path = golden["path"].as_str().unwrap();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    assert_eq!(
        (&*sent.method, &*sent.path),
        (golden["http"].as_str().unwrap(), path)
    );
    let without = |text: &str| {
        let mut pairs = pairs(text);
        pairs.retain(|(name, _)| !but.contains(&&**name));
        pairs
    };
    assert_eq!(without(&sent.query), without(query));
    assert_eq!(
        without(&sent.body),
        without(golden["body"].as_str().unwrap())
    );
    assert_eq!(sent.version, golden["stripe_version"].as_str().unwrap());
    assert_eq!(sent.content_type, golden["content_type"].as_str().unwrap());
    assert_eq!(
        sent.authorization_scheme,
        golden["authorization_scheme"].as_str().unwrap()
    );
    assert_eq!(
        sent.idempotency_key.is_some(),
        golden["idempotency_key_sent"] == true
    );
}

async fn fake() -> FakeStripe {
    FakeStripe::start(FixedClock::at("2026-11-23T12:00:00Z").shared()).await
}

fn last(stripe: &FakeStripe) -> StripeCall {
    stripe.calls().pop().unwrap()
}

#[tokio::test]
async fn a_customer_is_made_as_by_stripes_library_without_what_may_differ_between_attempts() {
    let stripe = fake().await;
    let org_id = OrgId::parse("o1").unwrap();
    stripe.client().create_customer(&org_id, 0).await.unwrap();
    assert_golden(&last(&stripe), "customers.create", &["email", "name"]);
}

#[tokio::test]
async fn a_checkout_is_opened_as_by_stripes_library() {
    let stripe = fake().await;
    let client = stripe.client();
    let org_id = OrgId::parse("o1").unwrap();
    let meter = stripe.add_meter("llm_tokens");
    let ids = [
        stripe.add_price("pro_monthly", 4_900, None),
        stripe.add_price("tokens", 1, Some(&meter)),
    ];
    let mut prices = client
        .find_prices(&["pro_monthly", "tokens"])
        .await
        .unwrap();
    prices.sort_by_key(shared::stripe::Price::is_metered);
    let order = CheckoutOrder {
        org_id,
        customer_id: stripe.add_customer("o1"),
        prices,
        success_url: "https://app.example/billing?session_id={CHECKOUT_SESSION_ID}".to_owned(),
        cancel_url: "https://app.example/billing".to_owned(),
    };
    client.open_checkout(&order, "key-1").await.unwrap();
    let mut sent = last(&stripe);
    let ours = [&*order.customer_id, &*ids[0], &*ids[1]];
    for (ours, golden) in ours.into_iter().zip(["cus_1", "price_pro", "price_tokens"]) {
        sent.body = sent
            .body
            .replace(&format!("={ours}&"), &format!("={golden}&"));
    }
    assert_golden(&sent, "checkout.sessions.create", &[]);
    assert_eq!(sent.idempotency_key.as_deref(), Some("key-1"));
}

#[tokio::test]
async fn a_portal_is_opened_as_by_stripes_library() {
    let stripe = fake().await;
    stripe.add_portal_configuration();
    let customer = stripe.add_customer("o1");
    let portal = stripe.client();
    let portal = portal.open_portal(&customer, "https://app.example/billing", None, "key-1");
    portal.await.unwrap();
    let mut sent = last(&stripe);
    sent.body = sent.body.replace(&customer, "cus_1");
    assert_golden(&sent, "billingPortal.sessions.create", &[]);
}

#[tokio::test]
async fn usage_is_told_as_by_stripes_library_and_its_key_is_its_identifier_and_time() {
    let stripe = fake().await;
    let _ = stripe.add_meter("llm_tokens");
    let event = MeterEvent {
        event_name: "llm_tokens".to_owned(),
        customer_id: "cus_1".to_owned(),
        value: 1_250,
        identifier: "exec_1:3".to_owned(),
        at: jiff::Timestamp::from_second(1_795_427_037).unwrap(),
    };
    stripe.client().record_meter_event(&event).await.unwrap();
    let sent = last(&stripe);
    assert_golden(&sent, "billing.meterEvents.create", &[]);
    let key = sent.idempotency_key.as_deref();
    assert_eq!(key, Some("exec_1:3-1795427037"));
}

#[tokio::test]
async fn what_a_meter_has_counted_is_asked_for_as_by_stripes_library_in_one_sum() {
    let stripe = fake().await;
    let meter = stripe.add_meter("llm_tokens");
    let at = |seconds| jiff::Timestamp::from_second(seconds).unwrap();
    let (from, to) = (at(1_795_392_000), at(1_795_478_400));
    let client = stripe.client();
    client.meter_total(&meter, "cus_1", from, to).await.unwrap();
    let mut sent = last(&stripe);
    sent.path = sent.path.replace(&meter, "mtr_1");
    let but = ["value_grouping_window", "limit"];
    assert_golden(&sent, "billing.meters.listEventSummaries", &but);
}

#[tokio::test]
async fn open_pages_are_asked_for_and_closed_as_by_stripes_library() {
    let stripe = fake().await;
    let client = stripe.client();
    client.open_checkouts("cus_1").await.unwrap();
    assert_golden(&last(&stripe), "checkout.sessions.list", &[]);
    client.close_checkout("cs_1").await.unwrap_err();
    assert_golden(&last(&stripe), "checkout.sessions.expire", &[]);
}

#[tokio::test]
async fn a_plan_is_changed_as_by_stripes_library() {
    let stripe = fake().await;
    let client = stripe.client();
    let meter = stripe.add_meter("llm_tokens");
    let ids = [
        stripe.add_price("enterprise", 99_000, None),
        stripe.add_price("tokens", 1, Some(&meter)),
    ];
    let mut prices = client.find_prices(&["enterprise", "tokens"]).await.unwrap();
    prices.sort_by_key(shared::stripe::Price::is_metered);
    let mut prices = prices.into_iter();
    let mut swap = |item_id: &str| ItemChange::Swap {
        item_id: item_id.to_owned(),
        price: prices.next().unwrap(),
    };
    let changes = [
        swap("si_1"),
        swap("si_2"),
        ItemChange::Remove {
            item_id: "si_3".to_owned(),
        },
    ];
    let changed = client.change_items("sub_1", &changes, "key-1").await;
    assert!(changed.is_err(), "there is no such subscription");
    let mut sent = last(&stripe);
    for (ours, golden) in ids.iter().zip(["price_enterprise", "price_tokens"]) {
        sent.body = sent
            .body
            .replace(&format!("={ours}&"), &format!("={golden}&"));
    }
    assert_golden(&sent, "subscriptions.update", &[]);
}

#[tokio::test]
async fn a_subscription_is_ended_as_by_stripes_library() {
    let stripe = fake().await;
    let price = stripe.add_price("pro_monthly", 4_900, None);
    let id = stripe.subscribe("cus_1", &[&price]);
    let client = stripe.client();
    let subscription = client.list_subscriptions("cus_1").await.unwrap().remove(0);
    client.end_subscription(&subscription).await.unwrap();
    let mut sent = last(&stripe);
    sent.path = sent.path.replace(&id, "sub_1");
    assert_golden(&sent, "subscriptions.cancel", &[]);
    client.end_subscription(&subscription).await.unwrap();
}

#[tokio::test]
async fn new_customers_and_an_invoice_are_asked_for_as_by_stripes_library() {
    let stripe = fake().await;
    let client = stripe.client();
    let org_id = OrgId::parse("o1").unwrap();
    let now = jiff::Timestamp::from_second(1_795_427_037 + 3_600).unwrap();
    client.find_new_customer(&org_id, now).await.unwrap();
    assert_golden(&last(&stripe), "customers.list", &[]);
    client.find_invoice("in_1").await.unwrap_err();
    assert_golden(&last(&stripe), "invoices.retrieve", &[]);
}
