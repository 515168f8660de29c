//! GitHub, by a token of a user or by an app that is installed in an account
//! (<https://docs.github.com/en/rest>).

mod app;
mod files;
mod issues;
mod wire;

use async_trait::async_trait;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::{
    app::InstallationTokens,
    wire::{InstallationBody, UserBody, from_refusal},
};
use super::{
    Account, Connector, Credentials, Endpoint, Error, GithubApp, Request, Revocation,
    http::{Answer, Nature, bearer, send},
    input,
};
use crate::{
    clock::SharedClock,
    config::{self, Env},
    models::IntegrationService,
};

/// <https://docs.github.com/en/rest/about-the-rest-api/api-versions>.
const VERSION: &str = "2022-11-28";

/// GitHub, for any token or app that is given.
pub struct Github {
    endpoint: Endpoint,
    client: Client,
    tokens: InstallationTokens,
}

impl Github {
    /// `CONNECTOR_GITHUB_URL`: a stub in GitHub's place; development only.
    ///
    /// # Errors
    /// Returns the variable when it is invalid or not allowed here.
    pub fn load(env: &Env, client: Client, clock: SharedClock) -> Result<Self, config::Error> {
        let endpoint = Endpoint::load(env, "CONNECTOR_GITHUB_URL", "https://api.github.com")?;
        Ok(Self::new(endpoint, client, clock))
    }

    /// GitHub at an address, called by `client`'s connections.
    #[must_use]
    pub fn new(endpoint: Endpoint, client: Client, clock: SharedClock) -> Self {
        Self {
            endpoint,
            client,
            tokens: InstallationTokens::new(clock),
        }
    }

