//! Text messages by the customer's Twilio account
//! (<https://www.twilio.com/docs/messaging/api/message-resource>).

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, header};
use secrecy::ExposeSecret;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, json};

use super::{
    Account, Connector, Credentials, Endpoint, Error, Request, Revocation, TwilioAccount,
    http::{Answer, Nature, secret_header, send},
    input,
};
use crate::{
    config::{self, Env},
    models::IntegrationService,
};

/// Longer texts are refused (<https://www.twilio.com/docs/api/errors/21617>).
const MAX_BODY_CHARS: usize = 1_600;

/// Digits of a number with its country (<https://www.twilio.com/docs/glossary/what-e164>).
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Twilio, for any account whose credentials are given.
pub struct Twilio {
    endpoint: Endpoint,
    client: Client,
}

impl Twilio {
    /// `CONNECTOR_TWILIO_URL`: a stub in Twilio's place; development only.
    ///
    /// # Errors
    /// Returns the variable when it is invalid or not allowed here.
    pub fn load(env: &Env, client: Client) -> Result<Self, config::Error> {
        let endpoint = Endpoint::load(env, "CONNECTOR_TWILIO_URL", "https://api.twilio.com")?;
        Ok(Self::new(endpoint, client))
    }

    /// Twilio at an address, called by `client`'s connections.
    #[must_use]
    pub fn new(endpoint: Endpoint, client: Client) -> Self {
        Self { endpoint, client }
    }

    /// Twilio has no idempotency keys: a repeat is a second message.
    async fn send_sms(&self, account: &TwilioAccount, input: &SmsInput) -> Result<Value, Error> {
        if !is_number(&input.to) {
            return Err(input::refused("to", "is no number as `+4930123456`"));
        }
        let sender = match &input.from {
            from if is_number(from) => "From",
            from if is_sid(from, "MG") => "MessagingServiceSid",
            _ => return Err(input::refused("from", "is neither a number nor a service")),
        };
        if input.body.chars().count() > MAX_BODY_CHARS {
            let message = format!("has more than {MAX_BODY_CHARS} characters");
            return Err(input::refused("body", &message));
        }
        let form = [
            ("To", &input.to),
            (sender, &input.from),
            ("Body", &input.body),
        ];
        let url = self.url(account, "/Messages.json")?;
        let request = self.client.post(url).form(&form);
        let answer = self.answer(account, request, Nature::Write).await?;
        let message: Message = answer.json()?;
        Ok(json!({ "sid": message.sid, "status": message.status, "to": input.to }))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        account: &TwilioAccount,
        path: &str,
    ) -> Result<T, Error> {
        let request = self.client.get(self.url(account, path)?);
        self.answer(account, request, Nature::Read).await?.json()
    }

    async fn answer(
        &self,
        account: &TwilioAccount,
        request: RequestBuilder,
        nature: Nature,
    ) -> Result<Answer, Error> {
        let request = request
            .header(header::AUTHORIZATION, basic(account)?)
            .timeout(self.endpoint.timeout);
        let answer = send(request, nature).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let code = answer.json::<ErrorBody>().ok().and_then(|body| body.code);
        let code = code.map(|code| code.to_string());
        Err(answer.refusal(code.as_deref()))
    }

    /// The account is a part of each path, so it is one before it gets there.
    fn url(&self, account: &TwilioAccount, path: &str) -> Result<String, Error> {
        if !is_sid(&account.account_sid, "AC") {
            return Err(Error::Unauthorized);
        }
        let base = &self.endpoint.base_url;
        let sid = &account.account_sid;
        Ok(format!("{base}/2010-04-01/Accounts/{sid}{path}"))
    }
}

#[async_trait]
impl Connector for Twilio {
    async fn check(&self, credentials: &Credentials) -> Result<Account, Error> {
        let account = account(credentials)?;
        // A key may send, but not read the account it belongs to
        // (https://www.twilio.com/docs/iam/api-keys).
        if account.key_sid == account.account_sid {
            let found: AccountBody = self.get(account, ".json").await?;
            if found.status != "active" {
                return Err(Error::Forbidden {
                    needs_consent: false,
                });
            }
        } else {
            self.get::<MessageList>(account, "/Messages.json?PageSize=1")
                .await?;
        }
        Ok(Account {
            id: Some(account.account_sid.clone()),
            label: format!("AC…{}", &account.account_sid[30..]),
            scopes: Vec::new(),
        })
    }

    async fn perform(
        &self,
        credentials: &Credentials,
        request: &Request<'_>,
    ) -> Result<Value, Error> {
        let action = input::action(request, IntegrationService::Twilio)?;
        let account = account(credentials)?;
        match action.name {
            "twilio.sms.send" => {
                let input = input::read(action, request.input)?;
                self.send_sms(account, &input).await
            }
            _ => Err(input::refused("action", "is not carried out")),
        }
    }

    /// An account's token is changed in Twilio's console only, and a key cannot end itself.
    async fn revoke(&self, _: &Credentials) -> Result<Revocation, Error> {
        Ok(Revocation::NotPossible)
    }
}

#[derive(Deserialize)]
struct SmsInput {
    to: String,
    from: String,
    body: String,
}

#[derive(Deserialize)]
struct Message {
    sid: String,
    #[serde(default)]
    status: Option<String>,
}

/// <https://www.twilio.com/docs/iam/api/account>.
#[derive(Deserialize)]
struct AccountBody {
    status: String,
}

#[derive(Deserialize)]
struct MessageList {
    #[serde(rename = "messages")]
    _messages: Vec<IgnoredAny>,
}

/// <https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions>. The message is
/// passed over: it quotes what was sent.
#[derive(Deserialize)]
struct ErrorBody {
    code: Option<u32>,
}

fn account(credentials: &Credentials) -> Result<&TwilioAccount, Error> {
    match credentials {
        Credentials::Twilio(account) => Ok(account),
        _ => Err(Error::Unauthorized),
    }
}

fn basic(account: &TwilioAccount) -> Result<header::HeaderValue, Error> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let pair = format!("{}:{}", account.key_sid, account.secret.expose_secret());
    secret_header(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let is_all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_all_digits && NUMBER_DIGITS.contains(&digits.len()) && !digits.starts_with('0')
}

/// <https://www.twilio.com/docs/glossary/what-is-a-sid>.
fn is_sid(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
}
