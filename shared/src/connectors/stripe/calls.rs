//! The actions, as Stripe's calls.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Session,
    wire::{Charge, Invoice, InvoiceItem, List, Listed, Refund},
};
use crate::{
    actions::Action,
    connectors::{Error, Request, input},
};

/// Stripe's longest page.
const PAGE: usize = 100;

/// How many entries a list has unless told.
const DEFAULT_LIMIT: usize = 100;

/// How long customers have to pay unless told.
const DEFAULT_DAYS_UNTIL_DUE: u32 = 30;

/// Ids above this many bytes are none of Stripe's
/// (<https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backwards-compatible>).
const MAX_ID_BYTES: usize = 255;

/// Carries out one of Stripe's actions.
pub(super) async fn perform(
    session: &Session<'_>,
    action: &'static Action,
    request: &Request<'_>,
) -> Result<Value, Error> {
    let key = request.idempotency_key;
    match action.name {
        "stripe.charges.list" => {
            let input = input::read::<ListInput>(action, request.input)?;
            list::<Charge>(session, "charges", &input).await
        }
        "stripe.invoices.list" => {
            let input = input::read::<ListInput>(action, request.input)?;
            list::<Invoice>(session, "invoices", &input).await
        }
        "stripe.charges.refund" => refund(session, &input::read(action, request.input)?, key).await,
        "stripe.invoices.create" => {
            create_invoice(session, &input::read(action, request.input)?, key).await
        }
        "stripe.invoices.send" => {
            send_invoice(session, &input::read(action, request.input)?, key).await
        }
        _ => Err(input::refused("action", "is not carried out")),
    }
}

#[derive(Deserialize)]
struct ListInput {
    customer: Option<String>,
    status: Option<String>,
    limit: Option<usize>,
}

/// Page by page, the newest first.
async fn list<T: Listed + DeserializeOwned + Serialize>(
    session: &Session<'_>,
    name: &str,
    input: &ListInput,
) -> Result<Value, Error> {
    let mut filter = Vec::new();
    if let Some(customer) = &input.customer {
        check_id("customer", customer, &["cus_"])?;
        filter.push(("customer", customer.clone()));
    }
    filter.extend(input.status.clone().map(|status| ("status", status)));
    let limit = input.limit.unwrap_or(DEFAULT_LIMIT);
    let mut found: Vec<T> = Vec::new();
    loop {
        let mut query = filter.clone();
        query.push(("limit", PAGE.min(limit - found.len()).to_string()));
        query.extend(
            found
                .last()
                .map(|last| ("starting_after", last.id().to_owned())),
        );
        let page: List<T> = session.get(&format!("/v1/{name}"), &query).await?;
        let is_last = !page.has_more || page.data.is_empty();
        found.extend(page.data);
        if is_last || found.len() >= limit {
            found.truncate(limit);
            return Ok(json!({ name: found, "hasMore": !is_last }));
        }
    }
}

#[derive(Deserialize)]
struct RefundInput {
    charge: String,
    amount: Option<u64>,
}

async fn refund(session: &Session<'_>, input: &RefundInput, key: &str) -> Result<Value, Error> {
    // What was not paid by card is a charge as well, `py_…`.
    check_id("charge", &input.charge, &["ch_", "py_"])?;
    let mut form = vec![("charge", input.charge.clone())];
    form.extend(input.amount.map(|amount| ("amount", amount.to_string())));
    let refund: Refund = session.post("/v1/refunds", &form, key).await?;
    Ok(json!(refund))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InvoiceInput {
    customer: String,
    amount: u64,
    currency: String,
    item: String,
    days_until_due: Option<u32>,
}

/// The draft first, which takes no other pending items in and stays a draft; then its item. Each
/// has a key of its own: a repeat goes on where the last attempt broke off.
async fn create_invoice(
    session: &Session<'_>,
    input: &InvoiceInput,
    key: &str,
) -> Result<Value, Error> {
    check_id("customer", &input.customer, &["cus_"])?;
    let currency = currency(&input.currency)?;
    let days_until_due = input.days_until_due.unwrap_or(DEFAULT_DAYS_UNTIL_DUE);
    let draft = [
        ("customer", input.customer.clone()),
        ("currency", currency.clone()),
        ("collection_method", "send_invoice".to_owned()),
        ("days_until_due", days_until_due.to_string()),
        ("auto_advance", "false".to_owned()),
        ("pending_invoice_items_behavior", "exclude".to_owned()),
    ];
    let path = "/v1/invoices";
    let invoice: Invoice = session
        .post(path, &draft, &format!("{key}-invoice"))
        .await?;
    let item = [
        ("customer", input.customer.clone()),
        ("invoice", invoice.id.clone()),
        ("amount", input.amount.to_string()),
        ("currency", currency),
        ("description", input.item.clone()),
    ];
    let path = "/v1/invoiceitems";
    let item: InvoiceItem = session.post(path, &item, &format!("{key}-item")).await?;
    let mut answer = json!(invoice);
    // The draft was answered before it had an item.
    answer["amountDue"] = json!(item.amount);
    answer["total"] = json!(item.amount);
    answer["itemId"] = json!(item.id);
    Ok(answer)
}

#[derive(Deserialize)]
struct SendInput {
    invoice: String,
}

/// Stripe finalizes a draft before it sends it (<https://docs.stripe.com/api/invoices/finalize>).
async fn send_invoice(session: &Session<'_>, input: &SendInput, key: &str) -> Result<Value, Error> {
    check_id("invoice", &input.invoice, &["in_"])?;
    let path = format!("/v1/invoices/{}/send", input.invoice);
    let invoice: Invoice = session.post(&path, &[], key).await?;
    Ok(json!(invoice))
}

/// An id becomes a part of a path.
fn check_id(field: &str, id: &str, prefixes: &[&str]) -> Result<(), Error> {
    let rest = prefixes.iter().find_map(|prefix| id.strip_prefix(prefix));
    let is_id = rest.is_some_and(|rest| {
        let mut bytes = rest.bytes();
        !rest.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    if is_id && id.len() <= MAX_ID_BYTES {
        return Ok(());
    }
    let message = format!("is no id that begins with `{}`", prefixes.join("` or `"));
    Err(input::refused(field, &message))
}

fn currency(text: &str) -> Result<String, Error> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(input::refused("currency", "is no code of three letters"))
}
