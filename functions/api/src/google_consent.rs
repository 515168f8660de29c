use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use crate::config::GoogleClient;

/// Google's consent screen
/// (<https://developers.google.com/identity/protocols/oauth2/web-server#creatingclient>).
const CONSENT_URL: &str = "https://accounts.google.com/o/oauth2/v2/auth";

/// What tells who has connected an account, whatever else is asked for.
const IDENTITY_SCOPES: [&str; 2] = ["openid", "email"];

/// What a user can let the application do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feature {
    /// Read and send mail.
    Gmail,
    /// Read and make appointments.
    Calendar,
    /// Make documents and see those the user picks.
    Drive,
    /// Report data into spreadsheets.
    Sheets,
}

impl Feature {
    /// Every feature, in the order of the specification.
    pub(crate) const ALL: [Self; 4] = [Self::Gmail, Self::Calendar, Self::Drive, Self::Sheets];

    /// Scopes of <https://developers.google.com/identity/protocols/oauth2/scopes>.
    fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Gmail => &[
                "https://www.googleapis.com/auth/gmail.readonly",
                "https://www.googleapis.com/auth/gmail.send",
            ],
            Self::Calendar => &["https://www.googleapis.com/auth/calendar"],
            Self::Drive => &["https://www.googleapis.com/auth/drive.file"],
            Self::Sheets => &["https://www.googleapis.com/auth/spreadsheets"],
        }
    }
}

/// The scopes to ask for, each once.
pub(crate) fn scopes(features: &[Feature]) -> Vec<String> {
    let chosen = Feature::ALL
        .into_iter()
        .filter(|feature| features.contains(feature));
    let scopes = chosen.flat_map(Feature::scopes).chain(&IDENTITY_SCOPES);
    scopes.map(|scope| (*scope).to_owned()).collect()
}

/// Where the user's browser asks for consent. `state` comes back with the code, `code_verifier`
/// stays here until the code is exchanged (RFC 7636).
pub(crate) fn consent_url(
    client: &GoogleClient,
    scopes: &[String],
    state: &str,
    code_verifier: &str,
) -> Result<Url, url::ParseError> {
    let parameters = [
        ("client_id", client.client_id.as_str()),
        ("redirect_uri", client.redirect_url.as_str()),
        ("response_type", "code"),
        ("scope", &scopes.join(" ")),
        ("state", state),
        // A refresh token is given for offline access, and reliably with a new consent only.
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("include_granted_scopes", "true"),
        ("code_challenge", &code_challenge(code_verifier)),
        ("code_challenge_method", "S256"),
    ];
    Url::parse_with_params(CONSENT_URL, parameters)
}

/// RFC 7636 section 4.2.
fn code_challenge(code_verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code_verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636 appendix B.
        let challenge = code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn all_features_ask_for_the_five_scopes_and_identity_only() {
        let scopes = scopes(&Feature::ALL);
        let short: Vec<_> = scopes
            .iter()
            .map(|scope| scope.trim_start_matches("https://www.googleapis.com/auth/"))
            .collect();
        let expected = [
            "gmail.readonly",
            "gmail.send",
            "calendar",
            "drive.file",
            "spreadsheets",
            "openid",
            "email",
        ];
        assert_eq!(short, expected);
    }

    #[test]
    fn a_feature_named_twice_is_asked_for_once() {
        let scopes = scopes(&[Feature::Calendar, Feature::Calendar]);
        let calendar = "https://www.googleapis.com/auth/calendar";
        assert_eq!(scopes, [calendar, "openid", "email"]);
    }

    #[test]
    fn the_url_keeps_the_redirect_and_hides_the_verifier() {
        let client = GoogleClient {
            client_id: "id&x=1".to_owned(),
            redirect_url: Url::parse("https://app.example/callback?next=1").unwrap(),
        };
        let url = consent_url(&client, &scopes(&Feature::ALL), "state", "verifier").unwrap();
        let parameters: HashMap<_, _> = url.query_pairs().collect();
        assert_eq!(parameters["client_id"], "id&x=1");
        assert_eq!(
            parameters["redirect_uri"],
            "https://app.example/callback?next=1"
        );
        assert!(!url.as_str().contains("verifier"));
    }
}
