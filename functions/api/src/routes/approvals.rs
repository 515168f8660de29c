use std::collections::BTreeMap;

use axum::{
    Json as Body,
    extract::State,
    routing::{get, post},
};
use garde::Validate;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Json, Path, Query, can},
    ids::{ExecutionId, RecordId, WorkflowId},
    models::{Approval, ApprovalStatus, Principal, Role, Timestamp},
    store::Listing,
};

use super::{Route, answer::ListResponse, route};
use crate::{
    AppState,
    approvals::{self, Answer},
    page,
};

/// Where they are.
pub(super) const ROUTES: &[Route] = &[
    route(Method::GET, "/approvals", Action::ReadApprovals, || {
        get(list_approvals)
    }),
    route(
        Method::GET,
        "/approvals/{id}",
        Action::ReadApprovals,
        || get(get_approval),
    ),
    route(
        Method::POST,
        "/approvals/{id}/decisions",
        Action::DecideApproval,
        || post(decide_approval),
    ),
];

/// What somebody decides.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct DecisionRequest {
    decision: Verdict,
    #[serde(default)]
    values: Map<String, Value>,
    #[garde(length(chars, max = 1_000))]
    comment: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Approve,
    Reject,
}

/// Which approvals to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListApprovalsQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

/// An approval as a member sees it: of the others only how many they are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApprovalResponse {
    id: RecordId,
    workflow_id: WorkflowId,
    execution_id: ExecutionId,
    node_id: String,
    iteration: String,
    message: String,
    /// The form that goes with an approval: the type of each field.
    fields: BTreeMap<String, String>,
    /// What is done when it is approved, if that is an action of a connected service.
    action: Option<ActionResponse>,
    roles: Vec<Role>,
    status: ApprovalStatus,
    /// How many have to approve, and how many have.
    required: i64,
    approvals: i64,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// Whether the caller may decide, and what it has decided.
    can_decide: bool,
    own_decision: Option<Verdict>,
}

/// What an approval lets happen, as far as people are shown it.
#[derive(Serialize)]
struct ActionResponse {
    name: String,
    input: Value,
    /// With whose account it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountResponse>,
}

/// An account of a connected service.
#[derive(Serialize)]
struct AccountResponse {
    label: String,
}

pub(super) async fn list_approvals(
    State(state): State<AppState>,
    caller: Allowed<can::ReadApprovals>,
    Query(query): Query<ListApprovalsQuery>,
) -> Result<Body<ListResponse<ApprovalResponse>>, ApiError> {
    let page = page::parse("approvals", query.limit, query.page_token.as_deref())?;
    let (principal, now) = (&caller.0, state.now());
    let listing = approvals::list(&state.store, principal, &page).await?;
    let items = listing.items.into_iter();
    let items = items.map(|approval| ApprovalResponse::new(approval, principal, now));
    let listing = Listing {
        items: items.collect(),
        next: listing.next,
    };
    Ok(Body(ListResponse::new("approvals", listing)))
}

pub(super) async fn get_approval(
    State(state): State<AppState>,
    caller: Allowed<can::ReadApprovals>,
    Path(id): Path<RecordId>,
) -> Result<Body<ApprovalResponse>, ApiError> {
    let (principal, now) = (&caller.0, state.now());
    let approval = approvals::find(&state.store, principal, &id).await?;
    Ok(Body(ApprovalResponse::new(approval.value, principal, now)))
}

pub(super) async fn decide_approval(
    State(state): State<AppState>,
    caller: Allowed<can::DecideApproval>,
    Path(id): Path<RecordId>,
    Json(request): Json<DecisionRequest>,
) -> Result<Body<ApprovalResponse>, ApiError> {
    let (principal, now) = (&caller.0, state.now());
    let (store, trail) = (&state.store, &state.trail);
    let answer = Answer {
        approves: matches!(request.decision, Verdict::Approve),
        values: request.values,
        comment: request.comment,
    };
    let approval = approvals::decide(store, trail, principal, &id, &answer, now).await?;
    Ok(Body(ApprovalResponse::new(approval, principal, now)))
}

impl ApprovalResponse {
    fn new(approval: Approval, principal: &Principal, now: Timestamp) -> Self {
        let own = approvals::own_decision(&approval, principal);
        Self {
            approvals: approvals::approvals(&approval),
            can_decide: approvals::can_decide(&approval, principal, now),
            own_decision: own.map(|decision| match decision.approves {
                true => Verdict::Approve,
                false => Verdict::Reject,
            }),
            id: approval.id,
            workflow_id: approval.workflow_id,
            execution_id: approval.execution_id,
            node_id: approval.node_id,
            iteration: approval.iteration,
            message: approval.message,
            fields: approval.fields,
            action: approval.action.map(|action| ActionResponse {
                name: action.name,
                input: action.input.0,
                account: action.account.map(|account| AccountResponse {
                    label: account.label,
                }),
            }),
            roles: approval.roles,
            status: approval.status,
            required: approval.required,
            created_at: approval.created_at,
            expires_at: approval.expires_at,
        }
    }
}
