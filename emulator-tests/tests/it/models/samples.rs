//! One full document of every kind, all of the organization `o1`.

mod metering;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::{
    ids::{AgentId, ExecutionId, IntegrationId, OrgId, RecordId, TriggerId, Uid, WorkflowId},
    models::*,
};

pub(crate) use self::metering::{meter_row, metered_month, usage_reconcile, usage_reconciliation};

pub(crate) const ORG: &str = "o1";

pub(crate) fn org_id() -> OrgId {
    OrgId::parse(ORG).unwrap()
}

/// An instant with microseconds, the finest that Firestore keeps.
pub(crate) fn time() -> Timestamp {
    let instant: jiff::Timestamp = "2026-11-23T12:00:00.123456Z".parse().unwrap();
    instant.into()
}

/// What JSON can hold and Firestore cannot: arrays in arrays, reserved and empty names.
pub(crate) fn awkward_json() -> Value {
    json!({
        "nested": [[1, [null, 2.5]], []],
        "max": i64::MAX,
        "min": i64::MIN,
        "unsigned": u64::MAX,
        "tiny": 5e-324,
        "": { "__id7__": "ä\u{0}\u{1F600}" },
        "null": null,
    })
}

fn record_id() -> RecordId {
    RecordId::parse("r1").unwrap()
}

fn uid() -> Uid {
    Uid::parse("u1").unwrap()
}

pub(crate) fn cached_answer() -> CachedAnswer {
    CachedAnswer {
        id: record_id(),
        org_id: org_id(),
        answer: json!({ "content": "Hello" }).to_string(),
        created_at: time(),
        expires_at: time(),
    }
}

pub(crate) fn llm_route() -> LlmRoute {
    let candidate = |provider, model: &str, weight| Weighted {
        candidate: Candidate {
            provider,
            model: model.to_owned(),
        },
        weight,
    };
    LlmRoute {
        alias: "fast".parse().unwrap(),
        org_id: org_id(),
        route: Route {
            steps: vec![RouteStep {
                candidates: vec![
                    candidate(ProviderName::Openai, "gpt-4.1-mini", 3),
                    candidate(ProviderName::Vertex, "claude-sonnet-5", 1),
                ],
            }],
            fallback_on: vec![FailureClass::Timeout],
            timeouts: Timeouts::default(),
        },
        cache: Some(CacheSettings {
            ttl_secs: 60,
            any_temperature: true,
        }),
        updated_at: time(),
    }
}

pub(crate) fn organization() -> Organization {
    Organization {
        id: org_id(),
        name: "Lovelace & Söhne".to_owned(),
        subscription_tier: SubscriptionTier::Pro,
        former_tiers: vec![FormerTier {
            tier: SubscriptionTier::Free,
            until: time(),
        }],
        plan_asked_at: Some(time()),
        plan_asked_since: Some(time()),
        stripe_customer_id: Some("cus_1".to_owned()),
        stripe_customer_attempts: 2,
        api_usage: 12_345,
        limits: Limits {
            agents: Some(7),
            monthly_tokens: Some(i64::MAX),
            own_monthly_tokens: Some(900_000),
            monthly_cost_micro_usd: Some(8),
        },
        created_at: time(),
    }
}

pub(crate) fn stats() -> Stats {
    Stats {
        tokens: 1,
        cost_micro_usd: 2,
        requests: 3,
        executions: 4,
        agents: 5,
        percent_of_limit: 0.1,
        period: "2026-11".to_owned(),
        updated_at: Some(time()),
    }
}

pub(crate) fn agent_quota() -> AgentQuota {
    AgentQuota {
        created: 2,
        deployed: 1,
        suspended: 1,
        tier_changes: 3,
        enforce_at: Some(time()),
    }
}

