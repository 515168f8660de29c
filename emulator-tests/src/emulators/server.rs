//! One router on one loopback port, stopped with its owner.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use shared::http::without_delay;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long open requests get to finish after a stop.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// A loopback port that is taken and not served yet, so that others can be told of it before.
#[derive(Debug)]
pub(crate) struct LocalPort {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

/// A running HTTP server; dropping it closes its port.
#[derive(Debug)]
pub(crate) struct LocalServer {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl LocalPort {
    /// Takes `127.0.0.1:port`; port 0 takes any free one.
    pub(crate) async fn bind(name: &'static str, port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("{name} cannot listen on 127.0.0.1:{port}"))?;
        let address = listener.local_addr()?;
        Ok(Self {
            name,
            listener,
            address,
        })
    }

    /// The address as a URL without a trailing slash.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves `router`, connections that came before included.
    pub(crate) fn serve(self, router: Router) -> LocalServer {
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(without_delay(self.listener), service)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(server.name = self.name, %error, "a local server ended");
            }
        });
        tasks.close();
        LocalServer {
            address: self.address,
            stop,
            tasks,
        }
    }
}

impl LocalServer {
    /// Serves `router` on `127.0.0.1:port`; port 0 takes any free one.
    pub(crate) async fn start(
        name: &'static str,
        port: u16,
        router: Router,
    ) -> anyhow::Result<Self> {
        Ok(LocalPort::bind(name, port).await?.serve(router))
    }

    /// The address it answers on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL without a trailing slash.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it and waits until its port is closed.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(GRACE, self.tasks.wait()).await;
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
