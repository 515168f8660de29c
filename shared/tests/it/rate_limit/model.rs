//! The limiters do what a model does that counts all admissions there ever were.

use std::cell::Cell;

use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use shared::rate_limit::Limit;
use tokio::runtime::Runtime;

use super::{
    adapter::{Adapter, Bench},
    limit,
};

/// The window in microseconds; keys in Redis live by its own clock, which this outlasts.
const WINDOW: i64 = 60_000_000;

#[derive(Clone, Debug)]
struct Step {
    /// Microseconds since the step before.
    gap: i64,
    client: usize,
}

/// Gaps meet the window's length exactly, nearly, and not at all.
fn step() -> impl Strategy<Value = Step> {
    let gap = prop_oneof![
        4 => Just(0),
        4 => 0..WINDOW / 4,
        1 => Just(WINDOW),
        1 => Just(WINDOW - 1),
        1 => Just(WINDOW / 2),
        1 => 0..2 * WINDOW,
    ];
    (gap, 0_usize..3).prop_map(|(gap, client)| Step { gap, client })
}

/// All admissions of a client, in order.
#[derive(Default)]
struct Model {
    admitted: Vec<i64>,
}

impl Model {
    fn within(&self, now: i64) -> Vec<i64> {
        let recent = self.admitted.iter().filter(|at| now - **at < WINDOW);
        recent.copied().collect()
    }

    /// Whether a request is admitted, how many more are, and when there is room for one more.
    fn take(&mut self, now: i64, requests: usize) -> (bool, usize, i64) {
        let is_admitted = self.within(now).len() < requests;
        if is_admitted {
            self.admitted.push(now);
        }
        let within = self.within(now);
        (
            is_admitted,
            requests - within.len(),
            within[0] + WINDOW - now,
        )
    }
}

/// No window, wherever it begins, has more admissions than the limit.
fn assert_every_window(admitted: &[i64], requests: usize) {
    for start in admitted {
        let window = *start..*start + WINDOW;
        let count = admitted.iter().filter(|at| window.contains(at)).count();
        assert!(count <= requests, "{count} from {start}");
    }
}

async fn check(bench: &Bench, run: &str, limit: Limit, steps: &[Step]) {
    let requests = limit.requests.get() as usize;
    let mut models: [Model; 3] = Default::default();
    for (number, step) in steps.iter().enumerate() {
        bench.clock.move_by(step.gap);
        let client = format!("{run} {}", step.client);
        let decision = bench.take(&client, limit).await;
        let model = &mut models[step.client];
        let expected = model.take(bench.clock.micros(), requests);
        let reset = i64::try_from(decision.reset_after.as_micros()).unwrap();
        let told = (decision.is_admitted, decision.remaining as usize, reset);
        assert_eq!(told, expected, "step {number}");
    }
    for model in models {
        assert_every_window(&model.admitted, requests);
    }
}

fn compare(adapter: &Adapter, cases: u32) {
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(async { adapter.bench() });
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let run = Cell::new(0);
    let strategy = (1_u32..8, vec(step(), 1..120));
    let checked = TestRunner::new(config).run(&strategy, |(requests, steps)| {
        run.set(run.get() + 1);
        let name = format!("run {}", run.get());
        runtime.block_on(check(&bench, &name, limit(requests, 60), &steps));
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn the_limiter_in_memory_does_what_the_model_does() {
    compare(&Adapter::Memory, 256);
}

#[test]
fn the_script_does_what_the_model_does() {
    compare(&Adapter::redis(), 64);
}
