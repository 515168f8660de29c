//! What models cost, as versioned data.

mod tuned;

use std::{collections::BTreeSet, sync::LazyLock};

use serde::Deserialize;

pub use self::tuned::{TunedPrice, find_tuned, tunable};
use super::{ProviderName, Usage};

/// `prices.json`; a price change is a further entry with a later `effectiveFrom`.
const PRICES: &str = include_str!("prices.json");

/// A file that does not parse has no prices, and every call is refused; a test keeps it parsing.
static ALL: LazyLock<PriceList> =
    LazyLock::new(|| serde_json::from_str(PRICES).unwrap_or_default());

/// Nano-dollars in a micro-dollar.
const NANOS_PER_MICRO: i64 = 1_000;

/// What one model costs from one day on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    provider: ProviderName,
    model: String,
    /// First day, `YYYY-MM-DD`.
    effective_from: String,
    #[serde(default)]
    deprecated_on: Option<String>,
    #[serde(flatten)]
    rates: Rates,
    #[serde(default)]
    long_context: Option<LongContext>,
    #[serde(default)]
    api: Api,
}

/// What of its provider's interfaces a model is called by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Api {
    #[default]
    Chat,
    Responses,
}

/// Prices in nano-dollars (10^-9 US dollars) per token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rates {
    input: i64,
    cached_input: i64,
    /// What `input` is, where writing to the cache costs nothing more.
    #[serde(default)]
    cache_write: Option<i64>,
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

#[derive(Default, Deserialize)]
struct PriceList {
    prices: Vec<Price>,
    tuned: Vec<TunedPrice>,
}

/// The price of a model on a UTC day, `YYYY-MM-DD`, at the provider that the list names first;
/// none when it is not known, so that callers refuse the call.
#[must_use]
pub fn find(model: &str, day: &str) -> Option<Price> {
    let first = ALL.prices.iter().find(|price| price.model == model)?;
    find_at(first.provider, model, day)
}

/// The price of a model at a provider on a UTC day, `YYYY-MM-DD`. What a server of one's own does
/// costs nothing here; its tokens count.
#[must_use]
pub fn find_at(provider: ProviderName, model: &str, day: &str) -> Option<Price> {
    if provider == ProviderName::Compatible {
        return Some(Price::of_own_server(model));
    }
    let of_model = |price: &&Price| price.provider == provider && price.model == model;
    let prices = ALL.prices.iter().filter(of_model);
    prices
        .filter(|price| price.effective_from.as_str() <= day)
        .max_by(|one, other| one.effective_from.cmp(&other.effective_from))
        .cloned()
}

/// Whether OpenAI has a model in its Responses interface only.
pub(super) fn needs_responses(model: &str) -> bool {
    let mut prices = ALL.prices.iter();
    prices.any(|price| price.model == model && price.api == Api::Responses)
}

/// All models that have a price, each once, with the provider that the list names first.
pub fn models() -> impl Iterator<Item = (&'static str, ProviderName)> {
    let mut known = BTreeSet::new();
    let new = ALL
        .prices
        .iter()
        .filter(move |price| known.insert(&price.model));
    new.map(|price| (price.model.as_str(), price.provider))
}

/// Whether a model has a price at all.
#[must_use]
pub fn is_known(model: &str) -> bool {
    ALL.prices.iter().any(|price| price.model == model)
}

/// Whether a model places texts in a space, and answers nothing.
#[must_use]
pub fn is_embedding(model: &str) -> bool {
    let mut prices = ALL.prices.iter();
    prices.any(|price| price.model == model && price.rates.output == 0)
}

impl Price {
    fn of_own_server(model: &str) -> Self {
        Self {
            provider: ProviderName::Compatible,
            model: model.to_owned(),
            effective_from: String::new(),
            deprecated_on: None,
            api: Api::default(),
            rates: Rates::default(),
            long_context: None,
        }
    }

    /// What a call costs in millionths of a US dollar, rounded up.
    #[must_use]
    pub fn cost_micro_usd(&self, usage: &Usage) -> i64 {
        let rates = self.rates(usage.input_tokens);
        let cached = usage.cached_tokens.clamp(0, usage.input_tokens.max(0));
        let fresh = usage.input_tokens - cached;
        let written = usage.cache_write_tokens.clamp(0, fresh.max(0));
        let parts = [
            (fresh - written, rates.input),
            (written, rates.cache_write.unwrap_or(rates.input)),
            (cached, rates.cached_input),
            (usage.output_tokens, rates.output),
        ];
        let nanos = parts
            .iter()
            .map(|(tokens, rate)| tokens.saturating_mul(*rate))
            .fold(0, i64::saturating_add);
        nanos.saturating_add(NANOS_PER_MICRO - 1) / NANOS_PER_MICRO
    }

    /// Who runs the model at this price.
    #[must_use]
    pub fn provider(&self) -> ProviderName {
        self.provider
    }

    /// The model's name at the provider.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
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

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: &str = "2026-11-23";

    fn usage(input_tokens: i64, cached_tokens: i64, output_tokens: i64) -> Usage {
        Usage {
            input_tokens,
            output_tokens,
            cached_tokens,
            ..Usage::default()
        }
    }

    #[test]
    fn the_price_list_parses() {
        let list: PriceList = serde_json::from_str(PRICES).unwrap();
        assert!(list.prices.len() >= 5);
        for price in list.prices {
            let is_embedding = price.model.contains("embedding");
            assert!(price.rates.input > 0, "{price:?}");
            assert_eq!(price.rates.output == 0, is_embedding, "{price:?}");
        }
    }

    #[test]
    fn a_model_of_two_providers_has_the_price_of_the_one_asked() {
        for provider in [ProviderName::Anthropic, ProviderName::Vertex] {
            let price = find_at(provider, "claude-sonnet-5-5", TODAY).unwrap();
            assert_eq!(price.provider(), provider);
        }
        assert_eq!(
            find("claude-sonnet-5-5", TODAY).unwrap().provider(),
            ProviderName::Anthropic
        );
        assert_eq!(
            find_at(ProviderName::Openai, "claude-sonnet-5-5", TODAY),
            None
        );
    }

    #[test]
    fn writing_to_the_cache_costs_more_where_the_list_says_so() {
        let written = Usage {
            cache_write_tokens: 600,
            ..usage(1_000, 400, 0)
        };
        // 2.00, 0.10 and 2.50 US dollars a million tokens.
        let price = find("claude-sonnet-5-5", TODAY).unwrap();
        assert_eq!(price.cost_micro_usd(&written), 40 + 1_500);
        let price = find("gpt-4.1-mini", TODAY).unwrap();
        assert_eq!(price.cost_micro_usd(&written), 40 + 240);
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
