//! A history of twelve events over three subscriptions of one customer: however its events come,
//! however often, and wherever processes die, the tier is the one that Stripe ends with.

use std::time::Duration;

use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};
use shared::{models::SubscriptionTier, stripe::Subscription, testing::killed_after};

use crate::{
    app::{SUBSCRIPTION_KINDS, TestApp, checkout, subscription_event},
    running::Running,
    told_stripe::subscription,
};

const EVENTS: usize = 12;

const STATUSES: [&str; 6] = [
    "active", "trialing", "past_due", "unpaid", "canceled", "paused",
];

const KEYS: [&str; 3] = ["starter", "pro_monthly", "enterprise_yearly"];

/// What one event of the history has changed at Stripe.
#[derive(Clone, Copy, Debug)]
struct Change {
    subscription: usize,
    status: usize,
    key: usize,
    kind: usize,
}

#[derive(Clone, Debug)]
enum Step {
    /// Something changes at Stripe, which makes the next event.
    Change,
    /// Stripe delivers one of its events, for the first time or again.
    Deliver(Index),
    /// The queue brings one of its tasks.
    Bring(Index),
    /// The queue brings one, and the process dies after so many polls.
    Die(Index, usize),
    /// A minute later the sweeper looks.
    Sweep,
}

fn change() -> impl Strategy<Value = Change> {
    let parts = (
        0..3_usize,
        0..STATUSES.len(),
        0..KEYS.len(),
        0..SUBSCRIPTION_KINDS.len(),
    );
    parts.prop_map(|(subscription, status, key, kind)| Change {
        subscription,
        status,
        key,
        kind,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Change),
        3 => any::<Index>().prop_map(Step::Deliver),
        2 => any::<Index>().prop_map(Step::Bring),
        1 => (any::<Index>(), 0..40_usize).prop_map(|(index, polls)| Step::Die(index, polls)),
        1 => Just(Step::Sweep),
    ]
}

/// A customer at Stripe, as far as its history has come.
struct World {
    app: TestApp,
    running: Running,
    history: Vec<Change>,
    current: [Option<Change>; 3],
    /// What has been made of the history, each as of its time.
    events: Vec<Value>,
    delivered: Vec<bool>,
}

impl World {
    async fn new(history: Vec<Change>) -> Self {
        let app = TestApp::new().await;
        let running = Running::start(app.router.clone()).await;
        Self {
            app,
            running,
            delivered: vec![false; history.len()],
            history,
            current: [None; 3],
            events: Vec::new(),
        }
    }

    fn change(&mut self) {
        let made = self.events.len();
        let Some(change) = self.history.get(made).copied() else {
            return;
        };
        self.current[change.subscription] = Some(change);
        self.events.push(event(made, change));
        let subscriptions = (0..).zip(&self.current).filter_map(|(number, change)| {
            let change = (*change)?;
            let id = format!("sub_{number}");
            Some(subscription(&id, STATUSES[change.status], KEYS[change.key]))
        });
        let subscriptions: Vec<Subscription> = subscriptions.collect();
        self.app.stripe.set_all("cus_1", subscriptions);
    }

