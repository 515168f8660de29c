//! The suite that every limiter passes. Time is the test's own.

use std::time::Duration;

use futures::{StreamExt, stream};

use super::{
    adapter::{Bench, on_each_limiter},
    limit,
};

const MICROSECOND: Duration = Duration::from_micros(1);

on_each_limiter!(
    no_phase_against_the_minute_lets_more_than_the_limit_in,
    there_is_room_after_the_told_time_and_not_a_microsecond_before,
    what_remains_is_told_and_when_there_is_more,
    what_is_refused_counts_nothing,
    clients_and_scopes_do_not_share_a_window,
    parallel_requests_are_admitted_exactly,
    a_limit_that_is_lowered_holds_at_once,
    a_clock_that_is_set_back_admits_no_more_and_locks_nobody_out,
);

async fn no_phase_against_the_minute_lets_more_than_the_limit_in(bench: &Bench) {
    let limit = limit(100, 60);
    for phase in [1, 7, 15, 29, 30, 31, 45, 59] {
        let client = format!("phase {phase}");
        bench.clock.advance(Duration::from_secs(60 - phase));
        assert_eq!(bench.burst(&client, limit, 150).await, 100, "{client}");
        bench.clock.advance(Duration::from_secs(phase));
        // The next minute has begun, and the window is still full.
        assert_eq!(bench.burst(&client, limit, 150).await, 0, "{client}");
        bench
            .clock
            .advance(Duration::from_secs(60 - phase) - MICROSECOND);
        assert_eq!(bench.burst(&client, limit, 150).await, 0, "{client}");
        bench.clock.advance(MICROSECOND);
        assert_eq!(bench.burst(&client, limit, 150).await, 100, "{client}");
        bench.clock.advance(Duration::from_secs(phase));
    }
}

async fn there_is_room_after_the_told_time_and_not_a_microsecond_before(bench: &Bench) {
    let limit = limit(3, 60);
    for wait in [5, 10, 20] {
        assert!(bench.take("a", limit).await.is_admitted);
        bench.clock.advance(Duration::from_secs(wait));
    }
    for expected in [25, 5, 10] {
        let refused = bench.take("a", limit).await;
        assert!(!refused.is_admitted);
        assert_eq!(refused.reset_after, Duration::from_secs(expected));
        bench.clock.advance(refused.reset_after - MICROSECOND);
        assert!(!bench.take("a", limit).await.is_admitted);
        bench.clock.advance(MICROSECOND);
        assert!(bench.take("a", limit).await.is_admitted);
    }
}

async fn what_remains_is_told_and_when_there_is_more(bench: &Bench) {
    let limit = limit(3, 60);
    for (remaining, reset) in [(2, 60), (1, 50), (0, 40)] {
        let admitted = bench.take("a", limit).await;
        assert!(admitted.is_admitted);
        assert_eq!((admitted.limit, admitted.remaining), (3, remaining));
        assert_eq!(admitted.reset_after, Duration::from_secs(reset));
        bench.clock.advance(Duration::from_secs(10));
    }
    let refused = bench.take("a", limit).await;
    assert_eq!((refused.limit, refused.remaining), (3, 0));
    bench.clock.advance(Duration::from_secs(45));
    // The first and the second have left the window.
    assert_eq!(bench.take("a", limit).await.remaining, 1);
}

async fn what_is_refused_counts_nothing(bench: &Bench) {
    let limit = limit(2, 60);
    assert_eq!(bench.burst("a", limit, 2).await, 2);
    for _ in 0..59 {
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(bench.burst("a", limit, 5).await, 0);
    }
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.burst("a", limit, 5).await, 2);
}

async fn clients_and_scopes_do_not_share_a_window(bench: &Bench) {
    let limit = limit(1, 60);
    assert_eq!(bench.burst("a", limit, 2).await, 1);
    assert_eq!(bench.burst("b", limit, 2).await, 1);
    let key = shared::rate_limit::Key::new("other", b"a");
    let other = bench.limiter.take(&key, limit).await.unwrap();
    assert!(other.is_admitted);
}

async fn parallel_requests_are_admitted_exactly(bench: &Bench) {
    let limit = limit(100, 60);
    for client in ["a", "b"] {
        let takes = (0..500).map(|_| bench.take(client, limit));
        let admitted = stream::iter(takes).buffer_unordered(100);
        let admitted = admitted.filter(|decision| std::future::ready(decision.is_admitted));
        assert_eq!(admitted.count().await, 100);
    }
}

async fn a_limit_that_is_lowered_holds_at_once(bench: &Bench) {
    for _ in 0..5 {
        assert!(bench.take("a", limit(5, 60)).await.is_admitted);
        bench.clock.advance(Duration::from_secs(1));
    }
    let refused = bench.take("a", limit(2, 60)).await;
    assert_eq!((refused.is_admitted, refused.remaining), (false, 0));
    // Of five, four must be gone: the last but one came 2 s ago.
    assert_eq!(refused.reset_after, Duration::from_secs(58));
    bench.clock.advance(refused.reset_after);
    assert!(bench.take("a", limit(2, 60)).await.is_admitted);
}

async fn a_clock_that_is_set_back_admits_no_more_and_locks_nobody_out(bench: &Bench) {
    let limit = limit(2, 60);
    for back in [1, 59, 60, 3_600] {
        let client = format!("back {back}");
        assert!(bench.take(&client, limit).await.is_admitted);
        bench.clock.advance(Duration::from_secs(20));
        assert!(bench.take(&client, limit).await.is_admitted);
        bench.clock.move_by(-back * 1_000_000);
        let refused = bench.take(&client, limit).await;
        // At the latest, the second came just now and the first 20 s before.
        assert_eq!(
            (refused.is_admitted, refused.reset_after.as_secs()),
            (false, 40)
        );
        bench.clock.advance(Duration::from_secs(40) - MICROSECOND);
        assert!(!bench.take(&client, limit).await.is_admitted);
        bench.clock.advance(MICROSECOND);
        assert_eq!(bench.burst(&client, limit, 2).await, 1);
        bench.clock.advance(Duration::from_secs(20));
        assert_eq!(bench.burst(&client, limit, 2).await, 1);
    }
}
