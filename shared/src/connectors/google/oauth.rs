//! Google's OAuth: consent, tokens and their end
//! (<https://developers.google.com/identity/protocols/oauth2/web-server>).

mod config;
mod error;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, PkceCodeVerifier, RedirectUrl, RefreshToken, Scope, StandardRevocableToken,
    TokenResponse, TokenUrl,
    basic::{BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenResponse},
};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;

pub use config::{Endpoints, GoogleOAuthConfig};
use error::Refusal;
pub use error::{Error, GrantEnd};

use crate::{
    clock::SharedClock,
    connectors::{
        self,
        http::{Answer, Nature, send},
    },
    models::Timestamp,
};

/// Longest wait for one call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long an access token lasts when Google does not tell. It tells 3,599 s in practice.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

type Client = oauth2::Client<
    Refusal,
    BasicTokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What the user is asked.
#[derive(Clone, Copy, Debug)]
pub struct Consent<'a> {
    /// What the application wants to do.
    pub scopes: &'a [String],
    /// Comes back with the code.
    pub state: &'a str,
    /// [`code_challenge`] of the verifier that the exchange will bring.
    pub code_challenge: &'a str,
    /// Whether the user is asked also for what it has agreed to before: only then does a refresh
    /// token come for sure.
    pub is_new: bool,
}

/// What a code was exchanged for.
#[derive(Clone, Debug)]
pub struct Granted {
    /// For calls.
    pub access_token: SecretString,
    /// When the access token ends.
    pub expires_at: Timestamp,
    /// For new access tokens. Absent when the user had consented before and was not asked again.
    pub refresh_token: Option<SecretString>,
    /// What the user has agreed to, which may be less than was asked. `email` comes back as
    /// `https://www.googleapis.com/auth/userinfo.email`.
    pub scopes: Vec<String>,
}

/// What a refresh has brought.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// For calls.
    pub access_token: SecretString,
    /// When the access token ends.
    pub expires_at: Timestamp,
    /// Replaces the refresh token, if there is one: the old one may be worthless then.
    pub refresh_token: Option<SecretString>,
    /// What the token allows, if Google told.
    pub scopes: Option<Vec<String>>,
}

/// Google's OAuth as one registered application. Tries each call once.
#[derive(Clone)]
pub struct GoogleOAuth {
    client: Client,
    revoke_url: Url,
    http: reqwest::Client,
    clock: SharedClock,
}

