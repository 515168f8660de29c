use serde_json::{Value, json};
use shared::{
    ids::OrgId,
    models::{ExecutionStatus, JsonText, Rerun, StartOptions, Step, TriggerType, WorkflowVersion},
    store::{executions, workflows},
};

use crate::{
    app::{Answer, TestApp, empty, request},
    seeds,
    table::seeded_app,
};

const LOOPING: &str = "looping";

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

async fn rerun(app: &TestApp, id: &str, query: &str) -> Answer {
    let path = format!("/executions/{id}/rerun?{query}");
    app.send(empty(request(http::Method::POST, &path, "user")))
        .await
}

async fn rerun_once(app: &TestApp, key: &str, query: &str) -> Answer {
    let path = format!("/executions/ended/rerun?{query}");
    let request = request(http::Method::POST, &path, "admin").header("Idempotency-Key", key);
    app.send(empty(request)).await
}

/// An ended execution of a version with a loop in a loop, and with mocks.
async fn looping_app() -> TestApp {
    let app = seeded_app().await;
    let node = |id: &str, kind: &str, data: Value| json!({ "id": id, "type": kind, "data": data });
    let edge = |source: &str, handle: &str, target: &str, into: &str| {
        json!({
            "id": format!("{source}-{handle}"), "source": source, "sourceHandle": handle,
            "target": target, "targetHandle": into,
        })
    };
    let version = WorkflowVersion {
        hash: LOOPING.to_owned(),
        org_id: org_id(),
        workflow_id: "w1".parse().unwrap(),
        nodes: json!([
            node("start", "trigger", json!({})),
            node("outer", "loop", json!({ "items": "${[1]}" })),
            node("inner", "loop", json!({ "items": "${[1]}" })),
            node("work", "transform", json!({ "value": 1 })),
        ])
        .into(),
        edges: json!([
            edge("start", "out", "outer", "in"),
            edge("outer", "each", "inner", "in"),
            edge("inner", "each", "work", "in"),
            edge("work", "out", "inner", "next"),
            edge("inner", "done", "outer", "next"),
        ])
        .into(),
        created_at: seeds::now(),
    };
    let mut execution = seeds::execution_model("looped", ExecutionStatus::Failed, 0);
    execution.workflow_version = LOOPING.to_owned();
    execution.options = StartOptions {
        mocks: Some(JsonText(json!({ "work": { "output": 2 } }))),
        rerun: None,
    };
    let mut writes = seeds::with_version(&execution, &version);
    writes.push(seeds::trigger("looped"));
    for (node_id, iteration) in [("inner", "0.0"), ("work", "0.3.11")] {
        let step = Step {
            node_id: node_id.to_owned(),
            iteration: iteration.to_owned(),
            ..seeds::step()
        };
        writes.push(executions::set_step(&execution.id, &step).unwrap());
    }
    app.store.commit(writes).await.unwrap();
    app
}

#[tokio::test]
async fn a_part_of_an_ended_execution_is_asked_for_again() {
    let app = seeded_app().await;
    let started = rerun(&app, "ended", "from=end").await;
    assert_eq!(started.status, 202, "{}", started.body);
    let id = started.body["executionId"].as_str().unwrap();
    assert_ne!(id, "ended");
    assert_eq!(
        started.headers["location"],
        format!("/api/v1/executions/{id}")
    );
    let trigger = app.trigger_of(&started).await;
    assert_eq!(trigger.kind, TriggerType::Rerun);
    assert_eq!(
        trigger.payload.0,
        json!({ "list": [[1]] }),
        "the same input"
    );
    assert_eq!(trigger.source.uid.unwrap().as_str(), "user");
    let rerun = Rerun {
        execution_id: "ended".parse().unwrap(),
        workflow_version: "v1".to_owned(),
        node_id: "end".to_owned(),
        iteration: None,
    };
    assert_eq!(trigger.options.rerun, Some(rerun));
    assert_eq!(app.audited(), ["EXECUTION_RERUN"]);
    let metadata = &app.records(&org_id())[0].metadata.0;
    assert_eq!(metadata["repeats"], "ended");
    assert_eq!(metadata["executionId"], id);
}

#[tokio::test]
async fn what_the_engine_has_run_is_not_too_large_to_be_repeated() {
    let app = seeded_app().await;
    let step =
        |n: i64| json!({ "id": format!("n{n}"), "type": "transform", "data": { "value": n } });
    let link = |n: i64| {
        let (source, target) = (format!("n{n}"), format!("n{}", n + 1));
        json!({ "id": source, "source": source, "target": target })
    };
    let start = json!({ "id": "n0", "type": "trigger", "data": {} });
    let nodes: Vec<Value> = std::iter::once(start).chain((1..=600).map(step)).collect();
    let edges: Vec<Value> = (0..600).map(link).collect();
    let mut execution = seeds::execution_model("large", ExecutionStatus::Failed, 0);
    execution.workflow_version = "large".to_owned();
    let version = WorkflowVersion {
        nodes: json!(nodes).into(),
        edges: json!(edges).into(),
        ..seeds::version(&execution)
    };
    let writes = seeds::with_version(&execution, &version);
    app.store.commit(writes).await.unwrap();
    let started = rerun(&app, "large", "from=n600").await;
    assert_eq!(started.status, 202, "{}", started.body);
}

