//! Bodies in the bucket, by reference.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    models::StoredBody,
    retry::{Policy, Transient, retry},
    storage::{self, Bucket, Created},
};

use super::{Call, Failure};
use crate::AppState;

pub(super) const OCTET_STREAM: &str = "application/octet-stream";

/// Keeps the body of an answer and returns `{ stored }`. When a worker before this one has kept
/// another body, that one stays and is what the output tells.
pub(super) async fn keep(
    body: Vec<u8>,
    content_type: &str,
    state: &AppState,
    call: &Call,
) -> Result<Value, Failure> {
    let Some(bucket) = &state.artifacts else {
        let message = "the answer is too large or binary: `ARTIFACTS_BUCKET` must name a place";
        return Err(Failure::permanent("limit_exceeded", message));
    };
    let (object, body) = (call.object_name(), Bytes::from(body));
    let create = async || create(bucket.as_ref(), &object, &body).await;
    let kept = retry(Policy::REMOTE_CALL, create).await;
    // The request is answered, but the answer is lost.
    let kept = kept.map_err(|error| to_failure(&error).perhaps_done())?;
    // Of another body nothing is known but what it holds.
    let is_ours = kept == body;
    let content_type = if is_ours { content_type } else { OCTET_STREAM };
    Ok(json!({ "stored": StoredBody::new(object, &kept, content_type) }))
}

/// The content type and the content of an object that a node of the same run has kept.
pub(super) async fn open(
    reference: &Value,
    state: &AppState,
    call: &Call,
) -> Result<(String, Vec<u8>), Failure> {
    let invalid = || Failure::permanent("invalid_argument", "`bodyFrom` is no stored body");
    let stored = StoredBody::deserialize(reference).map_err(|_| invalid())?;
    // The reference is data: it must not lead to another run's objects.
    let path = stored.object.strip_prefix(&call.object_prefix());
    let path = path.ok_or_else(invalid)?;
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(invalid());
    }
    let bucket = state.artifacts.as_ref().ok_or_else(invalid)?;
    let read = async || bucket.read(&stored.object).await;
    let content = retry(Policy::REMOTE_CALL, read).await;
    match content {
        Ok(Some(content)) => Ok((stored.content_type, content.into())),
        Ok(None) => Err(Failure::permanent(
            "failed_precondition",
            "the stored body is gone",
        )),
        Err(error) => Err(to_failure(&error)),
    }
}

/// Writes the object unless it is there, and returns what it holds.
async fn create(bucket: &dyn Bucket, name: &str, body: &Bytes) -> Result<Bytes, storage::Error> {
    match bucket.create(name, body.clone()).await? {
        Created::New => Ok(body.clone()),
        Created::Existed => Ok(bucket.read(name).await?.unwrap_or_default()),
    }
}

fn to_failure(error: &storage::Error) -> Failure {
    tracing::warn!(error = error as &dyn std::error::Error, "the bucket failed");
    let message = error.to_string();
    if error.is_transient() {
        Failure::transient("unavailable", message)
    } else {
        Failure::permanent("failed_precondition", message)
    }
}
