use serde::Deserialize;
use serde_json::{Value, json};

/// A price (<https://docs.stripe.com/api/prices/object>).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Price {
    /// Stripe's id.
    pub id: String,
    /// Our name of it.
    pub lookup_key: Option<String>,
    /// How it recurs, if it does.
    pub recurring: Option<Recurring>,
}

/// How a price recurs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Recurring {
    /// `licensed`, or `metered` for one that goes by usage.
    pub usage_type: String,
}

impl Price {
    /// Whether it goes by usage, so that it takes no quantity.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        let recurring = self.recurring.as_ref();
        recurring.is_some_and(|recurring| recurring.usage_type == "metered")
    }

    /// Usage is counted by the meter: such an item takes no quantity.
    pub(super) fn line_item(&self) -> Value {
        match self.is_metered() {
            true => json!({ "price": self.id }),
            false => json!({ "price": self.id, "quantity": 1 }),
        }
    }
}
