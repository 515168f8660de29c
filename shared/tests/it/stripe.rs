//! The platform's own account at Stripe: the client against a small server that answers with the
//! vendor's own objects, and against the fake.

mod account;
mod golden;

use std::sync::{Arc, Mutex};

use axum::{Json, Router, body::Body, extract::State, response::IntoResponse};
use http::{HeaderMap, Request, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::stripe::{Billing, Error, StripeClient, Subscription, SubscriptionStatus};
use tokio::net::TcpListener;

const OBJECTS: &str = include_str!("../contracts/stripe-billing-fixtures.json");

/// Answers in turn; keeps what was asked.
#[derive(Clone, Default)]
struct FakeApi {
    answers: Arc<Mutex<Vec<(u16, Value)>>>,
    requests: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
}

impl FakeApi {
    /// A server with these answers, and a client of it.
    async fn start(answers: Vec<(u16, Value)>) -> (Self, StripeClient) {
        let api = Self {
            answers: Arc::new(Mutex::new(answers)),
            ..Self::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(api.clone());
        #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        let key = SecretString::from("rk_test_1");
        let client = StripeClient::new(&key, &format!("http://{address}/")).unwrap();
        (api, client)
    }

    fn asked(&self) -> Vec<Asked> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(State(api): State<FakeApi>, request: Request<Body>) -> impl IntoResponse {
    let query = request.uri().query().unwrap_or_default();
    let asked = Asked {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: request.headers().clone(),
    };
    api.requests.lock().unwrap().push(asked);
    let mut answers = api.answers.lock().unwrap();
    let (status, body) = if answers.is_empty() {
        (500, json!({}))
    } else {
        answers.remove(0)
    };
    (StatusCode::from_u16(status).unwrap(), Json(body))
}

fn vendor_subscription(id: &str) -> Value {
    let mut objects: Value = serde_json::from_str(OBJECTS).unwrap();
    let mut subscription = objects["resources"]["subscription"].take();
    subscription["id"] = json!(id);
    subscription
}

fn list(has_more: bool, data: &[Value]) -> (u16, Value) {
    let page = json!({
        "object": "list",
        "url": "/v1/subscriptions",
        "has_more": has_more,
        "data": data,
    });
    (200, page)
}

fn refusal(status: u16) -> (u16, Value) {
    let error = json!({ "type": "invalid_request_error", "message": "No such customer: 'cus_1'" });
    (status, json!({ "error": error }))
}

async fn read_one(subscription: Value) -> Subscription {
    let (_, client) = FakeApi::start(vec![list(false, &[subscription])]).await;
    client.list_subscriptions("cus_1").await.unwrap().remove(0)
}

#[tokio::test]
async fn the_vendors_own_subscription_is_read() {
    let subscription = read_one(vendor_subscription("sub_1")).await;
    assert_eq!(
        (subscription.id.as_str(), subscription.status),
        ("sub_1", SubscriptionStatus::Active)
    );
    assert!(subscription.has_all_items);
    let [item] = &subscription.items[..] else {
        panic!("{:?}", subscription.items)
    };
    assert_eq!(item.price_id, "price_1PgafmB7WZ01zgkW6dKueIc5");
    assert_eq!(
        (item.product_id.as_str(), item.lookup_key.as_deref()),
        ("prod_QXg1hqf4jFNsqG", None)
    );
    assert!(!item.metered);
}

#[tokio::test]
async fn metered_items_and_lookup_keys_are_read() {
    let mut subscription = vendor_subscription("sub_1");
    let price = &mut subscription["items"]["data"][0]["price"];
    price["lookup_key"] = json!("pro_tokens");
    price["recurring"]["usage_type"] = json!("metered");
    subscription["items"]["has_more"] = json!(true);
    let subscription = read_one(subscription).await;
    assert_eq!(
        subscription.items[0].lookup_key.as_deref(),
        Some("pro_tokens")
    );
    assert!(subscription.items[0].metered && !subscription.has_all_items);
}

#[tokio::test]
async fn only_the_fields_in_use_are_needed_and_new_ones_do_no_harm() {
    let subscription = read_one(json!({
        "id": "sub_1",
        "status": "hibernating",
        "created": 1_795_427_037,
        "a_new_field": { "deep": [1] },
        "items": { "has_more": false, "data": [
            { "id": "si_1", "price": { "id": "price_1", "product": "prod_1", "recurring": null } },
        ] },
    }))
    .await;
    assert_eq!(subscription.status, SubscriptionStatus::Other);
    assert_eq!(subscription.items[0].lookup_key, None);
}

#[tokio::test]
async fn all_pages_are_read() {
    let [first, second, third] = ["sub_1", "sub_2", "sub_3"].map(vendor_subscription);
    let pages = vec![list(true, &[first, second]), list(false, &[third])];
    let (api, client) = FakeApi::start(pages).await;
    let subscriptions = client.list_subscriptions("cus_1").await.unwrap();
    let ids: Vec<_> = subscriptions
        .iter()
        .map(|subscription| subscription.id.as_str())
        .collect();
    assert_eq!(ids, ["sub_1", "sub_2", "sub_3"]);
    let asked = api.asked();
    assert_eq!(asked.len(), 2);
    assert!(
        asked[1]
            .query
            .contains(&("starting_after".to_owned(), "sub_2".to_owned()))
    );
}

#[tokio::test]
async fn an_empty_page_ends_the_reading() {
    let (api, client) = FakeApi::start(vec![list(true, &[])]).await;
    assert_eq!(client.list_subscriptions("cus_1").await.unwrap(), []);
    assert_eq!(api.asked().len(), 1);
}

#[tokio::test]
async fn subscriptions_are_asked_for_in_the_longest_pages() {
    let (api, client) = FakeApi::start(vec![list(false, &[])]).await;
    client.list_subscriptions("cus_1").await.unwrap();
    let asked = api.asked().remove(0);
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("GET", "/v1/subscriptions")
    );
    let mut query = asked.query;
    query.sort();
    let expected = [("customer", "cus_1"), ("limit", "100"), ("status", "all")];
    assert_eq!(
        query,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert!(!asked.headers.contains_key("idempotency-key"));
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for status in [409, 429, 500, 503] {
        let answers = vec![
            refusal(status),
            list(false, &[vendor_subscription("sub_1")]),
        ];
        let (api, client) = FakeApi::start(answers).await;
        let subscriptions = client.list_subscriptions("cus_1").await.unwrap();
        assert_eq!((subscriptions.len(), api.asked().len()), (1, 2), "{status}");
    }
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    for status in [400, 401, 403, 404] {
        let (api, client) = FakeApi::start(vec![refusal(status)]).await;
        let error = client.list_subscriptions("cus_1").await.unwrap_err();
        assert!(
            matches!(error, Error::Rejected { status: told } if told == status),
            "{error}"
        );
        assert_eq!(api.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_stripes_is_an_outage() {
    let (_, client) = FakeApi::start(vec![(200, json!("a proxy")); 4]).await;
    let error = client.list_subscriptions("cus_1").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let key = SecretString::from("rk_test_1");
    let client = StripeClient::new(&key, &format!("http://{address}/")).unwrap();
    let error = client.list_subscriptions("cus_1").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

#[test]
fn an_error_does_not_quote_stripe() {
    let error = Error::Rejected { status: 404 };
    assert_eq!(
        error.to_string(),
        "stripe refused the request with status 404"
    );
}

#[tokio::test]
async fn a_client_for_https_can_be_built() {
    let key = SecretString::from("rk_test_1");
    assert!(StripeClient::new(&key, "https://api.stripe.com/").is_ok());
    assert!(StripeClient::new(&SecretString::from("line\nbreak"), "https://x/").is_err());
    assert!(StripeClient::new(&key, "not a url").is_err());
}
