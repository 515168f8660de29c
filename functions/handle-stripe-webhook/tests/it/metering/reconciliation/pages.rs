//! The comparison goes on page by page, whoever cannot be compared, and whatever ends on the way.

use shared::testing::killed_after;

use super::*;

/// A row of the day of [`World::over`] that Stripe has acknowledged.
fn sent(world: &World, id: &str, customer: &str) -> MeterRow {
    let at = world.now().whole_seconds();
    MeterRow {
        id: RecordId::parse(id).unwrap(),
        org_id: OrgId::parse("o1").unwrap(),
        customer_id: customer.to_owned(),
        tokens: 5,
        at,
        minute: at,
        day: day_of(at),
        state: MeterRowState::Sent,
        attempts: 1,
        first_attempt_at: None,
        last_attempt_at: None,
        due_at: None,
        sent_at: Some(at),
        last_error: None,
    }
}

/// So many customers, each with so many rows that Stripe has counted; it is the next day.
async fn world_with(customers: usize, rows: usize) -> World {
    let world = World::new().await;
    let mut writes = Vec::new();
    for customer in 0..customers {
        let customer = format!("cus_{customer:04}");
        for row in 0..rows {
            let row = sent(&world, &format!("{customer}-{row}"), &customer);
            world.stripe.count_foreign(MeterEvent {
                event_name: "llm_tokens".to_owned(),
                customer_id: customer.clone(),
                value: row.tokens,
                identifier: row.id.to_string(),
                at: row.at.instant(),
            });
            writes.push(meter_events::create(&row).unwrap());
        }
    }
    world.store.commit(writes).await.unwrap();
    world.clock.advance(Duration::from_hours(24));
    world
}

async fn progress(world: &World) -> UsageReconcile {
    let caller = SystemPrincipal { function: "test" };
    let found = world.store.find_usage_reconcile(&caller).await;
    found.unwrap().unwrap().value
}

fn numbers(report: &UsageReconciliation) -> (i64, i64, i64, i64) {
    let UsageReconciliation {
        customers,
        differing,
        drifting,
        failed,
        ..
    } = report;
    (*customers, *differing, *drifting, *failed)
}

