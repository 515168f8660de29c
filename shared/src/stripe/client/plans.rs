//! How a subscription comes to another plan, and to its end.

use serde_json::{Value, json};
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{
    StripeClient,
    wire::{Anything, WireSubscription},
};
use crate::{
    ids::RecordId,
    stripe::{CallError, Price, Subscription},
};

/// What becomes of one item of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemChange {
    /// It gets another price.
    Swap {
        /// Stripe's id of the item.
        item_id: String,
        /// The price.
        price: Price,
    },
    /// There is one more.
    Add(Price),
    /// It goes.
    Remove {
        /// Stripe's id of the item.
        item_id: String,
    },
}

impl ItemChange {
    fn form(&self) -> Value {
        match self {
            Self::Swap { item_id, price } => {
                let mut form = price.line_item();
                form["id"] = json!(item_id);
                form
            }
            Self::Add(price) => price.line_item(),
            Self::Remove { item_id } => json!({ "id": item_id, "deleted": true }),
        }
    }
}

impl StripeClient {
    /// Changes what is subscribed to, in one call. A new period begins at once: its price is
    /// invoiced, less what was paid for the rest of the old one. When the payment fails all stays as
    /// it is, and the change waits for its invoice for 23 hours at most
    /// (<https://docs.stripe.com/billing/subscriptions/pending-updates>).
    ///
    /// # Errors
    /// Returns [`CallError`] when Stripe refuses or cannot be reached.
    pub async fn change_items(
        &self,
        subscription_id: &str,
        changes: &[ItemChange],
        idempotency_key: &str,
    ) -> Result<Subscription, CallError> {
        let form = json!({
            "billing_cycle_anchor": { "type": "now" },
            "items": changes.iter().map(ItemChange::form).collect::<Vec<_>>(),
            "payment_behavior": "pending_if_incomplete",
            "proration_behavior": "always_invoice",
        });
        let path = format!("/subscriptions/{subscription_id}");
        let changed: WireSubscription = self.write(&path, &form, idempotency_key).await?;
        Ok(changed.into())
    }

    pub(super) async fn end(&self, subscription: &Subscription) -> Result<(), CallError> {
        match self.end_with_credit(subscription).await {
            // An earlier attempt has ended it.
            Err(error) if error.has_code("resource_missing") => Ok(()),
            ended => ended,
        }
    }

    /// Its usage goes first, unbilled: the last invoice would hold what another subscription of the
    /// customer bills as well.
    async fn end_with_credit(&self, subscription: &Subscription) -> Result<(), CallError> {
        let path = format!("/subscriptions/{}", subscription.id);
        let metered = subscription.items.iter().filter(|item| item.metered);
        let gone: Vec<Value> = metered
            .map(|item| json!({ "id": item.id, "deleted": true }))
            .collect();
        if !gone.is_empty() {
            let form = json!({ "items": gone, "proration_behavior": "none" });
            let key = RecordId::generate();
            match self.write::<Anything>(&path, &form, key.as_str()).await {
                // Another attempt has taken it, and may not have come further.
                Err(error) if error.has_code("resource_missing") => {}
                taken => drop(taken?),
            }
        }
        let credit = json!({
            "cancellation_details": { "comment": "bought twice" },
            "invoice_now": true,
            "prorate": true,
        });
        let request = RequestBuilder::new(StripeMethod::Delete, &path).query(&credit);
        let _: Anything = self.send(&request, None).await?;
        Ok(())
    }
}
