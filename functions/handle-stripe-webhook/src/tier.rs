//! Which tier a customer's subscriptions pay for.

use std::collections::HashMap;

use shared::{
    models::SubscriptionTier,
    quota::prices::{tier_of_lookup_key, tier_of_product},
    stripe::{Subscription, SubscriptionItem, SubscriptionStatus},
};

/// Tiers by Stripe's product id, for prices that have no lookup key.
pub type ProductTiers = HashMap<String, SubscriptionTier>;

/// What the subscriptions of a customer pay for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The tier.
    pub(crate) tier: SubscriptionTier,
    /// What is paid for, but not known here: prices and subscriptions by Stripe's id.
    pub(crate) unknown: Vec<String>,
}

/// The best tier that is paid for. What is not known never lowers `current`: a price made in
/// Stripe's dashboard must not take a plan from somebody who pays.
pub(crate) fn derive(
    subscriptions: &[Subscription],
    products: &ProductTiers,
    current: SubscriptionTier,
) -> Verdict {
    let mut tier = SubscriptionTier::Free;
    let mut unknown = Vec::new();
    for subscription in subscriptions {
        match standing(subscription.status) {
            Standing::Ended => continue,
            Standing::Unknown => unknown.push(subscription.id.clone()),
            Standing::Paid => {
                for item in subscription.items.iter().filter(|item| !item.metered) {
                    match tier_of(item, products) {
                        Some(named) => tier = tier.max(named),
                        None => unknown.push(item.price_id.clone()),
                    }
                }
                if !subscription.has_all_items {
                    unknown.push(subscription.id.clone());
                }
            }
        }
    }
    if !unknown.is_empty() {
        tier = tier.max(current);
    }
    Verdict { tier, unknown }
}

/// The best tier that a subscription names.
pub(crate) fn tier_named(
    subscription: &Subscription,
    products: &ProductTiers,
) -> Option<SubscriptionTier> {
    let items = subscription.items.iter().filter(|item| !item.metered);
    items.filter_map(|item| tier_of(item, products)).max()
}

/// Whether a subscription of the status is paid for, or is tried to be.
pub(crate) fn is_paid(status: SubscriptionStatus) -> bool {
    matches!(standing(status), Standing::Paid)
}

enum Standing {
    Paid,
    Ended,
    Unknown,
}

fn standing(status: SubscriptionStatus) -> Standing {
    match status {
        // Stripe tries a failed payment again for days: the plan is kept meanwhile.
        SubscriptionStatus::Active | SubscriptionStatus::Trialing | SubscriptionStatus::PastDue => {
            Standing::Paid
        }
        SubscriptionStatus::Incomplete
        | SubscriptionStatus::IncompleteExpired
        | SubscriptionStatus::Canceled
        | SubscriptionStatus::Unpaid
        | SubscriptionStatus::Paused => Standing::Ended,
        SubscriptionStatus::Other => Standing::Unknown,
    }
}

