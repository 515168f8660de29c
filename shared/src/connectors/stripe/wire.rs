//! The part of Stripe's objects that is used.

use serde::{Deserialize, Serialize};

use super::MAX_NAME_CHARS;

/// <https://docs.stripe.com/api/errors>.
#[derive(Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    pub(super) error: ErrorDetail,
}

#[derive(Default, Deserialize)]
pub(super) struct ErrorDetail {
    pub(super) code: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

/// <https://docs.stripe.com/api/accounts/object>.
#[derive(Default, Deserialize)]
pub(super) struct AccountBody {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    settings: Option<Settings>,
}

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    dashboard: Option<Dashboard>,
}

#[derive(Deserialize)]
struct Dashboard {
    #[serde(default)]
    display_name: Option<String>,
}

impl AccountBody {
    /// What its owner calls it, for one line.
    pub(super) fn name(&self) -> Option<String> {
        let dashboard = self.settings.as_ref()?.dashboard.as_ref()?;
        let name = dashboard.display_name.as_ref()?;
        let line = name.chars().filter(|char| !char.is_control());
        let line: String = line.take(MAX_NAME_CHARS).collect();
        Some(line.trim().to_owned()).filter(|name| !name.is_empty())
    }
}

/// <https://docs.stripe.com/api/pagination>.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// What lists are made of.
pub(super) trait Listed {
    /// Where the next page goes on.
    fn id(&self) -> &str;
}

/// <https://docs.stripe.com/api/charges/object>.
#[derive(Deserialize, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub(super) struct Charge {
    id: String,
    amount: i64,
    #[serde(default)]
    amount_refunded: i64,
    currency: String,
    status: String,
    #[serde(default)]
    paid: bool,
    #[serde(default)]
    refunded: bool,
    #[serde(default)]
    customer: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    receipt_url: Option<String>,
    created: i64,
}

/// <https://docs.stripe.com/api/invoices/object>.
#[derive(Deserialize, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub(super) struct Invoice {
    pub(super) id: String,
    #[serde(default)]
    number: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    customer: Option<String>,
    currency: String,
    #[serde(default)]
    amount_due: i64,
    #[serde(default)]
    amount_paid: i64,
    #[serde(default)]
    total: i64,
    #[serde(default)]
    due_date: Option<i64>,
    #[serde(default)]
    hosted_invoice_url: Option<String>,
    created: i64,
}

/// <https://docs.stripe.com/api/refunds/object>.
#[derive(Deserialize, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub(super) struct Refund {
    id: String,
    amount: i64,
    currency: String,
    #[serde(default)]
    charge: Option<String>,
    #[serde(default)]
    status: Option<String>,
    created: i64,
}

/// <https://docs.stripe.com/api/invoiceitems/object>.
#[derive(Deserialize)]
pub(super) struct InvoiceItem {
    pub(super) id: String,
    pub(super) amount: i64,
}

impl Listed for Charge {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for Invoice {
    fn id(&self) -> &str {
        &self.id
    }
}
