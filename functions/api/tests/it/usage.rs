use http::{
    Method,
    header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, VARY},
};
use serde_json::{Value, json};
use shared::{
    ids::{AgentId, OrgId, Uid, WorkflowId},
    models::{MeteredMonth, TokenQuota, UsageEntry, UsageState},
    quota::usage::GroupBy,
    store::{meter_events, organizations::set_token_quota, usage_ledger},
};

use crate::{
    app::{Answer, TestApp, empty, request},
    seeds,
};

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

/// Entries of two keys each and one of none, beside three that are in no sum.
fn of_many_keys() -> Vec<UsageEntry> {
    let entry = |n: i64, day: &str, model: &str, by: Option<&str>| UsageEntry {
        agent_id: by.map(|by| AgentId::parse(format!("agent-{by}")).unwrap()),
        workflow_id: by.map(|by| WorkflowId::parse(format!("workflow-{by}")).unwrap()),
        uid: by.map(|by| Uid::parse(format!("uid-{by}")).unwrap()),
        input_tokens: 10 * n,
        output_tokens: n,
        cost_micro_usd: 3 * n,
        ..seeds::usage_model(&format!("u{n}"), day, model)
    };
    vec![
        entry(1, "2026-11-02", "gpt-4.1", Some("a")),
        entry(20, "2026-11-02", "gpt-4.1-mini", Some("b")),
        entry(300, "2026-11-03", "gpt-4.1", Some("a")),
        entry(4_000, "2026-11-23", "gpt-4.1", None),
        UsageEntry {
            state: UsageState::Released,
            ..entry(50_000, "2026-11-02", "gpt-4.1", Some("a"))
        },
        UsageEntry {
            org_id: OrgId::parse("o2").unwrap(),
            ..entry(600_000, "2026-11-02", "gpt-4.1", Some("a"))
        },
        entry(7_000_000, "2026-10-31", "gpt-4.1", Some("a")),
    ]
}

/// The groups of these entries: the key, how many there are, and the sum of their numbers.
fn groups_of_many_keys(group_by: GroupBy) -> Value {
    let nobody = (Value::Null, 1, 4_000);
    match group_by {
        GroupBy::Agent => json!([nobody, ("agent-a", 2, 301), ("agent-b", 1, 20)]),
        GroupBy::Workflow => json!([nobody, ("workflow-a", 2, 301), ("workflow-b", 1, 20)]),
        GroupBy::User => json!([nobody, ("uid-a", 2, 301), ("uid-b", 1, 20)]),
        GroupBy::Model => json!([("gpt-4.1", 3, 4_301), ("gpt-4.1-mini", 1, 20)]),
        GroupBy::Day => json!([
            ("2026-11-02", 2, 21),
            ("2026-11-03", 1, 300),
            ("2026-11-23", 1, 4_000),
        ]),
    }
}

#[tokio::test]
async fn each_group_is_the_sum_of_its_entries() {
    let app = TestApp::new().await;
    let entries = of_many_keys();
    let writes = entries.iter().map(usage_ledger::create);
    let writes = writes.map(Result::unwrap).collect();
    app.store.commit(writes).await.unwrap();
    let sums = |requests: i64, n: i64| {
        json!({
            "requests": requests,
            "inputTokens": 10 * n,
            "outputTokens": n,
            "tokens": 11 * n,
            "costMicroUsd": 3 * n,
        })
    };
    for group_by in GroupBy::ALL {
        let name = group_by.as_str();
        let path = format!("/analytics/usage?groupBy={name}");
        let usage = app.get("admin", &path).await.body;
        assert_eq!(usage["groupBy"], name);
        assert_eq!(usage["totals"], sums(4, 4_321), "{name}");
        let groups = groups_of_many_keys(group_by);
        let expected = groups.as_array().unwrap().iter().map(|group| {
            let mut told = sums(group[1].as_i64().unwrap(), group[2].as_i64().unwrap());
            told["key"] = group[0].clone();
            told
        });
        assert_eq!(usage["groups"], Value::from_iter(expected), "{name}");
    }
}

/// An entry of November that a member has caused, or nobody.
fn caused(id: &str, uid: Option<&str>) -> shared::store::Write {
    let entry = UsageEntry {
        uid: uid.map(|uid| Uid::parse(uid).unwrap()),
        ..seeds::usage_model(id, "2026-11-02", "gpt-4.1")
    };
    usage_ledger::create(&entry).unwrap()
}

#[tokio::test]
async fn admins_see_who_has_used_what_and_nobody_else_does() {
    let app = TestApp::new().await;
    let writes = vec![
        caused("u1", Some("user")),
        caused("u2", Some("user")),
        caused("u3", None),
    ];
    app.store.commit(writes).await.unwrap();
    for path in ["usage", "usage.csv", "usage.svg"] {
        let path = format!("/analytics/{path}?groupBy=user");
        for token in ["viewer", "user"] {
            let answer = app.get(token, &path).await;
            assert_eq!(answer.refusal(), (403, "permission_denied"), "{path}");
        }
    }
    let usage = app.get("admin", "/analytics/usage?groupBy=user").await;
    let groups = &usage.body["groups"];
    assert_eq!(groups[0]["key"], json!(null));
    assert_eq!(groups[1]["key"], "user");
    assert_eq!(groups[1]["tokens"], 240);
}

