use std::collections::BTreeMap;

use ::http::HeaderMap;
use serde_json::Value;
use url::Url;

use super::{Method, Route};

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct RawRequest<'a> {
    /// `GET` and so on.
    pub verb: &'a str,
    /// The whole address.
    pub url: &'a Url,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// A call that is as the documents have it.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// `GET` and so on.
    pub verb: String,
    /// The path, encoded.
    pub path: String,
    /// Parameters in the path, decoded.
    pub parameters: BTreeMap<String, String>,
    /// Parameters in the query.
    pub query: Vec<(String, String)>,
    /// The body as JSON; null when there is none.
    pub body: Value,
    /// Type and content of an upload.
    pub media: Option<(String, String)>,
}

impl Call {
    /// Reads a request for a method.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    ///
    /// # Panics
    /// Panics when its body is not of the kind that the method takes.
    pub fn read(route: &Route<'_>, request: &RawRequest<'_>) -> Result<Self, Vec<String>> {
        let query: Vec<_> = request.url.query_pairs().into_owned().collect();
        let mut problems = route.method.check_parameters(&route.path, &query);
        let (body, media) = match route.is_upload {
            true => upload(route.method, request, &query),
            false => (json_body(request), None),
        };
        problems.extend(route.method.check_request(&body));
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            verb: request.verb.to_owned(),
            path: request.url.path().to_owned(),
            parameters: route.path.clone(),
            query,
            body,
            media,
        })
    }

    /// A parameter of path or query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut query = self.query.iter();
        let in_query = query
            .find(|(other, _)| other == name)
            .map(|(_, value)| value);
        let found = self.parameters.get(name).or(in_query);
        found.map(String::as_str)
    }
}

fn json_body(request: &RawRequest<'_>) -> Value {
    if request.body.is_empty() {
        return Value::Null;
    }
    assert_eq!(request.headers["content-type"], "application/json");
    serde_json::from_slice(request.body).unwrap()
}

/// `multipart/related` (RFC 2387): the resource, then its content.
fn upload(
    method: Method<'_>,
    request: &RawRequest<'_>,
    query: &[(String, String)],
) -> (Value, Option<(String, String)>) {
    let is_multipart =
        |(name, value): &(String, String)| name == "uploadType" && value == "multipart";
    assert!(query.iter().any(is_multipart), "{}", method.id());
    let media_type = request.headers["content-type"].to_str().unwrap();
    let boundary = media_type
        .strip_prefix("multipart/related; boundary=")
        .unwrap();
    let body = std::str::from_utf8(request.body).unwrap();
    let body = body.strip_prefix(&format!("--{boundary}\r\n")).unwrap();
    let body = body
        .strip_suffix(&format!("\r\n--{boundary}--\r\n"))
        .unwrap();
    let (resource, media) = body.split_once(&format!("\r\n--{boundary}\r\n")).unwrap();
    let part = |text: &str| {
        let (head, content) = text.split_once("\r\n\r\n").unwrap();
        let media_type = head.strip_prefix("Content-Type: ").unwrap();
        (media_type.to_owned(), content.to_owned())
    };
    let (resource_type, resource) = part(resource);
    assert_eq!(resource_type, "application/json; charset=UTF-8");
    (serde_json::from_str(&resource).unwrap(), Some(part(media)))
}