impl GoogleOAuth {
    /// An application that shares `http`'s connections.
    #[must_use]
    pub fn new(config: GoogleOAuthConfig, http: reqwest::Client, clock: SharedClock) -> Self {
        let secret = config.client_secret.expose_secret().to_owned();
        let client = oauth2::Client::new(ClientId::new(config.client_id))
            .set_client_secret(ClientSecret::new(secret))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(config.endpoints.consent))
            .set_token_uri(TokenUrl::from_url(config.endpoints.token))
            .set_redirect_uri(RedirectUrl::from_url(config.redirect_url));
        Self {
            client,
            revoke_url: config.endpoints.revoke,
            http,
            clock,
        }
    }

    /// Where the user's browser asks for consent.
    #[must_use]
    pub fn consent_url(&self, consent: &Consent<'_>) -> Url {
        let state = consent.state.to_owned();
        let scopes = consent.scopes.iter().cloned().map(Scope::new);
        let mut request = self
            .client
            .authorize_url(|| CsrfToken::new(state))
            .add_scopes(scopes)
            .add_extra_param("code_challenge", consent.code_challenge)
            .add_extra_param("code_challenge_method", "S256")
            // A refresh token is given for offline access only.
            .add_extra_param("access_type", "offline")
            .add_extra_param("include_granted_scopes", "true");
        if consent.is_new {
            request = request.add_extra_param("prompt", "consent");
        }
        request.url().0
    }

    /// Gives the code that came with the user, and gets tokens.
    ///
    /// # Errors
    /// Returns [`Error::InvalidGrant`] for a code that is wrong, old, used, or of another verifier.
    pub async fn exchange(
        &self,
        code: &SecretString,
        code_verifier: &SecretString,
    ) -> Result<Granted, Error> {
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        let verifier = PkceCodeVerifier::new(code_verifier.expose_secret().to_owned());
        let request = self.client.exchange_code(code).set_pkce_verifier(verifier);
        let response = request.request_async(&Transport(self)).await?;
        Ok(Granted {
            access_token: access_token(&response),
            expires_at: self.expires_at(&response),
            refresh_token: refresh_token(&response),
            scopes: scopes(&response).unwrap_or_default(),
        })
    }

    /// Gets a new access token.
    ///
    /// # Errors
    /// Returns [`Error::InvalidGrant`] when the refresh token is at its end: it will not come back.
    pub async fn refresh(&self, token: &SecretString) -> Result<Refreshed, Error> {
        let token = RefreshToken::new(token.expose_secret().to_owned());
        let request = self.client.exchange_refresh_token(&token);
        let response = request.request_async(&Transport(self)).await?;
        Ok(Refreshed {
            access_token: access_token(&response),
            expires_at: self.expires_at(&response),
            refresh_token: refresh_token(&response),
            scopes: scopes(&response),
        })
    }

    /// Ends a token, with all that were given by the same consent. One that is at its end already
    /// is fine.
    ///
    /// # Errors
    /// Returns [`Error`] when Google did not do it.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), Error> {
        // Not by the crate, which takes no address of this machine for it.
        let form = [("token", token.expose_secret())];
        let request = self.http.post(self.revoke_url.clone()).form(&form);
        let answer = answer(request).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let refusal: Refusal = answer.json()?;
        if refusal.is_about_the_token() {
            return Ok(());
        }
        Err(refusal.into())
    }

    /// The crate's transport.
    async fn send(
        &self,
        request: oauth2::HttpRequest,
    ) -> Result<oauth2::HttpResponse, connectors::Error> {
        let (parts, body) = request.into_parts();
        let request = self.http.post(parts.uri.to_string()).headers(parts.headers);
        let answer = answer(request.body(body)).await?;
        let mut response = http::Response::new(answer.body.to_vec());
        *response.status_mut() = answer.status;
        Ok(response)
    }

    fn expires_at(&self, response: &BasicTokenResponse) -> Timestamp {
        let lifetime = response.expires_in().unwrap_or(DEFAULT_LIFETIME);
        Timestamp::from(self.clock.now()).plus(lifetime)
    }
}

/// What is no answer of OAuth's is an error here already: a body of any form may come with it.
async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, connectors::Error> {
    // A lost answer changes nothing: Google's refresh tokens stay, a code is worth a new consent.
    let answer = send(request.timeout(TIMEOUT), Nature::Read).await?;
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => Err(answer.rate_limited()),
        StatusCode::REQUEST_TIMEOUT => Err(answer.failed()),
        status if status.is_server_error() => Err(answer.failed()),
        _ => Ok(answer),
    }
}

/// A closure would do, but the compiler cannot tell that its futures can be sent.
struct Transport<'a>(&'a GoogleOAuth);

impl<'c> oauth2::AsyncHttpClient<'c> for Transport<'_> {
    type Error = connectors::Error;
    type Future = BoxFuture<'c, Result<oauth2::HttpResponse, connectors::Error>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(self.0.send(request))
    }
}

/// What is told of a verifier before it is shown: RFC 7636 section 4.2.
#[must_use]
pub fn code_challenge(code_verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code_verifier.as_bytes()))
}

fn access_token(response: &BasicTokenResponse) -> SecretString {
    response.access_token().secret().clone().into()
}

fn refresh_token(response: &BasicTokenResponse) -> Option<SecretString> {
    let token = response.refresh_token()?.secret();
    (!token.is_empty()).then(|| token.clone().into())
}

fn scopes(response: &BasicTokenResponse) -> Option<Vec<String>> {
    let scopes = response.scopes()?.iter();
    Some(scopes.map(|scope| scope.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636 appendix B.
        let challenge = code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
