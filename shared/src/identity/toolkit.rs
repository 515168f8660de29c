use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::{Accounts, Error};
use crate::{
    ids::Uid,
    retry::{Policy, retry},
    service_identity::ServiceIdentity,
};

/// <https://cloud.google.com/identity-platform/docs/reference/rest>.
const BASE_URL: &str = "https://identitytoolkit.googleapis.com";

/// Longest wait for one call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Identity Toolkit's REST API with this service's identity, or the Auth emulator's.
pub struct IdentityToolkit {
    client: Client,
    accounts_url: String,
    owner: Owner,
}

/// Who the caller says it is.
enum Owner {
    /// This service, by its identity on Google Cloud.
    Service(ServiceIdentity),
    /// The emulator takes this token as the owner's.
    Emulator,
}

impl IdentityToolkit {
    /// The accounts of a project; with `emulator_host`, those of an emulator.
    #[must_use]
    pub fn new(client: Client, project_id: &str, emulator_host: Option<&str>) -> Self {
        let (base_url, owner) = match emulator_host {
            Some(host) => (
                format!("http://{host}/identitytoolkit.googleapis.com"),
                Owner::Emulator,
            ),
            None => (BASE_URL.to_owned(), Owner::Service(ServiceIdentity::new())),
        };
        Self {
            client,
            accounts_url: format!("{base_url}/v1/projects/{project_id}/accounts"),
            owner,
        }
    }

    async fn call(&self, verb: &str, body: &Value) -> Result<(), Error> {
        retry(Policy::REMOTE_CALL, || self.call_once(verb, body)).await
    }

    async fn call_once(&self, verb: &str, body: &Value) -> Result<(), Error> {
        let request = self.client.post(format!("{}:{verb}", self.accounts_url));
        let request = request
            .headers(self.authorization().await?)
            .timeout(TIMEOUT);
        let response = request.json(body).send().await.map_err(unavailable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let is_busy = status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
            );
        if is_busy {
            return Err(unavailable(format!("status {status}")));
        }
        let answer: Value = response.json().await.unwrap_or_default();
        // The account is gone: there is nothing left to end or to delete.
        if answer["error"]["message"] == "USER_NOT_FOUND" {
            return Ok(());
        }
        let status = status.as_u16();
        Err(Error::Refused { status })
    }

    async fn authorization(&self) -> Result<HeaderMap, Error> {
        match &self.owner {
            Owner::Emulator => {
                let owner = HeaderValue::from_static("Bearer owner");
                Ok(HeaderMap::from_iter([(AUTHORIZATION, owner)]))
            }
            Owner::Service(identity) => identity.headers().await.map_err(unavailable),
        }
    }
}

#[async_trait]
impl Accounts for IdentityToolkit {
    async fn revoke_sessions(&self, uid: &Uid, valid_since: jiff::Timestamp) -> Result<(), Error> {
        let seconds = valid_since.as_second().to_string();
        let body = json!({ "localId": uid, "validSince": seconds });
        self.call("update", &body).await
    }

    async fn delete(&self, uid: &Uid) -> Result<(), Error> {
        self.call("delete", &json!({ "localId": uid })).await
    }
}

fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Unavailable(source.into())
}
