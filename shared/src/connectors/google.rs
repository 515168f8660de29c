//! Google Workspace: consent and tokens, and the calls of Gmail, Calendar, Drive and Sheets.

mod account;
mod calendar;
mod call;
mod docs;
mod drive;
mod gmail;
pub mod oauth;
mod plain_text;
mod refusal;
mod sheets;
pub mod sync;

use async_trait::async_trait;
use reqwest::Client;
use serde_json::Value;

use super::{Account, Connector, Credentials, Endpoint, Error, Request, Revocation, input};
use crate::{
    clock::SharedClock,
    config::{self, Env},
    models::IntegrationService,
};
use call::Session;
use oauth::{GoogleOAuth, GoogleOAuthConfig};
use sync::Reading;

const EMULATOR_URL: &str = "CONNECTOR_GOOGLE_URL";

/// Where Google's APIs are. `CONNECTOR_GOOGLE_URL`: a stub in the place of all of them;
/// development only.
#[derive(Clone, Debug)]
pub struct GoogleWorkspaceConfig {
    /// Gmail.
    pub gmail: Endpoint,
    /// Calendar, Drive and the account.
    pub apis: Endpoint,
    /// Sheets.
    pub sheets: Endpoint,
}

impl GoogleWorkspaceConfig {
    /// Reads the variable.
    ///
    /// # Errors
    /// Returns the variable when it is no address, or not allowed on Cloud Run.
    pub fn load(env: &Env) -> Result<Self, config::Error> {
        let endpoint = |default| Endpoint::load(env, EMULATOR_URL, default);
        Ok(Self {
            gmail: endpoint("https://gmail.googleapis.com")?,
            apis: endpoint("https://www.googleapis.com")?,
            sheets: endpoint("https://sheets.googleapis.com")?,
        })
    }
}

/// What users let the application do in Google Workspace.
pub struct GoogleWorkspace {
    config: GoogleWorkspaceConfig,
    oauth: GoogleOAuth,
    client: Client,
    clock: SharedClock,
}

impl GoogleWorkspace {
    /// An adapter that shares `client`'s connections.
    #[must_use]
    pub fn new(
        config: GoogleWorkspaceConfig,
        oauth: GoogleOAuth,
        client: Client,
        clock: SharedClock,
    ) -> Self {
        Self {
            config,
            oauth,
            client,
            clock,
        }
    }

    /// The adapter at Google's own addresses, if this application is known to Google.
    ///
    /// # Errors
    /// Returns the variable that is missing, invalid, or not allowed on Cloud Run.
    pub fn load_optional(
        env: &Env,
        client: &Client,
        clock: &SharedClock,
    ) -> Result<Option<Self>, config::Error> {
        let Some(application) = GoogleOAuthConfig::load_optional(env)? else {
            return Ok(None);
        };
        let config = GoogleWorkspaceConfig::load(env)?;
        let oauth = GoogleOAuth::new(application, client.clone(), clock.clone());
        Ok(Some(Self::new(
            config,
            oauth,
            client.clone(),
            clock.clone(),
        )))
    }

    fn session(&self, credentials: &Credentials) -> Result<Session<'_>, Error> {
        let tokens = credentials.google()?;
        Session::new(&self.config, &self.client, &tokens.access_token)
    }

    /// Reads something for the sync, once.
    pub(crate) async fn read<R: Reading>(
        &self,
        credentials: &Credentials,
        reading: &R,
    ) -> Result<R::Answer, Error> {
        reading.read(&self.session(credentials)?).await
    }
}

#[async_trait]
impl Connector for GoogleWorkspace {
    async fn check(&self, credentials: &Credentials) -> Result<Account, Error> {
        account::find(&self.session(credentials)?).await
    }

    async fn perform(
        &self,
        credentials: &Credentials,
        request: &Request<'_>,
    ) -> Result<Value, Error> {
        let action = input::action(request, IntegrationService::Google)?;
        let session = self.session(credentials)?;
        let (told, key) = (request.input, request.idempotency_key);
        match action.name {
            "google.gmail.search" => gmail::search(&session, input::read(action, told)?).await,
            "google.gmail.get" => gmail::get(&session, input::read(action, told)?).await,
            "google.gmail.send" => {
                let mail = input::read(action, told)?;
                gmail::send(&session, mail, key, self.clock.now()).await
            }
            "google.calendar.freebusy" => {
                calendar::free_busy(&session, input::read(action, told)?).await
            }
            "google.calendar.create" => {
                calendar::create(&session, input::read(action, told)?, key).await
            }
            "google.drive.list" => drive::list(&session, input::read(action, told)?).await,
            "google.drive.create" => drive::create(&session, input::read(action, told)?, key).await,
            "google.docs.create" => docs::create(&session, input::read(action, told)?, key).await,
            "google.sheets.read" => sheets::read(&session, input::read(action, told)?).await,
            "google.sheets.append" => sheets::append(&session, input::read(action, told)?).await,
            _ => Err(input::refused("action", "cannot be carried out")),
        }
    }

    /// Ends the refresh token, and with it all access tokens.
    async fn revoke(&self, credentials: &Credentials) -> Result<Revocation, Error> {
        let tokens = credentials.google()?;
        self.oauth.revoke(&tokens.refresh_token).await?;
        Ok(Revocation::Ended)
    }
}
