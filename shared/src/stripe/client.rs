//! Stripe's API: `async-stripe`'s requests, sent by our own client and read by our own types.

mod customers;
mod plans;
mod storefront;
mod transport;
mod wire;

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stripe_billing::{
    billing_meter_event::CreateBillingMeterEvent,
    billing_meter_event_summary::ListIdBillingMeterEventSummary,
    subscription::{ListSubscription, ListSubscriptionStatus},
};
use stripe_client_core::{RequestBuilder, StripeMethod, StripeRequest};

use self::{
    transport::Transport,
    wire::{Anything, Page, WireMeter, WireSubscription, WireSummary},
};
use super::{Billing, Error, MeterEvent, Subscription};
use crate::retry::{Policy, retry};

pub use plans::ItemChange;
pub use storefront::{CheckoutOrder, HostedPage, Invoice};
pub use transport::{API_VERSION, CallError, InvalidClient};

/// The most that Stripe gives at once (<https://docs.stripe.com/api/pagination>).
const PAGE_SIZE: i64 = 100;

/// What lists are made of.
pub trait Listed {
    /// Where the next page goes on.
    fn id(&self) -> &str;
}

/// The platform's own account at Stripe.
#[derive(Clone, Debug)]
pub struct StripeClient {
    transport: Transport,
}

impl StripeClient {
    /// A client with a secret or restricted key, for `https://api.stripe.com/` or another base
    /// URL, which ends with a slash.
    ///
    /// # Errors
    /// Returns [`InvalidClient`] when the key cannot be a header or the URL is none.
    pub fn new(api_key: &SecretString, base_url: &str) -> Result<Self, InvalidClient> {
        let transport = Transport::new(api_key, base_url)?;
        Ok(Self { transport })
    }

    /// Reads `/v1` and this path.
    ///
    /// # Errors
    /// Returns [`CallError`] when Stripe refuses or cannot be reached.
    pub async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Value,
    ) -> Result<T, CallError> {
        let request = RequestBuilder::new(StripeMethod::Get, path);
        let request = match has_fields(query) {
            true => request.query(query),
            false => request,
        };
        self.send(&request, None).await
    }

    /// Reads all pages of a list.
    ///
    /// # Errors
    /// Returns [`CallError`] when Stripe refuses or cannot be reached.
    pub async fn read_all<T: Listed + DeserializeOwned>(
        &self,
        path: &str,
        filter: &Value,
    ) -> Result<Vec<T>, CallError> {
        self.pages(|last| {
            let mut query = filter.clone();
            query["limit"] = json!(PAGE_SIZE);
            if let Some(last) = last {
                query["starting_after"] = json!(last);
            }
            RequestBuilder::new(StripeMethod::Get, path).query(&query)
        })
        .await
    }

    /// Posts a form to `/v1` and this path, which Stripe carries out once for the key
    /// (<https://docs.stripe.com/api/idempotent_requests>).
    ///
    /// # Errors
    /// Returns [`CallError`] when Stripe refuses or cannot be reached.
    pub async fn write<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &Value,
        idempotency_key: &str,
    ) -> Result<T, CallError> {
        let request = RequestBuilder::new(StripeMethod::Post, path);
        let request = match has_fields(form) {
            true => request.form(form),
            false => request,
        };
        self.send(&request, Some(idempotency_key)).await
    }

    async fn pages<T: Listed + DeserializeOwned>(
        &self,
        request: impl Fn(Option<&str>) -> RequestBuilder,
    ) -> Result<Vec<T>, CallError> {
        let mut found: Vec<T> = Vec::new();
        loop {
            let request = request(found.last().map(T::id));
            let page: Page<T> = self.send(&request, None).await?;
            let is_last = !page.has_more || page.data.is_empty();
            found.extend(page.data);
            if is_last {
                return Ok(found);
            }
        }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: &RequestBuilder,
        idempotency_key: Option<&str>,
    ) -> Result<T, CallError> {
        retry(Policy::REMOTE_CALL, async || {
            let body = self.transport.send(request, idempotency_key).await?;
            // What is not Stripe's answer comes from a proxy in between.
            serde_json::from_slice(&body).map_err(|error| CallError::Unavailable(error.into()))
        })
        .await
    }
}

/// Without any, the encoder writes one without a name.
fn has_fields(form: &Value) -> bool {
    form.as_object().is_none_or(|fields| !fields.is_empty())
}

#[async_trait]
impl Billing for StripeClient {
    async fn list_subscriptions(&self, customer_id: &str) -> Result<Vec<Subscription>, Error> {
        let request = ListSubscription::new()
            .customer(customer_id)
            .status(ListSubscriptionStatus::All)
            .limit(PAGE_SIZE);
        let found = self.pages(|last| match last {
            Some(last) => request.clone().starting_after(last).build(),
            None => request.build(),
        });
        let found: Vec<WireSubscription> = self.of_customer(customer_id, found.await).await?;
        Ok(found.into_iter().map(Subscription::from).collect())
    }

    async fn end_subscription(&self, subscription: &Subscription) -> Result<(), Error> {
        self.end(subscription).await.map_err(Error::from)
    }

    async fn record_meter_event(&self, event: &MeterEvent) -> Result<(), Error> {
        let payload = HashMap::from([
            ("stripe_customer_id".to_owned(), event.customer_id.clone()),
            ("value".to_owned(), event.value.to_string()),
        ]);
        let request = CreateBillingMeterEvent::new(&*event.event_name, payload)
            .identifier(&*event.identifier)
            .timestamp(event.at.as_second())
            .build();
        // Stripe keeps a status of 500 for a key, and refuses a key that comes with other parameters:
        // what counts at another time has another one. The identifier counts once all the same.
        let key = format!("{}-{}", event.identifier, event.at.as_second());
        let _: Anything = self.send(&request, Some(&key)).await?;
        Ok(())
    }

    async fn meter_total(
        &self,
        meter_id: &str,
        customer_id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<i64, Error> {
        let (from, to) = (from.as_second(), to.as_second());
        let request =
            ListIdBillingMeterEventSummary::new(meter_id, customer_id, to, from).limit(PAGE_SIZE);
        let found = self.pages(|last| match last {
            Some(last) => request.clone().starting_after(last).build(),
            None => request.build(),
        });
        let found: Vec<WireSummary> = found.await?;
        Ok(found.iter().map(WireSummary::total).sum())
    }

    async fn find_meter(&self, event_name: &str) -> Result<Option<String>, Error> {
        let active = json!({ "status": "active" });
        let meters: Vec<WireMeter> = self.read_all("/billing/meters", &active).await?;
        let mut meters = meters.into_iter();
        Ok(meters
            .find(|meter| meter.event_name == event_name)
            .map(|meter| meter.id))
    }
}
