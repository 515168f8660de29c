//! How serving ends.

use std::process::Command;

use axum::Router;
use shared::{http::serve_until, shutdown::Shutdown};

#[tokio::test]
async fn sigterm_is_told_to_whoever_holds_the_shutdown() {
    let shutdown = Shutdown::new();
    let terminate = async {
        // Its signal handlers stand: `join!` has polled the server first.
        let pid = std::process::id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(status.unwrap().success());
        shutdown.begun().await;
    };
    let (served, ()) = tokio::join!(serve_until(Router::new(), 0, shutdown.clone()), terminate);
    served.unwrap();
    assert!(shutdown.has_begun());
}

#[tokio::test]
async fn serving_ends_when_the_shutdown_begins() {
    let shutdown = Shutdown::new();
    let begin = async { shutdown.begin() };
    let (served, ()) = tokio::join!(serve_until(Router::new(), 0, shutdown.clone()), begin);
    served.unwrap();
}