pub(crate) fn token_quota() -> TokenQuota {
    let reservation = Reservation {
        tokens: 500,
        cost_micro_usd: 600,
        expires_at: time(),
        is_stream: true,
        attempts: [RecordId::derive(&["attempt"])].into(),
    };
    let amount = |tokens| Use {
        tokens,
        cost_micro_usd: tokens * 2,
    };
    let lease = BudgetLease {
        period: "2026-11".to_owned(),
        granted: amount(700),
        counted: amount(200),
        requests: 3,
        opened_at: time(),
        ends_at: time(),
        sweep_at: time(),
        summed: Some(LeaseSum {
            after: "u1".to_owned(),
            used: amount(100),
            requests: 2,
        }),
    };
    TokenQuota {
        period: "2026-11".to_owned(),
        used: 99,
        used_cost_micro_usd: 98,
        open: [("a1b2".to_owned(), reservation)].into(),
        leases: [("c3d4".to_owned(), lease)].into(),
        alerts: ["monthlyTokens:80".to_owned()].into(),
        is_blocked: true,
        sweep_at: Some(time()),
    }
}

pub(crate) fn invitation() -> Invitation {
    Invitation {
        id: record_id(),
        org_id: org_id(),
        token_hash: "00ff".to_owned(),
        email: "ada@example.com".to_owned(),
        role: Role::Viewer,
        invited_by: uid(),
        expires_at: time(),
        created_at: time(),
    }
}

pub(crate) fn member_count() -> MemberCount {
    MemberCount {
        admins: 1,
        members: 3,
        revision: 4,
    }
}

fn knowledge_source() -> KnowledgeSource {
    KnowledgeSource {
        kind: KnowledgeKind::Gmail,
        id: "m1".to_owned(),
        title: "Notes".to_owned(),
        link: Some("https://example.com/m1".to_owned()),
        date: Some(time()),
    }
}

pub(crate) fn knowledge_chunk() -> KnowledgeChunk {
    KnowledgeChunk {
        id: record_id(),
        document_id: record_id(),
        ordinal: 2,
        source: knowledge_source(),
        integration_id: IntegrationId::parse("i1").unwrap(),
        owner_uid: uid(),
        text: "The engine weaves.".to_owned(),
        terms: vec!["user:u1\nengine".to_owned()],
        embedding: vec![0.25, -1.0, 0.0].into(),
        embedding_model: "text-embedding-3-small".to_owned(),
        dimension: 3,
        revision: "7".to_owned(),
        content_hash: "00ff".to_owned(),
        principals: vec!["user:u1".to_owned()],
    }
}

pub(crate) fn knowledge_document() -> KnowledgeDocument {
    KnowledgeDocument {
        id: record_id(),
        integration_id: IntegrationId::parse("i1").unwrap(),
        owner_uid: uid(),
        source: knowledge_source(),
        revision: "7".to_owned(),
        content_hash: "00ff".to_owned(),
        chunks: 3,
        bytes: 1_200,
        embedding_model: "text-embedding-3-small".to_owned(),
        principals: vec!["user:u1".to_owned()],
        is_partial: true,
        updated_at: time(),
    }
}

pub(crate) fn knowledge_use() -> KnowledgeUse {
    KnowledgeUse {
        documents: 12,
        bytes: 34_000,
        embedding_model: Some("text-embedding-3-small".to_owned()),
        next_model: Some("text-embedding-3-large".to_owned()),
        reindexed_to: Some("d7".to_owned()),
        previous_model: Some("text-embedding-ada-002".to_owned()),
        reindexer: Some("w1".to_owned()),
        reindexing_until: Some(time()),
    }
}

pub(crate) fn user(uid: &str, org_id: &str, role: Role) -> User {
    User {
        uid: Uid::parse(uid).unwrap(),
        email: Some(format!("{uid}@example.com")),
        role,
        organization_id: OrgId::parse(org_id).unwrap(),
        created_at: time(),
        settings: [("theme", json!("dark")), ("list", json!([1, null]))]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        disabled: false,
        tokens_valid_after: Some(time()),
    }
}

pub(crate) fn agent() -> Agent {
    Agent {
        id: AgentId::parse("a1").unwrap(),
        org_id: org_id(),
        name: "Ada".to_owned(),
        kind: AgentKind::Template,
        industry: Industry::Healthcare,
        personality: Personality {
            empathy: 1.0,
            confidence: 0.3,
            style: "dry".to_owned(),
        },
        voice_config: VoiceConfig {
            model: "alloy".to_owned(),
            speed: 1.25,
            pitch: -2.0,
        },
        status: AgentStatus::Active,
        memory_depth: MemoryDepth::LongTerm,
        deploy_state: DeployState::Deployed,
        presence: Presence {
            last_seen_at: Some(time()),
        },
        system_prompt: "You compute.".to_owned(),
        tools: vec!["http".to_owned()],
        model: "fast".to_owned(),
        runtime: Some(AgentRuntime::Registered {
            revision: "00ff".to_owned(),
            registered_at: time(),
        }),
        suspension: Some(Suspension {
            status: AgentStatus::Active,
            since: time(),
        }),
        last_error: Some(LastError {
            code: "unavailable".to_owned(),
            message: "try again".to_owned(),
            at: time(),
        }),
        created_at: time(),
        updated_at: time(),
    }
}

