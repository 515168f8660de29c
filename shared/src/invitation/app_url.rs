use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::config::{Env, Error};

const APP_URL: &str = "APP_URL";

/// `APP_URL`: where people open the application; links in mails begin with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppUrl(String);

impl AppUrl {
    /// Reads the variable.
    ///
    /// # Errors
    /// Returns [`Error::Missing`], or [`Error::Invalid`] for an address that is not `https`, unless
    /// it is this machine, or that has more than a path.
    pub fn load(env: &Env) -> Result<Self, Error> {
        let url: Url = env.required_parsed(APP_URL)?;
        let is_safe = match url.scheme() {
            "https" => true,
            "http" => is_this_machine(&url),
            _ => false,
        };
        let is_bare = url.query().is_none() && url.fragment().is_none();
        if is_safe && is_bare && url.username().is_empty() && url.password().is_none() {
            return Ok(Self(url.as_str().trim_end_matches('/').to_owned()));
        }
        Err(Error::Invalid {
            name: APP_URL,
            reason: "expected `https://host/path`, or `http` on this machine".to_owned(),
        })
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The page of the integrations.
    #[must_use]
    pub fn integrations(&self) -> String {
        format!("{}/integrations", self.0)
    }

    /// The page that finishes a consent at Google.
    #[must_use]
    pub fn google_consent(&self) -> String {
        format!("{}/integrations/google", self.0)
    }

    /// The page that accepts an invitation. The token is in the fragment, which browsers send to
    /// no server (RFC 9110, section 4.2.5), so that no log holds it.
    pub(super) fn acceptance(&self, token: &SecretString) -> SecretString {
        let token = token.expose_secret();
        format!("{}/invitations/accept#token={token}", self.0).into()
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(value: &str) -> Result<AppUrl, Error> {
        AppUrl::load(&Env::from_pairs([(APP_URL, value)]))
    }

    #[test]
    fn the_token_is_in_the_fragment() {
        for (app, page) in [
            ("https://app.example.com", "https://app.example.com"),
            ("https://example.com/app/", "https://example.com/app"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://127.0.0.1:5173/", "http://127.0.0.1:5173"),
        ] {
            let link = load(app).unwrap().acceptance(&"o.i.0".into());
            let expected = format!("{page}/invitations/accept#token=o.i.0");
            assert_eq!(link.expose_secret(), expected);
        }
    }

    #[test]
    fn an_address_that_is_open_to_others_or_more_than_a_path_is_refused() {
        for value in [
            "http://app.example.com",
            "http://localhost.example.com",
            "ftp://app.example.com",
            "app.example.com",
            "https://app.example.com/?a=1",
            "https://app.example.com/#a",
            "https://ada@app.example.com",
        ] {
            let refused = load(value);
            assert!(
                matches!(refused, Err(Error::Invalid { name: APP_URL, .. })),
                "{value}"
            );
        }
        assert!(matches!(load(""), Err(Error::Missing(APP_URL))));
    }
}
