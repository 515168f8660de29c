use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use shared::{
    ids::{AgentId, OrgId},
    models::{Agent, AgentRuntime, Timestamp},
    service_identity::ServiceIdentity,
};

use super::{
    CloudRunConfig, Error, Orchestrator, Progress, Remains,
    service::{self, service_id},
};

/// <https://cloud.google.com/run/docs/reference/rest>.
const BASE_URL: &str = "https://run.googleapis.com";

/// Longest wait for one call; the services are made meanwhile and asked for later.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Codes of an operation's error that pass: `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`, `ABORTED`,
/// `INTERNAL`, `UNAVAILABLE`
/// (<https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>).
const PASSING_CODES: [i64; 5] = [4, 8, 10, 13, 14];

/// Cloud Run's Admin API with this service's identity, or a stand-in's.
///
/// It asks for the service itself instead of the operation that makes it: whoever goes on after a
/// crash knows the service's name, but no operation's.
pub struct CloudRun {
    client: Client,
    config: CloudRunConfig,
    services_url: String,
    identity: ServiceIdentity,
}

impl CloudRun {
    /// The services that the configuration names.
    #[must_use]
    pub fn new(config: CloudRunConfig, client: Client) -> Self {
        let base_url = match &config.emulator_host {
            Some(host) => format!("http://{host}"),
            None => BASE_URL.to_owned(),
        };
        let (project, region) = (&config.project_id, &config.region);
        let services_url = format!("{base_url}/v2/projects/{project}/locations/{region}/services");
        Self {
            client,
            config,
            services_url,
            identity: ServiceIdentity::new(),
        }
    }

    async fn find(&self, id: &AgentId) -> Result<Option<Value>, Error> {
        let request = self.request(Method::GET, self.url(id)).await?;
        let response = request.send().await.map_err(unavailable)?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = accept(response).await?;
        response.json().await.map(Some).map_err(unavailable)
    }

    async fn create(&self, agent: &Agent, wanted: &Value) -> Result<Progress, Error> {
        let request = self
            .request(Method::POST, self.services_url.clone())
            .await?;
        let request = request.query(&[("serviceId", service_id(&agent.id))]);
        begin(request.json(wanted)).await
    }

    /// Only if nobody has changed it since it was read.
    async fn change(
        &self,
        agent: &Agent,
        found: &Value,
        wanted: &Value,
    ) -> Result<Progress, Error> {
        let mut body = wanted.clone();
        body["etag"] = found["etag"].clone();
        let request = self.request(Method::PATCH, self.url(&agent.id)).await?;
        begin(request.json(&body)).await
    }

    fn url(&self, id: &AgentId) -> String {
        format!("{}/{}", self.services_url, service_id(id))
    }

    async fn request(&self, method: Method, url: String) -> Result<RequestBuilder, Error> {
        let headers = match self.config.emulator_host {
            Some(_) => HeaderMap::new(),
            None => self.identity.headers().await.map_err(unavailable)?,
        };
        let request = self.client.request(method, url).timeout(TIMEOUT);
        Ok(request.headers(headers))
    }
}

#[async_trait]
impl Orchestrator for CloudRun {
    fn register(&self, _agent: &Agent, _now: Timestamp) -> Option<AgentRuntime> {
        None
    }

    async fn ensure(&self, agent: &Agent, now: Timestamp) -> Result<Progress, Error> {
        let wanted = service::wanted(&self.config, agent);
        let Some(found) = self.find(&agent.id).await? else {
            return self.create(agent, &wanted).await;
        };
        if !service::is_of(&found, &agent.org_id, &agent.id) {
            return Err(Error::Foreign);
        }
        if service::is_going(&found) {
            return Ok(Progress::Pending);
        }
        match service::is_as(&found, &wanted) {
            true => Ok(service::progress(&found, agent, now)),
            false => self.change(agent, &found, &wanted).await,
        }
    }

    async fn remains(&self, org_id: &OrgId, id: &AgentId) -> Result<Remains, Error> {
        let Some(found) = self.find(id).await? else {
            return Ok(Remains::Nothing);
        };
        if !service::is_of(&found, org_id, id) {
            tracing::error!(agent.id = %id, "a service that is not the agent's has its name");
            return Ok(Remains::Nothing);
        }
        if service::is_going(&found) {
            return Ok(Remains::Going);
        }
        let etag = found["etag"].as_str().unwrap_or_default().to_owned();
        Ok(Remains::Service { etag })
    }

    async fn remove(&self, id: &AgentId, etag: &str) -> Result<(), Error> {
        let request = self.request(Method::DELETE, self.url(id)).await?;
        let response = request.query(&[("etag", etag)]).send().await;
        let response = response.map_err(unavailable)?;
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(()),
            _ => accept(response).await.map(|_| ()),
        }
    }
}

/// Sends what begins an operation. A conflict is another's success, or a change since the service
/// was read: the next look tells.
async fn begin(request: RequestBuilder) -> Result<Progress, Error> {
    let response = request.send().await.map_err(unavailable)?;
    if response.status() == StatusCode::CONFLICT {
        return Ok(Progress::Pending);
    }
    let operation: Value = accept(response).await?.json().await.map_err(unavailable)?;
    match operation["error"]["code"].as_i64() {
        None => Ok(Progress::Pending),
        Some(code) if PASSING_CODES.contains(&code) => Err(unavailable(format!("code {code}"))),
        Some(code) => Err(Error::Refused(format!("code {code}"))),
    }
}

async fn accept(response: Response) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let is_busy = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS
        );
    if is_busy {
        return Err(unavailable(format!("status {status}")));
    }
    let answer: Value = response.json().await.unwrap_or_default();
    let error = &answer["error"];
    let message = error["message"].as_str().unwrap_or_default();
    tracing::error!(failure = message, "Cloud Run refused");
    let code = error["status"].as_str().unwrap_or_default();
    Err(Error::Refused(format!("status {status} {code}")))
}

fn unavailable(source: impl Into<super::BoxError>) -> Error {
    Error::Unavailable(source.into())
}
