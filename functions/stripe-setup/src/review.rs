//! The account beside what is needed.

use serde_json::json;
use shared::stripe::{API_VERSION, WEBHOOK_EVENTS};

use crate::{
    change::{Change, Row, Verdict},
    desired::{Desired, ProductSpec},
    live::{Account, Endpoint, Meter},
    portal, prices,
};

/// Everything that is needed, in the order in which it can be made.
pub(crate) fn review(desired: &Desired, account: &Account) -> Vec<Row> {
    let mut rows = vec![meter(desired, account)];
    let products = desired.products();
    rows.extend(products.iter().map(|spec| product(spec, account)));
    rows.extend(prices::review(desired, account));
    rows.push(portal::review(account));
    if let Some(url) = &desired.webhook_url {
        rows.extend(webhook(url, account));
    }
    rows
}

/// A meter cannot be changed but for its name.
fn meter(desired: &Desired, account: &Account) -> Row {
    let wanted = &desired.catalog.meter;
    let name = format!("meter {}", wanted.event_name);
    let needed = "sum of value by stripe_customer_id".to_owned();
    let Some(found) = account.meter(&wanted.event_name) else {
        let form = json!({
            "display_name": wanted.name,
            "event_name": wanted.event_name,
            "default_aggregation": { "formula": "sum" },
            "customer_mapping": { "type": "by_id", "event_payload_key": "stripe_customer_id" },
            "value_settings": { "event_payload_key": "value" },
        });
        return Row::missing(name, needed, Change::new("/billing/meters", form));
    };
    let ask = Verdict::Ask("give it another event name in the prices, and move every subscription");
    Row::compared(name, needed, describe_meter(found), ask)
}

fn describe_meter(meter: &Meter) -> String {
    let formula = &meter.default_aggregation.formula;
    let value = &meter.value_settings.event_payload_key;
    let customer = &meter.customer_mapping.event_payload_key;
    format!("{formula} of {value} by {customer}")
}

fn product(spec: &ProductSpec, account: &Account) -> Row {
    let name = format!("product {}", spec.id);
    let mut products = account.products.iter();
    let Some(found) = products.find(|product| product.id == spec.id) else {
        let form = json!({ "id": spec.id, "name": spec.name });
        return Row::missing(name, spec.name.clone(), Change::new("/products", form));
    };
    let form = json!({ "name": spec.name, "active": true });
    let mend = Verdict::Mend(Change::new(format!("/products/{}", spec.id), form));
    let is = match found.active {
        true => found.name.clone(),
        false => format!("{}, archived", found.name),
    };
    Row::compared(name, spec.name.clone(), is, mend)
}

/// The version is told when an endpoint is made, and never again.
fn webhook(url: &str, account: &Account) -> Vec<Row> {
    let name = |what: &str| format!("webhook {what}");
    let mut events = WEBHOOK_EVENTS.to_vec();
    events.sort_unstable();
    let mut endpoints = account.endpoints.iter();
    let Some(found) = endpoints.find(|endpoint| endpoint.url == url) else {
        let form = json!({
            "url": url,
            "enabled_events": events,
            "api_version": API_VERSION,
        });
        let change = Change::new("/webhook_endpoints", form);
        return vec![Row::missing(name("url"), url.to_owned(), change)];
    };
    let mend = |form| {
        let path = format!("/webhook_endpoints/{}", found.id);
        Verdict::Mend(Change::new(path, form))
    };
    let version = found.api_version.as_deref().unwrap_or("the account's");
    vec![
        Row::compared(
            name("url"),
            url.to_owned(),
            found.url.clone(),
            Verdict::Right,
        ),
        Row::compared(
            name("status"),
            "enabled".to_owned(),
            found.status.clone(),
            mend(json!({ "disabled": false })),
        ),
        Row::compared(
            name("events"),
            events.join(" "),
            sorted_events(found),
            mend(json!({ "enabled_events": events })),
        ),
        Row::compared(
            name("version"),
            API_VERSION.to_owned(),
            version.to_owned(),
            Verdict::Ask("delete it, apply again, and set its new secret"),
        ),
    ]
}

fn sorted_events(endpoint: &Endpoint) -> String {
    let mut events: Vec<&str> = endpoint.enabled_events.iter().map(String::as_str).collect();
    events.sort_unstable();
    events.join(" ")
}
