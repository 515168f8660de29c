use std::{any::Any, sync::Arc, time::Duration};

use ::http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, ORIGIN, RETRY_AFTER},
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
};

use super::{
    access::{Callers, log_access},
    error::{ApiError, Code},
    headers, health,
    rate_limit::{self, ClientLimit, limit_rate},
};

/// Longest request id that is taken over from a caller, in bytes.
const MAX_REQUEST_ID_LEN: usize = 128;
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How a function meets the network.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Origins whose pages may call, such as `https://app.example.com`; empty for none.
    pub cors_origins: Vec<HeaderValue>,
    /// Largest body in bytes.
    pub max_body_bytes: usize,
    /// Longest time to answer.
    pub timeout: Duration,
    /// How often a client may come, if that is limited.
    pub client_limit: Option<ClientLimit>,
    /// Whose word on traces counts.
    pub callers: Callers,
    /// How errors are answered that no handler sees: an unknown path, a time-out, a panic.
    pub answer_error: fn(ApiError) -> Response,
}

impl Default for EdgeConfig {
    /// No browser, 1 MB, 60 s, as often as one likes.
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            max_body_bytes: 1_000_000,
            timeout: Duration::from_secs(60),
            client_limit: None,
            callers: Callers::default(),
            answer_error: ApiError::into_response,
        }
    }
}

/// Puts the edge around a function's routes: health check, error envelope for whatever goes
/// wrong, limits of rate, size and time, CORS if there are origins, security headers on every answer, request ids and an access log.
pub fn edge(routes: Router, config: &EdgeConfig) -> Router {
    let EdgeConfig {
        timeout,
        answer_error,
        callers,
        ..
    } = *config;
    let routes = routes
        .route("/healthz", get(health::check_health))
        .fallback(async move || answer_error(ApiError::not_found("path")))
        .method_not_allowed_fallback(async move || answer_error(method_not_allowed()))
        .layer(DefaultBodyLimit::max(config.max_body_bytes));
    let routes = with_rate_limit(routes, config)
        .layer(middleware::from_fn(move |request, next| {
            limit_time(timeout, answer_error, request, next)
        }))
        .layer(CatchPanicLayer::custom(move |_: Box<dyn Any + Send>| {
            // The panic hook has logged message and place; the payload may hold user data.
            answer_error(ApiError::new(Code::Internal, "an internal error occurred"))
        }));
    with_cors(routes, &config.cors_origins)
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(middleware::from_fn(move |request, next| {
            log_access(callers, request, next)
        }))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(middleware::map_request(drop_odd_request_id))
        .layer(middleware::from_fn(add_security_headers))
}

fn with_rate_limit(routes: Router, config: &EdgeConfig) -> Router {
    let Some(client_limit) = config.client_limit.clone().map(Arc::new) else {
        return routes;
    };
    let answer_error = config.answer_error;
    routes.layer(middleware::from_fn(move |request, next| {
        limit_rate(client_limit.clone(), answer_error, request, next)
    }))
}

/// Without origins there is no CORS at all: a preflight is a method like any other.
fn with_cors(routes: Router, origins: &[HeaderValue]) -> Router {
    if origins.is_empty() {
        return routes;
    }
    routes.layer(cors(origins))
}

/// `Vary` stands on every answer, also on one to a request without origin: a cache must not give
/// the one for the other (<https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches>).
fn cors(origins: &[HeaderValue]) -> CorsLayer {
    let callable_headers = ["x-firebase-appcheck", "firebase-instance-id-token"];
    let request_headers = [AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH]
        .into_iter()
        .chain(callable_headers.map(HeaderName::from_static))
        .chain(["idempotency-key", "last-event-id"].map(HeaderName::from_static))
        .chain([REQUEST_ID]);
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PATCH,
            Method::PUT,
            Method::DELETE,
        ])
        .allow_headers(request_headers.collect::<Vec<_>>())
        .expose_headers(exposed_headers())
        .max_age(Duration::from_secs(600))
        .vary([ORIGIN])
}

/// What pages may read beside what they always may.
fn exposed_headers() -> Vec<HeaderName> {
    let replayed = HeaderName::from_static("idempotency-replayed");
    let own = [ETAG, LOCATION, RETRY_AFTER, REQUEST_ID, replayed];
    own.into_iter().chain(rate_limit::HEADERS).collect()
}

async fn add_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in headers::security_headers() {
        response.headers_mut().insert(name, value);
    }
    response
}

/// A request id is echoed and logged, so that a long one is replaced by our own.
async fn drop_odd_request_id(mut request: Request) -> Request {
    let id = request.headers().get(REQUEST_ID);
    if id.is_some_and(|id| id.is_empty() || id.len() > MAX_REQUEST_ID_LEN) {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

async fn limit_time(
    timeout: Duration,
    answer_error: fn(ApiError) -> Response,
    request: Request,
    next: Next,
) -> Response {
    let answer = tokio::time::timeout(timeout, next.run(request)).await;
    let late = || ApiError::new(Code::Unavailable, "the request took too long");
    answer.unwrap_or_else(|_| answer_error(late()))
}

fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::InvalidArgument,
        "the method is not allowed for this path",
    )
    .with_status(StatusCode::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::post};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    fn app() -> Router {
        async fn fail() -> StatusCode {
            panic!("on purpose")
        }
        let routes = Router::new()
            .route("/panic", get(fail))
            .route("/never", get(std::future::pending::<StatusCode>))
            .route("/echo", post(async |body: axum::body::Bytes| body));
        let config = EdgeConfig {
            max_body_bytes: 10,
            timeout: Duration::from_secs(5),
            ..EdgeConfig::default()
        };
        edge(routes, &config)
    }

    async fn send(method: Method, path: &str) -> Response {
        let request = Request::builder().method(method).uri(path);
        app()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    async fn code(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        body["error"]["code"].as_str().unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn every_failure_has_the_envelope() {
        for (method, path, status, expected) in [
            (Method::GET, "/nowhere", 404, "not_found"),
            (Method::PUT, "/echo", 405, "invalid_argument"),
            (Method::GET, "/panic", 500, "internal"),
            (Method::GET, "/never", 503, "unavailable"),
        ] {
            let response = send(method, path).await;
            assert_eq!(response.status().as_u16(), status, "{path}");
            assert_eq!(code(response).await, expected, "{path}");
        }
    }

    #[tokio::test]
    async fn a_long_request_id_is_replaced() {
        for (sent, kept) in [("abc".to_owned(), true), ("x".repeat(129), false)] {
            let request = Request::builder().uri("/healthz").header(REQUEST_ID, &sent);
            let response = app()
                .oneshot(request.body(Body::empty()).unwrap())
                .await
                .unwrap();
            assert_eq!(response.headers()[REQUEST_ID] == sent, kept, "{sent}");
        }
    }
}
