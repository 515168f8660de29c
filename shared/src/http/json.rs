use ::http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use axum::extract::{FromRequest, Request};
use garde::Validate;
use serde::de::DeserializeOwned;

use super::{
    error::{ApiError, BODY, FieldProblem},
    object::Object,
    raw_body::RawBody,
};

/// Fields have no longer names, in bytes.
const MAX_NAME_BYTES: usize = 40;

const UNKNOWN_FIELD: &str = "unknown field";

/// A JSON object as body, parsed and validated: what is wrong is told by field.
///
/// Nesting is limited to 128 levels by `serde_json`, the size by the edge's body limit.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let RawBody(body) = RawBody::from_request(request, state).await?;
        let value: Object<T> = parse_json(&body)?;
        value
            .validate()
            .map_err(|report| ApiError::invalid(to_problems(&report)))?;
        Ok(Self(value.0))
    }
}

/// Parses a JSON text as a whole; an error names the field.
///
/// # Errors
/// Returns `invalid_argument`.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let is_of_field = error.inner().is_data() && path != ".";
        let field = if is_of_field { &path } else { BODY };
        let (field, message) = without_texts(field, &error.inner().to_string());
        ApiError::invalid_field(field, message)
    })?;
    deserializer
        .end()
        .map_err(|error| ApiError::invalid_field(BODY, error.to_string()))?;
    Ok(value)
}

/// What is wrong without the texts that were sent: they may be keys in the wrong place. Names are
/// repeated that look like the name of a field.
fn without_texts(path: &str, message: &str) -> (String, String) {
    let (kind, text, rest) = match quoted(message) {
        Some(parts) if !is_name(parts.1) => parts,
        _ => return (path.to_owned(), message.to_owned()),
    };
    // The last part of an unknown field's path is its name.
    let parent = path.strip_suffix(text).filter(|_| kind == UNKNOWN_FIELD);
    let place = parent.unwrap_or(path).trim_end_matches('.');
    let place = if place.is_empty() { BODY } else { place };
    (place.to_owned(), format!("{kind}, expected {rest}"))
}

/// Serde's messages that repeat a text: before it, the text, and what was expected.
fn quoted(message: &str) -> Option<(&str, &str, &str)> {
    let kinds = [
        (UNKNOWN_FIELD, " `", "`, "),
        ("unknown variant", " `", "`, "),
        ("invalid type: string", " \"", "\", "),
        ("invalid value: string", " \"", "\", "),
    ];
    kinds.into_iter().find_map(|(kind, open, close)| {
        let rest = message.strip_prefix(kind)?.strip_prefix(open)?;
        let (text, rest) = rest.rsplit_once(&format!("{close}expected "))?;
        Some((kind, text, rest))
    })
}

fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    text.len() <= MAX_NAME_BYTES && text.bytes().all(is_letter)
}

fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let error = ApiError::invalid_field("Content-Type", "must be `application/json`");
    Err(error.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

fn to_problems(report: &garde::Report) -> Vec<FieldProblem> {
    let problem = |(path, error): &(garde::Path, garde::Error)| FieldProblem {
        field: path.to_string(),
        message: error.message().to_owned(),
    };
    report.iter().map(problem).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only its parsing is tested")]
        count: u8,
    }

    #[test]
    fn the_wrong_field_is_named() {
        let error = parse_json::<Body>(br#"{"count": "x"}"#).unwrap_err();
        assert!(
            error.message().starts_with("`count`: invalid type"),
            "{}",
            error.message()
        );
    }

    #[test]
    fn unknown_fields_are_refused_by_name() {
        let error = parse_json::<Body>(br#"{"count": 1, "extra": 1}"#).unwrap_err();
        assert!(error.message().contains("extra"), "{}", error.message());
    }

    #[test]
    fn a_text_that_may_be_a_secret_is_not_repeated() {
        let secrets = [
            "sk_live_4242",
            "a b",
            "ya29.a\", x",
            "`, y",
            &"a".repeat(41),
        ];
        for secret in secrets {
            let whole = "`body`: invalid type: string, expected an object";
            let name = "`body`: unknown field, expected `count`";
            let rows = [
                (json!({ "count": 1, secret: 1 }), name),
                (
                    json!({ "count": secret }),
                    "`count`: invalid type: string, expected u8",
                ),
                (json!(secret), whole),
            ];
            for (body, start) in rows {
                let error = parse_json::<Object<Body>>(body.to_string().as_bytes()).err();
                let message = error.unwrap().message().to_owned();
                assert!(message.starts_with(start), "{message}");
            }
        }
    }

    #[test]
    fn text_after_the_value_is_refused() {
        let error = parse_json::<Body>(br#"{"count": 1} {}"#).unwrap_err();
        assert!(
            error.message().starts_with("`body`: "),
            "{}",
            error.message()
        );
    }

    #[test]
    fn an_error_about_the_whole_names_the_body() {
        for text in ["", "{", "{\"count\"", "{\"count\":", "1", "{}"] {
            let error = parse_json::<Body>(text.as_bytes()).unwrap_err();
            assert!(error.message().starts_with("`body`: "), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_a_crash() {
        let deep = "[".repeat(100_000);
        assert!(parse_json::<serde_json::Value>(deep.as_bytes()).is_err());
    }
}
