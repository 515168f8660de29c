//! Everything that runs: the database, Redis, the queue, and who answers.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use axum::{Json, Router, routing::post};
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::json;
use shared::{
    config::{Env, ServiceConfig},
    ids::{OrgId, Uid},
    store::{Store, firestore::Firestore},
    testing::RedisServer,
};

use super::ask::{Asked, SECRET, Target, is_me};
use crate::{
    bench::{
        api::HIGH_LIMITS,
        caller::{Issuer, KEYS},
        contender::{Contender, step_aside},
        database::Database,
        load::Ask,
        process, tenant,
    },
    emulators::LocalServer,
};

const PROJECT_ID: &str = "demo-bench";
const QUEUE: &str = "projects/demo-bench/locations/l/queues/stripe-events";

/// The service as it ships, built beside this program.
const SERVICE: &str = "handle-stripe-webhook";
/// The handlers in Node, and the command of Google's framework that serves them.
const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node-bench");
const FRAMEWORK: &str = "node_modules/@google-cloud/functions-framework/build/src/main.js";

/// What is knocked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Door {
    /// Where Stripe's events come in.
    Webhook,
    /// A route of the API for users.
    Me,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Maker {
    /// The least that can be done.
    Ceiling,
    /// Infinity X.
    Ours,
    /// The same in Node.
    Node,
}

pub(super) struct Town {
    database: Database,
    _redis: RedisServer,
    _queue: LocalServer,
    http: Client,
    contenders: BTreeMap<(Door, Maker), Contender>,
    uid: Uid,
    token: String,
    count: Arc<AtomicU64>,
}

impl Door {
    const ALL: [Self; 2] = [Self::Webhook, Self::Me];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Me => "API",
        }
    }
}

impl Maker {
    pub(super) const ALL: [Self; 3] = [Self::Ceiling, Self::Ours, Self::Node];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ceiling => "ceiling",
            Self::Ours => "Infinity X",
            Self::Node => "Node",
        }
    }
}

impl Town {
    pub(super) async fn start() -> Result<Self> {
        step_aside().await?;
        let database = Database::start(PROJECT_ID, None).await?;
        let redis = RedisServer::start().context("cannot start redis-server")?;
        let queue = start_queue().await?;
        let issuer = Issuer::new(PROJECT_ID)?;
        let variables = variables(&database, &redis, &queue, &issuer)?;
        let env = Env::from_pairs(variables.iter().cloned());
        let store = Store::new(Arc::new(Firestore::new(&ServiceConfig::load(&env)?)));
        let org_id = OrgId::generate();
        let uid = Uid::parse(org_id.as_str()).context("no uid")?;
        tenant::settle(&store, &org_id, &uid).await?;
        let mut contenders = BTreeMap::new();
        for door in Door::ALL {
            for maker in Maker::ALL {
                let contender = start_contender(door, maker, &variables).await;
                let contender =
                    contender.with_context(|| format!("{}: {}", maker.name(), door.name()))?;
                contenders.insert((door, maker), contender);
            }
        }
        Ok(Self {
            database,
            _redis: redis,
            _queue: queue,
            http: crate::client::http_client()?,
            contenders,
            token: issuer.token(&uid)?,
            uid,
            count: Arc::default(),
        })
    }

    /// Everybody who answers, door by door.
    pub(super) fn processes(&self) -> impl Iterator<Item = (Door, Maker)> {
        self.contenders
            .keys()
            .copied()
            .collect::<Vec<_>>()
            .into_iter()
    }

    pub(super) fn target(&self, door: Door, maker: Maker, asked: Asked) -> Result<Target> {
        Ok(Target {
            client: self.http.clone(),
            url: self.contender(door, maker)?.url().to_owned(),
            token: self.token.clone(),
            asked,
            count: self.count.clone(),
        })
    }