pub(crate) fn agent_service() -> AgentService {
    AgentService {
        state: AgentServiceState::Removing,
        activates: true,
        ..AgentService::new(&org_id(), &agent().id, time())
    }
}

pub(crate) fn memory() -> Memory {
    Memory {
        id: record_id(),
        org_id: org_id(),
        agent_id: AgentId::parse("a1").unwrap(),
        subject_uid: Some(uid()),
        text: "Likes tea.".to_owned(),
        source: Some(execution().id),
        embedding: vec![0.25, -1.0, 0.0].into(),
        embedding_model: "text-embedding-3-small".to_owned(),
        dimension: 3,
        created_at: time(),
    }
}

pub(crate) fn draft() -> Draft {
    Draft {
        node_id: "n1".to_owned(),
        iteration: "0~1".to_owned(),
        text: "Hel".to_owned(),
        org_id: org_id(),
    }
}

pub(crate) fn session() -> Session {
    Session {
        id: record_id(),
        org_id: org_id(),
        agent_id: AgentId::parse("a1").unwrap(),
        uid: Some(uid()),
        last_seq: 4,
        summary: Some(Summary {
            text: "They greeted each other.".to_owned(),
            last_seq: 2,
        }),
        approved_for_training: Some(time()),
        created_at: time(),
        updated_at: time(),
    }
}

pub(crate) fn tuning() -> Tuning {
    Tuning {
        id: record_id(),
        org_id: org_id(),
        agent_id: AgentId::parse("a1").unwrap(),
        base_model: "gpt-4.1-mini-2025-04-14".to_owned(),
        epochs: 3,
        state: TuningState::Failed,
        examples: 10,
        max_bytes: 4_000,
        cost_micro_usd: 60_000,
        trained_tokens: Some(1_000),
        file_id: Some("file-1".to_owned()),
        job_id: Some("ftjob-1".to_owned()),
        tuned_model: Some("ft:gpt-4.1-mini-2025-04-14:org::1".to_owned()),
        error: Some(LastError {
            code: "provider".to_owned(),
            message: "the provider has made no model".to_owned(),
            at: time(),
        }),
        is_cancelling: true,
        due_at: Some(time()),
        created_at: time(),
        updated_at: time(),
    }
}

pub(crate) fn tuned_model() -> TunedModel {
    TunedModel {
        id: record_id(),
        org_id: org_id(),
        name: "ft:gpt-4.1-mini-2025-04-14:org::1".to_owned(),
        base_model: "gpt-4.1-mini-2025-04-14".to_owned(),
        agent_id: AgentId::parse("a1").unwrap(),
        tuning_id: record_id(),
        created_at: time(),
    }
}

pub(crate) fn chat_message() -> ChatMessage {
    ChatMessage {
        seq: 1,
        org_id: org_id(),
        role: ChatRole::User,
        content: "Hello".to_owned(),
        done: vec!["google.gmail.send".to_owned()],
        failure: Some("the model has said nothing".to_owned()),
        turn: "t1".to_owned(),
        execution_id: ExecutionId::parse("e1").unwrap(),
        created_at: time(),
    }
}

pub(crate) fn workflow() -> Workflow {
    Workflow {
        id: WorkflowId::parse("w1").unwrap(),
        org_id: org_id(),
        name: "Triage".to_owned(),
        description: "Sorts mail.".to_owned(),
        nodes: vec![
            json!({ "id": "n1", "type": "trigger", "position": { "x": 0, "y": -1.5 } }),
            json!({ "id": "n2", "data": { "list": [1, null, { "deep": [null] }], "none": null } }),
        ],
        edges: vec![json!({ "id": "e1", "source": "n1", "target": "n2", "label": null })],
        triggers: vec![json!({ "type": "manual" })],
        active: true,
        created_at: Some(time()),
        updated_at: Some(time()),
    }
}

