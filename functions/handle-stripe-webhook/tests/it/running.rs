//! The router on a port of its own, as Stripe and the queue reach it.

use axum::Router;
use http::StatusCode;
use shared::{
    clock::Clock,
    queue::Task,
    testing::{TestServiceVerifier, stripe_signature},
};
use tokio::{net::TcpListener, task::AbortHandle};

use crate::app::{SECRET, TestApp};

pub(crate) struct Running {
    url: String,
    client: reqwest::Client,
    server: AbortHandle,
}

impl Running {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            client: shared::http::client().unwrap(),
            server: server.abort_handle(),
        }
    }

    /// Posts an event as Stripe does.
    pub(crate) async fn deliver(&self, app: &TestApp, body: String) -> StatusCode {
        let now = app.clock.now().as_second();
        let signature = stripe_signature(SECRET, now, body.as_bytes());
        self.post(&[signature.as_bytes()], body.into_bytes()).await
    }

    /// Posts a body with these lines of the signature's header.
    pub(crate) async fn post(&self, headers: &[&[u8]], body: Vec<u8>) -> StatusCode {
        let mut request = self.client.post(&self.url);
        for header in headers {
            request = request.header("stripe-signature", *header);
        }
        let request = request.header("content-type", "application/json");
        request.body(body).send().await.unwrap().status()
    }

    /// Brings a task as the queue does.
    pub(crate) async fn bring(&self, task: &Task) -> StatusCode {
        let url = format!("{}{}", self.url, task.work.path());
        let request = self
            .client
            .post(url)
            .bearer_auth(TestServiceVerifier::EXPECTED);
        let request = request.body(task.work.to_body().unwrap());
        request.send().await.unwrap().status()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}
