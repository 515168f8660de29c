use reqwest::{
    Client, Method, RequestBuilder,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::{
    GoogleWorkspaceConfig,
    refusal::{from_refusal, is_unreadable},
};
use crate::connectors::{
    Endpoint, Error,
    http::{Answer, Nature, bearer, path_segment, send, send_up_to},
    input::refused,
};

/// Calls in the name of one user.
pub(crate) struct Session<'a> {
    /// Where the APIs are.
    pub(super) config: &'a GoogleWorkspaceConfig,
    client: &'a Client,
    authorization: HeaderValue,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        config: &'a GoogleWorkspaceConfig,
        client: &'a Client,
        access_token: &SecretString,
    ) -> Result<Self, Error> {
        Ok(Self {
            config,
            client,
            authorization: bearer(access_token)?,
        })
    }

    pub(super) fn get(&self, endpoint: &Endpoint, path: &str) -> RequestBuilder {
        self.request(Method::GET, endpoint, path)
    }

    pub(super) fn post(&self, endpoint: &Endpoint, path: &str) -> RequestBuilder {
        self.request(Method::POST, endpoint, path)
    }

    fn request(&self, method: Method, endpoint: &Endpoint, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", endpoint.base_url);
        self.client
            .request(method, url)
            .timeout(endpoint.timeout)
            .header(AUTHORIZATION, self.authorization.clone())
    }
}

/// A search that has found nothing and not come to its end: what is looked for may be there.
#[derive(Debug, thiserror::Error)]
#[error("the search did not come to its end")]
pub(super) struct Unfinished;

impl From<Unfinished> for Error {
    fn from(unfinished: Unfinished) -> Self {
        Self::Unavailable(Box::new(unfinished))
    }
}

/// Sends a request that changes nothing.
pub(super) async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Error> {
    call(request, Nature::Read).await
}

/// Sends a request that makes something.
pub(super) async fn write<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Error> {
    call(request, Nature::Write).await
}

/// Sends a request that changes nothing and whose answer has a limit of its own; none when the answer
/// is larger.
pub(super) async fn read_up_to(
    request: RequestBuilder,
    max_bytes: usize,
) -> Result<Option<Answer>, Error> {
    let answer = send_up_to(request, Nature::Read, max_bytes).await?;
    match answer {
        Some(answer) if !answer.status.is_success() => Err(from_refusal(&answer)),
        answer => Ok(answer),
    }
}

/// The same for the content of a file; none as well when this file cannot be read.
pub(super) async fn read_content(
    request: RequestBuilder,
    max_bytes: usize,
) -> Result<Option<Answer>, Error> {
    match send_up_to(request, Nature::Read, max_bytes).await? {
        Some(answer) if is_unreadable(&answer) => Ok(None),
        Some(answer) if !answer.status.is_success() => Err(from_refusal(&answer)),
        answer => Ok(answer),
    }
}

async fn call<T: DeserializeOwned>(request: RequestBuilder, nature: Nature) -> Result<T, Error> {
    let answer = send(request, nature).await?;
    if !answer.status.is_success() {
        return Err(from_refusal(&answer));
    }
    answer.json()
}

/// A field as one segment of a path. Dots alone would lead to another path, however they are
/// written (<https://url.spec.whatwg.org/#double-dot-path-segment>).
pub(super) fn segment(field: &str, text: &str) -> Result<String, Error> {
    if text == "." || text == ".." {
        return Err(refused(field, "cannot be used"));
    }
    Ok(path_segment(text))
}
