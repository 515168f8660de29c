//! Room for prompts: what is in memory at once has to fit into it.

use std::sync::Arc;

use axum::{
    body::HttpBody,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::header::CONTENT_LENGTH;
use shared::http::{ApiError, Code};
use tokio::sync::Semaphore;

/// Bytes of a permit.
const PERMIT_BYTES: usize = 1_000;

/// Bytes of all prompts that a process reads and asks models with at once. What is made of one takes
/// some five times as much, of the 2 GiB that the service has.
const ROOM_BYTES: usize = 200_000_000;

/// Places for the bytes of prompts.
#[derive(Clone)]
pub(crate) struct Room {
    permits: Arc<Semaphore>,
    largest: usize,
}

impl Room {
    /// Room for prompts of at most so many bytes each.
    pub(crate) fn new(largest: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(ROOM_BYTES / PERMIT_BYTES)),
            largest,
        }
    }

    /// What a request may bring: what it says, or the most if it does not say.
    fn permits_of(&self, request: &Request) -> u32 {
        let length = request.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let none = request.body().is_end_stream().then_some(0);
        let bytes = length.or(none).unwrap_or(self.largest).min(self.largest);
        u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX)
    }
}

/// Refuses a prompt for which there is no room now.
pub(crate) async fn hold_room(State(room): State<Room>, request: Request, next: Next) -> Response {
    let wanted = room.permits_of(&request);
    let Ok(_held) = room.permits.try_acquire_many(wanted) else {
        let message = "too many large prompts at once, try again";
        return ApiError::new(Code::Unavailable, message).into_response();
    };
    next.run(request).await
}