    async fn deliver(&mut self, number: usize) {
        let body = self.events[number].to_string();
        let status = self.running.deliver(&self.app, body).await;
        assert_eq!(status, 200);
        self.delivered[number] = true;
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Change => self.change(),
            Step::Deliver(_) if self.events.is_empty() => {}
            Step::Deliver(index) => self.deliver(index.index(self.events.len())).await,
            Step::Bring(index) => self.bring(index, None).await,
            Step::Die(index, polls) => self.bring(index, Some(*polls)).await,
            Step::Sweep => self.sweep().await,
        }
    }

    async fn bring(&self, index: &Index, polls: Option<usize>) {
        let mut tasks = self.app.queue.take();
        if tasks.is_empty() {
            return;
        }
        let task = tasks.swap_remove(index.index(tasks.len()));
        self.app.queue.put_back(tasks);
        match polls {
            // Whoever dies has acknowledged nothing, so that the task is brought again.
            Some(polls) => {
                if killed_after(polls, self.app.bring(&task)).await.is_none() {
                    self.app.queue.put_back(vec![task]);
                }
            }
            None => assert!(self.running.bring(&task).await.is_success()),
        }
    }

    async fn sweep(&self) {
        self.app.clock.advance(Duration::from_secs(60));
        assert!(self.app.sweep().await.status.is_success());
    }

    /// What has not happened yet happens; `order` tells which events come last.
    async fn finish(&mut self, order: &[usize]) {
        while self.events.len() < self.history.len() {
            self.change();
        }
        for number in order {
            if !self.delivered[*number] {
                self.deliver(*number).await;
            }
        }
        self.sweep().await;
        for task in self.app.queue.take() {
            assert!(self.running.bring(&task).await.is_success());
        }
    }

    /// Each event is acted on before the next one comes: all but the `end` as many changes late as
    /// `delays` tells, and then the end, one event of it twice.
    async fn live_through(&mut self, delays: &[usize], end: &[usize], repeated: usize) {
        for made in 1..=self.history.len() {
            self.change();
            for (number, delay) in delays.iter().enumerate().take(made) {
                let is_due = number + 1 + delay == made || made == self.history.len();
                if is_due && !end.contains(&number) && !self.delivered[number] {
                    self.act_on(number).await;
                }
            }
        }
        for number in end.iter().chain([&repeated]) {
            self.act_on(*number).await;
        }
    }

    async fn act_on(&mut self, number: usize) {
        self.app.receipt(&self.events[number]).await;
        self.app.drain().await;
        self.delivered[number] = true;
    }

    /// The best tier that is paid for in the end, told without the code under test.
    fn truth(&self) -> SubscriptionTier {
        let paid = self
            .current
            .iter()
            .flatten()
            .filter(|change| change.status < 3);
        match paid.map(|change| change.key).max() {
            Some(2) => SubscriptionTier::Enterprise,
            Some(1) => SubscriptionTier::Pro,
            _ => SubscriptionTier::Free,
        }
    }

    async fn assert_true(&self) {
        assert_eq!(self.app.tier().await, self.truth());
        for number in 0..self.history.len() {
            let state = self.app.state(&format!("evt_{number}")).await;
            assert!(
                matches!(state.as_str(), "applied" | "parked"),
                "{number}: {state}"
            );
        }
    }
}

/// What Stripe tells of a change, with the status and the price that it led to. The first event links
/// the customer; it may come as late as any other.
fn event(number: usize, change: Change) -> Value {
    let id = format!("evt_{number}");
    let mut event = match number {
        0 => checkout(&id, "cus_1", "o1"),
        _ => subscription_event(&id, SUBSCRIPTION_KINDS[change.kind]),
    };
    let price = json!({ "id": "price_1", "lookup_key": KEYS[change.key] });
    let object = &mut event["data"]["object"];
    object["subscription"] = json!(format!("sub_{}", change.subscription));
    object["status"] = json!(STATUSES[change.status]);
    object["items"] = json!({ "object": "list", "data": [{ "price": price }] });
    event
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_in_the_tier_that_stripe_ends_with(
        history in prop::collection::vec(change(), EVENTS),
        steps in prop::collection::vec(step(), 20..80),
        order in Just((0..EVENTS).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        block_on(async {
            let mut world = World::new(history).await;
            for step in &steps {
                world.take(step).await;
            }
            world.finish(&order).await;
            world.assert_true().await;
        });
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, ..ProptestConfig::default() })]

    /// Every order of the last four events, which are any of the twelve, with each of them repeated,
    /// after a sampled beginning of the other eight.
    #[test]
    fn every_order_of_the_last_events_ends_in_the_same_tier(
        history in prop::collection::vec(change(), EVENTS),
        delays in prop::collection::vec(0..4_usize, EVENTS),
        last in prop::sample::subsequence((0..EVENTS).collect::<Vec<_>>(), 4),
    ) {
        block_on(async {
            for end in permutations(&last) {
                for repeated in &end {
                    let mut world = World::new(history.clone()).await;
                    world.live_through(&delays, &end, *repeated).await;
                    world.assert_true().await;
                }
            }
        });
    }
}

fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in items.iter().enumerate() {
        let rest = [&items[..index], &items[index + 1..]].concat();
        for mut order in permutations(&rest) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}
