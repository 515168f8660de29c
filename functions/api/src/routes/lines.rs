//! Answers that are too long for one JSON text: one object a line.

use std::pin::Pin;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use futures::{Stream, TryStreamExt, stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Serialize;
use serde_json::json;

use crate::error::Error;

/// <https://github.com/ndjson/ndjson-spec>.
const MEDIA_TYPE: &str = "application/x-ndjson";

/// Answers with the objects of all pages. The last line is `{"end":{"lines":…}}`: an answer
/// without it was cut off.
pub(super) fn respond<T: Serialize + Send + 'static>(
    file_name: &str,
    pages: impl Stream<Item = Result<Vec<T>, Error>> + Send + 'static,
) -> Response {
    let headers = [
        (CONTENT_TYPE, MEDIA_TYPE.to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{file_name}\""),
        ),
    ];
    let lines = Lines {
        pages: Box::pin(pages),
        count: 0,
        is_complete: false,
    };
    let body = stream::try_unfold(lines, Lines::next).inspect_err(|error| {
        let error = error as &dyn std::error::Error;
        tracing::error!(error, "export cut off");
    });
    (headers, Body::from_stream(body)).into_response()
}

struct Lines<S> {
    pages: Pin<Box<S>>,
    count: usize,
    is_complete: bool,
}

impl<T: Serialize, S: Stream<Item = Result<Vec<T>, Error>>> Lines<S> {
    async fn next(mut self) -> Result<Option<(String, Self)>, Error> {
        if self.is_complete {
            return Ok(None);
        }
        if let Some(page) = self.pages.try_next().await? {
            self.count += page.len();
            return Ok(Some((text(&page)?, self)));
        }
        self.is_complete = true;
        let end = json!({ "end": { "lines": self.count } });
        Ok(Some((text(&[end])?, self)))
    }
}

fn text<T: Serialize>(objects: &[T]) -> Result<String, Error> {
    let mut text = String::new();
    for object in objects {
        text.push_str(&serde_json::to_string(object)?);
        text.push('\n');
    }
    Ok(text)
}
