use std::{
    future::IntoFuture,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    serve::{ListenerExt, TapIo},
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::shutdown::Shutdown;

/// Cloud Run kills an instance 10 s after SIGTERM
/// (<https://cloud.google.com/run/docs/container-contract#instance-shutdown>); what a function does
/// last has the rest.
const DRAIN_TIME: Duration = Duration::from_secs(8);

/// Serves until SIGTERM or SIGINT, then lets requests finish for at most 8 s.
///
/// # Errors
/// Returns an error when the port cannot be bound or signals cannot be awaited.
pub async fn serve(router: Router, port: u16) -> io::Result<()> {
    serve_until(router, port, Shutdown::new()).await
}

/// Serves until SIGTERM, SIGINT or the start of `shutdown`, which each of them is; then lets
/// requests finish for at most 8 s. Handlers learn who is at the other end by `ConnectInfo`.
///
/// # Errors
/// Returns an error when the port cannot be bound or signals cannot be awaited.
pub async fn serve_until(router: Router, port: u16, shutdown: Shutdown) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    tracing::info!(port, "serving");
    let begun = shutdown.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(without_delay(listener), service)
        .with_graceful_shutdown(async move { begun.begun().await });
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        result = &mut server => return result,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = shutdown.begun() => {}
    }
    tracing::info!("stopping");
    shutdown.begin();
    timeout(DRAIN_TIME, server).await.unwrap_or_else(|_| {
        tracing::warn!("stopped with requests under way");
        Ok(())
    })
}

/// Connections that send each piece of a stream at once: the kernel would hold it back until the
/// piece before is acknowledged, which takes clients up to 40 ms
/// (<https://datatracker.ietf.org/doc/html/rfc9293#section-3.7.4>).
#[must_use]
pub fn without_delay(
    listener: TcpListener,
) -> TapIo<TcpListener, impl FnMut(&mut TcpStream) + Send + 'static> {
    listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection waits for acknowledgements");
        }
    })
}
