use std::fmt::Display;

use ::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::{
    Router,
    body::{Body, to_bytes},
    response::Response,
};
use serde_json::Value;
use tower::ServiceExt;

/// What Helmet 8.3.0 sets, written down apart from the code that sets it
/// (<https://github.com/helmetjs/helmet/blob/v8.3.0/README.md>).
const HELMET: &str = "\
content-security-policy: default-src 'self';base-uri 'self';font-src 'self' https: data:;\
form-action 'self';frame-ancestors 'self';img-src 'self' data:;object-src 'none';\
script-src 'self';script-src-attr 'none';style-src 'self' https: 'unsafe-inline';\
upgrade-insecure-requests
cross-origin-opener-policy: same-origin
cross-origin-resource-policy: same-origin
origin-agent-cluster: ?1
referrer-policy: no-referrer
strict-transport-security: max-age=31536000; includeSubDomains
x-content-type-options: nosniff
x-dns-prefetch-control: off
x-download-options: noopen
x-frame-options: SAMEORIGIN
x-permitted-cross-domain-policies: none
x-xss-protection: 0";

/// An origin that no service allows.
const ANOTHER_ORIGIN: &str = "https://evil.example";

/// Asserts that an answer has Helmet's headers, each once and with its exact value, and a request
/// id, and does not tell what made it.
///
/// # Panics
/// Panics when it does not.
#[track_caller]
pub fn assert_security_headers(headers: &HeaderMap, what: impl Display) {
    for line in HELMET.lines() {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        let found: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(found, [value], "{name} of {what}");
    }
    assert!(headers.contains_key("x-request-id"), "{what}");
    for name in ["x-powered-by", "server", "cross-origin-embedder-policy"] {
        assert!(!headers.contains_key(name), "{name} of {what}");
    }
}

/// Asserts that a service has no CORS at all: a page that asks, asks in vain, and a preflight is
/// a method that is not allowed.
///
/// # Panics
/// Panics when it has.
pub async fn assert_no_page_may_call(router: &Router, paths: &[&str]) {
    for path in paths.iter().chain(&["/healthz"]) {
        let preflight = send(router, preflight(path, ANOTHER_ORIGIN)).await;
        let status = preflight.status();
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_no_cors(preflight.headers(), path);
        assert_envelope(preflight, path).await;
    }
    for path in paths.iter().chain(&["/healthz", "/no/such/path"]) {
        for method in [Method::GET, Method::POST] {
            let request = request(method, path, Some(ANOTHER_ORIGIN));
            let response = send(router, request).await;
            assert_no_cors(response.headers(), path);
        }
    }
}

/// Asserts that pages of `origin`, such as `https://app.example.com`, may read the answers at
/// `path`, and those of no other origin that looks like it. Each is probed with a preflight and
/// with a call, and each answer varies by origin.
///
/// # Panics
/// Panics when one is not answered so.
pub async fn assert_pages_of_one_origin_may_call(router: &Router, path: &str, origin: &str) {
    let host = origin.trim_start_matches("https://");
    let probes = [
        (origin.to_owned(), true),
        (ANOTHER_ORIGIN.to_owned(), false),
        (format!("{origin}:8443"), false),
        (format!("http://{host}"), false),
        (format!("https://sub.{host}"), false),
        (format!("{origin}.evil.example"), false),
        ("null".to_owned(), false),
        (origin.to_uppercase(), false),
        (format!("{origin}/"), false),
    ];
    for (probe, is_allowed) in probes {
        let expected = is_allowed.then_some(origin);
        let requests = [
            preflight(path, &probe),
            request(Method::GET, path, Some(&probe)),
            request(Method::POST, path, Some(&probe)),
            request(Method::GET, "/no/such/path", Some(&probe)),
        ];
        for request in requests {
            let what = format!("{} {} from {probe}", request.method(), request.uri());
            let response = send(router, request).await;
            assert_allowed_origin(response.headers(), expected, &what);
        }
    }
    for path in [path, "/healthz", "/no/such/path"] {
        let response = send(router, request(Method::GET, path, None)).await;
        assert_allowed_origin(response.headers(), None, path);
    }
}

/// Credentials are never allowed: callers bring a token, not a cookie.
#[track_caller]
fn assert_allowed_origin(headers: &HeaderMap, expected: Option<&str>, what: &str) {
    let found = headers.get_all(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    let found: Vec<_> = found.iter().collect();
    assert_eq!(found, Vec::from_iter(expected), "{what}");
    let credentials = header::ACCESS_CONTROL_ALLOW_CREDENTIALS;
    assert!(!headers.contains_key(credentials), "{what}");
    let vary = headers.get_all(header::VARY).iter();
    let mut varies_by = vary.filter_map(|value| value.to_str().ok());
    assert!(
        varies_by.any(|names| names.eq_ignore_ascii_case("origin")),
        "{what}"
    );
    assert_security_headers(headers, what);
}

#[track_caller]
fn assert_no_cors(headers: &HeaderMap, what: &str) {
    let mut names = headers.keys().map(header::HeaderName::as_str);
    let cors = names.find(|name| name.starts_with("access-control-"));
    assert_eq!(cors, None, "{what}");
    assert_security_headers(headers, what);
}

async fn assert_envelope(response: Response, what: &str) {
    let body = to_bytes(response.into_body(), 10_000).await;
    let body: Option<Value> = body
        .ok()
        .and_then(|body| serde_json::from_slice(&body).ok());
    let code = body.as_ref().map(|body| &body["error"]["code"]);
    assert_eq!(code, Some(&Value::from("invalid_argument")), "{what}");
}

async fn send(router: &Router, request: Request<Body>) -> Response {
    let Ok(response) = router.clone().oneshot(request).await;
    response
}

fn preflight(path: &str, origin: &str) -> Request<Body> {
    let mut preflight = request(Method::OPTIONS, path, Some(origin));
    for (name, value) in [
        (header::ACCESS_CONTROL_REQUEST_METHOD, "POST"),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization"),
    ] {
        let value = header::HeaderValue::from_static(value);
        preflight.headers_mut().insert(name, value);
    }
    preflight
}

#[expect(
    clippy::expect_used,
    reason = "a test that mistypes a path or an origin should fail"
)]
fn request(method: Method, path: &str, origin: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(origin) = origin {
        request = request.header(header::ORIGIN, origin);
    }
    request.body(Body::empty()).expect("a path and an origin")
}
