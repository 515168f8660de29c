//! The client against the fake, and what the fake refuses.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    clock::Clock,
    ids::OrgId,
    stripe::{Billing, CallError, CheckoutOrder, Error, MeterEvent, StripeClient},
    testing::{FakeStripe, FixedClock, StripeFault},
};

struct Stripe {
    fake: FakeStripe,
    client: StripeClient,
    clock: FixedClock,
}

impl Stripe {
    async fn start() -> Self {
        let clock = FixedClock::at("2026-11-23T12:00:00Z");
        let fake = FakeStripe::start(clock.shared()).await;
        let client = fake.client();
        Self {
            fake,
            client,
            clock,
        }
    }

    fn usage(&self, identifier: &str, value: i64) -> MeterEvent {
        MeterEvent {
            event_name: "tokens".to_owned(),
            customer_id: "cus_1".to_owned(),
            value,
            identifier: identifier.to_owned(),
            at: self.clock.now(),
        }
    }

    async fn total(&self, meter: &str) -> i64 {
        let from = "2026-11-01T00:00:00Z".parse().unwrap();
        let to = "2027-02-01T00:00:00Z".parse().unwrap();
        let total = self.client.meter_total(meter, "cus_1", from, to);
        total.await.unwrap()
    }

    async fn refusal(&self, path: &str, form: &Value) -> String {
        let key = format!("key-{}", self.fake.calls().len());
        let answer = self.client.write::<Value>(path, form, &key).await;
        let code = match answer.unwrap_err() {
            CallError::Refused { code, .. } => code,
            CallError::Unavailable(_) | CallError::Failed => None,
        };
        code.unwrap()
    }
}

fn org() -> OrgId {
    OrgId::parse("o1").unwrap()
}

