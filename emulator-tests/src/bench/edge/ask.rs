//! What is asked: events as Stripe sends them, and who a caller is.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context, Result};
use reqwest::{Client, RequestBuilder, StatusCode, header::CONTENT_TYPE};
use serde_json::json;
use shared::{
    clock::{Clock, SystemClock},
    testing::stripe_signature,
};

use crate::bench::load::Ask;

/// Signs all events.
pub(super) const SECRET: &str = "whsec_bench";

/// Clients that ask in turn, each from an address of its own.
const CLIENTS: u64 = 10_000;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A new event of a subscription, which is to be kept and handed in to a queue.
    Event,
    /// One whose signature is wrong.
    Forged,
    /// Who the caller is.
    Me,
}

/// Somebody who answers.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) url: String,
    pub(super) token: String,
    pub(super) asked: Asked,
    pub(super) count: Arc<AtomicU64>,
}

impl Ask for Target {
    fn request(&self) -> RequestBuilder {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        match self.asked {
            Asked::Me => {
                let request = self.client.get(format!("{}/api/v1/me", self.url));
                request.bearer_auth(&self.token)
            }
            Asked::Event => self.event(number, SECRET),
            Asked::Forged => self.event(number, "whsec_other"),
        }
        .header("X-Forwarded-For", address(number % CLIENTS))
    }

    fn status(&self) -> StatusCode {
        match self.asked {
            Asked::Forged => StatusCode::BAD_REQUEST,
            Asked::Event | Asked::Me => StatusCode::OK,
        }
    }
}

impl Target {
    fn event(&self, number: u64, secret: &str) -> RequestBuilder {
        let now = SystemClock.now().as_second();
        let body = event(number, now);
        let signature = stripe_signature(secret, now, body.as_bytes());
        self.client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header("Stripe-Signature", signature)
            .body(body)
    }
}

/// An event as in Stripe's documentation, shortened
/// (<https://docs.stripe.com/api/events/object>).
fn event(number: u64, now: i64) -> String {
    let price = json!({
        "id": "price_pro", "object": "price", "lookup_key": "pro_monthly", "product": "prod_pro",
        "active": true, "currency": "usd", "unit_amount": 4900, "type": "recurring",
        "recurring": { "interval": "month", "interval_count": 1, "usage_type": "licensed" },
    });
    let item = json!({
        "id": "si_1", "object": "subscription_item", "price": price, "quantity": 1,
        "subscription": "sub_1", "current_period_start": now, "current_period_end": now + 2_592_000,
    });
    let subscription = json!({
        "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active",
        "cancel_at_period_end": false, "collection_method": "charge_automatically",
        "created": now, "currency": "usd", "livemode": false, "metadata": {},
        "items": { "object": "list", "data": [item], "has_more": false, "url": "/v1/subscription_items" },
    });
    json!({
        "id": format!("evt_{number}"), "object": "event", "api_version": "2026-10-28.endive",
        "created": now, "livemode": false, "pending_webhooks": 1,
        "type": "customer.subscription.updated",
        "data": { "object": subscription, "previous_attributes": { "status": "trialing" } },
    })
    .to_string()
}

/// An address that nobody else has, as a proxy adds it.
fn address(client: u64) -> String {
    format!("10.0.{}.{}", client / 250, client % 250 + 1)
}

/// Whether an answer tells who the caller is.
pub(super) async fn is_me(target: &Target, uid: &str) -> Result<bool> {
    let answer = target.request().send().await?.error_for_status()?;
    let told: serde_json::Value = serde_json::from_str(&answer.text().await?)?;
    let told = told["uid"].as_str().context("no uid")?;
    Ok(told == uid)
}
