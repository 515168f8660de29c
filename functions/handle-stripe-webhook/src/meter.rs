//! Usage on its way to Stripe: ledger → `meter_events` → Stripe's meter.
//!
//! `docs/adr/20261127-metering.md` tells why nothing is lost or billed twice.

mod clear;
mod count;
mod moment;
pub(crate) mod reconcile;
mod send;

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use serde::Serialize;
use shared::{
    clock::SharedClock,
    ids::OrgId,
    models::Timestamp,
    quota::prices::Catalog,
    retry::Transient,
    store::{self, Page, Store},
    stripe::{self, Billing},
};

use crate::CALLER;

/// Organizations that are looked at side by side.
const AT_ONCE: usize = 8;

/// Entries that are looked at to find whose they are.
const PAGE: u32 = 500;

/// How long a run begins anything new: Cloud Scheduler comes again every minute.
const RUN: Duration = Duration::from_secs(40);

/// How much of that is for the ledger, however much it has: what is due is sent as well.
const COUNTING: Duration = Duration::from_secs(20);

/// What reports usage to Stripe.
#[derive(Clone)]
pub struct Meter {
    pub(crate) store: Store,
    pub(crate) billing: Arc<dyn Billing>,
    clock: SharedClock,
    /// The name of the events that the meter counts.
    event_name: String,
}

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metered {
    /// Entries of the ledger of which it was decided what is billed.
    pub counted: u64,
    /// Events that Stripe has acknowledged.
    pub sent: u64,
    /// Events that are tried again later.
    pub postponed: u64,
    /// Events that people have to look at: refused, too old, or of unknown outcome.
    pub given_up: u64,
}

/// Why a run has ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error("usage cannot be read or kept")]
    Store(#[from] store::Error),
    /// Stripe did not tell what it has counted.
    #[error("stripe does not tell what it has counted")]
    Stripe(#[from] stripe::Error),
    /// There is no meter of this name in the account of Stripe.
    #[error("stripe has no active meter of events `{0}`")]
    NoMeter(String),
    /// So much of an organization's ledger is not metered yet that it cannot be summed up.
    #[error("too much of the ledger is not metered yet")]
    Behind,
    /// An organization's ledger was summed up anew at each look.
    #[error("the ledger was summed up anew at each look")]
    Moving,
}

impl Meter {
    /// The meter of what is sold.
    #[must_use]
    pub fn new(store: Store, billing: Arc<dyn Billing>, clock: SharedClock) -> Self {
        Self {
            store,
            billing,
            clock,
            event_name: Catalog::load().meter.event_name,
        }
    }

    /// Decides what is billed of what the ledger has, and sends what is due. Two runs at once do
    /// nothing twice.
    ///
    /// # Errors
    /// Returns [`Error::Store`]; what was done until then stands.
    pub async fn run(&self) -> Result<Metered, Error> {
        let now = self.now();
        let counted = self.count_all(now.plus(COUNTING)).await?;
        let sent = send::send_due(self, now.plus(RUN)).await?;
        Ok(Metered { counted, ..sent })
    }

    /// The organizations' entries, until the time is over. An organization that fails is left for
    /// the next run.
    async fn count_all(&self, until: Timestamp) -> Result<u64, Error> {
        let (mut page, mut counted) = (Page::first(PAGE), 0);
        let mut seen: Vec<OrgId> = Vec::new();
        while self.now() < until {
            let listing = self.store.list_organizations_to_meter(&CALLER, &page);
            let listing = listing.await?;
            let mut owners = listing.items;
            owners.sort();
            owners.dedup();
            owners.retain(|org_id| !seen.contains(org_id));
            let counts = owners
                .iter()
                .cloned()
                .map(|org_id| self.count_one(org_id, until));
            let counts: Vec<u64> = stream::iter(counts)
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            counted += counts.into_iter().sum::<u64>();
            seen.extend(owners);
            match listing.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        Ok(counted)
    }

    async fn count_one(&self, org_id: OrgId, until: Timestamp) -> u64 {
        let (counted, result) = count::count(self, &org_id, until).await;
        if let Err(error) = result {
            let error = &error as &dyn std::error::Error;
            tracing::error!(org.id = %org_id, error, "usage left to be metered by the next run");
        }
        counted
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// Stripe's id of the meter.
    pub(crate) async fn id(&self) -> Result<String, Error> {
        let found = self.billing.find_meter(&self.event_name).await?;
        found.ok_or_else(|| Error::NoMeter(self.event_name.clone()))
    }
}

impl Metered {
    fn add(&mut self, other: Self) {
        self.counted += other.counted;
        self.sent += other.sent;
        self.postponed += other.postponed;
        self.given_up += other.given_up;
    }
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient() || error.is_lost_race(),
            Self::Stripe(error) => error.is_transient(),
            Self::NoMeter(_) | Self::Behind | Self::Moving => false,
        }
    }
}
