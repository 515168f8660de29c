//! What models cost, as versioned data.

use serde::Deserialize;

use super::Usage;

/// `prices.json`; a price change is a further entry with a later `effectiveFrom`.
const PRICES: &str = include_str!("prices.json");

/// Nano-dollars in a micro-dollar.
const NANOS_PER_MICRO: i64 = 1_000;

/// What one model costs from one day on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    model: String,
    /// First day, `YYYY-MM-DD`.
    effective_from: String,
    #[serde(default)]
    deprecated_on: Option<String>,
    #[serde(flatten)]
    rates: Rates,
    #[serde(default)]
    long_context: Option<LongContext>,
}

/// Prices in nano-dollars (10^-9 US dollars) per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rates {
    input: i64,
    cached_input: i64,
    output: i64,
}

/// Other rates for the whole call when its input is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LongContext {
    above_input_tokens: i64,
    #[serde(flatten)]
    rates: Rates,
}

#[derive(Deserialize)]
struct PriceList {
    prices: Vec<Price>,
}

/// The price of a model on a UTC day, `YYYY-MM-DD`; none when it is not known, so that callers
/// refuse the call.
#[must_use]
pub fn find(model: &str, day: &str) -> Option<Price> {
    prices()
        .into_iter()
        .filter(|price| price.model == model && price.effective_from.as_str() <= day)
        .max_by(|one, other| one.effective_from.cmp(&other.effective_from))
}

/// Whether a model has a price at all.
#[must_use]
pub fn is_known(model: &str) -> bool {
    prices().iter().any(|price| price.model == model)
}

impl Price {
    /// What a call costs in millionths of a US dollar, rounded up.
    #[must_use]
    pub fn cost_micro_usd(&self, usage: &Usage) -> i64 {
        let rates = self.rates(usage.input_tokens);
        let cached = usage.cached_tokens.clamp(0, usage.input_tokens.max(0));
        let parts = [
            (usage.input_tokens - cached, rates.input),
            (cached, rates.cached_input),
            (usage.output_tokens, rates.output),
        ];
        let nanos = parts
            .iter()
            .map(|(tokens, rate)| tokens.saturating_mul(*rate))
            .fold(0, i64::saturating_add);
        nanos.saturating_add(NANOS_PER_MICRO - 1) / NANOS_PER_MICRO
    }

    /// The day the provider switches the model off, `YYYY-MM-DD`, if it has told.
    #[must_use]
    pub fn deprecated_on(&self) -> Option<&str> {
        self.deprecated_on.as_deref()
    }

    fn rates(&self, input_tokens: i64) -> Rates {
        self.long_context
            .filter(|long| input_tokens > long.above_input_tokens)
            .map_or(self.rates, |long| long.rates)
    }
}

/// A file that does not parse has no prices, and every call is refused; a test keeps it parsing.
fn prices() -> Vec<Price> {
    serde_json::from_str::<PriceList>(PRICES).map_or_else(|_| Vec::new(), |list| list.prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: &str = "2026-11-23";

    fn usage(input_tokens: i64, cached_tokens: i64, output_tokens: i64) -> Usage {
        Usage {
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens: 0,
            is_estimated: false,
        }
    }

    #[test]
    fn the_price_list_parses() {
        let list: PriceList = serde_json::from_str(PRICES).unwrap();
        assert!(list.prices.len() >= 5);
        let is_embedding = |price: &Price| price.model.starts_with("text-embedding-");
        let costs = |price: &Price| {
            price.rates.input > 0 && (price.rates.output > 0) != is_embedding(price)
        };
        assert!(list.prices.iter().all(costs));
    }

    #[test]
    fn an_unknown_model_has_no_price() {
        assert_eq!(find("gpt-unheard-of", TODAY), None);
        assert!(!is_known("gpt-unheard-of"));
    }

    #[test]
    fn a_price_does_not_hold_before_its_first_day() {
        assert_eq!(find("gpt-4.1-mini", "2025-12-31"), None);
        assert!(find("gpt-4.1-mini", "2026-01-01").is_some());
    }

    #[test]
    fn cached_input_is_cheaper_and_the_sum_is_rounded_up() {
        // 0.40, 0.10 and 1.60 US dollars a million tokens.
        let price = find("gpt-4.1-mini", TODAY).unwrap();
        assert_eq!(
            price.cost_micro_usd(&usage(1_000, 400, 500)),
            240 + 40 + 800
        );
        assert_eq!(price.cost_micro_usd(&usage(1, 0, 0)), 1);
        assert_eq!(price.cost_micro_usd(&usage(0, 0, 0)), 0);
    }

    #[test]
    fn a_long_input_has_its_own_rates() {
        let price = find("gpt-5.4", TODAY).unwrap();
        assert_eq!(price.cost_micro_usd(&usage(272_000, 0, 0)), 680_000);
        assert_eq!(price.cost_micro_usd(&usage(272_001, 0, 0)), 1_360_005);
    }
}
