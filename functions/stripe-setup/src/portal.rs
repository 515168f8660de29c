//! The configuration of the portal.

use serde_json::{Value, json};

use crate::{
    change::{Change, Row, Verdict},
    live::Account,
};

const PATH: &str = "/billing_portal/configurations";

/// What marks the configuration as ours.
const MARK: (&str, &str) = ("managedBy", "stripe-setup");

pub(crate) fn review(account: &Account) -> Row {
    let name = "portal".to_owned();
    let needed = features();
    let text = "cards, invoices, addresses, end of the subscription".to_owned();
    let metadata = json!({ MARK.0: MARK.1 });
    let form = json!({ "features": needed, "metadata": metadata });
    let mut portals = account.portals.iter();
    let ours = portals.find(|portal| portal.metadata.get(MARK.0).is_some_and(|it| it == MARK.1));
    let Some(found) = ours else {
        return Row::missing(name, text, Change::new(PATH, form));
    };
    let is = match has(&found.features, &needed) {
        true => text.clone(),
        false => format!("other features in {}", found.id),
    };
    let mend = Verdict::Mend(Change::new(format!("{PATH}/{}", found.id), form));
    Row::compared(name, text, is, mend)
}

/// The id of our configuration.
pub(crate) fn id(account: &Account) -> Option<&str> {
    let mut portals = account.portals.iter();
    let ours = portals.find(|portal| portal.metadata.get(MARK.0).is_some_and(|it| it == MARK.1));
    ours.map(|portal| &*portal.id)
}

/// Plans are not changed here: Stripe's portal changes no subscription that goes by usage.
fn features() -> Value {
    json!({
        "customer_update": {
            "enabled": true,
            "allowed_updates": ["address", "email", "name", "tax_id"],
        },
        "invoice_history": { "enabled": true },
        "payment_method_update": { "enabled": true },
        "subscription_cancel": { "enabled": true, "mode": "at_period_end" },
        "subscription_update": { "enabled": false },
    })
}

/// Whether all that is needed is there; the order of lists does not matter.
fn has(found: &Value, needed: &Value) -> bool {
    match (found, needed) {
        (Value::Object(found), Value::Object(needed)) => needed.iter().all(|(name, needed)| {
            let found = found.get(name);
            found.is_some_and(|found| has(found, needed))
        }),
        (Value::Array(found), Value::Array(needed)) => {
            found.len() == needed.len() && needed.iter().all(|it| found.contains(it))
        }
        (found, needed) => found == needed,
    }
}
