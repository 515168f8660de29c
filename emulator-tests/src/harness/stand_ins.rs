//! What stands in for the outside where no variable names the real thing.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use shared::config::Env;
use tempfile::TempDir;

use super::HarnessOptions;
use crate::{
    emulators::{
        firestore::{EmbeddedFirestore, FirestoreOptions},
        sign_in::{SignIn, SignInOptions},
    },
    stubs::{
        cloud_run::CloudRun,
        local_google::{LocalGoogle, LocalGoogleOptions},
        local_stripe::{self, LocalStripe},
        openai::{OpenAi, OpenAiOptions},
        pub_sub::{PubSub, PubSubOptions},
        sendgrid::{SendGrid, SendGridOptions},
        tasks::{Tasks, TasksOptions},
        web::{Web, WebOptions},
    },
};

/// Firebase takes `demo-` projects as local ones that never reach the network.
pub const PROJECT_ID: &str = "demo-infinity-x";
const RULES: &str = include_str!("../../../firestore.rules");
/// The queue of executions, as Cloud Tasks names it.
const TASKS_QUEUE: &str = "projects/demo-infinity-x/locations/local/queues/executions";
/// The topic of syncs, as Pub/Sub names it, and the subscription that pushes to the function.
const SYNC_TOPIC: &str = "projects/demo-infinity-x/topics/google-workspace-sync";
const SYNC_SUBSCRIPTION: &str = "projects/demo-infinity-x/subscriptions/google-workspace-sync";
/// The file of the key that credentials are sealed with.
const CREDENTIALS_KEY: &str = "credentials-key.json";
/// All that use one machine come from one address, suites and demos included.
const LOCAL_RATE_LIMIT: &str = "6000";
/// Origins of Vite's development and preview servers.
const LOCAL_ORIGINS: &str = "http://localhost:5173,http://127.0.0.1:5173,http://localhost:4173";

/// Stand-ins that are running, most of them because no variable names the real thing.
pub(super) struct StandIns {
    pub(super) firestore: Option<EmbeddedFirestore>,
    pub(super) sign_in: Option<Arc<SignIn>>,
    pub(super) llm: Option<OpenAi>,
    pub(super) mail: Option<SendGrid>,
    pub(super) tasks: Option<Tasks>,
    pub(super) topic: Option<Arc<PubSub>>,
    pub(super) google: Option<LocalGoogle>,
    pub(super) stripe: Option<LocalStripe>,
    pub(super) cloud_run: Option<CloudRun>,
    pub(super) web: Web,
    pub(super) artifacts: Option<Place>,
    pub(super) credentials_key: Option<Place>,
}

/// Where something is kept that is no document.
pub(super) enum Place {
    /// Beside the rest of the data.
    Kept(PathBuf),
    /// As long as this harness.
    Temporary(TempDir),
}

/// Starts what no variable names, and tells the variables that the functions are started with, all
/// of them at `url`.
pub(super) async fn start_stand_ins(
    options: &HarnessOptions,
    url: &str,
) -> Result<(Env, StandIns)> {
    let functions_url = &format!("{url}/functions");
    let env = options
        .env
        .clone()
        .with_defaults([("GOOGLE_CLOUD_PROJECT", PROJECT_ID)]);
    let project_id = env.required("GOOGLE_CLOUD_PROJECT")?;
    let stand_ins = StandIns {
        firestore: start_firestore(options, &env, project_id).await?,
        sign_in: start_sign_in(options, &env, project_id).await?,
        llm: start_llm(&env).await?,
        mail: start_mail(&env).await?,
        tasks: start_tasks(options, &env).await?,
        topic: start_topic(options, &env, functions_url).await?,
        google: start_google(&env, url).await?,
        stripe: start_stripe(&env, functions_url).await?,
        cloud_run: CloudRun::start(&env).await,
        web: Web::start(WebOptions::default()).await?,
        artifacts: place_artifacts(options, &env)?,
        credentials_key: place_credentials_key(options, &env)?,
    };
    let variables = variables(&stand_ins, functions_url)?;
    Ok((env.with_defaults(variables), stand_ins))
}

