//! What it costs to tune models, and to ask those that were tuned.

use serde::Deserialize;

use super::{ALL, NANOS_PER_MICRO, Price};

/// What it costs to tune a model and to ask the outcome, from one day on. A model without such a
/// price cannot be tuned.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TunedPrice {
    #[serde(flatten)]
    price: Price,
    /// Nano-dollars per token that is trained with.
    training: i64,
}

/// The price of what is tuned from a model on a UTC day, `YYYY-MM-DD`; none when it is not known, so
/// that callers refuse it.
#[must_use]
pub fn find_tuned(base_model: &str, day: &str) -> Option<TunedPrice> {
    let of_model = |tuned: &&TunedPrice| tuned.price.model == base_model;
    let prices = ALL.tuned.iter().filter(of_model);
    prices
        .filter(|tuned| tuned.price.effective_from.as_str() <= day)
        .max_by(|one, other| one.price.effective_from.cmp(&other.price.effective_from))
        .cloned()
}

/// The price of a model that can be tuned on a UTC day, `YYYY-MM-DD`: one that its provider has not
/// switched off by then.
#[must_use]
pub fn tunable(base_model: &str, day: &str) -> Option<TunedPrice> {
    find_tuned(base_model, day).filter(|tuned| {
        let ends_on = tuned.price.deprecated_on();
        ends_on.is_none_or(|ends_on| ends_on > day)
    })
}

impl TunedPrice {
    /// What a call of the tuned model costs.
    #[must_use]
    pub fn into_calls(self) -> Price {
        self.price
    }

    /// What training costs in millionths of a US dollar, rounded up.
    #[must_use]
    pub fn training_micro_usd(&self, tokens: i64) -> i64 {
        let nanos = tokens.saturating_mul(self.training);
        nanos.saturating_add(NANOS_PER_MICRO - 1) / NANOS_PER_MICRO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Usage;

    const MINI: &str = "gpt-4.1-mini-2025-04-14";

    #[test]
    fn a_tuned_model_costs_more_than_its_base_and_training_has_a_price() {
        assert!(!ALL.tuned.is_empty());
        let usage = Usage {
            input_tokens: 1_000,
            output_tokens: 1_000,
            ..Usage::default()
        };
        // 0.80, 3.20 and 5.00 US dollars a million tokens.
        let tuned = find_tuned(MINI, "2026-11-23").unwrap();
        assert_eq!(tuned.training_micro_usd(1_000_001), 5_000_005);
        assert_eq!(tuned.into_calls().cost_micro_usd(&usage), 800 + 3_200);
        for tuned in &ALL.tuned {
            assert!(tuned.training > 0, "{tuned:?}");
            assert!(tuned.price.rates.input > 0 && tuned.price.rates.output > 0);
        }
    }

    #[test]
    fn what_is_not_in_the_list_cannot_be_tuned_nor_what_is_switched_off() {
        assert_eq!(tunable("gpt-4.1-mini", "2026-11-23"), None);
        assert_eq!(tunable(MINI, "2025-12-31"), None);
        assert!(tunable(MINI, "2027-01-13").is_some());
        assert_eq!(tunable(MINI, "2027-01-14"), None);
        assert!(find_tuned(MINI, "2027-01-14").is_some());
    }
}
