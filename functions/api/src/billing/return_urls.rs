use shared::{
    config::{Env, Error},
    invitation::AppUrl,
};
use url::{Origin, Url};

use crate::error::{Error as ApiError, Problem};

const ORIGINS: &str = "BILLING_RETURN_ORIGINS";

/// Longest address, in bytes.
const MAX_BYTES: usize = 2_000;

/// Where Stripe's pages may send a browser back to: any page of these origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUrls(Vec<Origin>);

impl ReturnUrls {
    /// `BILLING_RETURN_ORIGINS`: origins, comma-separated; that of `APP_URL` is always one.
    pub(crate) fn load(env: &Env, app_url: &AppUrl) -> Result<Self, Error> {
        let mut origins = vec![origin(app_url.as_str())?];
        for text in env.list(ORIGINS) {
            origins.push(origin(&text)?);
        }
        Ok(Self(origins))
    }

    /// The address as it was given, if a browser may be sent there.
    pub(crate) fn check<'a>(&self, field: &'static str, url: &'a str) -> Result<&'a str, ApiError> {
        let parsed = Url::parse(url).ok();
        let is_allowed = parsed.is_some_and(|url| {
            let is_bare = url.username().is_empty() && url.password().is_none();
            is_bare && self.0.contains(&url.origin())
        });
        if is_allowed && url.len() <= MAX_BYTES {
            return Ok(url);
        }
        let problem = Problem::new(field, "must be a page of this application");
        Err(ApiError::Invalid(vec![problem]))
    }
}

fn origin(text: &str) -> Result<Origin, Error> {
    let url = Url::parse(text).map(|url| url.origin());
    url.ok()
        .filter(Origin::is_tuple)
        .ok_or_else(|| Error::Invalid {
            name: ORIGINS,
            reason: format!("`{text}` is no origin such as `https://app.example.com`"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(origins: &'static str) -> Result<ReturnUrls, Error> {
        let variables = [("APP_URL", "https://app.example.com/x"), (ORIGINS, origins)];
        let env = Env::from_pairs(variables);
        ReturnUrls::load(&env, &AppUrl::load(&env).unwrap())
    }

    #[test]
    fn pages_of_the_origins_are_allowed_and_no_others() {
        let urls = urls("https://admin.example.com, http://localhost:5173").unwrap();
        let allowed = [
            "https://app.example.com/billing?session_id={CHECKOUT_SESSION_ID}",
            "https://app.example.com:443/",
            "https://admin.example.com",
            "http://localhost:5173/#/billing",
        ];
        for url in allowed {
            assert_eq!(urls.check("url", url).unwrap(), url);
        }
        let refused = [
            "",
            "/billing",
            "http://app.example.com/",
            "https://app.example.com:8443/",
            "https://app.example.com.evil.example/",
            "https://evil.example/?https://app.example.com",
            "https://app.example.com@evil.example/",
            "https://user:pass@app.example.com/",
            "https://sub.app.example.com/",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://localhost:5174/",
        ];
        for url in refused {
            assert!(urls.check("url", url).is_err(), "{url}");
        }
        let long = format!("https://app.example.com/{}", "x".repeat(MAX_BYTES));
        assert!(urls.check("url", &long).is_err());
    }

    #[test]
    fn what_is_no_origin_is_refused_at_the_start() {
        for origins in ["app.example.com", "mailto:x@example.com", "*"] {
            let error = urls(origins).unwrap_err();
            assert!(error.to_string().contains(ORIGINS), "{error}");
        }
    }
}
