//! The command against an account.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, os::unix::fs::PermissionsExt, process::ExitCode};

use clap::Parser;
use serde_json::json;
use shared::{
    config::Env,
    quota::prices::Catalog,
    stripe::{API_VERSION, WEBHOOK_EVENTS},
    testing::{FakeStripe, FixedClock, StripeFault},
};
use stripe_setup::{Arguments, Config, run};

const WEBHOOK: &str = "https://hooks.example.com/";
const KINDS: [&str; 5] = ["meter", "product", "price", "configuration", "endpoint"];

async fn account() -> FakeStripe {
    FakeStripe::start(FixedClock::at("2026-11-23T12:00:00Z").shared()).await
}

async fn command(stripe: &FakeStripe, arguments: &[&str]) -> anyhow::Result<bool> {
    let arguments = ["stripe-setup"].iter().chain(arguments);
    let arguments = Arguments::try_parse_from(arguments).unwrap();
    let env = Env::from_pairs([
        ("STRIPE_API_KEY", "sk_test_fake"),
        ("STRIPE_API_BASE_URL", &*stripe.url()),
    ]);
    let code = run(&arguments, &Config::from_env(&env).unwrap()).await?;
    Ok(code == ExitCode::SUCCESS)
}

async fn apply(stripe: &FakeStripe) -> anyhow::Result<bool> {
    command(stripe, &["apply", "--webhook-url", WEBHOOK]).await
}

async fn verify(stripe: &FakeStripe) -> bool {
    let verify = ["verify", "--webhook-url", WEBHOOK];
    command(stripe, &verify).await.unwrap()
}

fn writes(stripe: &FakeStripe) -> usize {
    let calls = stripe.calls();
    calls.iter().filter(|call| call.method == "POST").count()
}

fn counts(stripe: &FakeStripe) -> [usize; 5] {
    KINDS.map(|kind| stripe.objects(kind).len())
}

/// The id of the price that has a key.
fn price(stripe: &FakeStripe, lookup_key: &str) -> String {
    let prices = stripe.objects("price");
    let mut prices = prices
        .iter()
        .filter(|price| price["lookup_key"] == lookup_key);
    let id = prices.next().unwrap()["id"].as_str().unwrap().to_owned();
    assert!(prices.next().is_none(), "{lookup_key}");
    id
}

#[tokio::test]
async fn an_empty_account_gets_all_that_is_needed_and_a_second_run_changes_nothing() {
    let stripe = account().await;
    assert!(!verify(&stripe).await);
    assert_eq!(writes(&stripe), 0, "looking changes nothing");
    assert!(apply(&stripe).await.unwrap());
    let (made, all) = (writes(&stripe), counts(&stripe));
    assert_eq!(all, [1, 4, 9, 1, 1]);
    assert!(apply(&stripe).await.unwrap() && verify(&stripe).await);
    assert_eq!((writes(&stripe), counts(&stripe)), (made, all));
    assert_eq!(stripe.problems(), [""; 0]);
}

#[tokio::test]
async fn what_the_catalog_sells_is_what_stripe_is_told() {
    let stripe = account().await;
    apply(&stripe).await.unwrap();
    let prices = stripe.objects("price");
    let of = |key: &str| {
        prices
            .iter()
            .find(|price| price["lookup_key"] == key)
            .unwrap()
    };
    let meter = &stripe.objects("meter")[0];
    for price in Catalog::load().plans.values().flatten() {
        let flat = of(&price.lookup_key);
        assert_eq!(flat["unit_amount"], price.amount_cents);
        assert_eq!(flat["recurring"]["interval"], price.interval.as_str());
        assert_eq!(flat["recurring"]["usage_type"], "licensed");
        if let Some(overage) = &price.overage {
            let metered = of(&overage.lookup_key);
            assert_eq!(metered["unit_amount_decimal"], overage.cents_per_token());
            assert_eq!(metered["recurring"]["meter"], meter["id"]);
            assert_eq!(metered["recurring"]["interval"], price.interval.as_str());
        }
    }
    let endpoint = &stripe.objects("endpoint")[0];
    assert_eq!(endpoint["api_version"], API_VERSION);
    assert_eq!(endpoint["enabled_events"], json!(WEBHOOK_EVENTS));
}

#[tokio::test]
async fn a_run_that_dies_at_anything_that_it_makes_is_completed_by_the_next() {
    let reference = account().await;
    apply(&reference).await.unwrap();
    let (calls, all) = (reference.calls(), counts(&reference));
    let writes = (0..calls.len()).filter(|number| calls[*number].method == "POST");
    let writes: Vec<usize> = writes.collect();
    let mut deaths = 0;
    for number in writes.iter().copied() {
        for is_carried_out in [false, true] {
            let stripe = account().await;
            stripe.kill_at(number, is_carried_out);
            tokio::select! {
                ended = apply(&stripe) => panic!("{number}: {ended:?}"),
                () = stripe.death() => deaths += 1,
            }
            assert!(apply(&stripe).await.unwrap(), "{number}");
            assert_eq!(counts(&stripe), all, "{number}");
            assert!(verify(&stripe).await, "{number}");
        }
    }
    assert_eq!(deaths, 2 * writes.len());
}

