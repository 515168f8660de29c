//! The HTTP side: keys, idempotency, faults, and requests and answers against the types.

use std::sync::Arc;

use ::http::{HeaderMap, Method, StatusCode, Uri};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::Value;

use super::{
    Fault, Shared, StripeCall,
    account::{Account, Answer, Call, Refusal, Remembered},
    contract::Problem,
    deletions::is_deleted,
    form, lock,
};

/// How long Stripe keeps an idempotency key
/// (<https://docs.stripe.com/api/idempotent_requests>).
const KEY_SECS: i64 = 24 * 3_600;

/// Method, path, type of the parameters, type of the answer or of what is listed, and what does it.
type Route = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    fn(&mut Account, &Call) -> Answer,
);

#[rustfmt::skip]
const ROUTES: [Route; 30] = [
    ("POST", "billing/meter_events", "MeterEventCreateParams", "MeterEvent", Account::create_meter_event),
    ("POST", "billing/meters", "MeterCreateParams", "Meter", Account::create_meter),
    ("GET", "billing/meters", "MeterListParams", "Meter", Account::list_meters),
    ("GET", "billing/meters/{id}/event_summaries", "MeterListEventSummariesParams", "MeterEventSummary", Account::summarize_meter),
    ("POST", "billing_portal/configurations", "PortalConfigurationCreateParams", "PortalConfiguration", Account::create_configuration),
    ("GET", "billing_portal/configurations", "PortalConfigurationListParams", "PortalConfiguration", Account::list_configurations),
    ("POST", "billing_portal/configurations/{id}", "PortalConfigurationUpdateParams", "PortalConfiguration", Account::update_configuration),
    ("POST", "billing_portal/sessions", "PortalSessionCreateParams", "PortalSession", Account::create_portal),
    ("POST", "checkout/sessions", "CheckoutSessionCreateParams", "CheckoutSession", Account::create_checkout),
    ("GET", "checkout/sessions", "CheckoutSessionListParams", "CheckoutSession", Account::list_checkouts),
    ("POST", "checkout/sessions/{id}/expire", "CheckoutSessionExpireParams", "CheckoutSession", Account::expire_checkout),
    ("GET", "customers", "CustomerListParams", "Customer", Account::list_customers),
    ("POST", "customers", "CustomerCreateParams", "Customer", Account::create_customer),
    ("GET", "customers/search", "CustomerSearchParams", "Customer", Account::search_customers),
    ("POST", "customers/{id}", "CustomerUpdateParams", "Customer", Account::update_customer),
    ("GET", "invoices", "InvoiceListParams", "Invoice", Account::list_invoices),
    ("GET", "invoices/{id}", "InvoiceRetrieveParams", "Invoice", Account::find_invoice),
    ("POST", "prices", "PriceCreateParams", "Price", Account::create_price),
    ("GET", "prices", "PriceListParams", "Price", Account::list_prices),
    ("POST", "prices/{id}", "PriceUpdateParams", "Price", Account::update_price),
    ("POST", "products", "ProductCreateParams", "Product", Account::create_product),
    ("GET", "products", "ProductListParams", "Product", Account::list_products),
    ("POST", "products/{id}", "ProductUpdateParams", "Product", Account::update_product),
    ("GET", "subscriptions", "SubscriptionListParams", "Subscription", Account::list_subscriptions),
    ("POST", "subscriptions/{id}", "SubscriptionUpdateParams", "Subscription", Account::update_subscription),
    ("DELETE", "subscriptions/{id}", "SubscriptionCancelParams", "Subscription", Account::cancel_subscription),
    ("POST", "webhook_endpoints", "WebhookEndpointCreateParams", "WebhookEndpoint", Account::create_endpoint),
    ("GET", "webhook_endpoints", "WebhookEndpointListParams", "WebhookEndpoint", Account::list_endpoints),
    ("POST", "webhook_endpoints/{id}", "WebhookEndpointUpdateParams", "WebhookEndpoint", Account::update_endpoint),
    ("GET", "customers/{id}", "", "Customer", Account::find_customer),
];

/// A request as it came.
struct Raw<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let raw = Raw {
        method: method.as_str(),
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: &headers,
        body: &body,
    };
    let fault = lock(&shared.account).next_fault();
    match fault {
        Some(Fault::Status(status)) => return failure(status),
        Some(Fault::Hang) => return std::future::pending().await,
        Some(Fault::Kept { is_carried_out }) => {
            shared.keep_failure(&raw, is_carried_out);
            return failure(500);
        }
        Some(Fault::Dropped) | None => {}
    }
    let death = shared.deaths.count();
    if death == Some(false) {
        return shared.deaths.strike().await;
    }
    let (status, body) = shared.handle(&raw);
    match (death, fault) {
        (Some(_), _) => shared.deaths.strike().await,
        (None, Some(Fault::Dropped)) => dropped(),
        (None, _) => (StatusCode::from_u16(status).unwrap(), Json(body)).into_response(),
    }
}

impl Shared {
    fn handle(&self, raw: &Raw<'_>) -> (u16, Value) {
        let mut account = lock(&self.account);
        account.calls.push(raw.record());
        if raw.header("authorization") != format!("Bearer {}", self.key) {
            let refusal = Refusal::invalid("Invalid API Key provided");
            return (401, refusal.body());
        }
        if raw.header("stripe-version") != crate::stripe::API_VERSION {
            let problem = format!("{} is asked for without the version", raw.path);
            account.problems.push(problem);
        }
        let Some((route, id)) = find_route(raw.method, raw.path) else {
            let problem = format!("no route for {} {}", raw.method, raw.path);
            account.problems.push(problem.clone());
            return (404, Refusal::invalid(problem).body());
        };
        let now = self.clock.now().as_second();
        let call = match account.read(route, id, raw) {
            Ok(params) => Call {
                id: id.to_owned(),
                params,
                now,
                url: self.url(),
            },
            Err(refusal) => return (refusal.status, refusal.body()),
        };
        let key = raw.header("idempotency-key");
        if raw.method != "POST" {
            return account.carry_out(route, &call);
        }
        let request = (raw.path.to_owned(), call.params.clone());
        if let Some(answer) = account.remembered(key, &request, now) {
            return answer;
        }
        let answer = account.carry_out(route, &call);
        let remembered = Remembered {
            request,
            at: now,
            answer: answer.clone(),
        };
        account.keys.insert(key.to_owned(), remembered);
        answer
    }

