//! What customers do on Stripe's pages, and what time does.

use serde_json::{Value, json};

use super::account::{Account, Answer, Refusal};

/// How long a period of a subscription is here.
pub(super) const PERIOD_SECS: i64 = 30 * 24 * 3_600;

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
        let data = order["subscription_data"].clone();
        let subscription = self.subscribe(&customer, &prices, data, now)?;
        let total = cost(&subscription["items"]["data"]);
        let invoice = self.invoice(&subscription, total, now);
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

    /// A subscription to prices, by their ids, with what a checkout has for it.
    pub(super) fn subscribe(
        &mut self,
        customer: &str,
        prices: &[&str],
        data: Value,
        now: i64,
    ) -> Result<Value, Refusal> {
        let id = self.new_id("sub");
        let items = prices
            .iter()
            .map(|price| self.item(&id, price, now))
            .collect::<Result<Vec<_>, _>>()?;
        let mode = data["billing_mode"]["type"].as_str().unwrap_or("classic");
        let fields = json!({
            "id": id,
            "customer": customer,
            "status": "active",
            "created": now,
            "start_date": now,
            "items": { "object": "list", "data": items, "has_more": false, "url": "/v1/subscription_items" },
            "metadata": data.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "billing_mode": { "flexible": null, "type": mode },
            "cancel_at": null,
            "cancel_at_period_end": false,
            "canceled_at": null,
            "ended_at": null,
            "latest_invoice": null,
            "cancellation_details": null,
            "pending_update": null,
            "transfer_data": null,
        });
        let subscription = self.contract.example("subscription", fields);
        self.keep("subscription", &subscription);
        Ok(subscription)
    }

    /// An item of a subscription, whose period begins now.
    pub(super) fn item(&mut self, subscription: &str, price: &str, now: i64) -> Answer {
        let price = self.find("price", price)?;
        let quantity = (!is_metered(&price)).then_some(1);
        let mut item = self.contract.example("subscription", Value::Null);
        let mut item = item["items"]["data"][0].take();
        item["id"] = json!(self.new_id("si"));
        item["subscription"] = json!(subscription);
        item["price"] = price;
        item["quantity"] = json!(quantity);
        item["current_period_start"] = json!(now);
        item["current_period_end"] = json!(now + PERIOD_SECS);
        Ok(item)
    }

    /// A paid invoice for a subscription.
    pub(super) fn invoice(&mut self, subscription: &Value, total: i64, now: i64) -> Value {
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

/// Whether a price goes by usage.
pub(super) fn is_metered(price: &Value) -> bool {
    price["recurring"]["usage_type"] == "metered"
}

/// What items cost for a period, without their usage.
pub(super) fn cost(items: &Value) -> i64 {
    let items = items.as_array().into_iter().flatten();
    let flat = items.filter(|item| !is_metered(&item["price"]));
    flat.filter_map(|item| item["price"]["unit_amount"].as_i64())
        .sum()
}