#[tokio::test]
async fn what_breaks_on_the_way_is_made_once() {
    for turn in 2..7 {
        let stripe = account().await;
        stripe.fail_each(turn, StripeFault::Dropped);
        assert!(apply(&stripe).await.unwrap(), "{turn}");
        assert_eq!(counts(&stripe), [1, 4, 9, 1, 1], "{turn}");
    }
}

#[tokio::test]
async fn a_refusal_ends_the_run_with_what_stripe_says() {
    let stripe = account().await;
    stripe.fail_next([StripeFault::Status(403)]);
    let error = apply(&stripe).await.unwrap_err();
    assert!(format!("{error:#}").contains("403"), "{error:#}");
}

#[tokio::test]
async fn another_amount_is_another_price_with_the_same_key() {
    let stripe = account().await;
    apply(&stripe).await.unwrap();
    let before = price(&stripe, "pro_monthly");
    stripe.change("price", &before, "unit_amount_decimal", json!("1"));
    assert!(!verify(&stripe).await);
    assert!(apply(&stripe).await.unwrap() && verify(&stripe).await);
    assert_ne!(price(&stripe, "pro_monthly"), before);
    let prices = stripe.objects("price");
    let old = prices.iter().find(|price| price["id"] == *before).unwrap();
    assert_eq!(
        (&old["active"], &old["lookup_key"]),
        (&json!(false), &json!(null))
    );
}

#[tokio::test]
async fn what_somebody_changed_in_the_dashboard_is_told_and_mended() {
    let changes = [
        ("product", "name", json!("Prof")),
        ("product", "active", json!(false)),
        ("price", "active", json!(false)),
        ("price", "currency", json!("eur")),
        ("price", "lookup_key", json!(null)),
        ("meter", "status", json!("inactive")),
        ("configuration", "active", json!(false)),
        ("configuration", "features", json!({})),
        ("endpoint", "status", json!("disabled")),
        ("endpoint", "enabled_events", json!(["*"])),
        ("endpoint", "url", json!("https://elsewhere.example.com/")),
    ];
    for (kind, field, value) in changes {
        let stripe = account().await;
        apply(&stripe).await.unwrap();
        let first = stripe.objects(kind).remove(0);
        stripe.change(kind, first["id"].as_str().unwrap(), field, value);
        assert!(!verify(&stripe).await, "{kind} {field}");
        assert!(apply(&stripe).await.unwrap(), "{kind} {field}");
        assert!(verify(&stripe).await, "{kind} {field}");
    }
}

#[tokio::test]
async fn what_no_program_can_change_stays_a_difference() {
    let changes = [
        ("endpoint", "api_version", json!("2024-06-20")),
        (
            "meter",
            "default_aggregation",
            json!({ "formula": "count" }),
        ),
    ];
    for (kind, field, value) in changes {
        let stripe = account().await;
        apply(&stripe).await.unwrap();
        let first = stripe.objects(kind).remove(0);
        stripe.change(kind, first["id"].as_str().unwrap(), field, value);
        assert!(!apply(&stripe).await.unwrap(), "{kind}");
        assert!(!verify(&stripe).await, "{kind}");
    }
}

#[tokio::test]
async fn without_a_url_endpoints_are_no_matter() {
    let stripe = account().await;
    assert!(command(&stripe, &["apply"]).await.unwrap());
    assert!(command(&stripe, &["verify"]).await.unwrap());
    assert_eq!(stripe.objects("endpoint").len(), 0);
}

#[tokio::test]
async fn a_secret_is_kept_for_its_owner_alone_and_no_file_is_overwritten() {
    let stripe = account().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    let path = file.to_str().unwrap();
    let arguments = ["apply", "--webhook-url", WEBHOOK, "--secret-file", path];
    assert!(command(&stripe, &arguments).await.unwrap());
    let secret = fs::read_to_string(&file).unwrap();
    let id = stripe.objects("endpoint")[0]["id"].clone();
    assert_eq!(secret, format!("whsec_{}", id.as_str().unwrap()));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(command(&stripe, &arguments).await.is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), secret);
    let other = directory.path().join("other");
    let arguments = ["apply", "--secret-file", other.to_str().unwrap()];
    assert!(command(&stripe, &arguments).await.unwrap());
    assert!(!other.exists(), "no endpoint was made, so no file stays");
}
