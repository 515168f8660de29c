use axum::Json;
use serde_json::{Value, json};

/// Answers that the process serves. It asks no dependency, so that an outage of one does not make
/// Cloud Run restart every instance.
pub(super) async fn check_health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
