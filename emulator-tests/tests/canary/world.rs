//! The product with secrets in all its places, and a memory of what came out of it.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use emulator_tests::{
    Harness, HarnessOptions, PROJECT_ID,
    canary::{Canary, Find, Home, Log, Scanner},
    client::Client,
    emulators::firestore::{EmbeddedFirestore, FirestoreOptions},
    faults::witness::Witness,
    stubs::{
        collector::Collector,
        google::Google,
        openai::{OpenAi, OpenAiOptions},
        sendgrid::{SendGrid, SendGridOptions},
        vendors::Vendors,
    },
};
use reqwest::{RequestBuilder, StatusCode, header::LOCATION};
use serde_json::{Value, json};
use shared::{
    config::{Env, ServiceConfig},
    ids::{OrgId, random_token},
    models::SubscriptionTier,
    store::{Store, firestore::Firestore, organizations},
    telemetry::Telemetry,
    testing::FakeGoogleOptions,
};
use tempfile::TempDir;

/// All that there is.
pub(crate) struct World {
    pub(crate) harness: Harness,
    pub(crate) google: Google,
    pub(crate) vendors: Vendors,
    pub(crate) mail: SendGrid,
    pub(crate) client: Client,
    pub(crate) secrets: Secrets,
    pub(crate) answers: Answers,
    pub(crate) store: Store,
    heard: Heard,
    pub(crate) witness: Arc<Witness>,
    _llm: OpenAi,
    _directory: TempDir,
    firestore: EmbeddedFirestore,
}

/// What the process tells: lines, and spans that a collector takes.
pub(crate) struct Heard {
    pub(crate) log: Log,
    pub(crate) collector: Collector,
    pub(crate) telemetry: Telemetry,
}

/// What went in.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<Vec<Canary>>);

/// What the product has answered: where, and status, headers and body.
#[derive(Default)]
pub(crate) struct Answers(Mutex<Vec<(String, Vec<u8>)>>);

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Secrets {
    /// A new secret that begins like those of its kind. It is short enough to pass for a code.
    pub(crate) fn make(&self, name: &'static str, prefix: &str) -> String {
        let secret = format!("{prefix}{}", &random_token()[..32]);
        self.learn(name, &secret);
        secret
    }

    /// A secret that somebody else has made.
    pub(crate) fn learn(&self, name: &'static str, secret: &str) {
        self.keep(Canary::text(name, secret));
    }

    pub(crate) fn keep(&self, canary: Canary) {
        self.lock().push(canary);
    }

    pub(crate) fn all(&self) -> Vec<Canary> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Canary>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// Sends a request and keeps all of its answer.
    pub(crate) async fn send(&self, place: &str, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let whole = format!("{status}\n{headers:?}\n{text}");
        let mut all = self.0.lock().unwrap();
        all.push((format!("answer to {place}"), whole.into_bytes()));
        Answer {
            status,
            location: headers
                .get(LOCATION)
                .map(|value| value.to_str().unwrap().to_owned()),
            body: serde_json::from_str(&text).unwrap_or_default(),
        }
    }
}

impl World {
    pub(crate) async fn start(heard: Heard) -> Self {
        let secrets = Secrets::default();
        let options = FakeGoogleOptions {
            client_secret: secrets.make("OAuth client secret", "GOCSPX-"),
            token_prefix: secrets.make("access token", "ya29."),
            ..FakeGoogleOptions::default()
        };
        let google = Google::start(options).await.unwrap();
        let vendors = Vendors::start().await.unwrap();
        let mail = SendGrid::start(SendGridOptions::default()).await.unwrap();
        let llm = OpenAi::start(OpenAiOptions::default()).await.unwrap();
        let witness = Arc::new(Witness::default());
        let firestore = start_firestore(&witness).await;
        let directory = tempfile::tempdir().unwrap();
        let own = [
            ("FIRESTORE_EMULATOR_HOST", firestore.host()),
            ("LOCAL_CREDENTIALS_KEY_FILE", key_file(&directory, &secrets)),
            ("LOCAL_MAC_KEY", secrets.make("MAC key", "")),
            ("STRIPE_API_KEY", secrets.make("our Stripe key", "sk_test_")),
            (
                "STRIPE_WEBHOOK_SECRETS",
                secrets.make("our webhook secret", "whsec_"),
            ),
            ("SENDGRID_API_KEY", secrets.make("our SendGrid key", "SG.")),
            ("SENDGRID_BASE_URL", mail.url()),
            ("OPENAI_API_KEY", secrets.make("our OpenAI key", "sk-proj-")),
            ("OPENAI_BASE_URL", llm.base_url()),
        ];
        let pairs = google.variables().chain(vendors.variables());
        let pairs = pairs.chain(vendors.llm_variables()).chain(own);
        let env = Env::from_pairs(pairs);
        let options = HarnessOptions {
            env,
            ..HarnessOptions::default()
        };
        let harness = Harness::start(options).await.unwrap();
        let mut client = Client::sign_up(harness.endpoints()).await.unwrap();
        secrets.learn("first ID token", client.id_token());
        client.verify_email(harness.endpoints()).await.unwrap();
        secrets.learn("ID token", client.id_token());
        let config = ServiceConfig::load(harness.env()).unwrap();
        let store = Store::new(Arc::new(Firestore::new(&config)));
        subscribe(&store, &client).await;
        Self {
            harness,
            google,
            vendors,
            mail,
            client,
            secrets,
            answers: Answers::default(),
            store,
            heard,
            witness,
            _llm: llm,
            _directory: directory,
            firestore,
        }
    }

