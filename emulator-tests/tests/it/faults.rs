//! The promises under faults, at the size of CI (`docs/fault-tests.md`).

use emulator_tests::faults::{
    scenario::{
        Ground, Outcome, budget, duplicates, failures, flaws, kills, outages, poison, shutdowns,
        zombies,
    },
    size::Size,
};
use execute_workflow::fault_points::Flaw;
use indicatif::ProgressBar;
use shared::config::Env;

/// A run of its own, or that of `FAULT_SEED` again.
fn ground() -> Ground {
    let env = Env::from_process();
    Ground {
        program: env!("CARGO_BIN_EXE_fault_worker").into(),
        seed: env.parsed("FAULT_SEED", rand::random()).unwrap(),
        progress: ProgressBar::hidden(),
    }
}

fn assert_holds(ground: &Ground, outcome: anyhow::Result<Outcome>) {
    let seed = ground.seed;
    let outcome = outcome.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
    assert!(outcome.holds(), "seed {seed}: {outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_stuck_when_workers_are_killed() {
    let ground = ground();
    assert_holds(&ground, kills::run(&ground, &Size::CI).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_done_and_reported_as_failed_do_no_harm() {
    let ground = ground();
    assert_holds(&ground, failures::run(&ground, &Size::CI).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_has_one_effect_however_often_it_comes() {
    let ground = ground();
    assert_holds(&ground, duplicates::run(&ground, &Size::CI).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_cannot_write() {
    let ground = ground();
    assert_holds(&ground, zombies::run(&ground, &Size::CI).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_put_aside_with_a_reason() {
    let ground = ground();
    assert_holds(&ground, poison::run(&ground, &Size::CI).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_comes_back_with_its_store() {
    let ground = ground();
    assert_holds(&ground, outages::run(&ground, &Size::CI).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_end_hands_over_in_time() {
    let ground = ground();
    assert_holds(&ground, shutdowns::run(&ground, &Size::CI).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_whoever_dies() {
    let ground = ground();
    assert_holds(&ground, budget::run(&ground, &Size::CI).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_notices_each_rule_that_is_broken() {
    let ground = ground();
    for flaw in Flaw::ALL {
        assert_holds(&ground, flaws::run(&ground, &Size::CI, flaw).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_notices_nothing_when_nothing_is_broken() {
    let ground = ground();
    assert_holds(&ground, flaws::run_sound(&ground).await);
}
