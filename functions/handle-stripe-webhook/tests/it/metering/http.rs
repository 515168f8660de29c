//! The same over HTTP, on a Stripe that holds requests and answers to the vendor's published types.

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use futures::future::{Either, select};
use handle_stripe_webhook::{Meter, Metered};
use shared::{
    models::SubscriptionTier,
    testing::{FakeStripe, StripeFault, killed_after},
};

use super::world::{INCLUDED, World};

/// An organization that uses tokens, and a meter that bills them at that Stripe.
pub(super) struct Shop {
    pub(super) world: World,
    pub(super) stripe: FakeStripe,
    pub(super) meter: Meter,
}

impl Shop {
    /// With 1,000,000 tokens above what is included, in three calls a minute apart.
    async fn over() -> Self {
        let shop = Self::new().await;
        for (number, tokens) in [INCLUDED + 200_000, 300_000, 500_000].iter().enumerate() {
            shop.world.call(&format!("u{number}"), *tokens).await;
            shop.world.clock.advance(Duration::from_mins(1));
        }
        shop
    }

    pub(super) async fn new() -> Self {
        let world = World::empty();
        let stripe = FakeStripe::start(world.clock.shared()).await;
        let _ = stripe.add_meter("llm_tokens");
        let customer = stripe.add_customer("o1");
        world
            .add("o1", SubscriptionTier::Pro, Some(&customer))
            .await;
        let (store, billing) = (world.store.clone(), Arc::new(stripe.client()));
        let meter = Meter::new(store, billing, world.clock.shared());
        Self {
            world,
            stripe,
            meter,
        }
    }

    pub(super) async fn run(&self) -> Metered {
        self.meter.run().await.unwrap()
    }

    async fn run_for_hours(&self, hours: u64) {
        for _ in 0..hours {
            self.world.clock.advance(Duration::from_hours(1));
            self.run().await;
        }
    }

    /// The run dies when that request is sent, before or after it is carried out; tells whether
    /// there was such a request.
    async fn run_killed_at(&self, request: usize, is_carried_out: bool) -> bool {
        self.stripe.kill_at(request, is_carried_out);
        let death = pin!(self.stripe.death());
        match select(death, pin!(self.meter.run())).await {
            Either::Left(_) => true,
            Either::Right((metered, _)) => {
                metered.unwrap();
                false
            }
        }
    }

    fn counted(&self) -> BTreeMap<String, Vec<i64>> {
        let mut counted: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for event in self.stripe.meter_events() {
            counted
                .entry(event.identifier)
                .or_default()
                .push(event.value);
        }
        counted
    }

    pub(super) fn assert_billed_once(&self, place: &str) {
        self.world.assert_billed(&self.counted(), place);
        assert_eq!(self.stripe.problems(), [""; 0], "{place}");
    }
}

#[tokio::test]
async fn only_what_is_above_the_included_amount_arrives() {
    let shop = Shop::over().await;
    let metered = shop.run().await;
    assert_eq!((metered.counted, metered.sent), (3, 3));
    shop.assert_billed_once("one run");
    shop.run_for_hours(2).await;
    shop.assert_billed_once("later runs");
}

#[tokio::test]
async fn a_meter_that_dies_anywhere_neither_loses_nor_doubles() {
    for polls in 0.. {
        let shop = Shop::over().await;
        let is_done = killed_after(polls, shop.meter.run()).await.is_some();
        for _ in 0..3 {
            shop.world.clock.advance(Duration::from_mins(6));
            shop.run().await;
        }
        shop.assert_billed_once(&format!("{polls} polls"));
        if is_done {
            assert!(polls > 10, "it died nowhere");
            return;
        }
    }
}

/// Deaths at each request of a run, before and after it is carried out, until there is none.
async fn at_each_request(act: impl AsyncFn(usize, bool) -> bool) -> usize {
    let mut deaths = 0;
    for request in 0.. {
        let mut is_past = true;
        for is_carried_out in [false, true] {
            let has_died = act(request, is_carried_out).await;
            deaths += usize::from(has_died);
            is_past &= !has_died;
        }
        if is_past {
            break;
        }
    }
    deaths
}

#[tokio::test]
async fn a_meter_that_dies_at_any_request_neither_loses_nor_doubles() {
    let deaths = at_each_request(async |request, is_carried_out| {
        let shop = Shop::over().await;
        let has_died = shop.run_killed_at(request, is_carried_out).await;
        for _ in 0..3 {
            shop.world.clock.advance(Duration::from_mins(6));
            shop.run().await;
        }
        shop.assert_billed_once(&format!("{request} {is_carried_out}"));
        has_died
    })
    .await;
    assert_eq!(deaths, 8, "who finds the meter, and three events");
}

#[tokio::test]
async fn a_meter_that_comes_back_after_stripe_has_forgotten_asks_what_has_arrived() {
    let deaths = at_each_request(async |request, is_carried_out| {
        let shop = Shop::over().await;
        let has_died = shop.run_killed_at(request, is_carried_out).await;
        shop.world.clock.advance(Duration::from_hours(60));
        shop.run_for_hours(4).await;
        shop.assert_billed_once(&format!("{request} {is_carried_out}"));
        has_died
    })
    .await;
    assert_eq!(deaths, 8);
}

/// Stripe keeps that answer for the key; the row is sent again when its minute tells that it is not
/// there.
#[tokio::test]
async fn a_status_that_stripe_keeps_for_a_day_loses_nothing() {
    for is_carried_out in [false, true] {
        let shop = Shop::over().await;
        shop.stripe.fail_at(1, StripeFault::Kept { is_carried_out });
        shop.run().await;
        for _ in 0..30 {
            shop.run_for_hours(1).await;
            shop.world.clock.advance(Duration::from_mins(1));
            shop.run().await;
        }
        shop.assert_billed_once(&format!("{is_carried_out}"));
    }
}

#[tokio::test]
async fn without_an_active_meter_nothing_is_sent_and_nothing_given_up() {
    let shop = Shop::over().await;
    let meter = shop.stripe.objects("meter")[0]["id"].clone();
    let id = meter.as_str().unwrap();
    shop.stripe.change("meter", id, "status", "inactive".into());
    assert!(shop.meter.run().await.is_err(), "there is no active meter");
    assert_eq!(shop.counted(), BTreeMap::new());
    shop.stripe.change("meter", id, "status", "active".into());
    shop.world.clock.advance(Duration::from_mins(6));
    shop.run().await;
    shop.assert_billed_once("with the meter");
}
