//! What an account at Stripe holds.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::stripe::{CallError, Listed, StripeClient};

/// What is looked at.
pub(crate) struct Account {
    pub(crate) meters: Vec<Meter>,
    pub(crate) products: Vec<Product>,
    /// Active ones only.
    pub(crate) prices: Vec<Price>,
    pub(crate) portals: Vec<Portal>,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// <https://docs.stripe.com/api/billing/meter/object>.
#[derive(Deserialize)]
pub(crate) struct Meter {
    pub(crate) id: String,
    pub(crate) event_name: String,
    pub(crate) default_aggregation: Aggregation,
    pub(crate) customer_mapping: PayloadKey,
    pub(crate) value_settings: PayloadKey,
}

#[derive(Deserialize)]
pub(crate) struct Aggregation {
    pub(crate) formula: String,
}

#[derive(Deserialize)]
pub(crate) struct PayloadKey {
    pub(crate) event_payload_key: String,
}

/// <https://docs.stripe.com/api/products/object>.
#[derive(Deserialize)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) active: bool,
}

/// <https://docs.stripe.com/api/prices/object>.
#[derive(Deserialize)]
pub(crate) struct Price {
    pub(crate) id: String,
    pub(crate) lookup_key: Option<String>,
    pub(crate) currency: String,
    pub(crate) product: String,
    pub(crate) unit_amount_decimal: Option<String>,
    pub(crate) recurring: Option<Recurring>,
    #[serde(default)]
    pub(crate) metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
pub(crate) struct Recurring {
    pub(crate) interval: String,
    pub(crate) interval_count: u32,
    pub(crate) usage_type: String,
    pub(crate) meter: Option<String>,
}

/// <https://docs.stripe.com/api/customer_portal/configurations/object>.
#[derive(Deserialize)]
pub(crate) struct Portal {
    pub(crate) id: String,
    pub(crate) features: Value,
    #[serde(default)]
    pub(crate) metadata: HashMap<String, String>,
}

/// <https://docs.stripe.com/api/webhook_endpoints/object>.
#[derive(Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) status: String,
    pub(crate) enabled_events: Vec<String>,
    pub(crate) api_version: Option<String>,
}

impl Account {
    pub(crate) async fn load(stripe: &StripeClient) -> Result<Self, CallError> {
        let active = json!({ "active": true });
        let meters = json!({ "status": "active" });
        let configurations = "/billing_portal/configurations";
        Ok(Self {
            meters: stripe.read_all("/billing/meters", &meters).await?,
            products: stripe.read_all("/products", &json!({})).await?,
            prices: stripe.read_all("/prices", &active).await?,
            portals: stripe.read_all(configurations, &active).await?,
            endpoints: stripe.read_all("/webhook_endpoints", &json!({})).await?,
        })
    }

    pub(crate) fn meter(&self, event_name: &str) -> Option<&Meter> {
        self.meters
            .iter()
            .find(|meter| meter.event_name == event_name)
    }
}

impl Listed for Meter {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for Product {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for Price {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for Portal {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for Endpoint {
    fn id(&self) -> &str {
        &self.id
    }
}
