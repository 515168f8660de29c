//! How often somebody may come, over several processes and a real Redis.
//!
//! The minute is scaled to two seconds; the limit, the script and the processes are those that ship.

mod record;

use std::{
    io::Read,
    process::{Child, Stdio},
    time::Duration,
};

use emulator_tests::{Harness, HarnessOptions, client::http_client};
use futures::{StreamExt, stream};
use reqwest::{Client, Method, Response, StatusCode, redirect::Policy};
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::{config::Env, testing::RedisServer};
use tokio::time::Instant;

use self::record::{Call, Outcome, Record};
use super::{
    PATIENCE,
    processes::{free_port, service, terminate, wait_until_healthy},
};

const WINDOW: Duration = Duration::from_secs(2);
const LIMIT: usize = 100;
const REQUESTS: usize = 10_000;
const PROCESSES: usize = 4;
/// Requests under way at once.
const AT_ONCE: usize = 16;

/// A webhook receiver of its own process.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    async fn start(redis: &RedisServer) -> Self {
        let port = free_port();
        let child = service("handle-stripe-webhook")
            .env("PORT", port.to_string())
            .env("REDIS_URL", redis.url().expose_secret())
            .env("RATE_LIMIT_HOOKS", LIMIT.to_string())
            .env("RATE_LIMIT_WINDOW_SECS", WINDOW.as_secs().to_string())
            .env("LOG_FILTER", "off,shared::rate_limit=info")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}/");
        let process = Self { child, url };
        wait_until_healthy(port).await;
        process
    }

    async fn start_all(redis: &RedisServer) -> Vec<Self> {
        let mut processes = Vec::new();
        for _ in 0..PROCESSES {
            processes.push(Self::start(redis).await);
        }
        processes
    }

    /// Ends it and tells what it has logged of its limits.
    fn end(mut self) -> String {
        terminate(&self.child);
        let mut output = self.child.stdout.take().unwrap();
        let mut log = String::new();
        output.read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request of one client, whose proxy spoofs what it can.
async fn send(http: &Client, method: Method, url: &str, number: usize) -> Response {
    let spoofed = format!("10.0.{}.{}, 198.51.100.7", number / 250 % 250, number % 250);
    let request = http.request(method, url).header("x-forwarded-for", spoofed);
    request.body("{}").send().await.unwrap()
}

/// An event without a signature: 400 for who is admitted.
async fn call(http: &Client, url: &str, number: usize, began: Instant) -> Call {
    let sent = began.elapsed();
    let response = send(http, Method::POST, url, number).await;
    let received = began.elapsed();
    let outcome = match response.status() {
        StatusCode::BAD_REQUEST => Outcome::Admitted,
        StatusCode::TOO_MANY_REQUESTS => refusal(response).await,
        status => panic!("{status}"),
    };
    Call {
        sent,
        received,
        outcome,
    }
}

async fn refusal(response: Response) -> Outcome {
    let retry_after = response.headers()["retry-after"].to_str().unwrap();
    let retry_after = Duration::from_secs(retry_after.parse().unwrap());
    let body: Value = response.json().await.unwrap();
    match body["error"]["details"]["reason"].as_str() {
        Some("rate_limited") => Outcome::Refused { retry_after },
        // A machine that is busy may miss the 50 ms that Redis has.
        Some("rate_limit_unavailable") => Outcome::Uncounted,
        _ => panic!("{body}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_admit_a_hundred_in_any_window_and_tell_when_to_come_again() {
    let redis = RedisServer::start().unwrap();
    let processes = Process::start_all(&redis).await;
    let http = http_client().unwrap();
    let began = Instant::now();
    // One each millisecond, so that they come at all phases of several windows.
    let ticks = tokio::time::interval(Duration::from_millis(1));
    let ticks = stream::unfold(ticks, async |mut ticks| {
        ticks.tick().await;
        Some(((), ticks))
    });
    let calls = ticks.enumerate().take(REQUESTS).map(|(number, ())| {
        let url = &processes[number % PROCESSES].url;
        call(&http, url, number, began)
    });
    let calls: Vec<_> = calls.buffer_unordered(AT_ONCE).collect().await;
    let record = Record::new(calls, WINDOW, LIMIT);
    record.assert_no_window_has_more_than_the_limit();
    record.assert_the_first_window_is_filled();
    record.assert_refusals_are_true_within_a_second();
}

#[tokio::test]
async fn redis_that_dies_under_load_is_one_alert_and_no_5xx() {
    let mut redis = RedisServer::start().unwrap();
    let process = Process::start(&redis).await;
    let http = http_client().unwrap();
    let recover = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        loop {
            interval.tick().await;
            let call = call(&http, &process.url, 0, Instant::now()).await;
            if call.outcome == Outcome::Admitted {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, recover).await.unwrap();
    redis.kill().unwrap();
    let mut reads = 0;
    for number in 0..200 {
        let refused = call(&http, &process.url, number, Instant::now()).await;
        assert_eq!(refused.outcome, Outcome::Uncounted);
        // There is nothing to read here: 405 for who is admitted.
        let read = send(&http, Method::GET, &process.url, number).await;
        let is_admitted = read.status() == StatusCode::METHOD_NOT_ALLOWED;
        assert!(is_admitted || read.status() == StatusCode::TOO_MANY_REQUESTS);
        reads += usize::from(is_admitted);
    }
    assert!(reads >= LIMIT, "{reads}");
    redis.restart().unwrap();
    let recover = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        while call(&http, &process.url, 0, Instant::now()).await.outcome != Outcome::Admitted {
            interval.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, recover).await.unwrap();
    assert_one_alert_an_outage(&process.end());
}

/// A busy machine may add short outages; each is told once, and its end.
fn assert_one_alert_an_outage(log: &str) {
    let outages = log.lines().filter(|line| line.contains("rate limits"));
    let lines: Vec<bool> = outages
        .map(|line| line.contains("cannot be counted"))
        .collect();
    let expected: Vec<bool> = (0..lines.len()).map(|number| number % 2 == 0).collect();
    assert!(lines.len() >= 2 && lines.len() < 20, "{log}");
    assert_eq!(lines, expected, "{log}");
}

#[tokio::test]
async fn every_public_service_limits_its_clients_as_it_is_configured() {
    let variables = [
        ("RATE_LIMIT_CLIENT", "3"),
        ("RATE_LIMIT_HOOKS", "2"),
        ("RATE_LIMIT_OAUTH_CALLBACK", "1"),
        ("RATE_LIMIT_HEALTH", "4"),
    ];
    let options = HarnessOptions {
        env: Env::from_pairs(variables),
        ..HarnessOptions::default()
    };
    let harness = Harness::start(options).await.unwrap();
    let http = Client::builder().no_proxy().redirect(Policy::none());
    let (http, url) = (http.build().unwrap(), &harness.endpoints().api_url);
    for (method, path, limit) in [
        (Method::GET, "/api/v1/me", 3),
        (Method::POST, "/api/v1/hooks/w/h/t", 2),
        (Method::GET, "/api/v1/integrations/google/callback", 1),
        (Method::POST, "/deployAgent", 3),
        (Method::POST, "/webhooks/stripe", 2),
        (Method::GET, "/healthz", 4),
    ] {
        let mut admitted = 0;
        for number in 0..10 {
            let response = send(&http, method.clone(), &format!("{url}{path}"), number).await;
            assert_eq!(
                response.headers()["ratelimit-limit"],
                limit.to_string(),
                "{path}"
            );
            admitted += usize::from(response.status() != StatusCode::TOO_MANY_REQUESTS);
        }
        assert_eq!(admitted, limit, "{path}");
    }
    harness.stop().await;
}
