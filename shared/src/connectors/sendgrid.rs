//! Mail by the customer's SendGrid account
//! (<https://github.com/twilio/sendgrid-oai>, `POST /v3/mail/send`).

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, StatusCode, header};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Account, Connector, Credentials, Endpoint, Error, Request, Revocation,
    http::{Answer, Nature, bearer, send},
    input,
    label::mask,
    mail_address,
};
use crate::{
    config::{self, Env},
    models::IntegrationService,
};

/// Mails of one request (<https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations>).
const MAX_RECIPIENTS: usize = 1_000;

/// Longest subject; longer lines do not fit a mail (RFC 5322, 2.1.1).
const MAX_SUBJECT_BYTES: usize = 998;

/// What a key needs that sends.
const SEND_SCOPE: &str = "mail.send";

/// SendGrid, for any account whose key is given.
pub struct CustomerSendGrid {
    endpoint: Endpoint,
    client: Client,
}

impl CustomerSendGrid {
    /// `CONNECTOR_SENDGRID_URL`: a stub in SendGrid's place; development only.
    ///
    /// # Errors
    /// Returns the variable when it is invalid or not allowed here.
    pub fn load(env: &Env, client: Client) -> Result<Self, config::Error> {
        let endpoint = Endpoint::load(env, "CONNECTOR_SENDGRID_URL", "https://api.sendgrid.com")?;
        Ok(Self::new(endpoint, client))
    }

    /// SendGrid at an address, called by `client`'s connections.
    #[must_use]
    pub fn new(endpoint: Endpoint, client: Client) -> Self {
        Self { endpoint, client }
    }

    /// SendGrid has no idempotency keys: a repeat is a second mail. The key goes into the
    /// personalizations, where its events repeat it.
    async fn send_mail(
        &self,
        key: &SecretString,
        input: &MailInput,
        idempotency_key: &str,
    ) -> Result<Value, Error> {
        input.check()?;
        let to_one = |address: &String| {
            json!({
                "to": [{ "email": address }],
                "custom_args": { "idempotency_key": idempotency_key },
            })
        };
        // Plain text stands before HTML (RFC 2046, 5.1.4).
        let mut content = vec![json!({ "type": "text/plain", "value": input.text })];
        content.extend(
            input
                .html
                .as_ref()
                .map(|html| json!({ "type": "text/html", "value": html })),
        );
        let body = json!({
            "personalizations": input.to.iter().map(to_one).collect::<Vec<_>>(),
            "from": { "email": input.from },
            "subject": input.subject,
            "content": content,
        });
        let url = format!("{}/v3/mail/send", self.endpoint.base_url);
        let request = self.client.post(url).json(&body);
        let answer = self.answer(key, request, Nature::Write).await?;
        let message_id = answer.header("x-message-id");
        Ok(json!({ "messageId": message_id, "recipients": input.to.len() }))
    }

    async fn answer(
        &self,
        key: &SecretString,
        request: RequestBuilder,
        nature: Nature,
    ) -> Result<Answer, Error> {
        let request = request
            .header(header::AUTHORIZATION, bearer(key)?)
            .timeout(self.endpoint.timeout);
        let answer = send(request, nature).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(from_refusal(&answer))
        }
    }
}

#[async_trait]
impl Connector for CustomerSendGrid {
    async fn check(&self, credentials: &Credentials) -> Result<Account, Error> {
        let key = credentials.key()?;
        let url = format!("{}/v3/scopes", self.endpoint.base_url);
        let answer = self.answer(key, self.client.get(url), Nature::Read).await?;
        let Scopes { scopes } = answer.json()?;
        if !scopes.iter().any(|scope| scope == SEND_SCOPE) {
            return Err(Error::Forbidden {
                needs_consent: false,
            });
        }
        Ok(Account {
            id: None,
            label: mask(key, &["SG."]),
            scopes,
        })
    }

    async fn perform(
        &self,
        credentials: &Credentials,
        request: &Request<'_>,
    ) -> Result<Value, Error> {
        let action = input::action(request, IntegrationService::Sendgrid)?;
        let key = credentials.key()?;
        match action.name {
            "sendgrid.mail.send" => {
                let input = input::read(action, request.input)?;
                self.send_mail(key, &input, request.idempotency_key).await
            }
            _ => Err(input::refused("action", "is not carried out")),
        }
    }

    /// A key that may only send cannot delete itself.
    async fn revoke(&self, _: &Credentials) -> Result<Revocation, Error> {
        Ok(Revocation::NotPossible)
    }
}

#[derive(Deserialize)]
struct MailInput {
    from: String,
    to: Vec<String>,
    subject: String,
    text: String,
    html: Option<String>,
}

impl MailInput {
    /// SendGrid makes headers of it: nothing may begin a second one.
    fn check(&self) -> Result<(), Error> {
        if !(1..=MAX_RECIPIENTS).contains(&self.to.len()) {
            let message = format!("has none or more than {MAX_RECIPIENTS} addresses");
            return Err(input::refused("to", &message));
        }
        if self.subject.chars().any(char::is_control) || self.subject.len() > MAX_SUBJECT_BYTES {
            return Err(input::refused("subject", "is no single line of a mail"));
        }
        mail_address::check("from", &self.from)?;
        mail_address::check_all("to", &self.to)
    }
}

#[derive(Deserialize)]
struct Scopes {
    scopes: Vec<String>,
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    errors: Vec<ErrorDetail>,
}

#[derive(Deserialize)]
struct ErrorDetail {
    field: Option<String>,
}

/// The name of the first field that is wrong is shown, never the message: it quotes what was sent.
fn from_refusal(answer: &Answer) -> Error {
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Error::RateLimited {
            retry_after: answer.retry_after().or_else(|| until_reset(answer)),
        };
    }
    let body: ErrorBody = answer.json().unwrap_or_default();
    let field = body.errors.into_iter().find_map(|error| error.field);
    answer.refusal(field.as_deref())
}

/// <https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits>.
fn until_reset(answer: &Answer) -> Option<std::time::Duration> {
    answer.time_until(answer.header("x-ratelimit-reset")?.parse().ok()?)
}
