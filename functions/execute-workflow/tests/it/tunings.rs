//! Models are made from approved conversations, tick by tick.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    config::Env,
    http::client,
    ids::{AgentId, ExecutionId, OrgId, RecordId, Uid},
    llm::{OpenAi, OpenAiConfig},
    models::{
        Agent, AgentStatus, AuditAction, AuditLog, ChatMessage, ChatRole, LlmSwitch, Metering,
        Role, Session, Timestamp, Tuning, TuningState, UsageEntry, UsageState,
    },
    prompt,
    quota::reserve_training,
    store::{
        agents, commit_contended, decode, organizations, platform::set_llm_switch, sessions,
        tunings, users,
    },
    testing::FakeOpenAi,
};
use tower::ServiceExt;

use crate::{
    agents::agent,
    app::{App, NOW, Outside},
    turns::member,
};

const BASE: &str = "gpt-4.1-mini-2025-04-14";
const TUNED: &str = "ft:gpt-4.1-mini-2025-04-14:org:ix:1";
const MAX_BYTES: i64 = 20_000;
const EPOCHS: i64 = 3;

fn now() -> Timestamp {
    NOW.parse::<jiff::Timestamp>().unwrap().into()
}

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

fn agent_id() -> AgentId {
    AgentId::parse("a1").unwrap()
}

fn tuning_model() -> Tuning {
    Tuning {
        id: RecordId::parse("t1").unwrap(),
        org_id: org_id(),
        agent_id: agent_id(),
        base_model: BASE.to_owned(),
        epochs: EPOCHS,
        state: TuningState::Queued,
        examples: 10,
        max_bytes: MAX_BYTES,
        cost_micro_usd: 300_000,
        trained_tokens: None,
        file_id: None,
        job_id: None,
        tuned_model: None,
        error: None,
        is_cancelling: false,
        due_at: Some(now()),
        created_at: now(),
        updated_at: now(),
    }
}

/// An approved conversation in which the agent answers once.
async fn talk(app: &App, id: &str) {
    let (session_id, uid) = (RecordId::parse(id).unwrap(), Uid::parse("u1").unwrap());
    let session = Session {
        last_seq: 2,
        approved_for_training: Some(now()),
        ..Session::new(session_id, &org_id(), &agent_id(), Some(&uid), now())
    };
    let mut writes = vec![sessions::create(&session).unwrap()];
    for (seq, role) in [(1, ChatRole::User), (2, ChatRole::Assistant)] {
        let message = ChatMessage {
            seq,
            org_id: org_id(),
            role,
            content: format!("{id} said {seq}"),
            done: Vec::new(),
            failure: None,
            turn: "t".to_owned(),
            execution_id: ExecutionId::parse("e1").unwrap(),
            created_at: now(),
        };
        writes.push(sessions::create_message(&session, &message).unwrap());
    }
    app.store.commit(writes).await.unwrap();
}

/// A tuning that was asked for, with ten examples.
async fn asked() -> (App, FakeOpenAi) {
    let fake = FakeOpenAi::start().await;
    let base_url = fake.base_url().to_owned();
    let env = [
        ("OPENAI_API_KEY", "sk-test"),
        ("OPENAI_BASE_URL", base_url.as_str()),
    ];
    let config = OpenAiConfig::load(&Env::from_pairs(env)).unwrap();
    let tuner = OpenAi::new(config, client().unwrap());
    let app = App::reaching(Outside {
        tuner: Some(Arc::new(tuner)),
        ..Outside::default()
    })
    .await;
    for number in 0..10 {
        talk(&app, &format!("s{number}")).await;
    }
    let agent = Agent {
        status: AgentStatus::Training,
        system_prompt: "Be brief.".to_owned(),
        ..agent()
    };
    let tuning = tuning_model();
    let (mut writes, _) = reserve_training(&app.store, &tuning, now()).await.unwrap();
    writes.push(agents::create(&agent).unwrap());
    writes.push(users::create(&member(Role::User)).unwrap());
    writes.push(tunings::create(&tuning).unwrap());
    app.store.commit(writes).await.unwrap();
    (app, fake)
}

