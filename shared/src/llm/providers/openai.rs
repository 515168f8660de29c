//! OpenAI, and everyone who speaks its chat completions
//! (<https://github.com/openai/openai-openapi>, `POST /chat/completions`).

mod wire;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response, StatusCode, header::HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use self::wire::{ErrorBody, RequestBody, ResponseBody};
use crate::{
    config::{self, Env},
    llm::{ChatRequest, ChatResponse, Error, Provider, price},
    retry::{Policy, retry},
};

/// The model used where none is chosen.
pub const DEFAULT_MODEL: &str = "gpt-4.1-mini";

/// OpenAI itself.
const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

/// Answers above this many bytes are not read on.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Where and how to call.
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    /// `OPENAI_BASE_URL`: what `/chat/completions` is appended to; default
    /// `https://api.openai.com/v1`.
    pub base_url: String,
    /// `OPENAI_API_KEY`: the bearer token.
    pub api_key: SecretString,
    /// `LLM_DEFAULT_MODEL`: the model used where none is chosen; default [`DEFAULT_MODEL`].
    pub default_model: String,
    /// `LLM_TIMEOUT_SECS`: the longest wait for a whole answer; default 120.
    pub timeout: Duration,
    /// How calls that the provider refused for the moment are repeated.
    pub retry: Policy,
}

impl OpenAiConfig {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn load(env: &Env) -> Result<Self, config::Error> {
        let base_url = match env.optional("OPENAI_BASE_URL") {
            Some(_) => env.required_parsed::<Url>("OPENAI_BASE_URL")?.to_string(),
            None => DEFAULT_BASE_URL.to_owned(),
        };
        Ok(Self {
            base_url,
            api_key: env.secret("OPENAI_API_KEY")?,
            default_model: default_model(env)?,
            timeout: Duration::from_secs(env.parsed("LLM_TIMEOUT_SECS", 120)?),
            retry: Policy::REMOTE_CALL,
        })
    }
}

/// A chat client for OpenAI's wire format.
pub struct OpenAi {
    config: OpenAiConfig,
    url: String,
    client: Client,
}

impl OpenAi {
    /// A client that shares `client`'s connections.
    #[must_use]
    pub fn new(config: OpenAiConfig, client: Client) -> Self {
        let url = format!("{}/chat/completions", config.base_url.trim_end_matches('/'));
        Self {
            config,
            url,
            client,
        }
    }

    async fn chat_once(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let response = self
            .client
            .post(&self.url)
            .bearer_auth(self.config.api_key.expose_secret())
            .header("Idempotency-Key", &request.idempotency_key)
            .timeout(self.config.timeout)
            .json(&RequestBody::new(request))
            .send()
            .await
            .map_err(from_transport)?;
        if !response.status().is_success() {
            return Err(from_refusal(response).await);
        }
        let body = read_body(response).await?;
        let body: ResponseBody =
            serde_json::from_slice(&body).map_err(|error| Error::Malformed(Box::new(error)))?;
        body.into_response(request)
    }
}

#[async_trait]
impl Provider for OpenAi {
    /// Repeats only calls that the model did no work for: a repeat after a broken connection may
    /// be billed twice, so whoever reserved the tokens decides about it.
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let attempt = || async {
            match self.chat_once(request).await {
                Err(error) if !error.is_unused() => Ok(Err(error)),
                result => result.map(Ok),
            }
        };
        retry(self.config.retry, attempt).await?
    }
}

/// A model without a price could not be admitted later, so it is refused at start.
fn default_model(env: &Env) -> Result<String, config::Error> {
    let name = "LLM_DEFAULT_MODEL";
    let model = env.parsed(name, DEFAULT_MODEL.to_owned())?;
    if price::is_known(&model) {
        return Ok(model);
    }
    let reason = "no price is known for this model".to_owned();
    Err(config::Error::Invalid { name, reason })
}

fn from_transport(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if error.is_connect() {
        return Error::Unavailable {
            retry_after: None,
            source: Box::new(error),
        };
    }
    if error.is_builder() {
        return Error::InvalidRequest {
            code: "unsendable".to_owned(),
        };
    }
    if error.is_timeout() {
        return Error::Timeout(Box::new(error));
    }
    Error::Interrupted(Box::new(error))
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(from_transport)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(Error::Malformed("the answer is too large".into()));
        }
    }
    Ok(body)
}

/// Retry rules of OpenAI's own clients: 408, 409, 429 and 5xx, unless `x-should-retry` says
/// otherwise (<https://github.com/openai/openai-node/blob/master/src/client.ts>, `shouldRetry`).
async fn from_refusal(response: Response) -> Error {
    let status = response.status();
    let asked = header(response.headers(), "x-should-retry").and_then(|value| value.parse().ok());
    let retry_after = retry_after(response.headers());
    let body = read_body(response).await.unwrap_or_default();
    let body: ErrorBody = serde_json::from_slice(&body).unwrap_or_default();
    let code = body
        .code()
        .unwrap_or_else(|| format!("http_{}", status.as_u16()));
    let by_status = matches!(status.as_u16(), 408 | 409 | 429) || status.is_server_error();
    match status {
        // Waiting does not bring the credit back, whatever the header says.
        StatusCode::TOO_MANY_REQUESTS if body.is_out_of_credit() => Error::QuotaExhausted,
        StatusCode::TOO_MANY_REQUESTS if asked.unwrap_or(true) => {
            Error::RateLimited { retry_after }
        }
        _ if asked.unwrap_or(by_status) => Error::Unavailable {
            retry_after,
            source: format!("status {}, code {code}", status.as_u16()).into(),
        },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Unauthenticated,
        _ => Error::InvalidRequest { code },
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let millis = header(headers, "retry-after-ms").and_then(|value| value.parse().ok());
    let seconds = || header(headers, "retry-after").and_then(|value| value.parse().ok());
    millis
        .map(Duration::from_millis)
        .or_else(|| seconds().map(Duration::from_secs))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_has_a_price_and_a_future() {
        // The day on which the price list was made.
        let as_of = "2026-11-23";
        let price = price::find(DEFAULT_MODEL, as_of).unwrap();
        assert!(price.deprecated_on().is_none_or(|day| day > as_of));
    }

    #[test]
    fn a_default_model_without_a_price_is_refused_at_start() {
        let env = Env::from_pairs([
            ("OPENAI_API_KEY", "sk-test"),
            ("LLM_DEFAULT_MODEL", "gpt-unheard-of"),
        ]);
        let error = OpenAiConfig::load(&env).unwrap_err();
        assert!(error.to_string().contains("LLM_DEFAULT_MODEL"), "{error}");
    }

    #[test]
    fn a_base_url_that_is_none_is_refused_at_start() {
        let env = Env::from_pairs([
            ("OPENAI_API_KEY", "sk-test"),
            ("OPENAI_BASE_URL", "nowhere"),
        ]);
        let error = OpenAiConfig::load(&env).unwrap_err();
        assert!(error.to_string().contains("OPENAI_BASE_URL"), "{error}");
    }

    #[test]
    fn the_key_does_not_show_in_debug_output() {
        let env = Env::from_pairs([("OPENAI_API_KEY", "sk-canary")]);
        let config = OpenAiConfig::load(&env).unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }
}