    /// Has the request fail, and every repeat with its key.
    fn keep_failure(&self, raw: &Raw<'_>, is_carried_out: bool) {
        if is_carried_out {
            self.handle(raw);
        }
        let mut account = lock(&self.account);
        if !is_carried_out {
            account.calls.push(raw.record());
        }
        let read = find_route(raw.method, raw.path)
            .and_then(|(route, id)| account.read(route, id, raw).ok());
        let remembered = Remembered {
            request: (raw.path.to_owned(), read.unwrap_or_default()),
            at: self.clock.now().as_second(),
            answer: (500, broken(500).body()),
        };
        let key = raw.header("idempotency-key").to_owned();
        account.keys.insert(key, remembered);
    }
}

impl Account {
    fn read(&mut self, route: &Route, id: &str, raw: &Raw<'_>) -> Result<Value, Refusal> {
        let (_, _, definition, ..) = route;
        if definition.is_empty() {
            return Ok(Value::Null);
        }
        if raw.method == "POST" && raw.header("idempotency-key").is_empty() {
            let problem = format!("{} {id} is posted without an idempotency key", raw.path);
            self.problems.push(problem);
        }
        let form = match raw.method {
            "POST" => form::decode(raw.body),
            _ => form::decode(raw.query.as_bytes()),
        };
        let refused = |problem| match problem {
            Problem::Unknown(name) => ("parameter_unknown", "Received unknown parameter", name),
            Problem::Missing(name) => ("parameter_missing", "Missing required param", name),
            Problem::Invalid(name) => ("parameter_invalid_string_empty", "Invalid param", name),
        };
        self.contract.read(definition, &form).map_err(|problem| {
            let (code, message, name) = refused(problem);
            self.problems
                .push(format!("{}: {message}: {name}", raw.path));
            Refusal::invalid(format!("{message}: {name}"))
                .code(code)
                .param(&name)
        })
    }

    /// Parameters are the same in any order.
    fn remembered(&self, key: &str, request: &(String, Value), now: i64) -> Option<(u16, Value)> {
        let known = self.keys.get(key)?;
        if key.is_empty() || known.at <= now - KEY_SECS {
            return None;
        }
        if known.request == *request {
            return Some(known.answer.clone());
        }
        let refusal = Refusal {
            kind: "idempotency_error",
            ..Refusal::invalid(
                "Keys for idempotent requests can only be used with the same parameters",
            )
        };
        Some((400, refusal.body()))
    }

    fn carry_out(&mut self, route: &Route, call: &Call) -> (u16, Value) {
        let (_, _, _, definition, perform) = route;
        let body = match perform(self, call) {
            Ok(body) => body,
            Err(refusal) => return (refusal.status, refusal.body()),
        };
        let listed = body["data"]
            .as_array()
            .filter(|_| body["object"] != "event");
        let objects = listed.map_or_else(|| vec![&body], |listed| listed.iter().collect());
        // The published type of a customer has nothing of one that was deleted.
        let checks = objects
            .iter()
            .filter(|it| !is_deleted(it))
            .flat_map(|it| self.contract.check(definition, it));
        let problems: Vec<String> = checks.collect();
        self.problems.extend(problems);
        (200, body)
    }
}

impl<'a> Raw<'a> {
    fn header(&self, name: &str) -> &'a str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    fn record(&self) -> StripeCall {
        let key = self.header("idempotency-key");
        StripeCall {
            method: self.method.to_owned(),
            path: self.path.to_owned(),
            query: self.query.to_owned(),
            body: String::from_utf8_lossy(self.body).into_owned(),
            version: self.header("stripe-version").to_owned(),
            authorization_scheme: self
                .header("authorization")
                .split(' ')
                .next()
                .unwrap()
                .to_owned(),
            content_type: self.header("content-type").to_owned(),
            idempotency_key: (!key.is_empty()).then(|| key.to_owned()),
        }
    }
}

/// The first that fits, and what its path names.
fn find_route<'a>(method: &str, path: &'a str) -> Option<(&'static Route, &'a str)> {
    let path = path.strip_prefix("/v1/")?;
    ROUTES.iter().find_map(|route| {
        let (its_method, template, ..) = route;
        let id = match template.split_once("{id}") {
            Some((before, after)) => path.strip_prefix(before)?.strip_suffix(after)?,
            None => (path == *template).then_some("")?,
        };
        (method == *its_method && !id.contains('/')).then_some((route, id))
    })
}

fn broken(status: u16) -> Refusal {
    Refusal {
        status,
        kind: "api_error",
        ..Refusal::invalid("An unknown error occurred")
    }
}

fn failure(status: u16) -> Response {
    let body = broken(status).body();
    let status = StatusCode::from_u16(status).unwrap();
    (status, Json(body)).into_response()
}

/// An answer that breaks off in its middle.
fn dropped() -> Response {
    let begun: Result<Bytes, std::io::Error> = Ok(Bytes::from_static(b"{"));
    let broken = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    Body::from_stream(stream::iter([begun, broken])).into_response()
}
