use secrecy::SecretString;
use url::Url;

use crate::config::{Env, Error};

const CLIENT_ID: &str = "GOOGLE_OAUTH_CLIENT_ID";
const CLIENT_SECRET: &str = "GOOGLE_OAUTH_CLIENT_SECRET";
const REDIRECT_URL: &str = "GOOGLE_OAUTH_REDIRECT_URL";
const EMULATOR_URL: &str = "GOOGLE_OAUTH_EMULATOR_URL";

/// <https://accounts.google.com/.well-known/openid-configuration>.
const CONSENT_ORIGIN: &str = "https://accounts.google.com";
const TOKEN_ORIGIN: &str = "https://oauth2.googleapis.com";

/// How this application is known to Google.
#[derive(Clone, Debug)]
pub struct GoogleOAuthConfig {
    /// `GOOGLE_OAUTH_CLIENT_ID`: the OAuth client.
    pub client_id: String,
    /// `GOOGLE_OAUTH_CLIENT_SECRET`: its password.
    pub client_secret: SecretString,
    /// `GOOGLE_OAUTH_REDIRECT_URL`: where Google sends the user back to, as registered there.
    pub redirect_url: Url,
    /// Where Google is.
    pub endpoints: Endpoints,
}

/// Where Google's OAuth is; with `GOOGLE_OAUTH_EMULATOR_URL`, the paths below that address,
/// development only.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The consent screen.
    pub consent: Url,
    /// Exchange and refresh.
    pub token: Url,
    /// Revocation.
    pub revoke: Url,
}

impl GoogleOAuthConfig {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the variable that is missing, invalid, or not allowed on Cloud Run.
    pub fn load(env: &Env) -> Result<Self, Error> {
        let emulator_url = env.development_only(EMULATOR_URL)?;
        let [consent, token] = match emulator_url {
            Some(url) => [url, url],
            None => [CONSENT_ORIGIN, TOKEN_ORIGIN],
        };
        Ok(Self {
            client_id: env.required(CLIENT_ID)?.to_owned(),
            client_secret: env.secret(CLIENT_SECRET)?,
            redirect_url: env.required_parsed(REDIRECT_URL)?,
            endpoints: Endpoints {
                consent: endpoint(consent, "/o/oauth2/v2/auth")?,
                token: endpoint(token, "/token")?,
                revoke: endpoint(token, "/revoke")?,
            },
        })
    }

    /// Reads the variables, if any of the three is set: half a client cannot do anything.
    ///
    /// # Errors
    /// Returns the variable that is missing, invalid, or not allowed on Cloud Run.
    pub fn load_optional(env: &Env) -> Result<Option<Self>, Error> {
        let mut names = [CLIENT_ID, CLIENT_SECRET, REDIRECT_URL].iter();
        if names.all(|name| env.optional(name).is_none()) {
            return Ok(None);
        }
        Self::load(env).map(Some)
    }
}

fn endpoint(origin: &str, path: &str) -> Result<Url, Error> {
    let url = format!("{}{path}", origin.trim_end_matches('/'));
    url.parse()
        .map_err(|error: url::ParseError| Error::Invalid {
            name: EMULATOR_URL,
            reason: error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: [(&str, &str); 3] = [
        (CLIENT_ID, "id"),
        (CLIENT_SECRET, "canary-secret"),
        (REDIRECT_URL, "https://app.example/callback"),
    ];

    #[test]
    fn without_an_emulator_it_is_google() {
        let config = GoogleOAuthConfig::load(&Env::from_pairs(CLIENT)).unwrap();
        let Endpoints {
            consent,
            token,
            revoke,
        } = config.endpoints;
        assert_eq!(
            [consent, token, revoke].map(String::from),
            [
                "https://accounts.google.com/o/oauth2/v2/auth",
                "https://oauth2.googleapis.com/token",
                "https://oauth2.googleapis.com/revoke",
            ]
        );
    }

    #[test]
    fn an_emulator_is_refused_on_cloud_run() {
        let pairs = [(EMULATOR_URL, "http://127.0.0.1:1"), ("K_SERVICE", "api")];
        let env = Env::from_pairs(CLIENT.into_iter().chain(pairs));
        let error = GoogleOAuthConfig::load(&env).unwrap_err();
        assert!(
            matches!(error, Error::DevelopmentOnly(EMULATOR_URL)),
            "{error}"
        );
    }

    #[test]
    fn a_client_is_whole_or_not_there() {
        assert!(
            GoogleOAuthConfig::load_optional(&Env::default())
                .unwrap()
                .is_none()
        );
        for (name, _) in CLIENT {
            let pairs = CLIENT.into_iter().filter(|(other, _)| *other != name);
            let error = GoogleOAuthConfig::load_optional(&Env::from_pairs(pairs)).unwrap_err();
            assert!(
                matches!(error, Error::Missing(missing) if missing == name),
                "{error}"
            );
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let config = GoogleOAuthConfig::load(&Env::from_pairs(CLIENT)).unwrap();
        assert!(!format!("{config:?}").contains("canary-secret"));
    }
}
