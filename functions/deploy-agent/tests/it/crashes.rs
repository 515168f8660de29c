//! Whatever ends a deployment half-way, in the end there is a service for every agent that is
//! deployed, and no other.

use std::time::Duration;

use futures::future::{Either, join_all, select};
use serde_json::json;
use shared::{
    models::{AgentServiceState, DeployState, SubscriptionTier},
    testing::{FakeCloudRun, killed_after},
};

use crate::{
    app::TestApp,
    containers::{PATIENT, running},
};

async fn app() -> (TestApp, FakeCloudRun) {
    let app = TestApp::with_agents(SubscriptionTier::Pro, 2).await;
    app.with_containers(PATIENT).await
}

/// Everybody who was at work has gone; the sweeper goes on, until nothing is left to do.
async fn settle(app: &TestApp) {
    for _ in 0..3 {
        app.clock.advance(Duration::from_secs(130));
        app.sweep().await;
    }
}

/// Services and places are those of the agents that are deployed, and nothing is half done.
async fn assert_no_orphan(app: &TestApp, cloud_run: &FakeCloudRun, what: &str) {
    let mut deployed = Vec::new();
    for document in app.db.documents("agents/") {
        let id = document.path.id().to_owned();
        let agent = app.agent(&id).await;
        assert_ne!(agent.deploy_state, DeployState::Provisioning, "{what}");
        if agent.deploy_state == DeployState::Deployed {
            let state = app.service_state(&id).await;
            assert_eq!(state, Some(AgentServiceState::Ready), "{what}");
            deployed.push(id);
        }
    }
    let count = i64::try_from(deployed.len()).unwrap();
    assert_eq!(app.deployed().await, count, "{what}");
    assert_eq!(running(cloud_run), deployed, "{what}");
    assert_eq!(cloud_run.problems(), Vec::<String>::new(), "{what}");
}

/// Calls until the process dies at its request of that number; tells whether it came so far.
async fn dies(
    app: &TestApp,
    cloud_run: &FakeCloudRun,
    request: usize,
    is_carried_out: bool,
) -> bool {
    cloud_run.kill_at(request, is_carried_out);
    let call = Box::pin(app.deploy_container("a1"));
    let death = Box::pin(cloud_run.death());
    matches!(select(call, death).await, Either::Right(_))
}

#[tokio::test]
async fn a_process_that_dies_at_any_call_of_cloud_run_leaves_no_orphan() {
    for (is_broken, expected) in [(false, DeployState::Deployed), (true, DeployState::Failed)] {
        for is_carried_out in [false, true] {
            let mut request = 0;
            loop {
                let (app, cloud_run) = app().await;
                cloud_run.set_slowness(1);
                cloud_run.break_containers(is_broken);
                let has_died = dies(&app, &cloud_run, request, is_carried_out).await;
                settle(&app).await;
                let what = format!("request {request}, carried out: {is_carried_out}");
                assert_no_orphan(&app, &cloud_run, &what).await;
                assert_eq!(app.agent("a1").await.deploy_state, expected, "{what}");
                if !has_died {
                    break;
                }
                request += 1;
            }
            assert!(request >= 4, "{request}");
        }
    }
}

#[tokio::test]
async fn a_commit_that_fails_or_whose_answer_is_lost_leaves_no_orphan() {
    for is_broken in [false, true] {
        for is_applied in [false, true] {
            for spared in 0..6 {
                let (app, cloud_run) = app().await;
                cloud_run.break_containers(is_broken);
                app.db.fail_commit_after(spared, is_applied);
                app.deploy_container("a1").await;
                app.db.fail_commit_after(usize::MAX, false);
                settle(&app).await;
                let what = format!("commit {spared}, applied: {is_applied}");
                assert_no_orphan(&app, &cloud_run, &what).await;
            }
        }
    }
}

/// Between two calls of Cloud Run the process may end as well.
#[tokio::test]
async fn a_process_that_ends_at_any_await_leaves_no_orphan() {
    let mut polls = 1;
    loop {
        let (app, cloud_run) = app().await;
        let is_done = killed_after(polls, app.deploy_container("a1")).await;
        // A request that was on its way may still arrive: the service is made by its name.
        settle(&app).await;
        assert_no_orphan(&app, &cloud_run, &format!("{polls} polls")).await;
        if is_done.is_some() {
            break;
        }
        polls += 1;
    }
    assert!(polls > 10, "{polls}");
}

#[tokio::test]
async fn a_removal_that_dies_at_any_call_is_finished() {
    for is_carried_out in [false, true] {
        let mut request = 0;
        loop {
            let (app, cloud_run) = app().await;
            cloud_run.set_slowness(1);
            app.deploy_container("a1").await;
            app.delete_agent("a1").await;
            cloud_run.kill_at(request, is_carried_out);
            let sweep = Box::pin(app.sweep());
            let death = Box::pin(cloud_run.death());
            let has_died = matches!(select(sweep, death).await, Either::Right(_));
            settle(&app).await;
            assert_eq!(running(&cloud_run), Vec::<String>::new(), "{request}");
            let state = app.service_state("a1").await;
            assert_eq!(state, Some(AgentServiceState::Removed), "{request}");
            if !has_died {
                break;
            }
            request += 1;
        }
        assert!(request >= 3, "{request}");
    }
}

#[tokio::test]
async fn a_service_that_is_made_after_its_removal_is_found_by_the_second_look() {
    let (app, cloud_run) = app().await;
    cloud_run.hold_creations();
    let call = killed_after(200, app.deploy_container("a1"));
    let until_held = async {
        while !cloud_run.calls().contains(&"create".to_owned()) {
            tokio::task::yield_now().await;
        }
    };
    let (call, until_held) = (Box::pin(call), Box::pin(until_held));
    assert!(matches!(select(call, until_held).await, Either::Right(_)));
    app.delete_agent("a1").await;
    app.clock.advance(Duration::from_secs(130));
    app.sweep().await;
    assert_eq!(
        app.service_state("a1").await,
        Some(AgentServiceState::Removed)
    );
    cloud_run.release().await;
    assert_eq!(running(&cloud_run), ["a1"]);
    app.clock.advance(Duration::from_secs(600));
    app.sweep().await;
    assert_eq!(running(&cloud_run), Vec::<String>::new());
    assert_eq!(app.service_state("a1").await, None);
}

#[tokio::test]
async fn of_many_parallel_deploys_exactly_as_many_succeed_as_the_tier_allows() {
    for (tier, limit) in [(SubscriptionTier::Free, 1), (SubscriptionTier::Pro, 5)] {
        let app = TestApp::with_agents(tier, 12).await;
        let (app, cloud_run) = app.with_containers(PATIENT).await;
        let ids: Vec<_> = (1..=12).map(|number| format!("a{number}")).collect();
        let answers = join_all(ids.iter().map(|id| app.deploy_container(id))).await;
        let accepted = answers.iter().filter(|answer| answer.status == 200);
        for answer in accepted.clone() {
            assert_eq!(answer.body["result"]["deployState"], json!("deployed"));
        }
        assert_eq!(accepted.count(), limit);
        assert_no_orphan(&app, &cloud_run, "parallel").await;
        assert_eq!(running(&cloud_run).len(), limit);
    }
}

#[tokio::test]
async fn parallel_deploys_of_one_agent_make_one_service() {
    let (app, cloud_run) = app().await;
    let answers = join_all((0..20).map(|_| app.deploy_container("a1"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    settle(&app).await;
    assert_no_orphan(&app, &cloud_run, "one agent").await;
    let calls = cloud_run.calls();
    assert_eq!(calls.iter().filter(|call| *call == "create").count(), 1);
}
