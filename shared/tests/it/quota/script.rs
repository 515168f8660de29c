//! The scripts of the leases do what a model of them does, whatever the order.

use std::collections::HashMap;

use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use shared::{
    ids::{OrgId, RecordId},
    models::{Hold, Timestamp, Use},
    quota::admissions::redis::{LeaseKey, RedisLeases, Reserved},
};
use tokio::runtime::Runtime;

use super::adapter::Adapter;
use crate::support::time;

/// When all leases of these tests end; later reservations do not fit.
const END: &str = "2026-11-23T13:00:00Z";

#[derive(Clone, Debug)]
enum Step {
    Reserve {
        call: usize,
        amount: Use,
        late: bool,
    },
    Settle {
        call: usize,
        used: Use,
        is_last: bool,
    },
    SettleEarlier {
        call: usize,
    },
    Release {
        call: usize,
    },
    ReleaseEarlier {
        call: usize,
    },
    Grow {
        amount: Use,
    },
    Lose,
}

/// What the scripts should keep.
#[derive(Default)]
struct Model {
    lease: Option<RecordId>,
    granted: Use,
    used: Use,
    ends: bool,
    number: i64,
    /// The numbers of attempts, and what is held.
    open: HashMap<usize, (Vec<i64>, Use)>,
}

fn amount() -> impl Strategy<Value = Use> {
    (0_i64..60, 0_i64..60).prop_map(|(tokens, cost_micro_usd)| Use {
        tokens,
        cost_micro_usd,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let call = 0_usize..4;
    prop_oneof![
        8 => (call.clone(), amount(), prop::bool::weighted(0.1))
            .prop_map(|(call, amount, late)| Step::Reserve { call, amount, late }),
        4 => (call.clone(), amount(), any::<bool>())
            .prop_map(|(call, used, is_last)| Step::Settle { call, used, is_last }),
        1 => call.clone().prop_map(|call| Step::SettleEarlier { call }),
        3 => call.clone().prop_map(|call| Step::Release { call }),
        1 => call.prop_map(|call| Step::ReleaseEarlier { call }),
        4 => amount().prop_map(|amount| Step::Grow { amount }),
        1 => Just(Step::Lose),
    ]
}

impl Model {
    fn held(&self, without: usize) -> Use {
        let open = self.open.iter().filter(|(call, _)| **call != without);
        open.fold(Use::default(), |sum, (_, (_, held))| sum + *held)
    }

    /// What is taken beside an attempt at a call.
    fn beside(&self, call: usize, amount: Use) -> Use {
        let own = self.open.get(&call).map_or(Use::default(), |open| open.1);
        self.used + self.held(call) + (own.max(amount) - amount)
    }

    fn reserve(&mut self, call: usize, amount: Use, late: bool) -> bool {
        let needed = self.beside(call, amount) + amount;
        let fits = needed.tokens <= self.granted.tokens
            && needed.cost_micro_usd <= self.granted.cost_micro_usd
            && self.ends
            && !late;
        if fits {
            self.number += 1;
            let (numbers, held) = self.open.entry(call).or_default();
            numbers.push(self.number);
            *held = held.max(amount);
        }
        fits
    }

    fn settle(&mut self, call: usize, number: i64, used: Use, is_last: bool) -> bool {
        let counts = self.end(call, number);
        if counts {
            self.used += used;
            let left = self.open.get_mut(&call).filter(|_| !is_last);
            match left {
                Some((_, held)) => *held = *held - used,
                None => drop(self.open.remove(&call)),
            }
        }
        counts
    }

    fn end(&mut self, call: usize, number: i64) -> bool {
        let Some((numbers, _)) = self.open.get_mut(&call) else {
            return false;
        };
        let before = numbers.len();
        numbers.retain(|open| *open != number);
        let was_open = numbers.len() < before;
        if numbers.is_empty() {
            self.open.remove(&call);
        }
        was_open
    }

    fn first(&self, call: usize) -> i64 {
        self.open.get(&call).map_or(1, |open| open.0[0])
    }

    fn latest(&self, call: usize) -> i64 {
        let latest = self.open.get(&call).and_then(|open| open.0.last());
        latest.copied().unwrap_or(1)
    }
}

struct Pair {
    leases: RedisLeases,
    key: LeaseKey,
    model: Model,
}

impl Pair {
    async fn take(&mut self, step: &Step) {
        match step {
            Step::Reserve { call, amount, late } => self.reserve(*call, *amount, *late).await,
            Step::Settle {
                call,
                used,
                is_last,
            } => {
                let open = self.model.open.get(call);
                let held = open.map_or(Use::default(), |open| open.1);
                // No call uses more than it has reserved.
                let used = Use {
                    tokens: used.tokens.min(held.tokens),
                    cost_micro_usd: used.cost_micro_usd.min(held.cost_micro_usd),
                };
                let number = self.model.latest(*call);
                self.settle(*call, number, used, *is_last).await;
            }
            Step::SettleEarlier { call } => {
                // Every other one is from before the call was reserved.
                let number = self.model.first(*call) - i64::from(call % 2 == 0);
                self.settle(*call, number, Use::default(), false).await;
            }
            Step::Release { call } => self.release(*call, self.model.latest(*call)).await,
            Step::ReleaseEarlier { call } => {
                self.release(*call, self.model.first(*call)).await;
            }
            Step::Grow { amount } => self.grow(*amount).await,
            Step::Lose => self.lose().await,
        }
        self.compare().await;
    }

    async fn reserve(&mut self, call: usize, amount: Use, late: bool) {
        let expires_at: Timestamp = time(END).plus_seconds(i64::from(late));
        let id = id(call);
        let reserved = self.leases.reserve(&self.key, &id, amount, expires_at);
        let reserved = reserved.await.unwrap();
        let taken = self.model.beside(call, amount);
        let fits = self.model.reserve(call, amount, late);
        let (lease, admitted) = match reserved {
            Reserved::Admitted(hold) => {
                assert_eq!(hold.number, self.model.number);
                (hold.lease, true)
            }
            Reserved::Short {
                lease,
                granted,
                taken: told,
            } => {
                assert_eq!((granted, told), (self.model.granted, taken));
                (lease, false)
            }
        };
        assert_eq!(admitted, fits);
        assert_eq!(
            self.model.lease.get_or_insert_with(|| lease.clone()),
            &lease
        );
    }

    async fn settle(&mut self, call: usize, number: i64, used: Use, is_last: bool) {
        let Some(hold) = self.hold(number) else {
            return;
        };
        let id = id(call);
        let settled = self
            .leases
            .settle(&self.key, &id, (&hold, is_last), used, time(END));
        let settled = settled.await.unwrap();
        let is_counted = self.model.settle(call, number, used, is_last);
        assert_eq!(settled.is_counted, is_counted);
    }

    async fn release(&mut self, call: usize, number: i64) {
        let Some(hold) = self.hold(number) else {
            return;
        };
        let id = id(call);
        let released = self.leases.release(&self.key, &id, &hold);
        assert_eq!(released.await.unwrap(), self.model.end(call, number));
    }

    /// Grants arrive in any order, and more than once.
    async fn grow(&mut self, amount: Use) {
        let Some(lease) = self.model.lease.clone() else {
            return;
        };
        let granted = Use {
            tokens: amount.tokens * 10,
            cost_micro_usd: amount.cost_micro_usd * 10,
        };
        for _ in 0..2 {
            let grown = self.leases.grow(&self.key, &lease, granted, time(END));
            assert!(grown.await.unwrap());
        }
        let known = &mut self.model.granted;
        known.tokens = known.tokens.max(granted.tokens);
        known.cost_micro_usd = known.cost_micro_usd.max(granted.cost_micro_usd);
        self.model.ends = true;
    }

    async fn lose(&mut self) {
        let Some(lease) = self.model.lease.clone() else {
            return;
        };
        self.leases.forget(&self.key, &lease).await.unwrap();
        let grown = self
            .leases
            .grow(&self.key, &lease, Use::default(), time(END));
        assert!(!grown.await.unwrap(), "a lease that is gone stays gone");
        self.model = Model::default();
    }

    async fn compare(&self) {
        let Some(state) = self.leases.look(&self.key).await.unwrap() else {
            assert_eq!(self.model.lease, None);
            return;
        };
        assert_eq!(
            (state.used, state.open),
            (self.model.used, self.model.held(99))
        );
        assert_eq!(state.calls.len(), self.model.open.len());
        for (call, (numbers, _)) in &self.model.open {
            let found = state.calls.iter().find(|open| open.id == id(*call));
            assert_eq!(&found.unwrap().numbers, numbers);
        }
        let bound = state.used + state.open;
        let granted = self.model.granted;
        let is_within =
            bound.tokens <= granted.tokens && bound.cost_micro_usd <= granted.cost_micro_usd;
        assert!(is_within, "{bound:?} of {granted:?}");
    }

    fn hold(&self, number: i64) -> Option<Hold> {
        let lease = self.model.lease.clone()?;
        Some(Hold { lease, number })
    }
}

fn id(call: usize) -> RecordId {
    RecordId::parse(format!("c{call}")).unwrap()
}

#[test]
fn the_scripts_do_what_their_model_does() {
    let (adapter, runtime) = (Adapter::redis(), Runtime::new().unwrap());
    let leases = runtime.block_on(async { adapter.leases() });
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let run = TestRunner::new(config).run(&vec(step(), 1..60), |steps| {
        let mut pair = Pair {
            leases: leases.clone(),
            key: LeaseKey {
                org_id: OrgId::generate(),
                period: "2026-11".to_owned(),
            },
            model: Model::default(),
        };
        runtime.block_on(async {
            for step in &steps {
                pair.take(step).await;
            }
        });
        Ok(())
    });
    run.unwrap();
}
