//! Redirects as in <https://fetch.spec.whatwg.org/#http-redirect-fetch>, but stricter with headers.

use reqwest::{
    Method, StatusCode,
    header::{self, HeaderMap, HeaderName},
};
use url::Url;

use super::Error;
use crate::graph::check_url;

/// Headers that may go to another origin; any other may be a credential.
const HARMLESS: [HeaderName; 4] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    header::USER_AGENT,
];

/// One request of a call.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
}

/// The request that an answer asks for, if it is a redirect.
pub(super) fn next(
    hop: &Hop,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Hop>, Error> {
    let Some(location) = headers.get(header::LOCATION) else {
        return Ok(None);
    };
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = location
        .to_str()
        .ok()
        .and_then(|location| hop.url.join(location).ok())
        .ok_or(Error::Redirect("has a malformed location"))?;
    check_url(&location).map_err(Error::InvalidUrl)?;
    if hop.url.scheme() == "https" && location.scheme() == "http" {
        return Err(Error::Redirect("leads from https to http"));
    }
    let mut next = hop.clone();
    if location.origin() != hop.url.origin() {
        next.headers = harmless(&hop.headers);
    }
    next.url = location;
    if becomes_get(status, &hop.method) {
        next.method = Method::GET;
        next.body = None;
        next.headers.remove(header::CONTENT_TYPE);
    }
    Ok(Some(next))
}

fn harmless(headers: &HeaderMap) -> HeaderMap {
    let kept = HARMLESS
        .iter()
        .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
    kept.collect()
}

fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        301 | 302 => method == Method::POST,
        303 => method != Method::GET && method != Method::HEAD,
        _ => false,
    }
}