#[tokio::test]
async fn everything_that_is_said_keeps_to_stripes_published_types() {
    let Stripe {
        fake,
        client,
        clock,
    } = Stripe::start().await;
    fake.add_portal_configuration();
    let meter = fake.add_meter("tokens");
    let _ = fake.add_price("pro_monthly", 4_900, None);
    let _ = fake.add_price("pro_tokens", 1, Some(&meter));
    let customer = client.create_customer(&org(), 0).await.unwrap();
    let described = client.describe_customer(&customer, "Ada & Co", "ada@example.com");
    described.await.unwrap();
    let keys = ["pro_monthly", "pro_tokens"];
    let order = CheckoutOrder {
        org_id: org(),
        customer_id: customer.clone(),
        prices: client.find_prices(&keys).await.unwrap(),
        success_url: "https://app.example/".to_owned(),
        cancel_url: "https://app.example/".to_owned(),
    };
    assert_eq!(order.prices.len(), 2);
    let page = client.open_checkout(&order, "checkout-1").await.unwrap();
    assert!(fake.pay(&page.id) && !fake.pay(&page.id));
    let portal = client.open_portal(&customer, "https://app.example/", None, "portal-1");
    assert!(portal.await.unwrap().url.starts_with(&fake.url()));
    let subscriptions = client.list_subscriptions(&customer).await.unwrap();
    let items = &subscriptions[0].items;
    let metered: Vec<_> = items.iter().map(|item| item.metered).collect();
    assert!(metered.contains(&true) && metered.contains(&false));
    let invoices = client.list_invoices(&customer, 10).await.unwrap();
    assert_eq!((invoices.len(), invoices[0].total), (1, 4_900));
    assert_eq!(client.find_meter("tokens").await.unwrap(), Some(meter));
    assert_eq!(client.find_meter("other").await.unwrap(), None);
    clock.advance(Duration::from_secs(60));
    let found = client.find_customer(&org()).await.unwrap();
    assert_eq!(found, Some(customer));
    let kinds: Vec<_> = fake.take_events();
    let kinds: Vec<_> = kinds.iter().map(|event| event["type"].clone()).collect();
    let expected = [
        "checkout.session.completed",
        "customer.subscription.created",
        "invoice.paid",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(fake.problems(), [""; 0]);
}

#[tokio::test]
async fn a_customer_is_one_within_a_day_whoever_asks() {
    let stripe = Stripe::start().await;
    stripe.fake.fail_next([StripeFault::Dropped]);
    let first = stripe.client.create_customer(&org(), 0).await.unwrap();
    let second = stripe.client.create_customer(&org(), 0).await.unwrap();
    assert_eq!(
        (&first, stripe.fake.objects("customer").len()),
        (&second, 1)
    );
    stripe.clock.advance(Duration::from_secs(24 * 3_600));
    stripe.client.create_customer(&org(), 0).await.unwrap();
    assert_eq!(stripe.fake.objects("customer").len(), 2);
}

#[tokio::test]
async fn a_failure_is_kept_to_for_a_day_under_its_key_and_no_other() {
    let stripe = Stripe::start().await;
    let (client, org) = (&stripe.client, &org());
    stripe.fake.fail_next([StripeFault::Kept {
        is_carried_out: false,
    }]);
    for _ in 0..2 {
        let error = client.create_customer(org, 0).await.unwrap_err();
        assert!(matches!(error, CallError::Failed), "{error}");
    }
    assert_eq!(stripe.fake.objects("customer").len(), 0);
    client.create_customer(org, 1).await.unwrap();
    stripe.clock.advance(Duration::from_secs(24 * 3_600));
    client.create_customer(org, 0).await.unwrap();
    assert_eq!(stripe.fake.objects("customer").len(), 2);
}

#[tokio::test]
async fn a_new_customer_is_found_in_the_list_before_the_search_knows_it() {
    let stripe = Stripe::start().await;
    let (client, org) = (&stripe.client, &org());
    let _ = stripe.fake.add_customer("o2");
    let made = client.create_customer(org, 0).await.unwrap();
    let find_new = async || client.find_new_customer(org, stripe.clock.now()).await;
    assert_eq!(client.find_customer(org).await.unwrap(), None);
    assert_eq!(find_new().await.unwrap(), Some(made.clone()));
    stripe.clock.advance(Duration::from_secs(3_601));
    assert_eq!(find_new().await.unwrap(), None);
    assert_eq!(client.find_customer(org).await.unwrap(), Some(made));
}

#[tokio::test]
async fn a_key_that_comes_with_other_parameters_is_refused() {
    let Stripe { client, .. } = Stripe::start().await;
    let form = |name: &str| json!({ "name": name });
    let write = async |name: &str| client.write::<Value>("/customers", &form(name), "k").await;
    write("a").await.unwrap();
    write("a").await.unwrap();
    let error = write("b").await.unwrap_err();
    assert!(error.has_code("idempotency_error"), "{error}");
}

#[tokio::test]
async fn usage_counts_once_for_its_identifier_within_a_day() {
    let stripe = Stripe::start().await;
    let meter = stripe.fake.add_meter("tokens");
    let event = stripe.usage("e1", 40);
    stripe
        .fake
        .fail_next([StripeFault::Dropped, StripeFault::Status(500)]);
    for _ in 0..2 {
        stripe.client.record_meter_event(&event).await.unwrap();
    }
    let other = stripe.usage("e2", 2);
    stripe.client.record_meter_event(&other).await.unwrap();
    assert_eq!(stripe.total(&meter).await, 42);
    stripe.clock.advance(Duration::from_secs(24 * 3_600));
    stripe.client.record_meter_event(&event).await.unwrap();
    assert_eq!(stripe.total(&meter).await, 82);
}

#[tokio::test]
async fn usage_of_another_time_or_another_meter_is_refused() {
    let stripe = Stripe::start().await;
    let _ = stripe.fake.add_meter("tokens");
    let days = |days: i64| stripe.clock.now() + jiff::SignedDuration::from_hours(24 * days);
    let late = MeterEvent {
        at: days(-36),
        ..stripe.usage("late", 1)
    };
    let early = MeterEvent {
        at: days(1),
        ..stripe.usage("early", 1)
    };
    let unknown = MeterEvent {
        event_name: "x".to_owned(),
        ..stripe.usage("x", 1)
    };
    for event in [late, early, unknown] {
        let error = stripe.client.record_meter_event(&event).await.unwrap_err();
        assert!(matches!(error, Error::Rejected { status: 400 }), "{error}");
    }
    let last = MeterEvent {
        at: days(-35),
        ..stripe.usage("last", 1)
    };
    stripe.client.record_meter_event(&last).await.unwrap();
}

#[tokio::test]
async fn minutes_are_whole() {
    let stripe = Stripe::start().await;
    let meter = stripe.fake.add_meter("tokens");
    let (from, to) = (
        stripe.clock.now(),
        stripe.clock.now() + jiff::SignedDuration::from_secs(61),
    );
    let total = stripe.client.meter_total(&meter, "cus_1", from, to).await;
    assert!(
        matches!(total, Err(Error::Rejected { status: 400 })),
        "{total:?}"
    );
}

#[tokio::test]
async fn the_fake_refuses_what_the_types_do_not_allow() {
    let stripe = Stripe::start().await;
    let product = json!({ "name": "Pro", "nome": "Pro" });
    assert_eq!(
        stripe.refusal("/products", &product).await,
        "parameter_unknown"
    );
    assert_eq!(
        stripe.refusal("/products", &json!({})).await,
        "parameter_missing"
    );
    let price = json!({ "currency": "usd", "recurring": { "interval": "monthly" } });
    assert_eq!(
        stripe.refusal("/prices", &price).await,
        "parameter_invalid_string_empty"
    );
    let nested = json!({ "currency": "usd", "recurring": { "interval": "month", "x": 1 } });
    assert_eq!(
        stripe.refusal("/prices", &nested).await,
        "parameter_unknown"
    );
    assert_eq!(
        stripe.refusal("/nowhere", &json!({})).await,
        "invalid_request_error"
    );
    assert_eq!(stripe.fake.problems().len(), 5);
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let Stripe { fake, .. } = Stripe::start().await;
    let key = secrecy::SecretString::from("sk_test_other");
    let client = StripeClient::new(&key, &format!("{}/", fake.url())).unwrap();
    let error = client.list_subscriptions("cus_1").await.unwrap_err();
    assert!(matches!(error, Error::Rejected { status: 401 }), "{error}");
}

#[tokio::test]
async fn a_metered_price_takes_no_quantity_and_any_other_needs_one() {
    let stripe = Stripe::start().await;
    let meter = stripe.fake.add_meter("tokens");
    let metered = stripe.fake.add_price("pro_tokens", 1, Some(&meter));
    let licensed = stripe.fake.add_price("pro_monthly", 4_900, None);
    let customer = stripe.fake.add_customer("o1");
    let order = |item: Value| {
        json!({
            "mode": "subscription",
            "customer": customer,
            "success_url": "https://app.example/",
            "line_items": [item],
        })
    };
    for item in [
        json!({ "price": metered, "quantity": 1 }),
        json!({ "price": licensed }),
    ] {
        let refusal = stripe.refusal("/checkout/sessions", &order(item)).await;
        assert_eq!(refusal, "invalid_request_error");
    }
}