#[tokio::test]
async fn one_iteration_is_asked_for_and_the_mocks_stay() {
    let app = looping_app().await;
    let started = rerun(&app, "looped", "from=work&iteration=0.3.11").await;
    assert_eq!(started.status, 202, "{}", started.body);
    let options = app.trigger_of(&started).await.options;
    assert_eq!(options.mocks.unwrap().0, json!({ "work": { "output": 2 } }));
    let rerun = options.rerun.unwrap();
    assert_eq!(rerun.iteration.as_deref(), Some("0.3.11"));
    assert_eq!(rerun.workflow_version, LOOPING);
}

#[tokio::test]
async fn the_place_must_be_one_of_the_version_that_ran() {
    let app = looping_app().await;
    for (query, field) in [
        ("from=nobody", "from"),
        ("from=", "from"),
        ("from=end", "from"),
        ("from=start&iteration=0.1", "iteration"),
        ("from=inner&iteration=0", "iteration"),
        ("from=work&iteration=0.1", "iteration"),
        ("from=work&iteration=0.1.2.3", "iteration"),
        ("from=work&iteration=0.01.2", "iteration"),
        ("from=work&iteration=", "iteration"),
        ("from=work&iteration=0.3.12", "iteration"),
        ("from=inner&iteration=0.3", "iteration"),
        ("iteration=0", "query"),
        ("from=work&to=start", "to"),
    ] {
        let refused = rerun(&app, "looped", query).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument"), "{query}");
        assert_eq!(refused.fields(), [field], "{query}");
    }
    for query in [
        "from=start&iteration=0",
        "from=outer",
        "from=inner&iteration=0.0",
    ] {
        assert_eq!(rerun(&app, "looped", query).await.status, 202, "{query}");
    }
}

#[tokio::test]
async fn only_what_has_ended_and_has_begun_can_be_repeated() {
    let app = seeded_app().await;
    let queued = vec![seeds::trigger("queued")];
    app.store.commit(queued).await.unwrap();
    for id in ["running", "queued"] {
        let refused = rerun(&app, id, "from=start").await;
        assert_eq!(refused.refusal(), (400, "failed_precondition"), "{id}");
    }
    let cancel = json!({ "status": "cancelled" });
    app.patch("user", "/executions/queued", &cancel).await;
    let refused = rerun(&app, "queued", "from=start").await;
    assert_eq!(
        refused.refusal(),
        (400, "failed_precondition"),
        "it has no version"
    );
    app.patch("user", "/executions/running", &cancel).await;
    assert_eq!(rerun(&app, "running", "from=start").await.status, 202);
}

#[tokio::test]
async fn what_a_deleted_workflow_ran_can_be_repeated() {
    let app = seeded_app().await;
    app.delete("admin", "/workflows/w1").await;
    assert_eq!(rerun(&app, "ended", "from=start").await.status, 202);
}

#[tokio::test]
async fn a_change_of_the_workflow_does_not_matter() {
    let app = seeded_app().await;
    let id = "w1".parse().unwrap();
    let workflow = app.store.find_workflow(&org_id(), &id).await;
    let mut workflow = workflow.unwrap().unwrap();
    workflow.value.nodes.truncate(1);
    workflow.value.edges.clear();
    let write = workflows::replace(&workflow).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    assert_eq!(rerun(&app, "ended", "from=end").await.status, 202);
}

#[tokio::test]
async fn a_repeat_under_the_same_key_is_the_same_rerun() {
    let app = seeded_app().await;
    let before = app.db.count("triggers");
    let first = rerun_once(&app, "k1", "from=end").await;
    for expires in [false, true] {
        if expires {
            crate::idempotency::expire_answers(&app).await;
        }
        let repeat = rerun_once(&app, "k1", "from=end").await;
        assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
        assert_eq!(repeat.headers["idempotency-replayed"], "true");
        for other in ["from=start", "from=end&iteration=0"] {
            let refused = rerun_once(&app, "k1", other).await;
            assert_eq!(refused.refusal(), (409, "already_exists"), "{other}");
        }
    }
    assert_eq!(app.db.count("triggers"), before + 1);
    assert_eq!(app.audited(), ["EXECUTION_RERUN"]);
}
