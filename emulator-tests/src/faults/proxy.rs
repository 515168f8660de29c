//! A TCP proxy in front of the store, which can refuse, hang and cut.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// They reach the other side.
    Up,
    /// They are closed, new ones at once.
    Refusing,
    /// They stay open and carry nothing.
    Hanging,
}

/// A running proxy; dropping it closes its port and its connections.
pub struct FaultProxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
    stop: CancellationToken,
}

impl FaultProxy {
    /// Starts to forward to `target`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("the proxy cannot listen")?;
        let address = listener.local_addr()?;
        let (network, state) = watch::channel(Network::Up);
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let serving = accept(listener, target, state, tasks.clone(), stop.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(serving));
        Ok(Self {
            address,
            network,
            stop,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what becomes of connections, those that are open included.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// Closes the connections that are open; new ones reach the other side.
    pub fn cut(&self) {
        self.set(Network::Up);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    state: watch::Receiver<Network>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    // A connection that is gone before it is accepted is no reason to end.
    loop {
        if let Ok((client, _)) = listener.accept().await {
            let connection = carry(client, target, state.clone());
            tasks.spawn(stop.clone().run_until_cancelled_owned(connection));
        }
    }
}

/// Carries one connection for as long as the network stays as it is.
async fn carry(mut client: TcpStream, target: SocketAddr, mut state: watch::Receiver<Network>) {
    if *state.borrow_and_update() == Network::Up {
        tokio::select! {
            _ = state.changed() => {}
            () = forward(&mut client, target) => return,
        }
    }
    while *state.borrow_and_update() == Network::Hanging {
        if state.changed().await.is_err() {
            return;
        }
    }
}

async fn forward(client: &mut TcpStream, target: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(target).await {
        // An end by error is an end.
        let _ = copy_bidirectional(client, &mut server).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Router, routing::get};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::emulators::{LocalServer, client};

    async fn start() -> (LocalServer, FaultProxy, String) {
        let router = Router::new().route("/", get(async || "here"));
        let server = LocalServer::start("target", 0, router).await.unwrap();
        let proxy = FaultProxy::start(server.address()).await.unwrap();
        let url = format!("http://{}/", proxy.address());
        (server, proxy, url)
    }

    #[tokio::test]
    async fn it_refuses_until_the_network_is_up_again() {
        let (_server, proxy, url) = start().await;
        proxy.set(Network::Refusing);
        assert!(client().get(&url).send().await.is_err());
        proxy.set(Network::Up);
        assert!(client().get(&url).send().await.is_ok());
    }

    #[tokio::test]
    async fn a_connection_that_hangs_gets_no_answer() {
        let (_server, proxy, url) = start().await;
        proxy.set(Network::Hanging);
        let call = client().get(&url).send();
        let answer = tokio::time::timeout(Duration::from_millis(50), call).await;
        assert!(answer.is_err());
    }

    #[tokio::test]
    async fn a_cut_ends_open_connections_only() {
        let (_server, proxy, url) = start().await;
        let mut open = TcpStream::connect(proxy.address()).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: target\r\n\r\n";
        open.write_all(request).await.unwrap();
        open.read_u8().await.unwrap();
        proxy.cut();
        let mut rest = Vec::new();
        // It ends in one way or the other, where an open one would wait for ever.
        let _ = open.read_to_end(&mut rest).await;
        assert!(client().get(&url).send().await.is_ok());
    }
}
