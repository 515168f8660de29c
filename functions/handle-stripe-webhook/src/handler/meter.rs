use axum::{Json, extract::State};
use serde_json::{Value, json};
use shared::{
    http::{ApiError, RawBody, ServiceCaller},
    models::UsageReconcile,
    queue::UsageReconcileTask,
    retry::Transient,
};

use crate::{
    AppState,
    meter::{Error, Metered, reconcile},
};

/// Reports usage to Stripe, for Cloud Scheduler. A repeat finds what is left to do.
pub(crate) async fn handle_meter(
    _: ServiceCaller,
    State(state): State<AppState>,
) -> Result<Json<Metered>, ApiError> {
    let metered = Box::pin(state.meter().run()).await?;
    let Metered {
        counted,
        sent,
        postponed,
        given_up,
    } = metered;
    tracing::info!(counted, sent, postponed, given_up, "usage metered");
    Ok(Json(metered))
}

/// Handles the nightly tick that has usage compared with what Stripe has counted, and the tasks by
/// which that goes on. The idempotency key is the comparison's id: a repeat finds its page compared.
pub(crate) async fn handle_reconcile_usage(
    _: ServiceCaller,
    State(state): State<AppState>,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    // The tick has no body.
    let reconcile = match serde_json::from_slice::<UsageReconcileTask>(&body) {
        Ok(task) => Box::pin(reconcile::go_on(&state, &task.run_id)).await?,
        Err(_) => Some(Box::pin(reconcile::begin(&state)).await?),
    };
    Ok(Json(
        reconcile.map_or(json!({}), |reconcile| describe(&reconcile)),
    ))
}

fn describe(reconcile: &UsageReconcile) -> Value {
    json!({
        "runId": reconcile.run_id,
        "pages": reconcile.pages,
        "day": reconcile.report.day,
        "failed": reconcile.report.failed,
        "finished": reconcile.finished_at.is_some(),
    })
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error.is_transient() {
            true => Self::unavailable(&error),
            false => Self::internal(&error),
        }
    }
}
