//! One account at Stripe, held to the vendor's published types in both directions.

#![expect(
    clippy::unwrap_used,
    reason = "a test that names what is not there fails"
)]

mod account;
mod catalog;
mod contract;
mod customers;
mod deletions;
mod form;
mod meters;
mod sales;
mod server;
mod subscriptions;

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{deaths::Deaths, lock};
use crate::{clock::SharedClock, stripe::StripeClient};

use account::{Account, Refusal};
pub use meters::Counted;

/// The key that opens the account.
const KEY: &str = "sk_test_fake";

/// A running Stripe. Its time is the clock's.
#[derive(Clone)]
pub struct FakeStripe {
    shared: Arc<Shared>,
}

struct Shared {
    account: Mutex<Account>,
    clock: SharedClock,
    key: String,
    url: Mutex<String>,
    deaths: Deaths,
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StripeFault {
    /// It is refused with this status, and nothing is done.
    Status(u16),
    /// It is carried out, and the connection breaks before the answer is there.
    Dropped,
    /// Nothing is done, and no answer comes.
    Hang,
    /// It is answered with status 500, and so is every repeat with its idempotency key.
    Kept {
        /// Whether it was carried out all the same.
        is_carried_out: bool,
    },
}

use StripeFault as Fault;

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeCall {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, as it was encoded.
    pub query: String,
    /// The form, as it was encoded.
    pub body: String,
    /// `Stripe-Version`.
    pub version: String,
    /// `Bearer`.
    pub authorization_scheme: String,
    /// `Content-Type`.
    pub content_type: String,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
}

impl FakeStripe {
    /// An empty account, on a local port.
    ///
    /// # Panics
    /// Panics when there is no port.
    #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
    pub async fn start(clock: SharedClock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stripe = Self::new(clock, KEY);
        stripe.move_to(&format!("http://{}", listener.local_addr().unwrap()));
        let router = stripe.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        stripe
    }

    /// The same without a server, for who serves [`Self::router`].
    #[must_use]
    pub fn new(clock: SharedClock, key: &str) -> Self {
        let shared = Shared {
            account: Mutex::new(Account::new()),
            clock,
            key: key.to_owned(),
            url: Mutex::default(),
            deaths: Deaths::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Where its pages are from now on.
    pub fn move_to(&self, url: &str) {
        url.clone_into(&mut lock(&self.shared.url));
    }

    /// What answers its requests.
    pub fn router(&self) -> Router {
        server::router(Arc::clone(&self.shared))
    }

    /// Where it is, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        self.shared.url()
    }

    /// The key that opens the account.
    #[must_use]
    pub fn api_key(&self) -> SecretString {
        SecretString::from(self.shared.key.clone())
    }

    /// A client of the account.
    ///
    /// # Panics
    /// Panics when there can be no client.
    #[must_use]
    pub fn client(&self) -> StripeClient {
        StripeClient::new(&self.api_key(), &format!("{}/", self.url())).unwrap()
    }

    /// Has the next requests fail, one with each fault.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = StripeFault>) {
        self.account().faults.extend(faults);
    }

    /// Has the request of that number fail, counted from 0 and from now.
    pub fn fail_at(&self, request: usize, fault: StripeFault) {
        let mut account = self.account();
        account.at = Some((account.calls.len() + request, fault));
    }

    /// Has every request of that turn fail: each third one, for 3.
    pub fn fail_each(&self, turn: usize, fault: StripeFault) {
        self.account().each = Some((turn, fault));
    }

    /// Has the caller of the request of that number, counted from 0 and from now, get no answer;
    /// what it asks for is done all the same, or not. [`Self::death`] tells when.
    pub fn kill_at(&self, request: usize, is_carried_out: bool) {
        self.shared.deaths.plan(request, is_carried_out);
    }

    /// Ends when a caller is to die.
    pub async fn death(&self) {
        self.shared.deaths.wait().await;
    }

    /// The requests that it took, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<StripeCall> {
        self.account().calls.clone()
    }

    /// Forgets the requests that it took.
    pub fn forget_calls(&self) {
        self.account().calls.clear();
    }

