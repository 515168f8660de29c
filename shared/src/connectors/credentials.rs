use secrecy::SecretString;

use super::Error;
use crate::models::{IntegrationService, Timestamp};

/// What a service is to be convinced with. Opened by the vault for one call, and never kept, shown
/// or logged.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Google: what a user's consent has brought.
    Google(GoogleTokens),
    /// A key that is sent as it is: Stripe, SendGrid, OpenAI, Anthropic, Gemini, and a GitHub token.
    Key(SecretString),
    /// A GitHub App that is installed in an account.
    GithubApp(GithubApp),
    /// Twilio.
    Twilio(TwilioAccount),
}

/// Tokens of Google
/// (<https://developers.google.com/identity/protocols/oauth2/web-server#exchange-authorization-code>).
#[derive(Clone, Debug)]
pub struct GoogleTokens {
    /// For calls, for about an hour.
    pub access_token: SecretString,
    /// When the access token ends.
    pub expires_at: Timestamp,
    /// For new access tokens, until it is revoked.
    pub refresh_token: SecretString,
}

/// <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>.
#[derive(Clone, Debug)]
pub struct GithubApp {
    /// The app's client id or number.
    pub app_id: String,
    /// The installation's number.
    pub installation_id: u64,
    /// An RSA key in PEM.
    pub private_key: SecretString,
}

/// An account, or a key of one (<https://www.twilio.com/docs/iam/api-keys>).
#[derive(Clone, Debug)]
pub struct TwilioAccount {
    /// `AC…`.
    pub account_sid: String,
    /// The user of Basic authentication: the account itself, or a key, `SK…`.
    pub key_sid: String,
    /// Its password.
    pub secret: SecretString,
}

impl Credentials {
    /// The key, if they are one.
    pub(crate) fn key(&self) -> Result<&SecretString, Error> {
        match self {
            Self::Key(key) => Ok(key),
            _ => Err(Error::Unauthorized),
        }
    }

    /// Google's tokens, if they are that.
    pub(super) fn google(&self) -> Result<&GoogleTokens, Error> {
        match self {
            Self::Google(tokens) => Ok(tokens),
            _ => Err(Error::Unauthorized),
        }
    }

    /// Whether the service can be given credentials of this shape.
    #[must_use]
    pub fn are_for(&self, service: IntegrationService) -> bool {
        use IntegrationService::{
            Anthropic, Gemini, Github, Google, Openai, Sendgrid, Stripe, Twilio,
        };
        match self {
            Self::Google(_) => service == Google,
            Self::Key(_) => matches!(
                service,
                Stripe | Github | Sendgrid | Openai | Anthropic | Gemini
            ),
            Self::GithubApp(_) => service == Github,
            Self::Twilio(_) => service == Twilio,
        }
    }
}
