use ::http::HeaderValue;
use url::Url;

use crate::config::{Env, Error};

/// `CORS_ORIGINS`: origins whose pages may call, comma-separated; none when it is not set.
///
/// # Errors
/// Returns [`Error::Invalid`] for what no browser would send as its origin.
pub fn cors_origins(env: &Env) -> Result<Vec<HeaderValue>, Error> {
    let origins = env.list("CORS_ORIGINS");
    origins.iter().map(|text| parse_origin(text)).collect()
}

/// Browsers send scheme, host and port only; anything else would never match.
fn parse_origin(text: &str) -> Result<HeaderValue, Error> {
    let invalid = || Error::Invalid {
        name: "CORS_ORIGINS",
        reason: "expected origins such as `https://app.example.com`, without a path".to_owned(),
    };
    let url = Url::parse(text).map_err(|_| invalid())?;
    let is_web = matches!(url.scheme(), "http" | "https");
    if !is_web || url.origin().ascii_serialization() != text {
        return Err(invalid());
    }
    HeaderValue::from_str(text).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(origins: &str) -> Result<Vec<HeaderValue>, Error> {
        cors_origins(&Env::from_pairs([("CORS_ORIGINS", origins)]))
    }

    #[test]
    fn origins_are_taken_as_browsers_send_them() {
        let origins = load("https://a.example,http://localhost:5173").unwrap();
        assert_eq!(origins, ["https://a.example", "http://localhost:5173"]);
    }

    #[test]
    fn what_is_not_an_origin_is_refused_with_the_variable() {
        let texts = [
            "*",
            "a.example",
            "https://a.example/",
            "https://A.example",
            "https://a.example:443",
            "ftp://a.example",
            "null",
        ];
        for text in texts {
            let error = load(text).unwrap_err();
            assert!(error.to_string().contains("`CORS_ORIGINS`"), "{text}");
        }
    }
}