    /// Looks whether the right answers are given, and the wrong ones are not.
    pub(super) async fn check(&self, maker: Maker) -> Result<()> {
        for asked in [Asked::Event, Asked::Forged] {
            let target = self.target(Door::Webhook, maker, asked)?;
            let status = target.request().send().await?.status();
            ensure!(status == target.status(), "{asked:?} is answered {status}");
        }
        let mut target = self.target(Door::Me, maker, Asked::Me)?;
        ensure!(is_me(&target, self.uid.as_str()).await?, "somebody else");
        target.token.truncate(target.token.len() - 8);
        target.token.push_str("AAAAAAAA");
        let status = target.request().send().await?.status();
        ensure!(status == 401, "a wrong token is answered {status}");
        Ok(())
    }

    pub(super) fn cpu(&self, door: Door, maker: Maker) -> Result<Duration> {
        process::cpu_time_of(self.contender(door, maker)?.pid()?)
    }

    pub(super) fn resident(&self, door: Door, maker: Maker) -> Result<u64> {
        process::resident_bytes_of(self.contender(door, maker)?.pid()?)
    }

    pub(super) fn start_time(&self, door: Door, maker: Maker) -> Result<Duration> {
        Ok(self.contender(door, maker)?.start_time())
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.database.stop().await
    }

    fn contender(&self, door: Door, maker: Maker) -> Result<&Contender> {
        let contender = self.contenders.get(&(door, maker));
        contender.context("it was not started")
    }
}

async fn start_contender(
    door: Door,
    maker: Maker,
    variables: &[(&str, String)],
) -> Result<Contender> {
    match (maker, door) {
        (Maker::Ceiling, _) => Contender::of_this_program("ceiling", variables).await,
        (Maker::Ours, Door::Me) => Contender::of_this_program("api", variables).await,
        (Maker::Ours, Door::Webhook) => {
            let service = std::env::current_exe()?.with_file_name(SERVICE);
            let service = service.to_str().context("an odd path")?;
            Contender::of_service(&[service], variables, "/healthz").await
        }
        (Maker::Node, door) => {
            let framework = PathBuf::from(NODE).join(FRAMEWORK);
            let framework = framework.to_str().context("an odd path")?;
            let target = format!("--target={}", door.name());
            let source = format!("--source={NODE}");
            let command = ["node", framework, &target, &source];
            Contender::of_service(&command, variables, "/healthz").await
        }
    }
}

/// What all of them are told, each in the names that it knows.
fn variables(
    database: &Database,
    redis: &RedisServer,
    queue: &LocalServer,
    issuer: &Issuer,
) -> Result<Vec<(&'static str, String)>> {
    let path = Env::from_process();
    let mut variables = vec![
        ("PATH", path.required("PATH")?.to_owned()),
        ("GOOGLE_CLOUD_PROJECT", PROJECT_ID.to_owned()),
        ("FIRESTORE_EMULATOR_HOST", database.host()),
        ("CLOUD_TASKS_EMULATOR_HOST", queue.address().to_string()),
        ("REDIS_URL", redis.url().expose_secret().to_owned()),
        ("REDIS_SOCKET", redis.socket().display().to_string()),
        ("APP_URL", "https://app.example.com".to_owned()),
        ("LOCAL_MAC_KEY", "bench".to_owned()),
        ("LOG_FORMAT", "json".to_owned()),
        ("STRIPE_API_KEY", "sk_test_bench".to_owned()),
        ("STRIPE_WEBHOOK_SECRETS", SECRET.to_owned()),
        ("STRIPE_LIVEMODE", "false".to_owned()),
        ("STRIPE_EVENTS_QUEUE", QUEUE.to_owned()),
        ("STRIPE_EVENTS_TARGET_URL", "http://127.0.0.1:1".to_owned()),
        (KEYS, issuer.keys()?),
    ];
    variables.extend(HIGH_LIMITS.map(|(name, value)| (name, value.to_owned())));
    Ok(variables)
}

/// A queue that takes every task and delivers none
/// (<https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks/create>).
async fn start_queue() -> Result<LocalServer> {
    let take = post(async || Json(json!({ "name": format!("{QUEUE}/tasks/1") })));
    let router = Router::new().route(&format!("/v2/{QUEUE}/tasks"), take);
    LocalServer::start("queue", 0, router).await
}
