//! Prices: the amount of one cannot be changed, so another takes its lookup key.

use serde_json::{Value, json};

use crate::{
    change::{Change, Row, Verdict},
    desired::{Amount, Desired, PriceSpec},
    live::{Account, Price},
};

/// Where a price says which key it was made for.
const MADE_FOR: &str = "lookupKey";

pub(crate) fn review(desired: &Desired, account: &Account) -> Vec<Row> {
    let specs = desired.prices();
    let meter = account.meter(&desired.catalog.meter.event_name);
    let meter = meter.map_or("none yet", |meter| &*meter.id);
    let mut rows: Vec<Row> = specs
        .iter()
        .map(|spec| price(spec, meter, account))
        .collect();
    rows.extend(replaced(&specs, account));
    rows
}

fn price(spec: &PriceSpec, meter: &str, account: &Account) -> Row {
    let name = format!("price {}", spec.lookup_key);
    let needed = format!("{} of {}", spec.describe(), spec.product);
    let change = Change::new("/prices", form(spec, meter));
    let mut prices = account.prices.iter();
    let found = prices.find(|price| price.lookup_key.as_ref() == Some(&spec.lookup_key));
    let Some(found) = found else {
        return Row::missing(name, needed, change);
    };
    let is = match is_as(spec, meter, found) {
        true => needed.clone(),
        false => describe(found),
    };
    Row::compared(name, needed, is, Verdict::Mend(change))
}

fn form(spec: &PriceSpec, meter: &str) -> Value {
    let mut form = json!({
        "currency": spec.currency,
        "product": spec.product,
        "lookup_key": spec.lookup_key,
        // Whatever price has the key gives it up.
        "transfer_lookup_key": true,
        "metadata": { MADE_FOR: spec.lookup_key },
        "recurring": { "interval": spec.interval.as_str() },
    });
    match &spec.amount {
        Amount::Flat(cents) => form["unit_amount"] = json!(cents),
        Amount::PerToken(cents) => {
            form["unit_amount_decimal"] = json!(cents);
            form["recurring"]["usage_type"] = json!("metered");
            form["recurring"]["meter"] = json!(meter);
        }
    }
    form
}

fn is_as(spec: &PriceSpec, meter: &str, price: &Price) -> bool {
    let Some(recurring) = &price.recurring else {
        return false;
    };
    let amount = price.unit_amount_decimal.as_deref().unwrap_or_default();
    let is_amount = match &spec.amount {
        Amount::Flat(cents) => {
            recurring.usage_type == "licensed" && plain(amount) == cents.to_string()
        }
        Amount::PerToken(cents) => {
            recurring.meter.as_deref() == Some(meter) && plain(amount) == *cents
        }
    };
    is_amount
        && price.product == spec.product
        && price.currency == spec.currency
        && recurring.interval == spec.interval.as_str()
        && recurring.interval_count == 1
}

/// A decimal without the zeros at its end.
fn plain(decimal: &str) -> &str {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.'),
        false => decimal,
    }
}

fn describe(price: &Price) -> String {
    let amount = price.unit_amount_decimal.as_deref().unwrap_or("no");
    let (currency, product) = (&price.currency, &price.product);
    match &price.recurring {
        Some(recurring) => {
            let (count, interval) = (recurring.interval_count, &recurring.interval);
            let usage_type = &recurring.usage_type;
            format!("{amount} cents {currency} each {count} {interval}, {usage_type}, of {product}")
        }
        None => format!("{amount} cents {currency} once, of {product}"),
    }
}

/// Prices that gave up their keys are bought no more; who has one keeps it.
fn replaced(specs: &[PriceSpec], account: &Account) -> Vec<Row> {
    let was_ours = |price: &&Price| {
        let made_for = price.metadata.get(MADE_FOR);
        let is_known = made_for.is_some_and(|key| specs.iter().any(|spec| spec.lookup_key == *key));
        is_known && price.lookup_key.is_none()
    };
    let replaced = account.prices.iter().filter(was_ours);
    let row = |price: &Price| Row {
        name: format!("price {}", price.id),
        needed: "archived".to_owned(),
        found: "active, replaced".to_owned(),
        verdict: Verdict::Mend(Change::retire(format!("/prices/{}", price.id))),
    };
    replaced.map(row).collect()
}
