//! What is sold, and for how much.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Serialize,
    de::{self, value::StrDeserializer},
};

use crate::models::SubscriptionTier;

/// What is sold, as data. The amounts are examples, which whoever sells replaces.
const PRICES: &str = include_str!("prices.json");

/// What is sold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Catalog {
    /// Three letters, in lower case.
    pub currency: String,
    /// What counts tokens above the plans.
    pub meter: Meter,
    /// The prices of each tier, one an interval.
    pub plans: BTreeMap<SubscriptionTier, Vec<PlanPrice>>,
}

/// A meter of Stripe's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Meter {
    /// What its events are called.
    pub event_name: String,
    /// What people see.
    pub name: String,
}

/// A price of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanPrice {
    /// Our name of it at Stripe.
    pub lookup_key: String,
    /// How often it is paid.
    pub interval: Interval,
    /// What is paid each time, in hundredths of the currency.
    pub amount_cents: i64,
    /// What tokens above the included ones cost; without it there are none to be had.
    #[serde(default)]
    pub overage: Option<Overage>,
}

/// The price of tokens above the included ones. It is paid at the interval of its plan: a checkout of
/// Stripe's takes one interval only.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Overage {
    /// Our name of it at Stripe.
    pub lookup_key: String,
    /// Hundredths of the currency for a million tokens.
    pub cents_per_million_tokens: u32,
}

/// What the ids of our products begin with at Stripe.
const PRODUCT_PREFIX: &str = "infinity_x_";

/// Stripe's id of the product that a tier is sold as.
#[must_use]
pub fn product_of(tier: SubscriptionTier) -> String {
    format!("{PRODUCT_PREFIX}{}", tier.as_str())
}

/// Stripe's id of the product that tokens above the plans are sold as.
pub const OVERAGE_PRODUCT: &str = "infinity_x_tokens";

/// The tier that a product is sold as, by Stripe's id.
#[must_use]
pub fn tier_of_product(id: &str) -> Option<SubscriptionTier> {
    let tier = StrDeserializer::<de::value::Error>::new(id.strip_prefix(PRODUCT_PREFIX)?);
    SubscriptionTier::deserialize(tier).ok()
}

/// How our prices are named at Stripe: `starter…`, `pro_monthly`, `enterprise_yearly_2026`.
const LOOKUP_KEY_PREFIXES: [(&str, SubscriptionTier); 3] = [
    ("starter", SubscriptionTier::Free),
    ("pro_", SubscriptionTier::Pro),
    ("enterprise_", SubscriptionTier::Enterprise),
];

/// The tier that a price is for by its lookup key, also one that is not sold here: somebody may have
/// made it by hand.
#[must_use]
pub fn tier_of_lookup_key(key: &str) -> Option<SubscriptionTier> {
    let mut prefixes = LOOKUP_KEY_PREFIXES.iter();
    let named = prefixes.find(|(prefix, _)| key.starts_with(prefix));
    named.map(|(_, tier)| *tier)
}

/// How often a price is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Each month.
    #[default]
    Month,
    /// Each year.
    Year,
}

impl Interval {
    /// The name of it, Stripe's as well.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

impl Catalog {
    /// What is sold. What cannot be read sells nothing; a test reads it.
    #[must_use]
    pub fn load() -> Self {
        serde_json::from_str(PRICES).unwrap_or_default()
    }

    /// The price of a tier that is paid so often.
    #[must_use]
    pub fn price_of(&self, tier: SubscriptionTier, interval: Interval) -> Option<&PlanPrice> {
        let prices = self.plans.get(&tier)?;
        prices.iter().find(|price| price.interval == interval)
    }

    /// The price with this lookup key, and its tier.
    #[must_use]
    pub fn price_with(&self, lookup_key: &str) -> Option<(SubscriptionTier, &PlanPrice)> {
        self.plans.iter().find_map(|(tier, prices)| {
            let mut prices = prices.iter();
            let found = prices.find(|price| price.lookup_key == lookup_key)?;
            Some((*tier, found))
        })
    }

    /// Whether this is the lookup key of a price of tokens above a plan.
    #[must_use]
    pub fn is_overage(&self, lookup_key: &str) -> bool {
        let overages = self.plans.values().flatten();
        let mut overages = overages.filter_map(|price| price.overage.as_ref());
        overages.any(|overage| overage.lookup_key == lookup_key)
    }
}

impl Overage {
    /// Hundredths of the currency for one token, as a decimal with as many places as it needs:
    /// `0.001` (<https://docs.stripe.com/api/prices/create#create_price-unit_amount_decimal>).
    #[must_use]
    pub fn cents_per_token(&self) -> String {
        let million = 1_000_000;
        let (whole, rest) = (
            self.cents_per_million_tokens / million,
            self.cents_per_million_tokens % million,
        );
        let text = format!("{whole}.{rest:06}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Plan;

    fn catalog() -> Catalog {
        serde_json::from_str(PRICES).unwrap()
    }

    #[test]
    fn each_tier_is_sold_and_overage_is_where_the_plan_has_room_for_it() {
        let catalog = catalog();
        assert_eq!(catalog.plans.len(), 3);
        for (tier, prices) in &catalog.plans {
            let plan = Plan::of(*tier);
            let has_room = plan.included_tokens < plan.monthly_tokens;
            assert!(!prices.is_empty(), "{tier:?}");
            for price in prices {
                assert_eq!(price.overage.is_some(), has_room, "{price:?}");
            }
        }
    }

    #[test]
    fn no_lookup_key_is_used_twice_and_no_interval_in_a_tier() {
        let catalog = catalog();
        let mut keys = Vec::new();
        for prices in catalog.plans.values() {
            let mut intervals: Vec<_> = prices.iter().map(|price| price.interval).collect();
            intervals.dedup();
            assert_eq!(intervals.len(), prices.len());
            keys.extend(prices.iter().map(|price| &price.lookup_key));
            let overages = prices.iter().filter_map(|price| price.overage.as_ref());
            keys.extend(overages.map(|overage| &overage.lookup_key));
        }
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }

    #[test]
    fn a_price_is_found_by_its_key_and_by_its_interval() {
        let catalog = catalog();
        let (tier, price) = catalog.price_with("pro_yearly").unwrap();
        assert_eq!(tier, SubscriptionTier::Pro);
        assert_eq!(catalog.price_of(tier, Interval::Year), Some(price));
        assert_eq!(catalog.price_with("pro_tokens_monthly"), None);
    }

    #[test]
    fn one_token_costs_a_millionth_exactly() {
        let table = [
            (1_000, "0.001"),
            (1, "0.000001"),
            (2_500_000, "2.5"),
            (3_000_000, "3"),
            (0, "0"),
        ];
        for (cents, expected) in table {
            let overage = Overage {
                lookup_key: String::new(),
                cents_per_million_tokens: cents,
            };
            assert_eq!(overage.cents_per_token(), expected);
        }
    }
}