fn tier_of(item: &SubscriptionItem, products: &ProductTiers) -> Option<SubscriptionTier> {
    let by_key = item.lookup_key.as_deref().and_then(tier_of_lookup_key);
    let by_product = || products.get(&item.product_id).copied();
    by_key
        .or_else(|| tier_of_product(&item.product_id))
        .or_else(by_product)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(lookup_key: Option<&str>) -> SubscriptionItem {
        SubscriptionItem {
            id: "si_1".to_owned(),
            price_id: "price_1".to_owned(),
            lookup_key: lookup_key.map(str::to_owned),
            product_id: "prod_1".to_owned(),
            metered: false,
        }
    }

    fn subscription(status: &str, items: Vec<SubscriptionItem>) -> Subscription {
        Subscription {
            id: "sub_1".to_owned(),
            status: SubscriptionStatus::from(status),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            org_id: None,
            is_ending: false,
            is_flexible: true,
            period_began_at: None,
            has_pending_update: false,
            latest_invoice_id: None,
            items,
            has_all_items: true,
        }
    }

    fn tier(subscriptions: &[Subscription], current: SubscriptionTier) -> SubscriptionTier {
        derive(subscriptions, &ProductTiers::new(), current).tier
    }

    #[test]
    fn each_status_pays_or_does_not() {
        let table = [
            ("active", SubscriptionTier::Pro),
            ("trialing", SubscriptionTier::Pro),
            ("past_due", SubscriptionTier::Pro),
            ("incomplete", SubscriptionTier::Free),
            ("incomplete_expired", SubscriptionTier::Free),
            ("canceled", SubscriptionTier::Free),
            ("unpaid", SubscriptionTier::Free),
            ("paused", SubscriptionTier::Free),
        ];
        for (status, expected) in table {
            let subscriptions = [subscription(status, vec![item(Some("pro_monthly"))])];
            assert_eq!(
                tier(&subscriptions, SubscriptionTier::Enterprise),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn every_price_that_is_sold_names_its_tier() {
        for (sold, prices) in shared::quota::prices::Catalog::load().plans {
            for price in prices {
                let subscriptions = [subscription("active", vec![item(Some(&price.lookup_key))])];
                let verdict = derive(&subscriptions, &ProductTiers::new(), SubscriptionTier::Free);
                assert_eq!(verdict.tier, sold, "{}", price.lookup_key);
                assert!(verdict.unknown.is_empty(), "{}", price.lookup_key);
            }
        }
    }

    #[test]
    fn nothing_subscribed_is_free() {
        assert_eq!(
            tier(&[], SubscriptionTier::Enterprise),
            SubscriptionTier::Free
        );
    }

    #[test]
    fn the_best_of_several_counts() {
        let subscriptions = [
            subscription("active", vec![item(Some("enterprise_yearly"))]),
            subscription("active", vec![item(Some("pro_monthly"))]),
            subscription("canceled", vec![item(Some("enterprise_yearly"))]),
        ];
        assert_eq!(
            tier(&subscriptions, SubscriptionTier::Free),
            SubscriptionTier::Enterprise
        );
    }

    #[test]
    fn a_metered_item_beside_the_plan_is_passed_over() {
        let metered = SubscriptionItem {
            metered: true,
            ..item(None)
        };
        let subscriptions = [subscription(
            "active",
            vec![metered, item(Some("pro_monthly"))],
        )];
        let verdict = derive(&subscriptions, &ProductTiers::new(), SubscriptionTier::Free);
        assert_eq!(
            verdict,
            Verdict {
                tier: SubscriptionTier::Pro,
                unknown: Vec::new()
            }
        );
    }

    #[test]
    fn a_price_without_a_key_goes_by_its_product() {
        let products = ProductTiers::from([("prod_1".to_owned(), SubscriptionTier::Pro)]);
        let subscriptions = [subscription("active", vec![item(None)])];
        let verdict = derive(&subscriptions, &products, SubscriptionTier::Free);
        assert_eq!(verdict.tier, SubscriptionTier::Pro);
    }

    /// A new price takes the lookup key; who has subscribed keeps the old one.
    #[test]
    fn a_price_whose_key_was_taken_goes_by_the_product_that_the_set_up_made() {
        for sold in [SubscriptionTier::Pro, SubscriptionTier::Enterprise] {
            let item = SubscriptionItem {
                product_id: shared::quota::prices::product_of(sold),
                ..item(None)
            };
            let subscriptions = [subscription("active", vec![item])];
            assert_eq!(tier(&subscriptions, SubscriptionTier::Free), sold);
        }
    }

    #[test]
    fn an_unknown_price_keeps_the_tier_and_is_told() {
        let subscriptions = [subscription("active", vec![item(Some("gold_monthly"))])];
        for current in [SubscriptionTier::Free, SubscriptionTier::Enterprise] {
            let verdict = derive(&subscriptions, &ProductTiers::new(), current);
            assert_eq!(
                verdict,
                Verdict {
                    tier: current,
                    unknown: vec!["price_1".to_owned()]
                }
            );
        }
    }

    #[test]
    fn an_unknown_price_does_not_stop_an_upgrade() {
        let items = vec![item(Some("gold_monthly")), item(Some("enterprise_yearly"))];
        let subscriptions = [subscription("active", items)];
        assert_eq!(
            tier(&subscriptions, SubscriptionTier::Pro),
            SubscriptionTier::Enterprise
        );
    }

    #[test]
    fn an_ended_subscription_of_an_unknown_price_is_no_matter() {
        let subscriptions = [subscription("canceled", vec![item(Some("gold_monthly"))])];
        assert_eq!(
            tier(&subscriptions, SubscriptionTier::Pro),
            SubscriptionTier::Free
        );
    }

    #[test]
    fn an_unknown_status_or_a_cut_list_keeps_the_tier() {
        let cut = Subscription {
            has_all_items: false,
            ..subscription("active", vec![item(Some("starter"))])
        };
        let paused_anew = subscription("hibernating", vec![item(Some("starter"))]);
        for subscription in [cut, paused_anew] {
            assert_eq!(
                tier(&[subscription], SubscriptionTier::Pro),
                SubscriptionTier::Pro
            );
        }
    }
}
