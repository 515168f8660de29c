//! Starting and stopping everything together.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::json;
use shared::{
    config::{Env, ServiceConfig},
    shutdown::Shutdown,
    store::firestore::Firestore,
};
use tempfile::TempDir;

use crate::{
    delivery::Delivery,
    emulators::{
        LocalPort, LocalServer,
        firestore::{EmbeddedFirestore, FirestoreOptions},
        sign_in::{SignIn, SignInOptions},
    },
    mount::mount_functions,
    stubs::{
        cloud_run::CloudRun,
        openai::{OpenAi, OpenAiOptions},
        sendgrid::{SendGrid, SendGridOptions},
        tasks::{Tasks, TasksOptions},
        web::{Web, WebOptions},
    },
};

/// Firebase takes `demo-` projects as local ones that never reach the network.
const PROJECT_ID: &str = "demo-infinity-x";
const RULES: &str = include_str!("../../firestore.rules");
/// The queue of executions, as Cloud Tasks names it.
const TASKS_QUEUE: &str = "projects/demo-infinity-x/locations/local/queues/executions";
/// The file of the key that credentials are sealed with.
const CREDENTIALS_KEY: &str = "credentials-key.json";
/// Origins of Vite's development and preview servers.
const LOCAL_ORIGINS: &str = "http://localhost:5173,http://127.0.0.1:5173,http://localhost:4173";

/// What to start.
#[derive(Clone, Default)]
pub struct HarnessOptions {
    /// Port of the functions; 0 for any.
    pub port: u16,
    /// Port of the embedded Firestore; 0 for any.
    pub firestore_port: u16,
    /// Port of the local sign-in; 0 for any.
    pub auth_port: u16,
    /// Where data outlives a restart; in memory when absent.
    pub data_dir: Option<PathBuf>,
    /// Chance from 0 to 1 that a task is delivered twice.
    pub duplicate_tasks: f64,
    /// Variables that switch a part to the real thing.
    pub env: Env,
}

/// Where everything is, as `--ready-file` tells it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// All functions.
    pub api_url: String,
    /// Firestore, as `host:port`.
    pub firestore_host: String,
    /// Identity Toolkit and Secure Token, as `host:port`.
    pub auth_host: String,
    /// The project of both.
    pub project_id: String,
    /// Messages that were sent.
    pub mail_url: String,
    /// The LLM's OpenAI-compatible API.
    pub llm_url: String,
}

/// Stand-ins that are running, most of them because no variable names the real thing.
struct StandIns {
    firestore: Option<EmbeddedFirestore>,
    sign_in: Option<Arc<SignIn>>,
    llm: Option<OpenAi>,
    mail: Option<SendGrid>,
    tasks: Option<Tasks>,
    cloud_run: Option<CloudRun>,
    web: Web,
    artifacts: Option<Place>,
    credentials_key: Option<Place>,
}

/// Where something is kept that is no document.
enum Place {
    /// Beside the rest of the data.
    Kept(PathBuf),
    /// As long as this harness.
    Temporary(TempDir),
}

/// The whole product, running.
pub struct Harness {
    endpoints: Endpoints,
    env: Env,
    stand_ins: StandIns,
    delivery: Delivery,
    server: LocalServer,
    shutdown: Shutdown,
}

impl Harness {
    /// Starts everything and returns when all of it answers.
    ///
    /// # Errors
    /// Returns what could not be started.
    pub async fn start(options: HarnessOptions) -> Result<Self> {
        // Taken first: the queue delivers to it, which is among the functions' variables.
        let port = LocalPort::bind("functions", options.port).await?;
        let functions_url = format!("{}/functions", port.url());
        let (env, stand_ins) = start_stand_ins(&options, &functions_url).await?;
        let service = ServiceConfig::load(&env)?;
        let shutdown = Shutdown::new();
        let server = port.serve(mount_functions(&env, shutdown.clone())?);
        let firestore = Firestore::new(&service);
        let project_id = service.project_id.clone();
        let sign_in = stand_ins.sign_in.clone();
        let delivery = Delivery::start(functions_url, project_id, &firestore, sign_in).await?;
        let endpoints = endpoints(&env, &stand_ins, &server)?;
        Ok(Self {
            endpoints,
            env,
            stand_ins,
            delivery,
            server,
            shutdown,
        })
    }

    /// Where everything is.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The variables that the functions were started with.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The mail sink, unless mails go to SendGrid.
    #[must_use]
    pub fn mail(&self) -> Option<&SendGrid> {
        self.stand_ins.mail.as_ref()
    }

    /// The LLM stub, unless a real model answers.
    #[must_use]
    pub fn llm(&self) -> Option<&OpenAi> {
        self.stand_ins.llm.as_ref()
    }

    /// The queue of executions, unless another one is named.
    #[must_use]
    pub fn tasks(&self) -> Option<&Tasks> {
        self.stand_ins.tasks.as_ref()
    }

    /// The services of agents, unless an image is named.
    #[must_use]
    pub fn cloud_run(&self) -> Option<&CloudRun> {
        self.stand_ins.cloud_run.as_ref()
    }

    /// The site that HTTP nodes reach as `demo.localhost`.
    #[must_use]
    pub fn web(&self) -> &Web {
        &self.stand_ins.web
    }

    /// Stops everything; data is on disk afterwards if there is a data directory.
    pub async fn stop(self) {
        self.shutdown.begin();
        self.delivery.stop().await;
        if let Some(tasks) = &self.stand_ins.tasks {
            tasks.shutdown().await;
        }
        self.server.shutdown().await;
        if let Some(firestore) = self.stand_ins.firestore {
            firestore.shutdown().await;
        }
    }
}

async fn start_stand_ins(options: &HarnessOptions, functions_url: &str) -> Result<(Env, StandIns)> {
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
        cloud_run: CloudRun::start(&env).await,
        web: Web::start(WebOptions::default()).await?,
        artifacts: place_artifacts(options, &env)?,
        credentials_key: place_credentials_key(options, &env)?,
    };
    let web = stand_ins.web.url();
    let address = web.trim_start_matches("http://");
    let mut pairs = fixed_variables();
    pairs.push((
        "TASKS_TARGET_URL",
        format!("{functions_url}/execute-workflow"),
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
    Ok((env.with_defaults(pairs), stand_ins))
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
        ("STRIPE_API_KEY", "sk_test_local"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_local"),
        ("STRIPE_LIVEMODE", "false"),
        ("LOCAL_MAC_KEY", "local"),
        ("APP_URL", "http://localhost:5173"),
        ("TASKS_QUEUE", TASKS_QUEUE),
        ("CORS_ORIGINS", LOCAL_ORIGINS),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

fn endpoints(env: &Env, stand_ins: &StandIns, server: &LocalServer) -> Result<Endpoints> {
    let mail_url = stand_ins.mail.as_ref().map(SendGrid::messages_url);
    let llm_url = env
        .optional("OPENAI_BASE_URL")
        .unwrap_or("https://api.openai.com/v1");
    Ok(Endpoints {
        api_url: server.url(),
        firestore_host: env.required("FIRESTORE_EMULATOR_HOST")?.to_owned(),
        auth_host: env.required("FIREBASE_AUTH_EMULATOR_HOST")?.to_owned(),
        project_id: env.required("GOOGLE_CLOUD_PROJECT")?.to_owned(),
        mail_url: mail_url.unwrap_or_else(|| "https://app.sendgrid.com/email_activity".to_owned()),
        llm_url: llm_url.to_owned(),
    })
}