#[tokio::test]
async fn usage_is_a_table_by_its_path_and_for_who_accepts_one() {
    let app = app_with_usage().await;
    let table = app
        .get("viewer", "/analytics/usage.csv?groupBy=model")
        .await;
    assert_eq!(table.status, 200);
    let text = std::str::from_utf8(&table.bytes).unwrap();
    let expected = "day,model,requests,inputTokens,outputTokens,tokens,costMicroUsd\r\n\
                    2026-11-01,gpt-4.1,1,100,20,120,7\r\n\
                    2026-11-23,gpt-4.1-mini,1,100,20,120,7\r\n";
    // Every cell is quoted.
    let expected = expected.replace(',', "\",\"").replace("\r\n", "\"\r\n\"");
    let expected = format!("\"{}", expected.trim_end_matches('"'));
    assert_eq!(text, expected);
    assert_eq!(
        table.headers[CONTENT_DISPOSITION],
        "attachment; filename=\"usage-2026-11-01-to-2026-11-23.csv\""
    );
    for (accept, is_table) in [
        ("text/csv", true),
        ("Text/CSV;q=0.9, application/json;q=0.5", true),
        ("application/json, text/csv", false),
        ("*/*", false),
    ] {
        let request = request(Method::GET, "/analytics/usage?groupBy=model", "viewer");
        let answer = app.send(empty(request.header(ACCEPT, accept))).await;
        assert_eq!(answer.bytes == table.bytes, is_table, "{accept}");
        assert!(
            answer
                .headers
                .get_all(VARY)
                .iter()
                .any(|value| value == "accept")
        );
    }
}

#[tokio::test]
async fn usage_is_drawn_the_same_each_time_in_both_themes() {
    let app = app_with_usage().await;
    for query in [
        "",
        "groupBy=model&measure=cost",
        "theme=dark",
        "groupBy=workflow&theme=dark",
    ] {
        let path = format!("/analytics/usage.svg?{query}");
        let (one, other) = (
            app.get("viewer", &path).await,
            app.get("viewer", &path).await,
        );
        assert_eq!(one.status, 200, "{query}");
        assert_eq!(one.headers[CONTENT_TYPE], "image/svg+xml; charset=utf-8");
        assert_eq!(one.bytes, other.bytes);
        let svg = std::str::from_utf8(&one.bytes).unwrap();
        let svg = roxmltree::Document::parse(svg).unwrap();
        let names: Vec<_> = svg
            .descendants()
            .map(|node| node.tag_name().name())
            .collect();
        for forbidden in ["script", "style", "image", "foreignObject", "a"] {
            assert!(!names.contains(&forbidden), "{query}: {forbidden}");
        }
        let ground = svg
            .descendants()
            .find(|node| node.has_tag_name("rect"))
            .unwrap();
        let is_dark = ground.attribute("fill") == Some("#0d1117");
        assert_eq!(is_dark, query.contains("dark"));
    }
}

#[tokio::test]
async fn bars_are_as_long_as_what_was_used() {
    let app = app_with_usage().await;
    let double = seeds::usage("u4", "2026-11-01", "<b>&\"evil\"");
    app.store.commit(vec![double]).await.unwrap();
    let answer = app.get("viewer", "/analytics/usage.svg").await;
    let heights = bars(&answer, "height");
    assert_eq!(heights.len(), 23, "a bar for each day");
    assert!(heights[0] > 0.0 && (heights[0] - 2.0 * heights[22]).abs() < 0.2);
    assert!(heights[1..22].iter().all(|height| *height == 0.0));
    let answer = app
        .get("viewer", "/analytics/usage.svg?groupBy=model")
        .await;
    let text = std::str::from_utf8(&answer.bytes).unwrap();
    assert!(text.contains("&lt;b&gt;&amp;&quot;evil&quot;"), "{text}");
    assert_eq!(bars(&answer, "width").len(), 3);
}

/// The sizes of the bars, which have titles.
fn bars(answer: &Answer, size: &str) -> Vec<f64> {
    let svg = std::str::from_utf8(&answer.bytes).unwrap();
    let svg = roxmltree::Document::parse(svg).unwrap();
    let rects = svg.descendants().filter(|node| node.has_tag_name("rect"));
    let bars = rects.filter(|rect| rect.has_children());
    bars.map(|bar| bar.attribute(size).unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn overage_is_told_beside_what_is_included_and_the_cap() {
    let app = TestApp::new().await;
    let org_id = OrgId::parse("o2").unwrap();
    let quota = TokenQuota {
        period: "2026-11".to_owned(),
        used: 5_050_000,
        ..TokenQuota::default()
    };
    let month = MeteredMonth {
        period: "2026-11".to_owned(),
        counted: 5_020_000,
        billed: 15_000,
        own_key: 30_000,
        ..MeteredMonth::default()
    };
    let writes = vec![
        set_token_quota(&org_id, &quota, None).unwrap(),
        meter_events::set_month(&org_id, &month, None).unwrap(),
    ];
    app.store.commit(writes).await.unwrap();
    let usage = app.get("stranger", "/analytics/usage").await.body;
    assert_eq!(usage["plan"]["includedTokens"], 5_000_000);
    assert_eq!(usage["plan"]["monthlyTokens"], 20_000_000);
    assert_eq!(usage["ownKeyTokens"], 30_000);
    assert_eq!(usage["overageTokens"], 20_000);
    assert_eq!(usage["billedTokens"], 15_000);
}