#[tokio::test]
async fn a_customer_that_stripe_refuses_ends_the_comparison_for_nobody_else() {
    let world = world_with(20, 1).await;
    world.stripe.refuse_to_tell_of("cus_0003");
    let report = report(&world).await;
    assert_eq!(numbers(&report), (20, 0, 0, 1));
    let failure = &report.failures[0];
    assert_eq!(failure.customer_id.as_deref(), Some("cus_0003"));
    assert_eq!(failure.cause, "stripe refused the request with status 404");
    assert!(progress(&world).await.finished_at.is_some());
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_its_customers_failure_alone() {
    let world = world_with(3, 2).await;
    let fields = json!({ "day": "2026-11-23", "customerId": "cus_0001", "tokens": "many" });
    let path = DocumentPath::new("meter_events", "spoilt");
    world.spoil(path, fields).await;
    let report = report(&world).await;
    assert_eq!(numbers(&report), (3, 0, 0, 1));
    let failure = &report.failures[0];
    assert_eq!(failure.customer_id.as_deref(), Some("cus_0001"));
    assert!(
        failure.cause.contains("cannot be read"),
        "{}",
        failure.cause
    );
}

#[tokio::test]
async fn a_ledger_or_quota_that_cannot_be_read_is_its_organizations_failure_alone() {
    let world = World::over().await;
    count(&world, 5_000_000).await;
    let broken = ["a-broken-one", "another"];
    for id in broken {
        world.add(id, SubscriptionTier::Pro, None).await;
        let quota = TokenQuota {
            period: "2026-11".to_owned(),
            ..TokenQuota::default()
        };
        let write = set_token_quota(&OrgId::parse(id).unwrap(), &quota, None).unwrap();
        world.store.commit(vec![write]).await.unwrap();
    }
    let organization = DocumentPath::new("organizations", broken[0]);
    let path = organization.child("quota", "tokens");
    world
        .spoil(path, json!({ "period": "2026-11", "used": "much" }))
        .await;
    let meter = json!({ "state": "pending" });
    let fields = json!({ "orgId": broken[1], "meter": meter, "inputTokens": "many" });
    world
        .spoil(DocumentPath::new("usage_ledger", "spoilt"), fields)
        .await;
    world.clock.advance(Duration::from_hours(24));
    let report = report(&world).await;
    assert_eq!(numbers(&report), (0, 0, 1, 2), "the first drifts, too");
    let failed = report.failures.iter().map(|failure| failure.org_id.clone());
    let failed: Vec<_> = failed.map(|org_id| org_id.unwrap().to_string()).collect();
    assert_eq!(failed, broken);
}

#[tokio::test]
async fn an_organization_that_the_database_does_not_give_holds_no_other_back() {
    let world = World::over().await;
    count(&world, 5_000_000).await;
    let broken = OrgId::parse("a-broken-one").unwrap();
    let path = DocumentPath::new("organizations", broken.as_str()).child("quota", "tokens");
    world
        .add(broken.as_str(), SubscriptionTier::Pro, None)
        .await;
    world.db.fail_reads_of(&path);
    world.clock.advance(Duration::from_hours(24));
    let report = report(&world).await;
    assert_eq!(numbers(&report), (0, 0, 1, 1), "the other drifts");
    assert_eq!(report.failures[0].org_id, Some(broken));
}

#[tokio::test]
async fn a_stripe_that_does_not_answer_is_not_asked_about_everybody() {
    let world = world_with(100, 1).await;
    world.stripe.fall_silent();
    let report = report(&world).await;
    assert_eq!(numbers(&report), (100, 0, 0, 100));
    assert!(world.stripe.asked() < 20, "{}", world.stripe.asked());
}

#[tokio::test]
async fn a_missing_meter_is_the_cause_of_every_failure_and_the_comparison_ends() {
    let world = world_with(3, 1).await;
    world.stripe.remove_meter(true);
    let report = report(&world).await;
    assert_eq!(numbers(&report), (3, 0, 0, 3));
    assert!(report.failures[0].cause.contains("no active meter"));
}

#[tokio::test]
async fn a_day_of_many_pages_is_summed_up_by_customer() {
    // Pages end within customers.
    let world = world_with(170, 7).await;
    world.stripe.count_foreign(MeterEvent {
        event_name: "llm_tokens".to_owned(),
        customer_id: "cus_0071".to_owned(),
        value: 1,
        identifier: "foreign".to_owned(),
        at: world.clock.now() - jiff::SignedDuration::from_hours(24),
    });
    world.tick("/reconcile-usage").await;
    let first = world.queue.tasks();
    assert_eq!(first.len(), 1, "one page at a time");
    world.drain().await;
    let report = find(&world).await;
    assert_eq!(numbers(&report), (170, 1, 0, 0));
    let difference = &report.differences[0];
    assert_eq!((difference.sent, difference.stripe), (35, 36));
    assert!(progress(&world).await.pages > 4);
}

#[tokio::test]
async fn a_repeat_of_a_page_or_of_the_tick_counts_nothing_twice() {
    let world = world_with(170, 7).await;
    world.tick("/reconcile-usage").await;
    let page = world.queue.tasks().remove(0);
    world.tick("/reconcile-usage").await;
    let (path, body) = (page.work.path(), page.work.to_body().unwrap());
    let token = shared::testing::TestServiceVerifier::EXPECTED;
    assert_eq!(world.post(path, token, body).await.0, 200);
    world.drain().await;
    assert_eq!(numbers(&find(&world).await), (170, 0, 0, 0));
    let asked = world.stripe.asked();
    assert_eq!(asked, 170);
}

#[tokio::test]
async fn a_comparison_that_dies_anywhere_is_finished_by_the_sweep() {
    let mut deaths = 0;
    for polls in (0..).step_by(5) {
        let world = world_with(100, 6).await;
        let whole = async {
            world.tick("/reconcile-usage").await;
            world.drain().await;
        };
        let lived = killed_after(polls, whole).await.is_some();
        deaths += usize::from(!lived);
        for _ in 0..8 {
            world.clock.advance(Duration::from_secs(180));
            world.tick("/sweep").await;
            world.drain().await;
        }
        if world.db.count("platform") == 0 {
            // It has not begun: the scheduler tries again.
            world.tick("/reconcile-usage").await;
            world.drain().await;
        }
        assert!(progress(&world).await.finished_at.is_some(), "{polls}");
        assert_eq!(numbers(&find(&world).await), (100, 0, 0, 0), "{polls}");
        if lived {
            break;
        }
    }
    assert!(deaths > 3, "{deaths} deaths");
}

#[tokio::test]
async fn the_sweep_leaves_a_comparison_alone_that_goes_on() {
    let world = world_with(170, 7).await;
    world.tick("/reconcile-usage").await;
    drop(world.queue.take());
    world.clock.advance(Duration::from_secs(179));
    world.tick("/sweep").await;
    assert_eq!(world.queue.take(), []);
    world.clock.advance(Duration::from_secs(1));
    world.tick("/sweep").await;
    assert_eq!(world.queue.take().len(), 1);
}

#[tokio::test]
async fn a_comparison_that_never_ends_does_not_keep_the_next_night_from_its_days() {
    let world = world_with(170, 7).await;
    world.tick("/reconcile-usage").await;
    let stuck = progress(&world).await;
    // Nobody brings the next page.
    drop(world.queue.take());
    world.clock.advance(Duration::from_hours(24));
    world.tick("/reconcile-usage").await;
    let given_up = find(&world).await;
    assert_eq!(given_up.failed, 1, "told until the day is compared");
    world.drain().await;
    let next = progress(&world).await;
    assert_ne!(next.run_id, stuck.run_id);
    assert!(next.finished_at.is_some());
    assert_eq!(
        numbers(&find(&world).await),
        (170, 0, 0, 0),
        "the day before"
    );
}

#[tokio::test]
async fn what_is_not_metered_yet_is_read_up_to_a_bound() {
    let world = World::new().await;
    count(&world, 0).await;
    for batch in 0..41 {
        let numbers = batch * 500..(batch + 1) * 500;
        let entries = numbers.map(|number| {
            let entry = UsageEntry {
                is_own_key: true,
                ..world.settled(&format!("n{number}"), 0)
            };
            shared::store::usage_ledger::create(&entry).unwrap()
        });
        world.store.commit(entries.collect()).await.unwrap();
    }
    world.clock.advance(Duration::from_hours(24));
    let report = report(&world).await;
    assert_eq!(numbers(&report), (0, 0, 0, 1));
    assert!(report.failures[0].cause.contains("not metered yet"));
}