    /// Requests that the types do not allow, and answers of its own that they do not.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.account().problems.clone()
    }

    /// All objects of a kind, oldest first: `customer`, `product`, `price`, `meter`, `checkout`,
    /// `portal`, `subscription`, `invoice`, `configuration`, `endpoint`.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        self.account().all(kind).to_vec()
    }

    /// Changes an object by hand, as somebody in the dashboard may.
    ///
    /// # Panics
    /// Panics when there is no such object.
    pub fn change(&self, kind: &'static str, id: &str, field: &str, value: Value) {
        let mut account = self.account();
        account.find_mut(kind, id).unwrap()[field] = value;
    }

    /// The meter events that count, oldest first.
    #[must_use]
    pub fn meter_events(&self) -> Vec<Counted> {
        self.account().counted.clone()
    }

    /// Units that count and are on no invoice: they were told after a period had begun that follows
    /// them, or there is no subscription by usage.
    #[must_use]
    pub fn lost_usage(&self) -> i64 {
        self.account().lost()
    }

    /// Has the periods of a subscription's items begin anew, as a change of plan does.
    ///
    /// # Panics
    /// Panics when there is no such subscription.
    pub fn begin_period(&self, subscription_id: &str) {
        let now = self.now();
        let mut account = self.account();
        let subscription = account.find_mut("subscription", subscription_id).unwrap();
        let items = subscription["items"]["data"].as_array_mut().unwrap();
        for item in items {
            item["current_period_start"] = json!(now);
        }
    }

    /// A meter of events with this name; its id.
    #[must_use]
    pub fn add_meter(&self, event_name: &str) -> String {
        let params = json!({
            "display_name": event_name,
            "event_name": event_name,
            "default_aggregation": { "formula": "sum" },
        });
        self.add(params, Account::create_meter)
    }

    /// A customer; its id.
    #[must_use]
    pub fn add_customer(&self, org_id: &str) -> String {
        let params = json!({ "metadata": { "orgId": org_id } });
        self.add(params, Account::create_customer)
    }

    /// A monthly price in dollars with this lookup key, of a product of its own, by usage of a meter
    /// if one is named; its id.
    #[must_use]
    pub fn add_price(&self, lookup_key: &str, cents: i64, meter: Option<&str>) -> String {
        let product = self.add(json!({ "name": lookup_key }), Account::create_product);
        let recurring = match meter {
            Some(meter) => json!({ "interval": "month", "usage_type": "metered", "meter": meter }),
            None => json!({ "interval": "month" }),
        };
        let params = json!({
            "currency": "usd",
            "lookup_key": lookup_key,
            "product": product,
            "recurring": recurring,
            "unit_amount": cents,
        });
        self.add(params, Account::create_price)
    }

    /// Sets the portal up, as somebody in the dashboard.
    pub fn add_portal_configuration(&self) {
        let id = self.add(json!({ "features": {} }), Account::create_configuration);
        self.change("configuration", &id, "is_default", json!(true));
    }

    /// Subscribes a customer to prices, by their ids; the subscription's id.
    ///
    /// # Panics
    /// Panics when there is no such price.
    #[must_use]
    pub fn subscribe(&self, customer_id: &str, prices: &[&str]) -> String {
        let now = self.now();
        let mut account = self.account();
        let made = account.subscribe(customer_id, prices, Value::Null, now);
        let subscription = made.unwrap();
        account.tell("customer.subscription.created", &subscription, now);
        subscription["id"].as_str().unwrap().to_owned()
    }

    /// Has a subscription come to a status, such as `canceled`.
    ///
    /// # Panics
    /// Panics when there is no such subscription.
    pub fn set_status(&self, subscription_id: &str, status: &str) {
        let now = self.now();
        let mut account = self.account();
        account.set_status(subscription_id, status, now).unwrap();
    }

    /// Pays an open checkout, as a customer on its page; tells whether it was open.
    #[must_use]
    pub fn pay(&self, checkout_id: &str) -> bool {
        let now = self.now();
        self.account().pay(checkout_id, now).is_ok()
    }

    /// Has every payment of a customer fail from now on, or succeed again.
    pub fn decline(&self, customer_id: &str, is_declined: bool) {
        let mut account = self.account();
        account.declined.remove(customer_id);
        if is_declined {
            account.declined.insert(customer_id.to_owned());
        }
    }

    /// Pays an open invoice on its page: what waits for it is done. Tells whether it was open.
    #[must_use]
    pub fn pay_invoice(&self, invoice_id: &str) -> bool {
        let now = self.now();
        self.account().pay_invoice(invoice_id, now).is_ok()
    }

    /// The events that webhook endpoints would have been told since it was asked last.
    #[must_use]
    pub fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut self.account().events)
    }

    fn add(
        &self,
        params: Value,
        create: fn(&mut Account, &account::Call) -> Result<Value, Refusal>,
    ) -> String {
        let call = account::Call {
            id: String::new(),
            params,
            now: self.now(),
            url: self.url(),
        };
        let object = create(&mut self.account(), &call).unwrap();
        object["id"].as_str().unwrap().to_owned()
    }

    fn now(&self) -> i64 {
        self.shared.clock.now().as_second()
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.shared.account)
    }
}

impl Shared {
    fn url(&self) -> String {
        lock(&self.url).clone()
    }
}
