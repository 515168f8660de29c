//! What an HTTP node's request may say, wherever it goes; the egress guard asks the same.

use http::HeaderName;
use url::Url;

/// Headers that belong to the connection (<https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1>)
/// or that open metadata servers (<https://cloud.google.com/compute/docs/metadata/querying-metadata>).
const FORBIDDEN_HEADERS: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "metadata",
    "metadata-flavor",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-google-metadata-request",
];

const FORBIDDEN_HEADER_PREFIXES: [&str; 2] = ["proxy-", "x-aws-ec2-metadata-token"];

/// Parses an absolute `http` or `https` URL without user name and password, by
/// <https://url.spec.whatwg.org>.
///
/// # Errors
/// Returns what is wrong with it, as the end of a sentence about "the URL".
pub fn parse_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is malformed")?;
    check_url(&url)?;
    Ok(url)
}

/// Refuses what [`parse_url`] refuses.
///
/// # Errors
/// As [`parse_url`].
pub fn check_url(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    Ok(())
}

/// Parses the name of a header that a request may set.
///
/// # Errors
/// Returns what is wrong with it, as the end of a sentence about "the header".
pub fn parse_header_name(name: &str) -> Result<HeaderName, &'static str> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "has a malformed name")?;
    let name = parsed.as_str();
    let has_prefix = |prefix: &&str| name.starts_with(*prefix);
    if FORBIDDEN_HEADERS.contains(&name) || FORBIDDEN_HEADER_PREFIXES.iter().any(has_prefix) {
        return Err("may not be set");
    }
    Ok(parsed)
}
