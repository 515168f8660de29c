//! The documents of Firestore, field for field. A document's struct is the domain's struct.

mod agent;
mod agent_service;
mod approval;
mod audit_log;
mod bookkeeping;
mod conversation;
mod draft;
mod execution;
mod free_json;
mod integration;
mod json_text;
mod knowledge;
mod llm_route;
mod memory;
mod metering;
mod organization;
mod principal;
mod reconciliation;
mod references;
mod sealed;
mod step_page;
mod stored_body;
mod subscription;
mod timestamp;
mod token_quota;
mod tuning;
mod user;
mod vector;
mod workflow;

pub use agent::{
    Agent, AgentKind, AgentRuntime, AgentStatus, DeployState, Industry, LastError, MemoryDepth,
    Personality, Presence, Suspension, VoiceConfig,
};
pub use agent_service::{AgentService, AgentServiceState};
pub use approval::{Approval, ApprovalStatus, AskedAccount, AskedAction, Decision, Wakeup};
pub use audit_log::{AuditAction, AuditHead, AuditLog};
pub use bookkeeping::{
    IdempotencyRecord, OAuthState, OutboxMessage, OutboxRow, OutboxState, ProcessedEvent,
    ScheduleTick, UsageEntry, UsageState,
};
pub use conversation::{ChatMessage, ChatRole, Session, Summary};
pub use draft::Draft;
pub use execution::{
    Budget, Execution, ExecutionError, ExecutionParent, ExecutionStatus, ExecutionTrigger, Lease,
    LogKind, LogLevel, LogLine, Step, StepIntent, StepResult, StepStatus,
};
pub use integration::{
    Integration, IntegrationService, IntegrationStatus, RenewalLease, SyncStatus,
};
pub use json_text::JsonText;
pub use knowledge::{
    KnowledgeChunk, KnowledgeDocument, KnowledgeKind, KnowledgeSource, KnowledgeUse, ORGANIZATION,
    Reading, SyncCounts, SyncProgress, SyncProgresses, SyncState, user_principal,
};
pub use llm_route::{
    CacheSettings, CachedAnswer, Candidate, FailureClass, LlmRoute, ProviderName, Route, RouteStep,
    Timeouts, Weighted,
};
pub use memory::Memory;
pub use metering::{MeterRow, MeterRowState, MeterTerms, MeteredMonth, MeteredPlan, Metering};
pub use organization::{
    AgentQuota, FormerTier, Invitation, Limits, MemberCount, Organization, Stats, SubscriptionTier,
};
pub use principal::{Principal, Role, SystemPrincipal};
pub use reconciliation::{
    CustomerDay, MeterRowPosition, ReconcileStep, UsageDifference, UsageDrift, UsageFailure,
    UsageReconcile, UsageReconciliation,
};
pub use references::{REFERENCES, Reference};
pub use sealed::Sealed;
pub use step_page::StepPage;
pub use stored_body::StoredBody;
pub use subscription::{
    BillingNotice, PayingOrganization, StripeClaim, StripeCustomer, StripeEvent, StripeEventState,
    TierDrift, TierReconcile,
};
pub use timestamp::Timestamp;
pub use token_quota::{BudgetLease, Hold, LeaseSum, LlmSwitch, Reservation, TokenQuota, Use};
pub use tuning::{TunedModel, Tuning, TuningState};
pub use user::{DeletedUser, ErasureState, User, UserSettings};
pub use vector::Vector;
pub use workflow::{
    Mock, Rerun, StartOptions, Trigger, TriggerSource, TriggerType, Workflow, WorkflowState,
    WorkflowVersion,
};
