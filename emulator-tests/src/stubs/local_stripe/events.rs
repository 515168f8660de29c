//! Events, as Stripe sends them (<https://docs.stripe.com/webhooks#verify-manually>).

use anyhow::{Result, bail};
use serde_json::Value;
use shared::{
    clock::{Clock, SystemClock},
    testing::stripe_signature,
};

use super::WEBHOOK_SECRET;
use crate::client::http_client;

/// Stripe goes on for days; a service on this machine answers at once or not at all.
const ATTEMPTS: usize = 3;

/// Where events go.
pub(super) struct Webhook {
    url: String,
    client: reqwest::Client,
}

impl Webhook {
    pub(super) fn new(url: String) -> Result<Self> {
        let client = http_client()?;
        Ok(Self { url, client })
    }

    pub(super) async fn deliver(&self, event: &Value) -> Result<()> {
        let body = event.to_string();
        for _ in 0..ATTEMPTS {
            let time = SystemClock.now().as_second();
            let request = self.client.post(&self.url);
            let request = request
                .header("content-type", "application/json")
                .header(
                    "stripe-signature",
                    stripe_signature(WEBHOOK_SECRET, time, body.as_bytes()),
                )
                .body(body.clone());
            if request.send().await?.status().is_success() {
                return Ok(());
            }
        }
        bail!("the webhook did not take {}", event["type"])
    }
}
