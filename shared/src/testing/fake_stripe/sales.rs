//! What customers do on Stripe's pages, and what time does.

use serde_json::{Value, json};

use super::account::{Account, Refusal};

/// How long a period of a subscription is here.
const PERIOD_SECS: i64 = 30 * 24 * 3_600;

impl Account {
    /// Pays an open checkout: a subscription, its invoice, and the events of them.
    pub(super) fn pay(&mut self, checkout_id: &str, now: i64) -> Result<Value, Refusal> {
        let session = self.find("checkout", checkout_id)?;
        if session["status"] != "open" {
            return Err(Refusal::invalid("The session is not open"));
        }
        let order = self.find("order", checkout_id)?["params"].clone();
        let customer = session["customer"].as_str().unwrap_or_default().to_owned();
        let items = order["line_items"].as_array().cloned().unwrap_or_default();
        let prices: Vec<&str> = items
            .iter()
            .filter_map(|item| item["price"].as_str())
            .collect();
        let metadata = order["subscription_data"]["metadata"].clone();
        let subscription = self.subscribe(&customer, &prices, metadata, now)?;
        let invoice = self.invoice(&subscription, now);
        let session = self.find_mut("checkout", checkout_id)?;
        session["status"] = json!("complete");
        session["payment_status"] = json!("paid");
        session["subscription"] = subscription["id"].clone();
        session["invoice"] = invoice["id"].clone();
        session["url"] = Value::Null;
        let session = session.clone();
        self.tell("checkout.session.completed", &session, now);
        self.tell("customer.subscription.created", &subscription, now);
        self.tell("invoice.paid", &invoice, now);
        Ok(session)
    }

    /// A subscription to prices, by their ids.
    pub(super) fn subscribe(
        &mut self,
        customer: &str,
        prices: &[&str],
        metadata: Value,
        now: i64,
    ) -> Result<Value, Refusal> {
        let id = self.new_id("sub");
        let mut items = Vec::new();
        for price in prices {
            let price = self.find("price", price)?;
            let quantity = (price["recurring"]["usage_type"] != "metered").then_some(1);
            let mut item = self.contract.example("subscription", Value::Null);
            let mut item = item["items"]["data"][0].take();
            item["id"] = json!(self.new_id("si"));
            item["subscription"] = json!(id);
            item["price"] = price;
            item["quantity"] = json!(quantity);
            item["current_period_start"] = json!(now);
            item["current_period_end"] = json!(now + PERIOD_SECS);
            items.push(item);
        }
        let fields = json!({
            "id": id,
            "customer": customer,
            "status": "active",
            "created": now,
            "start_date": now,
            "items": { "object": "list", "data": items, "has_more": false, "url": "/v1/subscription_items" },
            "metadata": if metadata.is_object() { metadata } else { json!({}) },
            "cancellation_details": null,
            "pending_update": null,
            "transfer_data": null,
        });
        let subscription = self.contract.example("subscription", fields);
        self.keep("subscription", &subscription);
        Ok(subscription)
    }

    /// A paid invoice of what a subscription costs now.
    pub(super) fn invoice(&mut self, subscription: &Value, now: i64) -> Value {
        let items = subscription["items"]["data"].as_array();
        let amounts = items.into_iter().flatten().filter_map(|item| {
            let is_metered = item["price"]["recurring"]["usage_type"] == "metered";
            item["price"]["unit_amount"]
                .as_i64()
                .filter(|_| !is_metered)
        });
        let total: i64 = amounts.sum();
        let id = self.new_id("in");
        let fields = json!({
            "id": id,
            "number": format!("LOCAL-{:04}", self.all("invoice").len() + 1),
            "customer": subscription["customer"],
            "status": "paid",
            "created": now,
            "currency": "usd",
            "total": total,
            "subtotal": total,
            "amount_due": total,
            "amount_paid": total,
            "amount_remaining": 0,
            "hosted_invoice_url": format!("https://invoice.stripe.com/i/{id}"),
            "invoice_pdf": format!("https://pay.stripe.com/invoice/{id}/pdf"),
        });
        let invoice = self.contract.example("invoice", fields);
        self.keep("invoice", &invoice);
        invoice
    }

    /// Has a subscription come to a status, with the event of it.
    pub(super) fn set_status(&mut self, id: &str, status: &str, now: i64) -> Result<(), Refusal> {
        let subscription = self.find_mut("subscription", id)?;
        subscription["status"] = json!(status);
        let subscription = subscription.clone();
        let kind = match status {
            "canceled" => "customer.subscription.deleted",
            _ => "customer.subscription.updated",
        };
        self.tell(kind, &subscription, now);
        Ok(())
    }
}
