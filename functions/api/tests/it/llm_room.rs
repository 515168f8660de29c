//! Prompts that a process has in memory at once.

use axum::body::{Body, Bytes};
use futures::{FutureExt, stream};
use http::{
    Method, Request,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::{app::request, table::seeded_app};

/// A prompt of which nothing has come yet.
fn prompt(bytes: Option<usize>) -> Request<Body> {
    let mut request = request(Method::POST, "/llm/chat/completions", "user");
    if let Some(bytes) = bytes {
        request = request.header(CONTENT_LENGTH, bytes);
    }
    let body = stream::pending::<Result<Bytes, std::io::Error>>();
    let request = request.header(CONTENT_TYPE, "application/json");
    request.body(Body::from_stream(body)).unwrap()
}

#[tokio::test]
async fn a_prompt_for_which_there_is_no_room_is_refused_and_small_ones_are_not() {
    for bytes in [Some(20_000_000), None, Some(usize::MAX)] {
        let app = seeded_app().await;
        let mut held: Vec<_> = (0..10).map(|_| Box::pin(app.send(prompt(bytes)))).collect();
        for prompt in &mut held {
            assert!(prompt.now_or_never().is_none(), "it waits for its body");
        }
        let refused = app.send(prompt(bytes)).await;
        assert_eq!(refused.refusal(), (503, "unavailable"), "{bytes:?}");
        let models = app.get("user", "/llm/models").await;
        assert_eq!(models.status, 200, "what has no prompt needs no room");

        held.pop();
        assert!(app.send(prompt(Some(1_000))).now_or_never().is_none());
        assert!(app.send(prompt(bytes)).now_or_never().is_none());
    }
}
