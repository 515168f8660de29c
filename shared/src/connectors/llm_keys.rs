//! Keys of model vendors. They have no actions: the router of models uses them, and here they are
//! only asked for.

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Account, Connector, Credentials, Endpoint, Error, Request, Revocation,
    http::{Answer, Nature, bearer, secret_header, send},
    input,
    label::mask,
};
use crate::{
    config::{self, Env},
    models::IntegrationService,
};

/// <https://docs.anthropic.com/en/api/versioning>.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Who sells the models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlmVendor {
    /// <https://platform.openai.com/docs/api-reference/models/list>.
    Openai,
    /// <https://docs.anthropic.com/en/api/models-list>.
    Anthropic,
    /// <https://ai.google.dev/api/models#method:-models.list>.
    Gemini,
}

/// The keys of one vendor.
pub struct LlmKeys {
    vendor: LlmVendor,
    endpoint: Endpoint,
    client: Client,
}

impl LlmKeys {
    /// `CONNECTOR_OPENAI_URL`, `CONNECTOR_ANTHROPIC_URL`, `CONNECTOR_GEMINI_URL`: a stub in the
    /// vendor's place; development only.
    ///
    /// # Errors
    /// Returns the variable when it is invalid or not allowed here.
    pub fn load(env: &Env, vendor: LlmVendor, client: Client) -> Result<Self, config::Error> {
        let (name, default) = match vendor {
            LlmVendor::Openai => ("CONNECTOR_OPENAI_URL", "https://api.openai.com"),
            LlmVendor::Anthropic => ("CONNECTOR_ANTHROPIC_URL", "https://api.anthropic.com"),
            LlmVendor::Gemini => (
                "CONNECTOR_GEMINI_URL",
                "https://generativelanguage.googleapis.com",
            ),
        };
        let endpoint = Endpoint::load(env, name, default)?;
        Ok(Self::new(vendor, endpoint, client))
    }

    /// The keys of a vendor at an address, asked for by `client`'s connections.
    #[must_use]
    pub fn new(vendor: LlmVendor, endpoint: Endpoint, client: Client) -> Self {
        Self {
            vendor,
            endpoint,
            client,
        }
    }

    /// The cheapest question that needs a key: one of the models.
    fn list_models(&self, key: &SecretString) -> Result<RequestBuilder, Error> {
        let get = |path: &str| {
            let url = format!("{}{path}", self.endpoint.base_url);
            self.client.get(url).timeout(self.endpoint.timeout)
        };
        Ok(match self.vendor {
            LlmVendor::Openai => get("/v1/models").header(header::AUTHORIZATION, bearer(key)?),
            LlmVendor::Anthropic => get("/v1/models?limit=1")
                .header("x-api-key", secret_header(key.expose_secret())?)
                .header("anthropic-version", ANTHROPIC_VERSION),
            LlmVendor::Gemini => get("/v1beta/models?pageSize=1")
                .header("x-goog-api-key", secret_header(key.expose_secret())?),
        })
    }

    fn service(&self) -> IntegrationService {
        match self.vendor {
            LlmVendor::Openai => IntegrationService::Openai,
            LlmVendor::Anthropic => IntegrationService::Anthropic,
            LlmVendor::Gemini => IntegrationService::Gemini,
        }
    }
}

#[async_trait]
impl Connector for LlmKeys {
    async fn check(&self, credentials: &Credentials) -> Result<Account, Error> {
        let key = credentials.key()?;
        let answer = send(self.list_models(key)?, Nature::Read).await?;
        if !answer.status.is_success() {
            return Err(from_refusal(&answer));
        }
        answer.json::<Models>()?;
        let prefixes = ["sk-ant-api03-", "sk-proj-", "sk-svcacct-", "sk-", "AIza"];
        Ok(Account {
            id: None,
            label: mask(key, &prefixes),
            scopes: Vec::new(),
        })
    }

    async fn perform(&self, _: &Credentials, request: &Request<'_>) -> Result<Value, Error> {
        input::action(request, self.service())?;
        Err(input::refused("action", "cannot be carried out"))
    }

    /// None of them lets a key end itself.
    async fn revoke(&self, _: &Credentials) -> Result<Revocation, Error> {
        Ok(Revocation::NotPossible)
    }
}

/// What each of the three answers with.
#[derive(Deserialize)]
struct Models {
    #[serde(rename = "data", alias = "models")]
    _models: Vec<Value>,
}

/// Google answers 400 to a key that it does not know
/// (<https://ai.google.dev/gemini-api/docs/troubleshooting>); its reason is among the details, as in
/// all of its errors (<https://google.aip.dev/193>).
#[derive(Deserialize)]
struct GoogleError {
    error: GoogleStatus,
}

#[derive(Deserialize)]
struct GoogleStatus {
    #[serde(default)]
    details: Vec<GoogleDetail>,
}

#[derive(Deserialize)]
struct GoogleDetail {
    reason: Option<String>,
}

fn from_refusal(answer: &Answer) -> Error {
    let is_unknown_key = |body: GoogleError| {
        let mut details = body.error.details.into_iter();
        details.any(|detail| detail.reason.as_deref() == Some("API_KEY_INVALID"))
    };
    if answer.json().is_ok_and(is_unknown_key) {
        return Error::Unauthorized;
    }
    answer.refusal(None)
}
