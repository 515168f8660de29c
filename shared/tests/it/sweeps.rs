//! What a sweep of all organizations finds, whatever one of them holds.

use serde_json::json;
use shared::{
    ids::OrgId,
    models::{
        Execution, ExecutionStatus, JsonText, StartOptions, Timestamp, Trigger, TriggerSource,
        TriggerType, Wakeup, WorkflowState, WorkflowVersion,
    },
    store::{
        DocumentPath, Page, Store, Versioned, Write, decode,
        document_db::{Operation, Precondition},
        executions, wakeups, workflow_states,
    },
    testing::memory_store,
};

use crate::support::{CALLER, time};

fn now() -> Timestamp {
    time("2026-11-23T12:00:00Z")
}

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

fn execution(id: &str, status: ExecutionStatus) -> Execution {
    let trigger = Trigger {
        id: id.parse().unwrap(),
        org_id: org_id(),
        workflow_id: "w1".parse().unwrap(),
        kind: TriggerType::Manual,
        payload: JsonText(json!({})),
        dedupe_key: id.to_owned(),
        source: TriggerSource {
            function: "test".to_owned(),
            uid: None,
        },
        created_at: now(),
        options: StartOptions::default(),
        traceparent: None,
    };
    let mut execution = Execution::new(&trigger, "Test".to_owned(), now());
    execution.status = status;
    match status {
        ExecutionStatus::Waiting => execution.resume_at = Some(now()),
        _ => execution.lease.until = Some(now()),
    }
    execution
}

fn create(execution: &Execution) -> Write {
    executions::create(execution).unwrap()
}

fn version(created_at: Timestamp) -> WorkflowVersion {
    WorkflowVersion {
        hash: "v1".to_owned(),
        org_id: org_id(),
        workflow_id: "w1".parse().unwrap(),
        nodes: json!([]).into(),
        edges: json!([]).into(),
        created_at,
    }
}

fn queueing(id: &str) -> Write {
    let state = WorkflowState {
        org_id: org_id(),
        workflow_id: id.parse().unwrap(),
        running: Default::default(),
        concurrency: Some(1),
        has_queue: true,
        debounced: None,
    };
    workflow_states::set(&state, None).unwrap()
}

fn wakeup(id: &str) -> Write {
    let wakeup = Wakeup {
        id: id.parse().unwrap(),
        org_id: org_id(),
        execution_id: "e1".parse().unwrap(),
        created_at: now(),
    };
    wakeups::set(&wakeup).unwrap()
}

/// The same document, of which only so much is left that a query finds it.
fn spoilt(mut write: Write, id: &str) -> Write {
    let (collection, _) = write.path.as_str().split_once('/').unwrap();
    write.path = DocumentPath::new(collection, id);
    if let Operation::Replace(fields) = &mut write.operation {
        let asked = ["status", "resumeAt", "lease", "createdAt", "hasQueue"];
        fields.retain(|name, _| asked.contains(&name.as_str()));
    }
    write
}

async fn due(store: &Store, limit: u32) -> Vec<String> {
    let due = store.list_due_executions(&CALLER, now(), limit).await;
    let due = due.unwrap().into_iter();
    due.map(|execution| execution.id.to_string()).collect()
}

#[tokio::test]
async fn no_kind_of_due_executions_waits_for_another_to_become_fewer() {
    let (store, _db) = memory_store();
    let mut writes = Vec::new();
    for number in 0..10 {
        let waiting = execution(&format!("waiting{number}"), ExecutionStatus::Waiting);
        writes.push(create(&waiting));
    }
    writes.push(create(&execution("running", ExecutionStatus::Running)));
    writes.push(create(&execution("queued", ExecutionStatus::Queued)));
    store.commit(writes).await.unwrap();
    let expected = ["waiting0", "waiting1", "running", "queued"];
    assert_eq!(due(&store, 4).await, expected);
}

#[tokio::test]
async fn a_document_that_cannot_be_read_hides_no_other() {
    let (store, _db) = memory_store();
    let waiting = create(&execution("waiting", ExecutionStatus::Waiting));
    let running = create(&execution("running", ExecutionStatus::Running));
    let writes = vec![
        spoilt(waiting.clone(), "a"),
        spoilt(running.clone(), "b"),
        waiting,
        running,
        spoilt(wakeup("k1"), "a"),
        wakeup("k1"),
        spoilt(queueing("w1"), "a"),
        queueing("w1"),
    ];
    store.commit(writes).await.unwrap();
    assert_eq!(due(&store, 30).await, ["waiting", "running"]);
    let missed = store.list_missed_wakeups(&CALLER, now(), 10).await.unwrap();
    assert_eq!(missed.len(), 1);
    let page = Page::first(10);
    let queueing = store.list_queueing_workflows(&CALLER, &page).await.unwrap();
    assert_eq!(queueing.items.len(), 1);
}

#[tokio::test]
async fn every_workflow_with_runs_in_line_has_its_turn() {
    let (store, _db) = memory_store();
    let writes = ["w1", "w2", "w3", "w4", "w5"].map(queueing);
    store.commit(writes.into()).await.unwrap();
    let mut page = Page::first(2);
    let mut found = Vec::new();
    loop {
        let part = store.list_queueing_workflows(&CALLER, &page).await.unwrap();
        let ids = part.items.iter().map(|state| &state.value.workflow_id);
        found.extend(ids.map(ToString::to_string));
        if part.next.is_none() {
            break;
        }
        page.after = part.next;
    }
    assert_eq!(found, ["w1", "w2", "w3", "w4", "w5"]);
}

#[tokio::test]
async fn a_worker_whose_lease_is_revoked_writes_nothing_more() {
    let (store, _db) = memory_store();
    let mut held = execution("held", ExecutionStatus::Running);
    held.lease.fence = 3;
    let version = store.commit(vec![create(&held)]).await.unwrap();
    let revoked = vec![executions::revoke_lease(&held.id)];
    store.commit(revoked).await.unwrap();
    let value = held.clone();
    let late = executions::save_progress(&Versioned { value, version }).unwrap();
    let refused = store.commit(vec![late]).await.unwrap_err();
    assert!(refused.is_lost_race());
    let found = store.find_execution(&org_id(), &held.id).await.unwrap();
    held.lease.fence = 4;
    assert_eq!(found.unwrap().value, held, "and nothing else has changed");
}

#[tokio::test]
async fn a_version_is_kept_once() {
    let (store, db) = memory_store();
    let first = version(now());
    let kept = store.keep_version(&first).await.unwrap().unwrap();
    assert_eq!(kept.precondition, Precondition::Absent);
    store.commit(vec![kept.clone()]).await.unwrap();
    let again = version(now().plus_seconds(60));
    assert_eq!(store.keep_version(&again).await.unwrap(), None);
    let late = store.commit(vec![kept]).await.unwrap_err();
    assert!(late.is_lost_race(), "who was slower decides anew");
    let stored: WorkflowVersion = decode(&db.documents("workflows/w1/versions/")[0]).unwrap();
    assert_eq!(stored.created_at, first.created_at);
}
