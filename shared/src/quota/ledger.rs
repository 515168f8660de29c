//! What the ledger of a UTC month comes to: what is summed up of it, and what is not yet.

use std::array::from_fn;

use crate::{
    ids::OrgId,
    models::{MeteredMonth, UsageEntry, UsageState},
    store::{self, Page, Store, Versioned},
};

const PAGE: u32 = 500;

/// Pages of what is not summed up yet that are read of an organization: metering is far behind then.
const MAX_PAGES: usize = 40;

/// Tokens of a month's settled entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonthUse {
    /// Those that are included in a plan or billed.
    pub counted: i64,
    /// Those that were used with the organization's own keys.
    pub own_key: i64,
}

/// Why months are not summed up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// So much of the ledger is not metered yet that it cannot be summed up.
    #[error("too much of the ledger is not metered yet")]
    Behind,
    /// The database failed.
    #[error("the ledger cannot be read")]
    Store(#[from] store::Error),
}

impl MonthUse {
    fn summed(month: Option<&Versioned<MeteredMonth>>) -> Self {
        month.map_or_else(Self::default, |month| Self {
            counted: month.value.counted,
            own_key: month.value.own_key,
        })
    }

    fn and(self, other: Self) -> Self {
        Self {
            counted: self.counted.saturating_add(other.counted),
            own_key: self.own_key.saturating_add(other.own_key),
        }
    }

    fn add(&mut self, entry: &UsageEntry) {
        let tokens = entry.amount().tokens.max(0);
        let sum = match entry.is_own_key {
            true => &mut self.own_key,
            false => &mut self.counted,
        };
        *sum = sum.saturating_add(tokens);
    }
}

/// What the months, `YYYY-MM`, come to in an organization; none when one was summed up meanwhile, so
/// that it is to be looked at again.
///
/// # Errors
/// Returns [`Error::Behind`] when too much is not summed up yet, or the database's error.
pub async fn sum_months<const N: usize>(
    store: &Store,
    org_id: &OrgId,
    periods: [&str; N],
) -> Result<Option<[MonthUse; N]>, Error> {
    let before = find_months(store, org_id, periods).await?;
    let mut sums = [MonthUse::default(); N];
    for (sum, month) in sums.iter_mut().zip(&before) {
        *sum = MonthUse::summed(month.as_ref());
    }
    add_pending(store, org_id, periods, &mut sums).await?;
    let is_still = find_months(store, org_id, periods).await? == before;
    Ok(is_still.then_some(sums))
}

/// The same with the most that calls under way may use, of those that the ledger has: a call that a
/// lease has admitted, and whose answer comes whole, it has when that has ended.
///
/// # Errors
/// As [`sum_months`], also for so many calls.
pub async fn sum_months_and_calls<const N: usize>(
    store: &Store,
    org_id: &OrgId,
    periods: [&str; N],
) -> Result<Option<[MonthUse; N]>, Error> {
    // Before the rest: a call that settles meanwhile counts twice rather than not at all.
    let mut calls = [MonthUse::default(); N];
    let mut page = Page::first(PAGE);
    for _ in 0..MAX_PAGES {
        let listing = store.list_reserved_usage_entries(org_id, &page).await?;
        add(&listing.items, periods, UsageState::Reserved, &mut calls);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => {
                let sums = sum_months(store, org_id, periods).await?;
                return Ok(sums.map(|sums| from_fn(|place| sums[place].and(calls[place]))));
            }
        }
    }
    Err(Error::Behind)
}

async fn find_months<const N: usize>(
    store: &Store,
    org_id: &OrgId,
    periods: [&str; N],
) -> Result<Vec<Option<Versioned<MeteredMonth>>>, store::Error> {
    let mut found = Vec::with_capacity(N);
    for period in periods {
        found.push(store.find_metered_month(org_id, period).await?);
    }
    Ok(found)
}

async fn add_pending<const N: usize>(
    store: &Store,
    org_id: &OrgId,
    periods: [&str; N],
    sums: &mut [MonthUse; N],
) -> Result<(), Error> {
    let mut page = Page::first(PAGE);
    for _ in 0..MAX_PAGES {
        let listing = store.list_all_usage_entries_to_meter(org_id, &page).await?;
        add(&listing.items, periods, UsageState::Settled, sums);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(()),
        }
    }
    Err(Error::Behind)
}

fn add<const N: usize>(
    entries: &[Versioned<UsageEntry>],
    periods: [&str; N],
    state: UsageState,
    sums: &mut [MonthUse; N],
) {
    for entry in entries.iter().map(|entry| &entry.value) {
        let place = periods.iter().position(|period| entry.period == *period);
        if let Some(place) = place.filter(|_| entry.state == state) {
            sums[place].add(entry);
        }
    }
}