pub(crate) fn workflow_version() -> WorkflowVersion {
    WorkflowVersion {
        hash: "00ff".to_owned(),
        org_id: org_id(),
        workflow_id: WorkflowId::parse("w1").unwrap(),
        nodes: json!([awkward_json()]).into(),
        edges: json!([]).into(),
        created_at: time(),
    }
}

pub(crate) fn trigger() -> Trigger {
    Trigger {
        id: TriggerId::parse("t1").unwrap(),
        org_id: org_id(),
        workflow_id: WorkflowId::parse("w1").unwrap(),
        kind: TriggerType::OnEmailReceived,
        payload: awkward_json().into(),
        dedupe_key: "m1".to_owned(),
        source: TriggerSource {
            function: "api".to_owned(),
            uid: Some(uid()),
        },
        created_at: time(),
        options: start_options(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    }
}

fn start_options() -> StartOptions {
    StartOptions {
        mocks: Some(json!({ "n2": { "output": [[1]], "handle": "true" } }).into()),
        rerun: Some(Rerun {
            execution_id: ExecutionId::parse("e0").unwrap(),
            workflow_version: "00ff".to_owned(),
            node_id: "n2".to_owned(),
            iteration: Some("0.3".to_owned()),
        }),
    }
}

pub(crate) fn workflow_state() -> WorkflowState {
    WorkflowState {
        org_id: org_id(),
        workflow_id: WorkflowId::parse("w1").unwrap(),
        running: BTreeMap::from([("e1".to_owned(), time())]),
        concurrency: Some(2),
        has_queue: true,
        debounced: Some(ExecutionId::parse("e2").unwrap()),
    }
}

pub(crate) fn approval() -> Approval {
    Approval {
        id: record_id(),
        org_id: org_id(),
        workflow_id: WorkflowId::parse("w1").unwrap(),
        execution_id: ExecutionId::parse("e1").unwrap(),
        node_id: "n2".to_owned(),
        iteration: "0.3".to_owned(),
        message: "Pay?".to_owned(),
        fields: BTreeMap::from([("amount".to_owned(), "number".to_owned())]),
        action: Some(AskedAction {
            name: "google.gmail.send".to_owned(),
            input: awkward_json().into(),
            request_hash: "00fd".to_owned(),
            account: None,
        }),
        roles: vec![Role::Admin, Role::User],
        required: 2,
        excluded: Some("00ff".to_owned()),
        status: ApprovalStatus::Pending,
        decisions: vec![Decision {
            decider: "00fe".to_owned(),
            approves: true,
            values: awkward_json().into(),
            comment: Some("fine".to_owned()),
            at: time(),
        }],
        created_at: time(),
        expires_at: Some(time()),
    }
}

pub(crate) fn llm_switch() -> LlmSwitch {
    LlmSwitch { is_off: true }
}

pub(crate) fn wakeup() -> Wakeup {
    Wakeup {
        id: record_id(),
        org_id: org_id(),
        execution_id: ExecutionId::parse("e1").unwrap(),
        created_at: time(),
    }
}

pub(crate) fn execution() -> Execution {
    Execution {
        id: ExecutionId::parse("e1").unwrap(),
        org_id: org_id(),
        workflow_id: WorkflowId::parse("w1").unwrap(),
        workflow_name: "Triage".to_owned(),
        workflow_version: "00ff".to_owned(),
        status: ExecutionStatus::Waiting,
        started_at: time(),
        finished_at: Some(time()),
        trigger: ExecutionTrigger {
            id: TriggerId::parse("t1").unwrap(),
            kind: TriggerType::Manual,
        },
        input: awkward_json().into(),
        output: Some(json!([[1], "text", null]).into()),
        error: Some(execution_error()),
        budget: Budget {
            max_steps: 1_000,
            max_tokens: 2,
            max_seconds: 3,
            used_steps: 4,
            used_tokens: 5,
            max_cost_micro_usd: Some(6),
            used_cost_micro_usd: 7,
            waited_seconds: 8,
        },
        lease: Lease {
            owner: Some("worker".to_owned()),
            fence: 3,
            revision: 4,
            until: Some(time()),
        },
        attempts: 1,
        log_seq: 9,
        resume_at: Some(time()),
        waiting_since: Some(time()),
        parent: Some(ExecutionParent {
            execution_id: "e0".parse().unwrap(),
            depth: 1,
        }),
        concurrency: Some(2),
        has_slot: true,
        error_workflow_id: Some(WorkflowId::parse("w2").unwrap()),
        has_adopted: true,
        options: start_options(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    }
}

fn execution_error() -> ExecutionError {
    ExecutionError {
        code: "limit_exceeded".to_owned(),
        message: "too many steps".to_owned(),
        node_id: Some("n2".to_owned()),
    }
}

pub(crate) fn step() -> Step {
    Step {
        node_id: "n2".to_owned(),
        iteration: "0".to_owned(),
        kind: "http".to_owned(),
        org_id: org_id(),
        status: StepStatus::Failed,
        intent: StepIntent {
            attempt: 1,
            idempotency_key: "k".to_owned(),
            request_hash: "00ff".to_owned(),
            fence: 3,
            at: time(),
            resume_at: Some(time()),
        },
        result: Some(StepResult {
            output: awkward_json().into(),
            handle: "true".to_owned(),
            error: Some(execution_error()),
            tokens: 1,
            cost_micro_usd: 2,
            duration_ms: 20,
            at: time(),
        }),
    }
}

pub(crate) fn step_page() -> StepPage {
    StepPage {
        org_id: org_id(),
        page: vec![step(), step()],
    }
}

pub(crate) fn log_line() -> LogLine {
    LogLine {
        seq: 1,
        ts: time(),
        node_id: Some("n2".to_owned()),
        level: LogLevel::Warn,
        kind: LogKind::NodeFinished,
        message: "slow".to_owned(),
        org_id: org_id(),
    }
}

pub(crate) fn integration() -> Integration {
    Integration {
        id: IntegrationId::parse("i1").unwrap(),
        org_id: org_id(),
        owner_uid: uid(),
        service: IntegrationService::Google,
        account_label: "a***@example.com".to_owned(),
        is_of_key: true,
        credentials: "AAAA".into(),
        status: IntegrationStatus::Error,
        error_cause: Some("invalid_grant".to_owned()),
        last_sync: Some(time()),
        granted_scopes: vec!["openid".to_owned()],
        renewal: RenewalLease {
            fence: 3,
            until: Some(time()),
        },
        shares_knowledge: true,
        allows_triggers: true,
    }
}

pub(crate) fn sync_status() -> SyncStatus {
    SyncStatus {
        id: IntegrationId::parse("i1").unwrap(),
        org_id: org_id(),
        service: IntegrationService::Github,
        account_label: "ada".to_owned(),
        status: IntegrationStatus::Connected,
        error_cause: Some("none".to_owned()),
        last_sync: Some(time()),
        granted_scopes: vec!["openid".to_owned()],
        shares_knowledge: true,
        allows_triggers: true,
        sync: SyncProgresses {
            gmail: Some(SyncProgress::from(&sync_state())),
            drive: None,
        },
    }
}

pub(crate) fn sync_state() -> SyncState {
    SyncState {
        cursor: Some("123".to_owned()),
        begun_at: Some(time()),
        synced_at: Some(time()),
        counts: SyncCounts {
            documents: 5,
            written: 7,
            removed: 2,
            skipped: 1,
            pending: 3,
        },
        failures: 2,
        retry_at: Some(time()),
        error_cause: Some("rate_limited".to_owned()),
        is_incomplete: true,
        look_again_at: Some(time()),
        passed_over_since: Some(time()),
        reading: Some(Reading {
            process: "p1".to_owned(),
            keys: vec!["m1".to_owned()],
        }),
        suspects: vec!["m2".to_owned()],
        given_up: vec!["m3".to_owned()],
        principal: Some("user:u1".to_owned()),
        address_hash: Some("00ff".to_owned()),
        watched_until: Some(time()),
        ..SyncState::new(org_id())
    }
}

pub(crate) fn audit_log() -> AuditLog {
    AuditLog {
        id: record_id(),
        org_id: org_id(),
        seq: 1,
        actor_id: "system:api".to_owned(),
        actor_pseudonym: "00".repeat(32),
        subject_id: Some("u1".to_owned()),
        subject_pseudonym: Some("11".repeat(32)),
        action: AuditAction::AgentDeploy,
        metadata: awkward_json().into(),
        timestamp: time(),
        key_version: "local".to_owned(),
        prev_mac: String::new(),
        mac: "ff".repeat(32),
    }
}

pub(crate) fn deleted_user() -> DeletedUser {
    DeletedUser {
        uid: Some(uid()),
        state: ErasureState::Pending,
        deleted_at: time(),
        due_at: Some(time()),
        expires_at: Some(time()),
    }
}

pub(crate) fn audit_head() -> AuditHead {
    AuditHead {
        org_id: org_id(),
        seq: 1,
        mac: "ff".repeat(32),
        updated_at: time(),
        closed: true,
    }
}

pub(crate) fn idempotency_record() -> IdempotencyRecord {
    IdempotencyRecord {
        org_id: org_id(),
        request_hash: "00ff".to_owned(),
        body: awkward_json().into(),
        expires_at: time(),
    }
}

pub(crate) fn processed_event() -> ProcessedEvent {
    ProcessedEvent {
        source: "//firebaseauth.googleapis.com/projects/p".to_owned(),
        event_id: "1".to_owned(),
        failure: Some("malformed".to_owned()),
        processed_at: time(),
        expires_at: time(),
    }
}

pub(crate) fn oauth_state() -> OAuthState {
    OAuthState {
        org_id: org_id(),
        uid: uid(),
        service: IntegrationService::Google,
        scopes: vec!["openid".to_owned()],
        is_new_consent: true,
        expires_at: time(),
    }
}

pub(crate) fn outbox_row() -> OutboxRow {
    OutboxRow {
        id: record_id(),
        org_id: org_id(),
        message: OutboxMessage::WelcomeEmail { uid: uid() },
        state: OutboxState::Sending,
        attempts: 1,
        due_at: time(),
        last_error: Some("unavailable".to_owned()),
        created_at: time(),
    }
}

pub(crate) fn stripe_event() -> StripeEvent {
    StripeEvent {
        id: record_id(),
        kind: "invoice.paid".to_owned(),
        customer_id: Some(record_id()),
        claim: Some(StripeClaim::Organization { org_id: org_id() }),
        subject: Some("in_1".to_owned()),
        org_id: Some(org_id()),
        state: StripeEventState::Parked,
        attempts: 2,
        received_at: time(),
        sweep_at: Some(time()),
    }
}

pub(crate) fn tier_reconcile() -> TierReconcile {
    TierReconcile {
        run_id: record_id(),
        after: Some(PayingOrganization {
            customer_id: "cus_1".to_owned(),
            org_id: org_id(),
        }),
        checked: 3,
        repaired: 1,
        failed: 1,
        drifts: vec![TierDrift {
            org_id: org_id(),
            from: SubscriptionTier::Pro,
            to: SubscriptionTier::Free,
        }],
        started_at: time(),
        updated_at: time(),
        finished_at: Some(time()),
    }
}

pub(crate) fn stripe_customer() -> StripeCustomer {
    StripeCustomer {
        org_id: Some(org_id()),
        last_event_id: record_id(),
        ending: vec!["sub_1".to_owned()],
        updated_at: time(),
    }
}

pub(crate) fn schedule_tick() -> ScheduleTick {
    ScheduleTick { minute: time() }
}

pub(crate) fn usage_entry() -> UsageEntry {
    UsageEntry {
        id: record_id(),
        org_id: org_id(),
        agent_id: Some(AgentId::parse("a1").unwrap()),
        workflow_id: Some(WorkflowId::parse("w1").unwrap()),
        execution_id: Some(ExecutionId::parse("e1").unwrap()),
        model: "gpt".to_owned(),
        input_tokens: 1,
        output_tokens: 2,
        cost_micro_usd: 3,
        state: UsageState::Reserved,
        is_estimated: true,
        raised_to: Some(Use {
            tokens: 20,
            cost_micro_usd: 2,
        }),
        is_stream: true,
        hold: Some(Hold {
            lease: record_id(),
            number: 4,
        }),
        uid: Some(uid()),
        is_own_key: true,
        meter: Some(Metering::Due { tokens: 2 }),
        period: "2026-11".to_owned(),
        day: "2026-11-23".to_owned(),
        created_at: time(),
    }
}
