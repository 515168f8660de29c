use std::{fmt, time::Duration};

use async_trait::async_trait;
use http::{Request, Response};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use reqwest::Client;
use tokio::runtime::{self, Runtime};

use super::TraceConfig;
use crate::service_identity::ServiceIdentity;

/// What takes spans. It has a runtime of its own, which the thread that sends batches waits for: no
/// request does, and what is left is sent when the service's runtime has nothing to do any more.
pub(super) struct Collector {
    client: Client,
    identity: Option<ServiceIdentity>,
    runtime: Runtime,
}

impl Collector {
    pub(super) fn new(config: &TraceConfig, timeout: Duration) -> Result<Self, HttpError> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout);
        let mut runtime = runtime::Builder::new_multi_thread();
        runtime.worker_threads(1).thread_name("spans").enable_all();
        Ok(Self {
            client: client.build()?,
            identity: config.is_google().then(ServiceIdentity::new),
            runtime: runtime.build()?,
        })
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        if let Some(identity) = &self.identity {
            request.headers_mut().extend(identity.headers().await?);
        }
        let response = self.client.execute(request.try_into()?).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut answer = Response::new(response.bytes().await?);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.runtime.block_on(self.send(request))
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}
