//! Subscriptions: what they are changed to, and their end.

use serde_json::{Value, json};

use super::{
    account::{Account, Answer, Call, Refusal, has},
    sales::{PERIOD_SECS, cost, is_metered},
};

/// What a change that may wait for its payment can hold
/// (<https://docs.stripe.com/billing/subscriptions/pending-updates-reference>).
const PENDING: [&str; 5] = [
    "billing_cycle_anchor",
    "items",
    "payment_behavior",
    "proration_behavior",
    "metadata",
];

/// How long it waits.
const PENDING_SECS: i64 = 23 * 3_600;

impl Account {
    pub(super) fn list_subscriptions(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        self.refuse_deleted(params)?;
        self.list("subscription", call, |subscription| {
            let status = &subscription["status"];
            let is_asked = match params["status"].as_str() {
                Some("all") => true,
                Some(asked) => status == asked,
                None => status != "canceled",
            };
            is_asked && has(subscription, params, "customer")
        })
    }

    /// Knows changes of items, with or without an invoice at once.
    pub(super) fn update_subscription(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let subscription = self.find_standing(&call.id)?;
        let items = self.changed_items(&subscription, &params["items"], call.now)?;
        let is_invoiced = params["proration_behavior"] == "always_invoice";
        if !is_invoiced {
            return self.set_items(&call.id, &items, None, call.now);
        }
        if params["payment_behavior"] != "pending_if_incomplete" {
            return Err(Refusal::invalid("This fake knows changes that wait only"));
        }
        let mut names = params.as_object().into_iter().flat_map(|it| it.keys());
        if let Some(name) = names.find(|name| !PENDING.contains(&name.as_str())) {
            let refusal = Refusal::invalid("A pending update cannot hold this");
            return Err(refusal.param(name));
        }
        let total = cost(&items) - unused(&subscription, call.now);
        let customer = subscription["customer"].as_str().unwrap_or_default();
        let is_declined = total > 0 && self.declined.contains(customer);
        let invoice = self.invoice(&subscription, total, call.now);
        let invoice_id = invoice["id"].as_str().unwrap_or_default();
        if !is_declined {
            let changed = self.set_items(&call.id, &items, Some(invoice_id), call.now);
            self.tell("invoice.paid", &invoice, call.now);
            return changed;
        }
        self.find_mut("invoice", invoice_id)?["status"] = json!("open");
        let waiting = self.find_mut("subscription", &call.id)?;
        waiting["latest_invoice"] = json!(invoice_id);
        waiting["pending_update"] = json!({
            "billing_cycle_anchor": null,
            "cancel_at_period_end": null,
            "discount": null,
            "discounts": null,
            "expires_at": call.now + PENDING_SECS,
            "metadata": null,
            "subscription_items": items,
            "trial_end": null,
            "trial_from_plan": null,
        });
        let waiting = waiting.clone();
        self.tell("customer.subscription.updated", &waiting, call.now);
        Ok(waiting)
    }

    /// What waits for the invoice is done.
    pub(super) fn pay_invoice(&mut self, id: &str, now: i64) -> Answer {
        let invoice = self.find_mut("invoice", id)?;
        if invoice["status"] != "open" {
            return Err(Refusal::invalid("The invoice is not open"));
        }
        invoice["status"] = json!("paid");
        let invoice = invoice.clone();
        let mut subscriptions = self.all("subscription").iter();
        let waiting = subscriptions.find(|it| it["latest_invoice"] == id);
        let waiting = waiting.cloned().unwrap_or_default();
        let items = &waiting["pending_update"]["subscription_items"];
        if items.is_array() {
            let subscription_id = waiting["id"].as_str().unwrap_or_default();
            self.set_items(subscription_id, items, Some(id), now)?;
        }
        self.tell("invoice.paid", &invoice, now);
        Ok(invoice)
    }

    /// What was paid for the rest of the period is a last invoice below zero.
    pub(super) fn cancel_subscription(&mut self, call: &Call) -> Answer {
        let subscription = self.find_standing(&call.id)?;
        if call.params["prorate"] == true && call.params["invoice_now"] == true {
            let total = -unused(&subscription, call.now);
            self.invoice(&subscription, total, call.now);
        }
        let canceled = self.find_mut("subscription", &call.id)?;
        canceled["canceled_at"] = json!(call.now);
        canceled["ended_at"] = json!(call.now);
        self.set_status(&call.id, "canceled", call.now)?;
        self.find("subscription", &call.id)
    }

    /// One that has ended is not found for a change.
    fn find_standing(&self, id: &str) -> Answer {
        let subscription = self.find("subscription", id)?;
        match subscription["status"] == "canceled" {
            false => Ok(subscription),
            true => Err(Refusal {
                status: 404,
                ..Refusal::missing("subscription", id)
            }),
        }
    }

    fn set_items(&mut self, id: &str, items: &Value, invoice: Option<&str>, now: i64) -> Answer {
        let subscription = self.find_mut("subscription", id)?;
        subscription["items"]["data"] = items.clone();
        subscription["pending_update"] = Value::Null;
        if let Some(invoice) = invoice {
            subscription["latest_invoice"] = json!(invoice);
        }
        let subscription = subscription.clone();
        self.tell("customer.subscription.updated", &subscription, now);
        Ok(subscription)
    }

    /// The items as they are to be.
    fn changed_items(&mut self, subscription: &Value, asked: &Value, now: i64) -> Answer {
        let id = subscription["id"].as_str().unwrap_or_default();
        let items = subscription["items"]["data"].as_array();
        let mut items = items.cloned().unwrap_or_default();
        for change in asked.as_array().into_iter().flatten() {
            let known = change["id"].as_str();
            let place = items.iter().position(|item| item["id"] == change["id"]);
            let new = match (known, place) {
                (Some(known), None) => {
                    return Err(Refusal::missing("subscription_item", known).param("items"));
                }
                (Some(_), Some(place)) => Some(items.remove(place)),
                (None, _) => None,
            };
            if change["deleted"] == true {
                continue;
            }
            self.check_item(change)?;
            let price = change["price"].as_str().unwrap_or_default();
            let mut item = self.item(id, price, now)?;
            if let Some(old) = new {
                item["id"] = old["id"].clone();
            }
            items.push(item);
        }
        let is_flexible = subscription["billing_mode"]["type"] == "flexible";
        let intervals = items.iter().map(|it| &it["price"]["recurring"]["interval"]);
        let mut intervals: Vec<_> = intervals.collect();
        intervals.dedup();
        match intervals.len() {
            0 => Err(Refusal::invalid("A subscription needs an item")),
            1 => Ok(json!(items)),
            _ if is_flexible => Ok(json!(items)),
            _ => Err(Refusal::invalid("All prices need the same interval")),
        }
    }
}

/// What was paid for the time until the end of the period.
fn unused(subscription: &Value, now: i64) -> i64 {
    let items = &subscription["items"]["data"];
    let flat = items.as_array().into_iter().flatten();
    let mut ends = flat
        .filter(|item| !is_metered(&item["price"]))
        .filter_map(|item| item["current_period_end"].as_i64());
    let left = ends
        .next()
        .map_or(0, |end| (end - now).clamp(0, PERIOD_SECS));
    cost(items) * left / PERIOD_SECS
}
