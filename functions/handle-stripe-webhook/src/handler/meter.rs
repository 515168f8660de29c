use axum::{Json, extract::State};
use shared::{
    http::{ApiError, ServiceCaller},
    models::UsageReconciliation,
    retry::Transient,
};

use crate::{
    AppState,
    meter::{Error, Metered},
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

/// Compares usage with what Stripe has counted, for Cloud Scheduler. A repeat compares anew.
pub(crate) async fn handle_reconcile_usage(
    _: ServiceCaller,
    State(state): State<AppState>,
) -> Result<Json<Vec<UsageReconciliation>>, ApiError> {
    Ok(Json(Box::pin(state.meter().reconcile()).await?))
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error.is_transient() {
            true => Self::unavailable(&error),
            false => Self::internal(&error),
        }
    }
}
