use serde_json::{Value, json};
use shared::{
    connectors::Account,
    ids::{AgentId, ExecutionId, OrgId, RecordId, TriggerId, Uid, WorkflowId},
    models::{
        Agent, AgentRuntime, AgentStatus, Approval, ApprovalStatus, Budget, Candidate, DeployState,
        Execution, ExecutionStatus, ExecutionTrigger, Integration, IntegrationService, Invitation,
        Lease, Limits, LlmRoute, LogKind, LogLevel, LogLine, Memory, Organization, ProviderName,
        Role, Route, Session, StartOptions, Step, StepIntent, StepResult, StepStatus, StoredBody,
        SubscriptionTier, Timestamp, Trigger, TriggerSource, TriggerType, Tuning, TuningState,
        UsageEntry, User, Workflow, WorkflowVersion,
    },
    store::{
        Write, agents, approvals,
        document_db::{Operation, Precondition, ValueType, value},
        executions, integrations, invitations, llm_routes, memories, organizations, sessions,
        triggers, tunings, usage_ledger, users, workflows,
    },
    testing::{self, usage_entry},
};

use crate::{app::NOW, table::FOREIGN};

pub(crate) fn now() -> Timestamp {
    let now: jiff::Timestamp = NOW.parse().unwrap();
    now.into()
}

pub(crate) fn organization(id: &str, tier: SubscriptionTier) -> Write {
    let organization = Organization {
        id: OrgId::parse(id).unwrap(),
        name: "Ada's organization".to_owned(),
        subscription_tier: tier,
        former_tiers: Vec::new(),
        plan_asked_at: None,
        plan_asked_since: None,
        stripe_customer_id: Some("cus_1".to_owned()),
        stripe_customer_attempts: 0,
        api_usage: 42,
        limits: Limits::default(),
        created_at: now(),
    };
    organizations::create(&organization).unwrap()
}

pub(crate) fn user(uid: &str, org_id: &str, role: Role) -> Write {
    let user = User {
        uid: Uid::parse(uid).unwrap(),
        email: Some(format!("{uid}@example.com")),
        role,
        organization_id: OrgId::parse(org_id).unwrap(),
        created_at: now(),
        settings: [("theme".to_owned(), json!("dark"))].into(),
        disabled: false,
        tokens_valid_after: None,
    };
    users::create(&user).unwrap()
}

/// An invitation of `<id>@example.com` that waits; its token is nobody's.
pub(crate) fn invitation_model(id: &str, org_id: &str) -> Invitation {
    Invitation {
        id: RecordId::parse(id).unwrap(),
        org_id: OrgId::parse(org_id).unwrap(),
        token_hash: "00ff".to_owned(),
        email: format!("{id}@example.com"),
        role: Role::Viewer,
        invited_by: Uid::parse("admin").unwrap(),
        expires_at: now().plus_seconds(60),
        created_at: now(),
    }
}

pub(crate) fn invitation(id: &str, org_id: &str) -> Write {
    invitations::create(&invitation_model(id, org_id)).unwrap()
}

/// An integration of `o1` that the user has connected.
pub(crate) fn integration(id: &str, owner_uid: &str) -> Vec<Write> {
    let integration = integration_model(id, owner_uid);
    integrations::create(&integration).unwrap().into()
}

/// A Google account.
pub(crate) fn google_integration(id: &str, owner_uid: &str) -> Vec<Write> {
    let integration = Integration {
        service: IntegrationService::Google,
        ..integration_model(id, owner_uid)
    };
    integrations::create(&integration).unwrap().into()
}

/// An account, to be changed.
pub(crate) fn integration_model(id: &str, owner_uid: &str) -> Integration {
    Integration {
        account_label: "u…".to_owned(),
        is_of_key: true,
        ..testing::integration(id, owner_uid, IntegrationService::Github)
    }
}

/// A route to models of an organization.
pub(crate) fn llm_route(org_id: &str, alias: &str) -> Write {
    let candidate = Candidate {
        provider: ProviderName::Openai,
        model: "gpt-4.1-mini".to_owned(),
    };
    let route = LlmRoute {
        alias: alias.parse().unwrap(),
        org_id: OrgId::parse(org_id).unwrap(),
        route: Route::to(candidate),
        cache: None,
        updated_at: now(),
    };
    llm_routes::set(&route, None).unwrap()
}

