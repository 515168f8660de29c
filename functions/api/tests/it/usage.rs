use serde_json::json;
use shared::{ids::OrgId, models::TokenQuota, store::organizations::set_token_quota};

use crate::{app::TestApp, seeds};

async fn app_with_usage() -> TestApp {
    let app = TestApp::new().await;
    let quota = TokenQuota {
        period: "2026-11".to_owned(),
        used: 50_000,
        ..TokenQuota::default()
    };
    let writes = vec![
        seeds::usage("u1", "2026-10-31", "gpt-4.1"),
        seeds::usage("u2", "2026-11-01", "gpt-4.1"),
        seeds::usage("u3", "2026-11-23", "gpt-4.1-mini"),
        set_token_quota(&OrgId::parse("o1").unwrap(), &quota, None).unwrap(),
    ];
    app.store.commit(writes).await.unwrap();
    app
}

#[tokio::test]
async fn the_current_month_is_summed_up_by_day() {
    let app = app_with_usage().await;
    let usage = app.get("viewer", "/analytics/usage").await.body;
    assert_eq!(
        (&usage["from"], &usage["to"]),
        (&json!("2026-11-01"), &json!("2026-11-23"))
    );
    let totals = json!({
        "requests": 2,
        "inputTokens": 200,
        "outputTokens": 40,
        "tokens": 240,
        "costMicroUsd": 14,
    });
    assert_eq!(usage["totals"], totals);
    assert_eq!(usage["groupBy"], "day");
    assert_eq!(usage["groups"][0]["key"], "2026-11-01");
    assert_eq!(usage["groups"][0]["tokens"], 120);
}

#[tokio::test]
async fn days_and_groups_can_be_chosen() {
    let app = app_with_usage().await;
    let query = "/analytics/usage?from=2026-10-31&to=2026-11-01&groupBy=model";
    let usage = app.get("viewer", query).await.body;
    assert_eq!(usage["totals"]["requests"], 2);
    assert_eq!(usage["groups"].as_array().unwrap().len(), 1);
    assert_eq!(usage["groups"][0]["key"], "gpt-4.1");
}

#[tokio::test]
async fn more_entries_than_are_read_at_once_are_all_summed_up() {
    let app = app_with_usage().await;
    for batch in 0..3 {
        let numbers = batch * 400..(batch + 1) * 400;
        let entries = numbers.map(|number| seeds::usage(&format!("m{number}"), "2026-11-02", "m"));
        app.store.commit(entries.collect()).await.unwrap();
    }
    let usage = app.get("viewer", "/analytics/usage").await.body;
    assert_eq!(usage["totals"]["requests"], 1_202);
    assert_eq!(usage["groups"][1]["requests"], 1_200);
}

#[tokio::test]
async fn the_plan_tells_how_much_of_the_month_is_gone() {
    let app = app_with_usage().await;
    let usage = app
        .get("viewer", "/analytics/usage?to=2026-10-31")
        .await
        .body;
    assert_eq!(usage["plan"]["subscriptionTier"], "free");
    assert_eq!(usage["plan"]["includedTokens"], 200_000);
    assert_eq!(usage["plan"]["monthlyTokens"], 200_000);
    assert_eq!(
        (&usage["period"], &usage["periodTokens"]),
        (&json!("2026-11"), &json!(50_000))
    );
    assert_eq!(usage["percentOfLimit"], 25.0);
}

#[tokio::test]
async fn another_organization_has_used_nothing() {
    let app = app_with_usage().await;
    let usage = app.get("stranger", "/analytics/usage").await.body;
    assert_eq!(
        (&usage["totals"]["tokens"], &usage["groups"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(usage["percentOfLimit"], 0.0);
}

#[tokio::test]
async fn days_that_are_none_are_refused_by_name() {
    let app = app_with_usage().await;
    for (query, field) in [
        ("from=2026-13-01", "from"),
        ("to=today", "to"),
        ("from=2026-11-23&to=2026-11-22", "to"),
        ("from=2025-01-01&to=2026-11-23", "to"),
    ] {
        let answer = app
            .get("viewer", &format!("/analytics/usage?{query}"))
            .await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{query}");
        assert_eq!(answer.fields(), [field]);
    }
}