async fn tick(app: &App) {
    let answer = app.post("/sweep", Vec::new(), Vec::new()).await;
    assert_eq!(answer, StatusCode::OK);
}

async fn tick_without_tuner(app: &App) {
    let request = Request::post("/sweep").body(Body::empty()).unwrap();
    let answer = app.without_tuner().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

async fn tuning(app: &App) -> Tuning {
    let id = tuning_model().id;
    let found = app.store.find_tuning(&org_id(), &agent_id(), &id).await;
    found.unwrap().unwrap().value
}

async fn change(app: &App, change: impl Fn(&mut Tuning)) {
    let (id, change) = (tuning_model().id, &change);
    commit_contended(&app.store, || async {
        let found = app.store.find_tuning(&org_id(), &agent_id(), &id).await?;
        let mut found = found.unwrap();
        change(&mut found.value);
        Ok::<_, shared::store::Error>((vec![tunings::replace(&found)?], ()))
    })
    .await
    .unwrap();
}

async fn agent_status(app: &App) -> AgentStatus {
    let found = app.store.find_agent(&org_id(), &agent_id()).await;
    found.unwrap().unwrap().value.status
}

/// When the sweeper is to come to the organization's quota.
async fn sweep_at(app: &App) -> Option<Timestamp> {
    let quota = app.store.find_token_quota(&org_id()).await.unwrap();
    quota.unwrap().value.sweep_at
}

/// State, tokens and cost of the only entry in the ledger.
fn booked(app: &App) -> (UsageState, i64, i64) {
    let documents = app.db.documents("usage_ledger/");
    assert_eq!(documents.len(), 1);
    let entry: UsageEntry = decode(&documents[0]).unwrap();
    let is_settled = entry.state == UsageState::Settled;
    assert_eq!(entry.meter, is_settled.then_some(Metering::Pending));
    (entry.state, entry.input_tokens, entry.cost_micro_usd)
}

/// What the month counts, and how many reservations are open.
async fn counted(app: &App) -> (i64, usize) {
    let quota = app.store.find_token_quota(&org_id()).await.unwrap();
    let quota = quota.unwrap().value;
    (quota.used, quota.open.len())
}

fn ends(app: &App) -> Vec<Value> {
    let records = app.db.documents("audit_logs/");
    let records = records.iter().map(|one| decode::<AuditLog>(one).unwrap());
    let ends = records.filter(|record| record.action == AuditAction::TuningEnd);
    ends.map(|record| record.metadata.0["state"].clone())
        .collect()
}

fn succeed(fake: &FakeOpenAi) {
    fake.change_jobs(&json!({
        "status": "succeeded",
        "fine_tuned_model": TUNED,
        "trained_tokens": 1_000,
    }));
}

/// Ticks until it has ended, long enough apart for leases to end.
async fn tick_to_the_end(app: &App) {
    for _ in 0..10 {
        app.advance(1_000);
        tick(app).await;
        if tuning(app).await.state.is_final() {
            return;
        }
    }
    assert!(tuning(app).await.state.is_final(), "it never ends");
}

#[tokio::test]
async fn a_model_is_made_registered_and_paid_for() {
    let (app, fake) = asked().await;
    tick(&app).await;
    let running = tuning(&app).await;
    assert_eq!(running.state, TuningState::Running);
    assert_eq!(running.job_id.as_deref(), Some("ftjob-1"));
    assert_eq!(booked(&app), (UsageState::Reserved, 60_000, 300_000));
    let files = fake.files();
    let lines: Vec<Value> = files[0]
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let line = |role, content: &str| json!({ "role": role, "content": content });
    let agent = app.store.find_agent(&org_id(), &agent_id()).await;
    let told = prompt::compile(&agent.unwrap().unwrap().value);
    let first = json!({ "messages": [
        line("system", &told),
        line("user", "s0 said 1"),
        line("assistant", "s0 said 2"),
    ] });
    assert_eq!((lines.len(), &lines[0]), (10, &first));
    // Not looked at before it is due.
    let before = fake.calls().len();
    tick(&app).await;
    assert_eq!(fake.calls().len(), before);
    succeed(&fake);
    app.advance(60);
    tick(&app).await;
    let done = tuning(&app).await;
    assert_eq!(done.state, TuningState::Succeeded);
    assert_eq!(done.tuned_model.as_deref(), Some(TUNED));
    assert_eq!(
        (done.trained_tokens, done.cost_micro_usd),
        (Some(1_000), 5_000)
    );
    assert_eq!(done.due_at, None);
    assert_eq!(booked(&app), (UsageState::Settled, 1_000, 5_000));
    assert_eq!(counted(&app).await, (1_000, 0));
    assert_eq!(sweep_at(&app).await, None);
    assert_eq!(agent_status(&app).await, AgentStatus::Active);
    let models = app.store.list_tuned_models(&org_id(), 10).await.unwrap();
    let names: Vec<_> = models
        .iter()
        .map(|one| (&*one.name, &*one.base_model))
        .collect();
    assert_eq!(names, [(TUNED, BASE)]);
    assert_eq!(ends(&app), ["succeeded"]);
    assert!(fake.problems().is_empty(), "{:?}", fake.problems());
}

#[tokio::test]
async fn a_worker_that_dies_at_any_request_leaves_one_job_that_is_paid_once() {
    // Upload, look for the job, create it, look at it.
    for request in 0..4 {
        for is_carried_out in [false, true] {
            let (app, fake) = asked().await;
            fake.kill_at(request, is_carried_out);
            if request == 3 {
                tick(&app).await;
                succeed(&fake);
                app.advance(60);
            }
            tokio::select! {
                () = tick(&app) => panic!("request {request} is not made"),
                () = fake.death() => {}
            }
            // Its lease stands: nobody else acts.
            let before = fake.calls().len();
            app.advance(100);
            tick(&app).await;
            assert_eq!(fake.calls().len(), before, "{request}");
            app.advance(1_000);
            tick(&app).await;
            succeed(&fake);
            tick_to_the_end(&app).await;
            let what = format!("{request} {is_carried_out}");
            assert_eq!(fake.jobs().len(), 1, "{what}");
            assert_eq!(tuning(&app).await.state, TuningState::Succeeded, "{what}");
            assert_eq!(counted(&app).await, (1_000, 0), "{what}");
            assert_eq!(ends(&app).len(), 1, "{what}");
        }
    }
}

#[tokio::test]
async fn a_job_of_another_key_is_not_taken_for_ours() {
    let (app, fake) = asked().await;
    tick(&app).await;
    fake.change_jobs(&json!({ "metadata": { "infinity_x_tuning": "another" } }));
    fake.ignore_filters();
    change(&app, |tuning| tuning.job_id = None).await;
    app.advance(300);
    tick(&app).await;
    let tuning = tuning(&app).await;
    assert_eq!((tuning.state, tuning.job_id), (TuningState::Running, None));
    assert_eq!(fake.jobs().len(), 1);
}

#[tokio::test]
async fn a_sweep_that_is_due_for_nothing_is_put_right() {
    let (app, fake) = asked().await;
    tick(&app).await;
    succeed(&fake);
    app.advance(60);
    tick(&app).await;
    let found = app.store.find_token_quota(&org_id()).await.unwrap();
    let mut quota = found.unwrap();
    quota.value.sweep_at = Some(now());
    let stale = organizations::set_token_quota(&org_id(), &quota.value, Some(quota.version));
    app.store.commit(vec![stale.unwrap()]).await.unwrap();
    tick(&app).await;
    assert_eq!(sweep_at(&app).await, None);
}

#[tokio::test]
async fn ticks_at_the_same_time_do_not_act_twice() {
    let (app, fake) = asked().await;
    futures::join!(tick(&app), tick(&app), tick(&app));
    assert_eq!((fake.files().len(), fake.jobs().len()), (1, 1));
}

#[tokio::test]
async fn a_provider_that_is_down_is_asked_again_later() {
    let (app, fake) = asked().await;
    fake.fail_all(Some(StatusCode::SERVICE_UNAVAILABLE));
    tick(&app).await;
    assert_eq!(tuning(&app).await.state, TuningState::Uploading);
    fake.fail_all(None);
    app.advance(300);
    tick(&app).await;
    assert_eq!(fake.jobs().len(), 1);
}

/// Switches model calls off or on, for all or for the organization.
async fn switch(app: &App, is_for_all: bool, is_off: bool) {
    let write = match is_for_all {
        true => set_llm_switch(LlmSwitch { is_off }),
        false => {
            let found = app.store.find_token_quota(&org_id()).await.unwrap();
            let mut quota = found.unwrap();
            quota.value.is_blocked = is_off;
            organizations::set_token_quota(&org_id(), &quota.value, Some(quota.version))
        }
    };
    app.store.commit(vec![write.unwrap()]).await.unwrap();
}

#[tokio::test]
async fn nothing_is_asked_for_while_a_switch_is_off() {
    for is_for_all in [false, true] {
        for is_uploaded in [false, true] {
            let (app, fake) = asked().await;
            if is_uploaded {
                fake.fail_all(Some(StatusCode::SERVICE_UNAVAILABLE));
                tick(&app).await;
                fake.fail_all(None);
                change(&app, |tuning| {
                    tuning.state = TuningState::Running;
                    tuning.file_id = Some("file-0".to_owned());
                })
                .await;
            }
            switch(&app, is_for_all, true).await;
            app.advance(1_000);
            tick(&app).await;
            let what = format!("{is_for_all} {is_uploaded}");
            assert!(!tuning(&app).await.state.is_final(), "{what}");
            assert_eq!((fake.files().len(), fake.jobs().len()), (0, 0), "{what}");
            switch(&app, is_for_all, false).await;
            change(&app, |tuning| tuning.state = TuningState::Uploading).await;
            app.advance(300);
            tick(&app).await;
            assert_eq!((fake.files().len(), fake.jobs().len()), (1, 1), "{what}");
        }
    }
}

#[tokio::test]
async fn what_the_provider_refuses_fails_and_costs_nothing() {
    let (app, fake) = asked().await;
    fake.fail_all(Some(StatusCode::BAD_REQUEST));
    tick(&app).await;
    let failed = tuning(&app).await;
    assert_eq!(failed.state, TuningState::Failed);
    assert!(failed.error.is_some_and(|error| error.code == "provider"));
    assert_eq!(booked(&app), (UsageState::Released, 0, 0));
    assert_eq!(counted(&app).await, (0, 0));
    assert_eq!(agent_status(&app).await, AgentStatus::Active);
    assert_eq!(ends(&app), ["failed"]);
}

#[tokio::test]
async fn a_conversation_that_is_withdrawn_is_not_handed_over() {
    let (app, fake) = asked().await;
    let id = RecordId::parse("s3").unwrap();
    let session = app.store.find_session(&org_id(), &agent_id(), &id).await;
    let mut session = session.unwrap().unwrap();
    session.value.approved_for_training = None;
    let write = sessions::replace(&session).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    tick(&app).await;
    let failed = tuning(&app).await;
    assert_eq!(failed.state, TuningState::Failed);
    assert!(fake.files().is_empty());
    talk(&app, "s10").await;
    // Eleven are enough again for the next one.
    change(&app, |tuning| *tuning = tuning_model()).await;
    tick(&app).await;
    assert!(!fake.files()[0].contains("s3 said"));
}

#[tokio::test]
async fn a_tuning_that_is_to_stop_stops_and_pays_what_was_trained() {
    let (app, fake) = asked().await;
    tick(&app).await;
    change(&app, |tuning| tuning.is_cancelling = true).await;
    fake.change_jobs(&json!({ "status": "running", "trained_tokens": 10 }));
    app.advance(60);
    tick(&app).await;
    assert_eq!(fake.jobs()[0]["status"], "cancelled");
    assert_eq!(tuning(&app).await.state, TuningState::Cancelled);
    assert_eq!(booked(&app), (UsageState::Settled, 10, 50));
    assert_eq!(agent_status(&app).await, AgentStatus::Active);
}

#[tokio::test]
async fn a_tuning_whose_agent_is_deleted_stops_wherever_it_is() {
    for ticks in 0..2 {
        let (app, fake) = asked().await;
        for _ in 0..ticks {
            tick(&app).await;
        }
        let agent = app.store.find_agent(&org_id(), &agent_id()).await;
        let delete = agents::delete(&agent.unwrap().unwrap());
        app.store.commit(vec![delete]).await.unwrap();
        app.advance(60);
        tick(&app).await;
        assert_eq!(ends(&app), ["cancelled"], "{ticks}");
        assert_eq!(app.db.documents("agents/a1/tunings"), [], "{ticks}");
        assert_eq!(fake.jobs().len(), ticks);
        assert_eq!(booked(&app).0, UsageState::Released);
    }
}

#[tokio::test]
async fn a_job_is_waited_for_while_no_provider_is_configured() {
    let (app, fake) = asked().await;
    tick(&app).await;
    succeed(&fake);
    app.advance(60);
    tick_without_tuner(&app).await;
    assert_eq!(tuning(&app).await.state, TuningState::Running);
    assert_eq!(booked(&app).0, UsageState::Reserved);
    app.advance(300);
    tick(&app).await;
    assert_eq!(tuning(&app).await.state, TuningState::Succeeded);
}

#[tokio::test]
async fn what_nobody_was_asked_for_fails_while_no_provider_is_configured() {
    let (app, _) = asked().await;
    tick_without_tuner(&app).await;
    assert_eq!(tuning(&app).await.state, TuningState::Failed);
    assert_eq!(booked(&app), (UsageState::Released, 0, 0));
}

#[tokio::test]
async fn an_end_that_is_seen_after_a_week_counts() {
    let (app, fake) = asked().await;
    tick(&app).await;
    succeed(&fake);
    app.advance(7 * 24 * 3_600 + 1);
    tick(&app).await;
    assert_eq!(tuning(&app).await.state, TuningState::Succeeded);
    assert_eq!(booked(&app), (UsageState::Settled, 1_000, 5_000));
}

#[tokio::test]
async fn what_was_never_handed_over_costs_nothing_after_a_week() {
    let (app, fake) = asked().await;
    fake.fail_all(Some(StatusCode::SERVICE_UNAVAILABLE));
    tick(&app).await;
    app.advance(7 * 24 * 3_600 + 1);
    tick(&app).await;
    assert_eq!(tuning(&app).await.state, TuningState::Failed);
    assert_eq!(booked(&app), (UsageState::Released, 0, 0));
}

#[tokio::test]
async fn a_provider_that_does_not_tell_is_asked_for_another_day() {
    let (app, fake) = asked().await;
    tick(&app).await;
    fake.fail_all(Some(StatusCode::SERVICE_UNAVAILABLE));
    app.advance(7 * 24 * 3_600 + 1);
    tick(&app).await;
    assert_eq!(tuning(&app).await.state, TuningState::Running);
    app.advance(24 * 3_600);
    tick(&app).await;
    assert_eq!(tuning(&app).await.state, TuningState::Failed);
    assert_eq!(booked(&app), (UsageState::Settled, 60_000, 300_000));
}

#[tokio::test]
async fn what_does_not_end_within_a_week_is_given_up_and_paid() {
    let (app, fake) = asked().await;
    tick(&app).await;
    app.advance(7 * 24 * 3_600 + 1);
    tick(&app).await;
    let failed = tuning(&app).await;
    assert!(
        failed
            .error
            .is_some_and(|error| error.code == "deadline_exceeded")
    );
    assert_eq!(fake.jobs()[0]["status"], "cancelled");
    assert_eq!(booked(&app), (UsageState::Settled, 60_000, 300_000));
    assert_eq!(agent_status(&app).await, AgentStatus::Active);
}