/// An account of an outside service, if it tells which.
pub(crate) fn account(id: Option<&str>) -> Account {
    Account {
        id: id.map(str::to_owned),
        label: "…4242".to_owned(),
        scopes: Vec::new(),
    }
}

pub(crate) fn agent_model(id: &str) -> Agent {
    testing::agent(OrgId::parse("o1").unwrap(), id, now())
}

/// The same document, of another organization.
pub(crate) fn of_organization(org_id: &str, mut write: Write) -> Write {
    if let Operation::Replace(fields) | Operation::Merge { fields, .. } = &mut write.operation
        && let Some(field) = fields.get_mut("orgId")
    {
        *field = value(ValueType::StringValue(org_id.to_owned()));
    }
    write
}

pub(crate) fn agent(id: &str) -> Write {
    agents::create(&agent_model(id)).unwrap()
}

pub(crate) fn deployed_agent(id: &str, status: AgentStatus) -> Write {
    let agent = Agent {
        status,
        deploy_state: DeployState::Deployed,
        runtime: Some(AgentRuntime::Registered {
            revision: "00ff".to_owned(),
            registered_at: now(),
        }),
        ..agent_model(id)
    };
    agents::create(&agent).unwrap()
}

/// The conversation that a user has with an agent; its id is the user's.
pub(crate) fn session(agent_id: &str, uid: &str) -> Write {
    sessions::create(&session_of(agent_id, uid, uid)).unwrap()
}

pub(crate) fn session_of(agent_id: &str, id: &str, uid: &str) -> Session {
    let (id, uid) = (RecordId::parse(id).unwrap(), Uid::parse(uid).unwrap());
    let org_id = OrgId::parse("o1").unwrap();
    let agent_id = AgentId::parse(agent_id).unwrap();
    Session::new(id, &org_id, &agent_id, Some(&uid), now())
}

/// The same, which the user has approved for training.
pub(crate) fn approved_session(agent_id: &str, uid: &str) -> Write {
    let session = Session {
        approved_for_training: Some(now()),
        ..session_of(agent_id, uid, uid)
    };
    sessions::create(&session).unwrap()
}

/// Something that the agent remembers of user `u1` alone.
pub(crate) fn memory(agent_id: &str, id: &str) -> Write {
    memory_of_age(agent_id, id, 0)
}

/// The same, kept so many seconds ago.
pub(crate) fn memory_of_age(agent_id: &str, id: &str, age: i64) -> Write {
    let memory = memory_model(agent_id, id);
    let created_at = memory.created_at.plus_seconds(-age);
    memories::create(&Memory {
        created_at,
        ..memory
    })
    .unwrap()
}

/// Something that agent `a1` remembers of this user alone.
pub(crate) fn memory_of(uid: &str) -> Write {
    let subject_uid = Some(Uid::parse(uid).unwrap());
    memories::create(&Memory {
        subject_uid,
        ..memory_model("a1", "own")
    })
    .unwrap()
}

fn memory_model(agent_id: &str, id: &str) -> Memory {
    Memory {
        id: RecordId::parse(id).unwrap(),
        org_id: OrgId::parse("o1").unwrap(),
        agent_id: AgentId::parse(agent_id).unwrap(),
        subject_uid: Some(Uid::parse("u1").unwrap()),
        text: format!("Remembers {id}."),
        source: None,
        embedding: vec![1.0, 0.0].into(),
        embedding_model: "text-embedding-3-small".to_owned(),
        dimension: 2,
        created_at: now(),
    }
}

pub(crate) fn tuning(agent_id: &str, id: &str) -> Write {
    tunings::create(&tuning_model(agent_id, id)).unwrap()
}

