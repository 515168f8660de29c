use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderValue};

use super::Error;
use crate::graph::parse_header_name;

/// In characters, for messages.
const MAX_NAME_LENGTH: usize = 64;

/// The headers of a request.
pub(super) fn parse(headers: &BTreeMap<String, String>) -> Result<HeaderMap, Error> {
    let mut parsed = HeaderMap::new();
    for (name, value) in headers {
        let invalid = |problem| Error::InvalidHeader {
            name: name.chars().take(MAX_NAME_LENGTH).collect(),
            problem,
        };
        let value = HeaderValue::from_str(value)
            .map_err(|_| invalid("has a value with control characters"))?;
        parsed.insert(parse_header_name(name).map_err(invalid)?, value);
    }
    Ok(parsed)
}

/// The bytes of all names and values.
pub(super) fn size(headers: &HeaderMap) -> usize {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    sizes.sum()
}

/// The headers of an answer as text.
pub(super) fn readable(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut readable: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        readable
            .entry(name.as_str().to_owned())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    readable
}
