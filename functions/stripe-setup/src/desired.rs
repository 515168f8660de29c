//! What an account at Stripe has to hold.

use shared::{
    models::SubscriptionTier,
    quota::{
        Plan,
        prices::{Catalog, Interval, OVERAGE_PRODUCT, PlanPrice, product_of},
    },
};

/// All that is needed.
pub(crate) struct Desired {
    pub(crate) catalog: Catalog,
    /// Where events go, if that is looked at.
    pub(crate) webhook_url: Option<String>,
}

/// A product, under an id of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProductSpec {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// A price, under a lookup key of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PriceSpec {
    pub(crate) lookup_key: String,
    pub(crate) product: String,
    pub(crate) currency: String,
    pub(crate) interval: Interval,
    pub(crate) amount: Amount,
}

/// What a price comes to, in hundredths of the currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    /// Once an interval.
    Flat(i64),
    /// For each token that the meter counts.
    PerToken(String),
}

impl Desired {
    pub(crate) fn new(catalog: Catalog, webhook_url: Option<String>) -> Self {
        Self {
            catalog,
            webhook_url,
        }
    }

    pub(crate) fn products(&self) -> Vec<ProductSpec> {
        let tiers = self.catalog.plans.keys();
        let plans = tiers.map(|tier| ProductSpec {
            id: product_of(*tier),
            name: Plan::of(*tier).product,
        });
        let tokens = ProductSpec {
            id: OVERAGE_PRODUCT.to_owned(),
            name: self.catalog.meter.name.clone(),
        };
        plans.chain([tokens]).collect()
    }

    pub(crate) fn prices(&self) -> Vec<PriceSpec> {
        let plans = self.catalog.plans.iter();
        let prices = plans.flat_map(|(tier, prices)| prices.iter().map(|price| (*tier, price)));
        prices
            .flat_map(|(tier, price)| self.price_and_overage(tier, price))
            .collect()
    }

    fn price_and_overage(&self, tier: SubscriptionTier, price: &PlanPrice) -> Vec<PriceSpec> {
        let spec = |lookup_key: &str, product: String, amount| PriceSpec {
            lookup_key: lookup_key.to_owned(),
            product,
            currency: self.catalog.currency.clone(),
            interval: price.interval,
            amount,
        };
        let flat = Amount::Flat(price.amount_cents);
        let mut specs = vec![spec(&price.lookup_key, product_of(tier), flat)];
        specs.extend(price.overage.as_ref().map(|overage| {
            let amount = Amount::PerToken(overage.cents_per_token());
            spec(&overage.lookup_key, OVERAGE_PRODUCT.to_owned(), amount)
        }));
        specs
    }
}

impl PriceSpec {
    /// For people.
    pub(crate) fn describe(&self) -> String {
        let (currency, interval) = (&self.currency, self.interval.as_str());
        match &self.amount {
            Amount::Flat(cents) => format!("{cents} cents {currency} a {interval}"),
            Amount::PerToken(cents) => format!("{cents} cents {currency} a token, each {interval}"),
        }
    }
}