    /// Has the collector take the spans that have ended.
    pub(crate) fn flush(&self) {
        tokio::task::block_in_place(|| self.heard.telemetry.flush());
    }

    /// Every secret wherever it must not be.
    pub(crate) fn scan(&self, homes: &[Home]) -> Vec<Find> {
        let scanner = Scanner::new(&self.secrets.all(), homes).unwrap();
        let mut finds = Vec::new();
        let log = self.heard.log.content();
        for line in log.split(|byte| *byte == b'\n') {
            finds.extend(scanner.look("log", line));
        }
        for body in self.heard.collector.bodies() {
            finds.extend(scanner.look("span", &body));
        }
        for (place, content) in self.answers.0.lock().unwrap().iter() {
            finds.extend(scanner.look(place, content));
        }
        for (path, content) in self.witness.contents() {
            finds.extend(scanner.look(&format!("document {path}"), &content));
        }
        for message in self.mail.messages() {
            let content = serde_json::to_vec(&message).unwrap();
            let place = format!("mail `{}`", message.subject);
            finds.extend(scanner.look(&place, &content));
        }
        finds.sort();
        finds.dedup();
        finds
    }

    /// How much a scan looks at.
    pub(crate) fn size(&self) -> String {
        let (log, answers) = (
            self.heard.log.content().len(),
            self.answers.0.lock().unwrap().len(),
        );
        let (documents, mails) = (self.witness.contents().len(), self.mail.messages().len());
        let (canaries, spans) = (self.secrets.all().len(), self.heard.collector.spans().len());
        format!(
            "{canaries} secrets; {log} bytes of log, {spans} spans, {answers} answers, {documents} \
             versions of documents, {mails} mails"
        )
    }

    pub(crate) async fn stop(self) {
        self.harness.stop().await;
        self.firestore.shutdown().await;
    }
}

async fn start_firestore(witness: &Arc<Witness>) -> EmbeddedFirestore {
    let options = FirestoreOptions {
        port: 0,
        project_id: PROJECT_ID.to_owned(),
        rules_source: include_str!("../../../firestore.rules").to_owned(),
        data_dir: None,
    };
    let started = EmbeddedFirestore::start_on(Arc::clone(witness) as _, options).await;
    started.unwrap()
}

fn key_file(directory: &TempDir, secrets: &Secrets) -> String {
    let key: [u8; 32] = rand::random();
    secrets.keep(Canary {
        name: "credentials key",
        value: key.to_vec(),
    });
    let content = json!({ "primary": "1", "keys": { "1": STANDARD.encode(key) } });
    let path = directory.path().join("keys.json");
    std::fs::write(&path, content.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Google Workspace is not in every tier.
async fn subscribe(store: &Store, client: &Client) {
    let me = client.get("/me").await.unwrap();
    let org_id = OrgId::parse(me["organizationId"].as_str().unwrap()).unwrap();
    let found = store.find_organization(&org_id).await.unwrap();
    let mut organization = found.unwrap();
    organization.value.subscription_tier = SubscriptionTier::Enterprise;
    let write = organizations::replace(&organization).unwrap();
    store.commit(vec![write]).await.unwrap();
}
