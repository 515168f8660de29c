//! Which documents lead to which: what a database must hold to be whole.

/// Documents of one collection lead to another document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The collection, with `*` for the ids on the way: `agents/*/sessions`.
    pub from: &'static str,
    /// The document: text, `{field}` for what a field holds, `{id}` for the document's own id and
    /// `{parent}` for the path of the document that it is below. A document without the field leads
    /// nowhere.
    pub to: &'static str,
}

const fn reference(from: &'static str, to: &'static str) -> Reference {
    Reference { from, to }
}

const ORGANIZATION: &str = "organizations/{orgId}";
const PARENT: &str = "{parent}";

/// What must be there at every moment. What outlives the document that it names is not among them:
/// runs of a deleted workflow, usage of a deleted agent.
pub const REFERENCES: [Reference; 45] = [
    reference("agent_services", ORGANIZATION),
    reference("agents", ORGANIZATION),
    reference("agents/*/memories", ORGANIZATION),
    reference("agents/*/sessions", ORGANIZATION),
    reference("agents/*/sessions/*/messages", ORGANIZATION),
    reference("agents/*/tunings", ORGANIZATION),
    reference("approvals", ORGANIZATION),
    reference("approvals", "executions/{executionId}"),
    reference("audit_heads", "organizations/{id}"),
    reference("audit_logs", ORGANIZATION),
    reference("audit_logs", "audit_heads/{orgId}"),
    reference("executions", ORGANIZATION),
    reference(
        "executions",
        "workflows/{workflowId}/versions/{workflowVersion}",
    ),
    reference("executions/*/drafts", ORGANIZATION),
    reference("executions/*/logs", ORGANIZATION),
    reference("executions/*/logs", PARENT),
    reference("executions/*/steps", ORGANIZATION),
    reference("executions/*/steps", PARENT),
    reference("idempotency", ORGANIZATION),
    reference("integration_status", ORGANIZATION),
    reference("integration_status", "integrations/{id}"),
    reference("integrations", ORGANIZATION),
    reference("integrations", "integration_status/{id}"),
    reference("integrations/*/sync", ORGANIZATION),
    reference("meter_events", ORGANIZATION),
    reference("oauth_states", ORGANIZATION),
    reference("organizations/*/invitations", PARENT),
    reference("organizations/*/knowledge", PARENT),
    reference("organizations/*/knowledge_documents", PARENT),
    reference("organizations/*/llm_cache", PARENT),
    reference("organizations/*/llm_routes", PARENT),
    reference("organizations/*/metering", PARENT),
    reference("organizations/*/quota", PARENT),
    reference("organizations/*/stats", PARENT),
    reference("organizations/*/tuned_models", PARENT),
    reference("outbox", ORGANIZATION),
    reference("stripe_customers", ORGANIZATION),
    reference("stripe_events", ORGANIZATION),
    reference("triggers", ORGANIZATION),
    reference("usage_ledger", ORGANIZATION),
    reference("users", "organizations/{organizationId}"),
    reference("wakeups", ORGANIZATION),
    reference("workflow_states", ORGANIZATION),
    reference("workflows", ORGANIZATION),
    reference("workflows/*/versions", ORGANIZATION),
];
