use std::sync::{Arc, Mutex, PoisonError};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, request::Parts};
use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use serde_json::json;

use super::{
    client_address::client_of,
    error::{ApiError, Code, whole_seconds},
};
use crate::{
    ids::Uid,
    rate_limit::{Decision, Limit, RateLimits, Rule, Uncounted},
};

/// The fields of <https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06>.
pub(super) const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

/// Health checks, which must not depend on Redis.
const HEALTH_PATH: &str = "/healthz";

/// What tells the counts of health checks and of users from others.
const HEALTH: &str = "health";
const USER: &str = "user";

/// How often a client may come to the routes of an edge.
#[derive(Clone, Debug)]
pub struct ClientLimit {
    limits: RateLimits,
    rule: Rule,
    own: Vec<(Method, &'static str, Rule)>,
}

impl ClientLimit {
    /// `rule` for all routes but the health check, which has a rule of its own.
    #[must_use]
    pub fn new(limits: &RateLimits, rule: Rule) -> Self {
        let health = Rule::per_instance(HEALTH, limits.config().health);
        Self {
            limits: limits.clone(),
            rule,
            own: vec![(Method::GET, HEALTH_PATH, health)],
        }
    }

    /// Another rule for the route that ends with `path`.
    #[must_use]
    pub fn with_own(mut self, method: Method, path: &'static str, rule: Rule) -> Self {
        self.own.push((method, path, rule));
        self
    }

    /// By the route and not by the path, which may be written in many ways.
    fn rule_of(&self, request: &Request) -> &Rule {
        let matched = request.extensions().get::<MatchedPath>();
        let route = matched.map_or("", MatchedPath::as_str);
        let mut own = self.own.iter();
        let own = own.find(|(method, path, _)| method == request.method() && route.ends_with(path));
        own.map_or(&self.rule, |(_, _, rule)| rule)
    }
}

/// What the answer tells of the limits that the request has met: of the tightest.
#[derive(Clone, Debug)]
struct Met(Arc<Mutex<Decision>>);

impl Met {
    fn add(&self, decision: Decision) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tightness = |decision: &Decision| (decision.is_admitted, decision.remaining);
        if tightness(&decision) < tightness(&met) {
            *met = decision;
        }
    }

    fn tell(&self, headers: &mut HeaderMap) {
        let met = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [limit, remaining, reset] = HEADERS;
        headers.insert(limit, met.limit.into());
        headers.insert(remaining, met.remaining.into());
        headers.insert(reset, HeaderValue::from(whole_seconds(met.reset_after)));
    }
}

/// Refuses a request that is one too many, before its body is read, and tells on every other answer
/// how many more may come.
pub(super) async fn limit_rate(
    client_limit: Arc<ClientLimit>,
    answer_error: fn(ApiError) -> Response,
    mut request: Request,
    next: Next,
) -> Response {
    let ClientLimit { limits, .. } = &*client_limit;
    let rule = client_limit.rule_of(&request);
    let hops = limits.config().trusted_proxy_hops;
    let client = client_of(request.headers(), request.extensions(), hops);
    let is_safe = request.method().is_safe();
    let decision = match limits.take(rule, &client, is_safe).await {
        Ok(decision) => decision,
        Err(uncounted) => return answer_error(uncounted.into()),
    };
    let met = Met(Arc::new(Mutex::new(decision)));
    let mut response = if decision.is_admitted {
        request.extensions_mut().insert(met.clone());
        next.run(request).await
    } else {
        answer_error(too_many(rule.limit, decision))
    };
    met.tell(response.headers_mut());
    response
}

/// A user's request was counted: what looks again who it is, is the same request.
#[derive(Clone, Copy, Debug)]
struct UserCounted;

/// Counts a request of a user, once.
pub(super) async fn limit_user(
    limits: &RateLimits,
    uid: &Uid,
    parts: &mut Parts,
) -> Result<(), ApiError> {
    if parts.extensions.get::<UserCounted>().is_some() {
        return Ok(());
    }
    let rule = Rule::shared(USER, limits.config().user);
    let is_safe = parts.method.is_safe();
    let decision = limits.take(&rule, uid.as_str().as_bytes(), is_safe).await?;
    if let Some(met) = parts.extensions.get::<Met>() {
        met.add(decision);
    }
    if !decision.is_admitted {
        return Err(too_many(rule.limit, decision));
    }
    parts.extensions.insert(UserCounted);
    Ok(())
}

impl From<Uncounted> for ApiError {
    fn from(uncounted: Uncounted) -> Self {
        let message = "requests cannot be counted at the moment, try again";
        let refused = Self::new(Code::ResourceExhausted, message);
        let refused = refused.with_reason("rate_limit_unavailable");
        refused.with_retry_after(uncounted.retry_after)
    }
}

fn too_many(limit: Limit, decision: Decision) -> ApiError {
    let window_secs = limit.window.as_secs();
    let message = format!(
        "too many requests: at most {} in {window_secs} s",
        limit.requests
    );
    ApiError::new(Code::ResourceExhausted, message)
        .with_details(json!({ "limit": limit.requests, "windowSecs": window_secs }))
        .with_reason("rate_limited")
        .with_retry_after(decision.reset_after)
}
