//! Each service as its own process, as Cloud Run starts it.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use emulator_tests::client::http_client;
use reqwest::StatusCode;
use shared::config::Env;

use super::PATIENCE;

const SERVICES: [&str; 6] = [
    "api",
    "deploy-agent",
    "execute-workflow",
    "handle-stripe-webhook",
    "on-user-create",
    "sync-google-workspace",
];

/// What every service can start with; none of it is a real secret.
pub(super) const VARIABLES: [(&str, &str); 15] = [
    ("GOOGLE_CLOUD_PROJECT", "demo-infinity-x"),
    ("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1"),
    ("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:1"),
    ("OPENAI_API_KEY", "local"),
    ("SENDGRID_API_KEY", "local"),
    ("EMAIL_FROM", "hello@infinity-x.localhost"),
    ("STRIPE_API_KEY", "sk_test_local"),
    ("STRIPE_WEBHOOK_SECRETS", "whsec_local"),
    ("LOCAL_MAC_KEY", "local"),
    ("APP_URL", "http://localhost:5173"),
    ("CLOUD_TASKS_EMULATOR_HOST", "127.0.0.1:1"),
    (
        "TASKS_QUEUE",
        "projects/demo-infinity-x/locations/local/queues/executions",
    ),
    ("TASKS_TARGET_URL", "http://127.0.0.1:1"),
    (
        "STRIPE_EVENTS_QUEUE",
        "projects/demo-infinity-x/locations/local/queues/stripe-events",
    ),
    ("STRIPE_EVENTS_TARGET_URL", "http://127.0.0.1:1"),
];

/// `cargo xtask test` names a folder with the services as they ship. In `target/<profile>` a
/// build of the whole workspace has given them the `testing` feature.
pub(super) fn services_dir() -> PathBuf {
    if let Some(directory) = Env::from_process().optional("SERVICES_DIR") {
        return directory.into();
    }
    // This test is `target/<profile>/deps/it-*`; the services are two levels up.
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

pub(super) fn service(name: &str) -> Command {
    let program = services_dir().join(name);
    assert!(program.exists(), "build the services first: `cargo build`");
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(VARIABLES)
        .env("STRIPE_LIVEMODE", "false");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// A port that was free a moment ago: Cloud Run names a port as well.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub(super) async fn wait_until_healthy(port: u16) {
    let http = http_client().unwrap();
    let url = format!("http://127.0.0.1:{port}/healthz");
    let look = async {
        let mut interval = tokio::time::interval(Duration::from_millis(5));
        loop {
            interval.tick().await;
            if let Ok(response) = http.get(&url).send().await {
                assert_eq!(response.status(), StatusCode::OK);
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .expect("the service does not answer");
}

pub(super) fn terminate(child: &Child) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn each_service_answers_its_health_check_and_ends_on_sigterm() {
    for name in SERVICES {
        let port = free_port();
        let mut child = service(name).env("PORT", port.to_string()).spawn().unwrap();
        wait_until_healthy(port).await;
        terminate(&child);
        let stopping = Instant::now();
        let status = child.wait().unwrap();
        assert!(status.success(), "{name}: {status}");
        assert!(
            stopping.elapsed() < Duration::from_secs(10),
            "{name} was slow to stop"
        );
    }
}

#[test]
fn a_missing_variable_ends_the_start_with_its_name() {
    for name in SERVICES {
        let output = service(name)
            .env_remove("GOOGLE_CLOUD_PROJECT")
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name}");
        assert!(
            message.contains("GOOGLE_CLOUD_PROJECT"),
            "{name}: {message}"
        );
    }
}

#[test]
fn an_emulator_variable_ends_the_start_on_cloud_run() {
    for name in SERVICES {
        let output = service(name).env("K_SERVICE", name).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name}");
        assert!(message.contains("EMULATOR_HOST"), "{name}: {message}");
    }
}