pub(crate) fn tuning_model(agent_id: &str, id: &str) -> Tuning {
    Tuning {
        id: RecordId::parse(id).unwrap(),
        org_id: OrgId::parse("o1").unwrap(),
        agent_id: AgentId::parse(agent_id).unwrap(),
        base_model: "gpt-4.1-mini-2025-04-14".to_owned(),
        epochs: 3,
        state: TuningState::Queued,
        examples: 10,
        max_bytes: 2_000,
        cost_micro_usd: 30_000,
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

pub(crate) fn nodes() -> Value {
    let position = json!({ "x": 0, "y": 0 });
    json!([
        { "id": "start", "type": "trigger", "position": position, "data": {} },
        {
            "id": "end",
            "type": "output",
            "position": position,
            "data": { "value": "${trigger.payload}" },
        },
    ])
}

pub(crate) fn edges() -> Value {
    json!([{ "id": "e1", "source": "start", "target": "end" }])
}

pub(crate) fn workflow(id: &str) -> Write {
    let list = |value: Value| value.as_array().unwrap().clone();
    workflow_of(id, list(nodes()), list(edges()))
}

/// A workflow of this graph.
pub(crate) fn workflow_of(id: &str, nodes: Vec<Value>, edges: Vec<Value>) -> Write {
    let workflow = Workflow {
        id: WorkflowId::parse(id).unwrap(),
        org_id: OrgId::parse("o1").unwrap(),
        name: "Triage".to_owned(),
        description: String::new(),
        nodes,
        edges,
        triggers: Vec::new(),
        active: false,
        created_at: Some(now()),
        updated_at: Some(now()),
    };
    workflows::create(&workflow).unwrap()
}

/// An execution of `w1` that began `age` seconds ago, with its trigger, one step and two lines.
pub(crate) fn execution(id: &str, status: ExecutionStatus, age: i64) -> Vec<Write> {
    execution_of("w1", id, status, age)
}

/// The same of another workflow.
pub(crate) fn execution_of(
    workflow_id: &str,
    id: &str,
    status: ExecutionStatus,
    age: i64,
) -> Vec<Write> {
    let execution = Execution {
        workflow_id: WorkflowId::parse(workflow_id).unwrap(),
        ..execution_model(id, status, age)
    };
    let version = version(&execution);
    let mut writes = with_version(&execution, &version);
    writes.push(trigger(id));
    writes.push(executions::set_step(&execution.id, &step()).unwrap());
    let lines = [1, 2].map(|seq| executions::create_log_line(&execution.id, &log_line(seq)));
    writes.extend(lines.map(Result::unwrap));
    writes
}

/// The version that it is pinned to.
pub(crate) fn version(execution: &Execution) -> WorkflowVersion {
    WorkflowVersion {
        hash: execution.workflow_version.clone(),
        org_id: execution.org_id.clone(),
        workflow_id: execution.workflow_id.clone(),
        nodes: nodes().into(),
        edges: edges().into(),
        created_at: now(),
    }
}

pub(crate) fn trigger(id: &str) -> Write {
    let trigger = Trigger {
        id: TriggerId::parse(id).unwrap(),
        org_id: OrgId::parse("o1").unwrap(),
        workflow_id: workflow_id_of(id),
        kind: TriggerType::Manual,
        payload: json!({ "list": [[1]] }).into(),
        dedupe_key: id.to_owned(),
        source: TriggerSource {
            function: "api".to_owned(),
            uid: None,
        },
        created_at: now(),
        options: StartOptions::default(),
        traceparent: None,
    };
    triggers::create(&trigger).unwrap()
}

pub(crate) fn usage(id: &str, day: &str, model: &str) -> Write {
    usage_ledger::create(&usage_model(id, day, model)).unwrap()
}

pub(crate) fn usage_model(id: &str, day: &str, model: &str) -> UsageEntry {
    let id = RecordId::parse(id).unwrap();
    UsageEntry {
        workflow_id: Some(WorkflowId::parse("w1").unwrap()),
        model: model.to_owned(),
        input_tokens: 100,
        output_tokens: 20,
        cost_micro_usd: 7,
        ..usage_entry(id, OrgId::parse("o1").unwrap(), day, now())
    }
}

/// An approval that waits, by one of two roles.
pub(crate) fn approval(id: &str, execution_id: &str) -> Write {
    approvals::create(&approval_model(id, execution_id)).unwrap()
}

pub(crate) fn approval_model(id: &str, execution_id: &str) -> Approval {
    Approval {
        id: RecordId::parse(id).unwrap(),
        org_id: OrgId::parse("o1").unwrap(),
        workflow_id: workflow_id_of(id),
        execution_id: ExecutionId::parse(execution_id).unwrap(),
        node_id: "ask".to_owned(),
        iteration: "0".to_owned(),
        message: "Refund?".to_owned(),
        fields: [].into(),
        action: None,
        roles: vec![Role::Admin, Role::User],
        required: 1,
        excluded: None,
        status: ApprovalStatus::Pending,
        decisions: Vec::new(),
        created_at: now(),
        expires_at: None,
    }
}

/// The workflow in the organization of what has this id.
fn workflow_id_of(id: &str) -> WorkflowId {
    let prefix = if id.starts_with(FOREIGN) { FOREIGN } else { "" };
    WorkflowId::parse(format!("{prefix}w1")).unwrap()
}

/// An execution and the version that it is pinned to, which others may be pinned to as well.
pub(crate) fn with_version(execution: &Execution, version: &WorkflowVersion) -> Vec<Write> {
    let version = workflows::create_version(version).unwrap();
    vec![
        executions::create(execution).unwrap(),
        Write {
            precondition: Precondition::None,
            ..version
        },
    ]
}

pub(crate) fn execution_model(id: &str, status: ExecutionStatus, age: i64) -> Execution {
    Execution {
        id: ExecutionId::parse(id).unwrap(),
        org_id: OrgId::parse("o1").unwrap(),
        workflow_id: workflow_id_of(id),
        workflow_name: "Triage".to_owned(),
        workflow_version: "v1".to_owned(),
        status,
        started_at: now().plus_seconds(-age),
        finished_at: None,
        trigger: ExecutionTrigger {
            id: TriggerId::parse(id).unwrap(),
            kind: TriggerType::Manual,
        },
        input: json!({ "list": [[1]] }).into(),
        output: Some(json!({ "answer": [1, null] }).into()),
        error: None,
        budget: Budget {
            max_steps: 1_000,
            max_tokens: 1_000,
            max_seconds: 60,
            used_steps: 1,
            used_tokens: 0,
            max_cost_micro_usd: None,
            used_cost_micro_usd: 0,
            waited_seconds: 0,
        },
        lease: Lease {
            owner: Some("worker".to_owned()),
            fence: 1,
            revision: 0,
            until: Some(now().plus_seconds(60)),
        },
        attempts: 1,
        log_seq: 2,
        resume_at: None,
        waiting_since: None,
        parent: None,
        concurrency: None,
        has_slot: false,
        error_workflow_id: None,
        has_adopted: false,
        options: StartOptions::default(),
        traceparent: None,
    }
}

pub(crate) fn step() -> Step {
    Step {
        node_id: "start".to_owned(),
        iteration: "0".to_owned(),
        kind: "trigger".to_owned(),
        org_id: OrgId::parse("o1").unwrap(),
        status: StepStatus::Succeeded,
        intent: StepIntent {
            attempt: 1,
            idempotency_key: "k".to_owned(),
            request_hash: "h".to_owned(),
            fence: 1,
            at: now(),
            resume_at: None,
        },
        result: Some(StepResult {
            output: json!({ "nested": [[1]] }).into(),
            handle: "out".to_owned(),
            error: None,
            tokens: 0,
            cost_micro_usd: 0,
            duration_ms: 5,
            at: now(),
        }),
    }
}

/// What [`stored_step`] keeps.
pub(crate) const PAGE: &str = "<script>alert(document.domain)</script>";

/// The step of an `http` node `work` whose body is stored, and the name of the object.
pub(crate) fn stored_step(org_id: &str, execution_id: &str, content_type: &str) -> (Write, String) {
    let (org_id, id) = (OrgId::parse(org_id).unwrap(), execution_id.parse().unwrap());
    let object = StoredBody::object_of(&org_id, &id, "work", "0");
    let body = StoredBody::new(object.clone(), PAGE.as_bytes(), content_type);
    let write = executions::set_step(&id, &http_step(org_id, json!({ "stored": body }))).unwrap();
    (write, object)
}

/// The step of an `http` node `work` with this body.
pub(crate) fn http_step(org_id: OrgId, body: Value) -> Step {
    let step = step();
    let result = step.result.clone().unwrap();
    let output = json!({ "status": 200, "headers": {}, "body": body }).into();
    Step {
        node_id: "work".to_owned(),
        kind: "http".to_owned(),
        org_id,
        result: Some(StepResult { output, ..result }),
        ..step
    }
}

pub(crate) fn log_line(seq: i64) -> LogLine {
    LogLine {
        seq,
        ts: now(),
        node_id: None,
        level: LogLevel::Info,
        kind: LogKind::Execution,
        message: format!("line {seq}"),
        org_id: OrgId::parse("o1").unwrap(),
    }
}