/// What has the functions use the stand-ins.
fn variables(stand_ins: &StandIns, functions_url: &str) -> Result<Vec<(&'static str, String)>> {
    let web = stand_ins.web.url();
    let address = web.trim_start_matches("http://");
    let mut pairs = fixed_variables();
    pairs.push((
        "TASKS_TARGET_URL",
        format!("{functions_url}/execute-workflow"),
    ));
    pairs.push((
        "STRIPE_EVENTS_TARGET_URL",
        format!("{functions_url}/handle-stripe-webhook"),
    ));
    pairs.push(("EGRESS_HOST_OVERRIDES", format!("demo.localhost={address}")));
    let firestore = stand_ins.firestore.as_ref().map(EmbeddedFirestore::host);
    pairs.extend(firestore.map(|host| ("FIRESTORE_EMULATOR_HOST", host)));
    let sign_in = stand_ins.sign_in.as_ref().map(|sign_in| sign_in.host());
    pairs.extend(sign_in.map(|host| ("FIREBASE_AUTH_EMULATOR_HOST", host)));
    let llm = stand_ins.llm.as_ref();
    pairs.extend(llm.map(|llm| ("OPENAI_BASE_URL", llm.base_url())));
    let mail = stand_ins.mail.as_ref();
    pairs.extend(mail.map(|mail| ("SENDGRID_BASE_URL", mail.url())));
    let tasks = stand_ins.tasks.as_ref().map(Tasks::host);
    pairs.extend(tasks.map(|host| ("CLOUD_TASKS_EMULATOR_HOST", host)));
    let topic = stand_ins.topic.as_ref().map(|topic| topic.host());
    pairs.extend(topic.map(|host| ("PUBSUB_EMULATOR_HOST", host)));
    let google = stand_ins.google.as_ref();
    pairs.extend(google.into_iter().flat_map(LocalGoogle::variables));
    let stripe = stand_ins.stripe.as_ref();
    pairs.extend(stripe.map(|stripe| ("STRIPE_API_BASE_URL", stripe.url())));
    let cloud_run = stand_ins.cloud_run.as_ref();
    pairs.extend(cloud_run.into_iter().flat_map(CloudRun::variables));
    if let Some(artifacts) = &stand_ins.artifacts {
        pairs.push(("ARTIFACTS_DIR", text(&artifacts.path())?));
    }
    if let Some(place) = &stand_ins.credentials_key {
        let file = place.path().join(CREDENTIALS_KEY);
        make_credentials_key(&file)?;
        pairs.push(("LOCAL_CREDENTIALS_KEY_FILE", text(&file)?));
    }
    Ok(pairs)
}

async fn start_firestore(
    options: &HarnessOptions,
    env: &Env,
    project_id: &str,
) -> Result<Option<EmbeddedFirestore>> {
    if env.optional("FIRESTORE_EMULATOR_HOST").is_some() {
        return Ok(None);
    }
    let firestore = FirestoreOptions {
        port: options.firestore_port,
        project_id: project_id.to_owned(),
        rules_source: RULES.to_owned(),
        data_dir: options.data_dir.clone(),
    };
    EmbeddedFirestore::start(firestore)
        .await
        .map(Some)
        .context("cannot start Firestore")
}

async fn start_sign_in(
    options: &HarnessOptions,
    env: &Env,
    project_id: &str,
) -> Result<Option<Arc<SignIn>>> {
    if env.optional("FIREBASE_AUTH_EMULATOR_HOST").is_some() {
        return Ok(None);
    }
    let (port, data_dir) = (options.auth_port, options.data_dir.clone());
    let sign_in = SignInOptions {
        port,
        project_id: project_id.to_owned(),
        data_dir,
    };
    SignIn::start(sign_in)
        .await
        .map(Arc::new)
        .map(Some)
        .context("cannot start the sign-in")
}

async fn start_llm(env: &Env) -> Result<Option<OpenAi>> {
    let is_real =
        env.optional("OPENAI_API_KEY").is_some() || env.optional("OPENAI_BASE_URL").is_some();
    if is_real {
        Ok(None)
    } else {
        OpenAi::start(OpenAiOptions::default()).await.map(Some)
    }
}

async fn start_mail(env: &Env) -> Result<Option<SendGrid>> {
    let is_real = env.optional("SENDGRID_API_KEY").is_some();
    if is_real {
        Ok(None)
    } else {
        SendGrid::start(SendGridOptions::default()).await.map(Some)
    }
}

async fn start_tasks(options: &HarnessOptions, env: &Env) -> Result<Option<Tasks>> {
    if env.optional("CLOUD_TASKS_EMULATOR_HOST").is_some() {
        return Ok(None);
    }
    let queue = env.optional("TASKS_QUEUE").unwrap_or(TASKS_QUEUE);
    let tasks = TasksOptions {
        queue: queue.to_owned(),
        duplicates: options.duplicate_tasks,
        ..Default::default()
    };
    Tasks::start(tasks).await.map(Some)
}

