//! Secrets go through the whole product, and show nowhere. A program of its own, because it listens
//! to all that its process logs.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod connections;
mod dead_letters;
mod hooks;
mod models;
mod runs;
mod world;

use std::collections::BTreeMap;

use emulator_tests::{
    PROJECT_ID,
    canary::{Find, Home, Log},
    client::http_client,
    stubs::collector::Collector,
};
use serde_json::json;
use shared::{
    config::Env,
    store::{
        Write,
        document_db::{DocumentPath, Operation, Precondition},
        encode,
    },
    telemetry::{self, TRACE, TraceConfig},
};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use world::{Heard, World};

/// Everything of ours, and more of the libraries than anybody would ask for in production. The
/// embedded Firestore is not of the product. `CANARY_FILTER=trace` hears all of it, in 400 MB.
const FILTER: &str = "debug,hidane=off,hidane_core=off,shared=trace,api=trace,deploy_agent=trace,\
    execute_workflow=trace,handle_stripe_webhook=trace,on_user_create=trace,\
    sync_google_workspace=trace";

/// Where secrets are that somebody has asked for, or that are somebody's content.
const HOMES: [Home; 9] = [
    // The address of Google's consent screen brings it back.
    Home {
        canary: "state",
        place: "answer to POST /integrations/google/auth",
    },
    // Google brings them to the browser, which is sent on with them in the fragment.
    Home {
        canary: "state",
        place: "answer to GET /integrations/google/callback",
    },
    Home {
        canary: "authorization code",
        place: "answer to GET /integrations/google/callback",
    },
    // They are shown to those who set up the webhooks.
    Home {
        canary: "webhook token",
        place: "answer to GET /workflows/{id}/webhooks",
    },
    Home {
        canary: "webhook secret",
        place: "answer to GET /workflows/{id}/webhooks",
    },
    // Only the invited reads it.
    Home {
        canary: "invitation token",
        place: "mail `You are invited to ",
    },
    // What a run has read is its members' to see.
    Home {
        canary: "mail text",
        place: "document executions/",
    },
    Home {
        canary: "mail text",
        place: "answer to GET /executions/{id}",
    },
    // What is synced is found in its index, which no client reads.
    Home {
        canary: "mail text",
        place: "document organizations/*/knowledge/",
    },
];

/// Hears all that is logged, and has all spans go to the collector.
fn listen(collector: Collector) -> Heard {
    let config = TraceConfig {
        endpoint: collector.url().parse().unwrap(),
        ratio: 1.0,
        service: "canary".to_owned(),
        project_id: PROJECT_ID.to_owned(),
    };
    let (traces, telemetry) = telemetry::traces(&config).unwrap();
    let log = Log::default();
    let logs = telemetry::json_logs(PROJECT_ID, log.clone());
    let env = Env::from_process();
    let filter = env.optional("CANARY_FILTER").unwrap_or(FILTER);
    let logs = logs.with_filter(EnvFilter::new(filter));
    tracing_subscriber::registry()
        .with(traces)
        .with(logs)
        .init();
    Heard {
        log,
        collector,
        telemetry,
    }
}

/// The finds by canary, form and kind of place, with one example of each.
fn tell(finds: &[Find]) -> String {
    let mut kinds = BTreeMap::new();
    for find in finds {
        let place = find.place.split_inclusive('/').next().unwrap_or_default();
        let kind = (find.canary, find.form, place);
        kinds.entry(kind).or_insert_with(|| find.to_string());
    }
    let lines: Vec<String> = kinds.into_values().collect();
    format!("{} finds\n{}", finds.len(), lines.join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_shows_anywhere() {
    let collector = Collector::start().await.unwrap();
    let world = World::start(listen(collector)).await;
    connections::connect_all(&world).await;
    runs::run_all(&world).await;
    models::ask_all(&world).await;
    hooks::knock(&world).await;
    dead_letters::arrive(&world).await;
    world.flush();
    let finds = world.scan(&HOMES);
    println!("{}", world.size());
    assert!(finds.is_empty(), "{}", tell(&finds));
    assert_planted_secrets_are_found(&world).await;
    world.stop().await;
}

/// One in each kind of place, so that none is passed over.
async fn assert_planted_secrets_are_found(world: &World) {
    let planted = world.secrets.make("planted secret", "sk_live_");
    tracing::trace!(target: "shared::vault", header = ?planted, "planted");
    tracing::info_span!(target: TRACE, "planted", header = planted).in_scope(|| {});
    let path = DocumentPath::new("planted", "p1");
    let fields = encode(&path, &json!({ "nested": { "list": [planted] } })).unwrap();
    let write = Write {
        path,
        operation: Operation::Replace(fields),
        precondition: Precondition::None,
    };
    world.store.commit(vec![write]).await.unwrap();
    let http = http_client().unwrap();
    let mail = json!({
        "personalizations": [{ "to": [{ "email": "ada@example.com" }] }],
        "from": { "email": "ada@example.com" },
        "subject": "Planted",
        "content": [{ "type": "text/plain", "value": planted }],
    });
    let request = http.post(format!("{}/v3/mail/send", world.mail.url()));
    request.bearer_auth("key").json(&mail).send().await.unwrap();
    let request = http.post(format!("{}/v1/echo", world.harness.web().url()));
    world
        .answers
        .send("planted", request.json(&json!([planted])))
        .await;
    world.flush();
    let finds = world.scan(&HOMES);
    for place in [
        "log",
        "span",
        "document planted/p1",
        "mail `Planted`",
        "answer to planted",
    ] {
        let found = finds.iter().any(|find| find.place == place);
        assert!(found, "{place}: {}", tell(&finds));
    }
}
