//! A Stripe that tells what a test has told it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use shared::stripe::{Billing, Error, MeterEvent, Subscription, SubscriptionItem};
use tokio::sync::Notify;

/// What Stripe would tell of each customer.
#[derive(Default)]
pub(crate) struct ToldStripe {
    subscriptions: Mutex<HashMap<String, Vec<Subscription>>>,
    asked: Mutex<usize>,
    failures: Mutex<Vec<Error>>,
    held: Mutex<Option<Arc<Held>>>,
    ended: Mutex<Vec<String>>,
}

/// An answer that is on its way until it is released.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) given: Notify,
    pub(crate) released: Notify,
}

impl ToldStripe {
    /// Has the customer one subscription in this status.
    pub(crate) fn set(&self, customer: &str, status: &str, lookup_key: &str) {
        let subscriptions = vec![subscription("sub_1", status, lookup_key)];
        self.set_all(customer, subscriptions);
    }

    pub(crate) fn set_all(&self, customer: &str, all: Vec<Subscription>) {
        let mut subscriptions = self.subscriptions.lock().unwrap();
        subscriptions.insert(customer.to_owned(), all);
    }

    /// How often the subscriptions were asked for.
    pub(crate) fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    /// What was to be ended, which this key may not do.
    pub(crate) fn ended(&self) -> Vec<String> {
        self.ended.lock().unwrap().clone()
    }

    /// Has the next answer take until it is released.
    pub(crate) fn hold_next(&self) -> Arc<Held> {
        let held = Arc::new(Held::default());
        *self.held.lock().unwrap() = Some(held.clone());
        held
    }

    pub(crate) fn fail_next(&self, error: Error) {
        self.failures.lock().unwrap().push(error);
    }
}

#[async_trait]
impl Billing for ToldStripe {
    async fn list_subscriptions(&self, customer_id: &str) -> Result<Vec<Subscription>, Error> {
        *self.asked.lock().unwrap() += 1;
        // Lets other tasks run, as a network call would.
        tokio::task::yield_now().await;
        if let Some(error) = self.failures.lock().unwrap().pop() {
            return Err(error);
        }
        let known = self.subscriptions.lock().unwrap().get(customer_id).cloned();
        let held = self.held.lock().unwrap().take();
        if let Some(held) = held {
            held.given.notify_one();
            held.released.notified().await;
        }
        Ok(known.unwrap_or_default())
    }

    async fn end_subscription(&self, subscription: &Subscription) -> Result<(), Error> {
        self.ended.lock().unwrap().push(subscription.id.clone());
        Err(Error::Rejected { status: 403 })
    }

    async fn record_meter_event(&self, _: &MeterEvent) -> Result<(), Error> {
        Ok(())
    }

    async fn meter_total(
        &self,
        _: &str,
        _: &str,
        _: jiff::Timestamp,
        _: jiff::Timestamp,
    ) -> Result<i64, Error> {
        Ok(0)
    }

    async fn find_meter(&self, _: &str) -> Result<Option<String>, Error> {
        Ok(None)
    }
}

pub(crate) fn subscription(id: &str, status: &str, lookup_key: &str) -> Subscription {
    let item = SubscriptionItem {
        id: format!("si_{id}"),
        price_id: format!("price_{lookup_key}"),
        lookup_key: Some(lookup_key.to_owned()),
        product_id: "prod_1".to_owned(),
        metered: false,
    };
    Subscription {
        id: id.to_owned(),
        status: status.into(),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        org_id: None,
        is_ending: false,
        is_flexible: true,
        period_began_at: None,
        has_pending_update: false,
        latest_invoice_id: None,
        items: vec![item],
        has_all_items: true,
    }
}
