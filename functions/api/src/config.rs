use http::HeaderValue;
use shared::{
    auth::AuthConfig,
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    http::cors_origins,
    llm::providers::openai::DEFAULT_MODEL,
    storage::BucketConfig,
};
use url::Url;

/// Variables of `api`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// Whose ID tokens are accepted.
    pub auth: AuthConfig,
    /// The key of the audit trail and of invitation tokens.
    pub mac: MacConfig,
    /// `CORS_ORIGINS`: origins whose pages may call, comma-separated; default none.
    pub cors_origins: Vec<HeaderValue>,
    /// `LLM_DEFAULT_MODEL`: the model of agents made without one; default [`DEFAULT_MODEL`], and
    /// to be set as it is for `execute-workflow`.
    pub default_model: String,
    /// How this application is known to Google, if it is.
    pub google: Option<GoogleClient>,
    /// Where `execute-workflow` keeps answers that are too large for a document:
    /// `ARTIFACTS_BUCKET`, or `ARTIFACTS_DIR` in development; if anywhere.
    pub artifacts: Option<BucketConfig>,
}

/// How this application is known to Google's consent screen.
#[derive(Clone, Debug)]
pub struct GoogleClient {
    /// `GOOGLE_OAUTH_CLIENT_ID`: the OAuth client.
    pub client_id: String,
    /// `GOOGLE_OAUTH_REDIRECT_URL`: where Google sends the user back to, as registered there.
    pub redirect_url: Url,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        let service = ServiceConfig::load(env)?;
        Ok(Self {
            auth: AuthConfig::load(env, &service)?,
            mac: MacConfig::load(env)?,
            service,
            cors_origins: cors_origins(env)?,
            default_model: env.parsed("LLM_DEFAULT_MODEL", DEFAULT_MODEL.to_owned())?,
            google: GoogleClient::load(env)?,
            artifacts: BucketConfig::load_optional(env, "ARTIFACTS_BUCKET", "ARTIFACTS_DIR")?,
        })
    }
}

impl GoogleClient {
    /// Both variables or neither: half a client cannot ask for consent.
    fn load(env: &Env) -> Result<Option<Self>, Error> {
        let names = ["GOOGLE_OAUTH_CLIENT_ID", "GOOGLE_OAUTH_REDIRECT_URL"];
        if names.iter().all(|name| env.optional(name).is_none()) {
            return Ok(None);
        }
        let [client_id, redirect_url] = names;
        Ok(Some(Self {
            client_id: env.required(client_id)?.to_owned(),
            redirect_url: env.required_parsed(redirect_url)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str, value: &str) -> Result<Config, Error> {
        Config::from_env(&Env::from_pairs([
            ("GOOGLE_CLOUD_PROJECT", "demo"),
            ("LOCAL_MAC_KEY", "local"),
            (name, value),
        ]))
    }

    #[test]
    fn half_a_google_client_is_refused_with_the_missing_variable() {
        let error = load("GOOGLE_OAUTH_CLIENT_ID", "id").unwrap_err();
        assert!(
            matches!(error, Error::Missing("GOOGLE_OAUTH_REDIRECT_URL")),
            "{error}"
        );
        assert!(load("OTHER", "x").unwrap().google.is_none());
    }
}