async fn start_topic(
    options: &HarnessOptions,
    env: &Env,
    functions_url: &str,
) -> Result<Option<Arc<PubSub>>> {
    if env.optional("PUBSUB_EMULATOR_HOST").is_some() {
        return Ok(None);
    }
    let topic = PubSubOptions {
        topic: env.optional("SYNC_TOPIC").unwrap_or(SYNC_TOPIC).to_owned(),
        subscription: SYNC_SUBSCRIPTION.to_owned(),
        endpoint: format!("{functions_url}/sync-google-workspace"),
        duplicates: options.duplicate_messages,
        ..PubSubOptions::default()
    };
    PubSub::start(topic).await.map(Arc::new).map(Some)
}

/// Half a client and half a stand-in would make no Google.
async fn start_google(env: &Env, url: &str) -> Result<Option<LocalGoogle>> {
    let names = ["GOOGLE_OAUTH_CLIENT_ID", "GOOGLE_OAUTH_CLIENT_SECRET"];
    if names.iter().any(|name| env.optional(name).is_some()) {
        return Ok(None);
    }
    let google = LocalGoogleOptions {
        port: 0,
        redirect_url: format!("{url}/api/v1/integrations/google/callback"),
    };
    LocalGoogle::start(google).await.map(Some)
}

/// An account of one's own tells its events to whoever forwards them here.
async fn start_stripe(env: &Env, functions_url: &str) -> Result<Option<LocalStripe>> {
    if env.optional("STRIPE_API_KEY").is_some() {
        return Ok(None);
    }
    let webhook_url = format!("{functions_url}/handle-stripe-webhook");
    LocalStripe::start(webhook_url).await.map(Some)
}

fn place_artifacts(options: &HarnessOptions, env: &Env) -> Result<Option<Place>> {
    let names = ["ARTIFACTS_BUCKET", "ARTIFACTS_DIR"];
    if names.iter().any(|name| env.optional(name).is_some()) {
        return Ok(None);
    }
    Ok(Some(match &options.data_dir {
        Some(data_dir) => Place::Kept(data_dir.join("artifacts")),
        None => Place::Temporary(tempfile::tempdir()?),
    }))
}

fn place_credentials_key(options: &HarnessOptions, env: &Env) -> Result<Option<Place>> {
    let names = ["KMS_CREDENTIALS_KEY", "LOCAL_CREDENTIALS_KEY_FILE"];
    if names.iter().any(|name| env.optional(name).is_some()) {
        return Ok(None);
    }
    Ok(Some(match &options.data_dir {
        Some(data_dir) => Place::Kept(data_dir.clone()),
        None => Place::Temporary(tempfile::tempdir()?),
    }))
}

/// The key that was made before is the only one that opens what is kept.
fn make_credentials_key(file: &Path) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    let key = STANDARD.encode(rand::random::<[u8; 32]>());
    let keys = json!({ "primary": "1", "keys": { "1": key } });
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(file, keys.to_string()).context("cannot keep the key for credentials")
}

impl Place {
    fn path(&self) -> PathBuf {
        match self {
            Self::Kept(path) => path.clone(),
            Self::Temporary(directory) => directory.path().to_owned(),
        }
    }
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().context("the name of a path is no text")?;
    Ok(text.to_owned())
}

/// What the functions need beside the stand-ins. None of it is a secret.
fn fixed_variables() -> Vec<(&'static str, String)> {
    [
        ("OPENAI_API_KEY", "local"),
        ("SENDGRID_API_KEY", "local"),
        ("EMAIL_FROM", "hello@infinity-x.localhost"),
        ("STRIPE_API_KEY", local_stripe::API_KEY),
        ("STRIPE_WEBHOOK_SECRETS", local_stripe::WEBHOOK_SECRET),
        ("STRIPE_LIVEMODE", "false"),
        ("LOCAL_MAC_KEY", "local"),
        ("APP_URL", "http://localhost:5173"),
        ("TASKS_QUEUE", TASKS_QUEUE),
        // The stand-in has one queue, which delivers wherever a task says.
        ("STRIPE_EVENTS_QUEUE", TASKS_QUEUE),
        ("SYNC_TOPIC", SYNC_TOPIC),
        ("CORS_ORIGINS", LOCAL_ORIGINS),
        ("RATE_LIMIT_CLIENT", LOCAL_RATE_LIMIT),
        ("RATE_LIMIT_USER", LOCAL_RATE_LIMIT),
        ("RATE_LIMIT_HOOKS", LOCAL_RATE_LIMIT),
        ("RATE_LIMIT_OAUTH_CALLBACK", LOCAL_RATE_LIMIT),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}