    fn session(&self, token: SecretString) -> Session<'_> {
        Session {
            github: self,
            token,
        }
    }

    /// The token of an installation: the one in memory, or a new one.
    async fn installation_token(&self, app: &GithubApp) -> Result<SecretString, Error> {
        if let Some(token) = self.tokens.get(app) {
            return Ok(token);
        }
        let session = self.session(self.tokens.sign(app)?);
        let path = format!("/app/installations/{}/access_tokens", app.installation_id);
        let request = session.request(Method::POST, &path)?;
        let created = session.answer(request, Nature::Read).await;
        let created = created.map_err(from_token_refusal)?.json()?;
        self.tokens.keep(app, created)
    }

    /// A token is asked for as well: an installation that is suspended is shown, but gets none.
    async fn check_app(&self, app: &GithubApp) -> Result<Account, Error> {
        let session = self.session(self.tokens.sign(app)?);
        let path = format!("/app/installations/{}", app.installation_id);
        let installation: InstallationBody = session.get(&path, &[]).await?;
        self.installation_token(app).await?;
        let owner = installation.account;
        Ok(Account {
            id: owner.as_ref().map(|owner| owner.id.to_string()),
            label: match owner.and_then(|owner| owner.login.or(owner.slug)) {
                Some(login) => format!("{login} ({})", installation.app_slug),
                None => installation.app_slug,
            },
            scopes: Vec::new(),
        })
    }

    async fn check_token(&self, token: &SecretString) -> Result<Account, Error> {
        let session = self.session(token.clone());
        let request = session.request(Method::GET, "/user")?;
        let answer = session.answer(request, Nature::Read).await?;
        let user: UserBody = answer.json()?;
        // Only classic tokens have scopes
        // (https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps).
        let scopes = answer.header("x-oauth-scopes").unwrap_or_default();
        let scopes = scopes.split(',').map(str::trim);
        Ok(Account {
            id: Some(user.id.to_string()),
            label: user.login,
            scopes: scopes
                .filter(|scope| !scope.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }

    /// A token in memory may have been revoked since: what it was refused for has not happened, so
    /// a new one is tried.
    async fn perform_as_app(&self, app: &GithubApp, request: &Request<'_>) -> Result<Value, Error> {
        let was_kept = self.tokens.get(app).is_some();
        let session = self.session(self.installation_token(app).await?);
        match perform(&session, request).await {
            Err(Error::Unauthorized) if was_kept => {
                self.tokens.forget(app);
                let session = self.session(self.installation_token(app).await?);
                perform(&session, request).await
            }
            result => result,
        }
    }
}

#[async_trait]
impl Connector for Github {
    async fn check(&self, credentials: &Credentials) -> Result<Account, Error> {
        match credentials {
            Credentials::GithubApp(app) => self.check_app(app).await,
            credentials => self.check_token(credentials.key()?).await,
        }
    }

    async fn perform(
        &self,
        credentials: &Credentials,
        request: &Request<'_>,
    ) -> Result<Value, Error> {
        input::action(request, IntegrationService::Github)?;
        match credentials {
            Credentials::GithubApp(app) => self.perform_as_app(app, request).await,
            credentials => perform(&self.session(credentials.key()?.clone()), request).await,
        }
    }

    /// A user's token ends in the user's settings only. An app stays installed and its key good, but
    /// the token that is in memory ends.
    async fn revoke(&self, credentials: &Credentials) -> Result<Revocation, Error> {
        let Credentials::GithubApp(app) = credentials else {
            return Ok(Revocation::NotPossible);
        };
        let Some(token) = self.tokens.get(app) else {
            return Ok(Revocation::NotPossible);
        };
        let session = self.session(token);
        let request = session.request(Method::DELETE, "/installation/token")?;
        match session.answer(request, Nature::Write).await {
            Ok(_) | Err(Error::Unauthorized) => {
                self.tokens.forget(app);
                Ok(Revocation::NotPossible)
            }
            Err(error) => Err(error),
        }
    }
}

/// There are no tokens for an installation that was taken away (404) or suspended (403): only its
/// owner can mend that, as if the key were bad
/// (<https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>).
fn from_token_refusal(error: Error) -> Error {
    let not_found = StatusCode::NOT_FOUND.as_u16();
    match error {
        Error::Forbidden { .. } => Error::Unauthorized,
        Error::Rejected { status, .. } if status == not_found => Error::Unauthorized,
        error => error,
    }
}

async fn perform(session: &Session<'_>, request: &Request<'_>) -> Result<Value, Error> {
    let action = input::action(request, IntegrationService::Github)?;
    match action.name {
        "github.issues.list" => issues::list(session, &input::read(action, request.input)?).await,
        "github.issues.create" => {
            issues::create(session, &input::read(action, request.input)?).await
        }
        "github.comments.create" => {
            issues::comment(session, &input::read(action, request.input)?).await
        }
        "github.files.get" => files::get(session, &input::read(action, request.input)?).await,
        "github.files.put" => files::put(session, &input::read(action, request.input)?).await,
        _ => Err(input::refused("action", "is not carried out")),
    }
}

/// Calls with one token.
struct Session<'a> {
    github: &'a Github,
    token: SecretString,
}

impl Session<'_> {
    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Error> {
        self.request_url(method, &self.url(path))
    }

    fn request_url(&self, method: Method, url: &str) -> Result<RequestBuilder, Error> {
        let request = self.github.client.request(method, url);
        Ok(request
            .header(header::AUTHORIZATION, bearer(&self.token)?)
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", VERSION)
            .timeout(self.github.endpoint.timeout))
    }

    async fn answer(&self, request: RequestBuilder, nature: Nature) -> Result<Answer, Error> {
        let answer = send(request, nature).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(from_refusal(&answer))
        }
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        let request = self.request(Method::GET, path)?.query(query);
        self.answer(request, Nature::Read).await?.json()
    }

    /// The answer, unless there is nothing at the path.
    async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, Error> {
        let not_found = StatusCode::NOT_FOUND.as_u16();
        match self.get(path, query).await {
            Err(Error::Rejected { status, .. }) if status == not_found => Ok(None),
            result => result.map(Some),
        }
    }

    async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<T, Error> {
        let request = self.request(method, path)?.json(body);
        self.answer(request, Nature::Write).await?.json()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.github.endpoint.base_url)
    }
}

/// The path of a repository. Names become parts of it, so they are names before they get there
/// (<https://docs.github.com/en/rest/repos/repos>).
fn repository(owner: &str, repo: &str) -> Result<String, Error> {
    let is_name = |text: &str| {
        let mut bytes = text.bytes();
        let is_dots = text.bytes().all(|byte| byte == b'.');
        !is_dots && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if !is_name(owner) {
        return Err(input::refused("owner", "is no name of an account"));
    }
    if !is_name(repo) {
        return Err(input::refused("repo", "is no name of a repository"));
    }
    Ok(format!("/repos/{owner}/{repo}"))
}
