//! Actions of a connected Google account, from the workflow to Google.

use std::sync::Arc;

use emulator_tests::{
    Harness, HarnessOptions,
    client::Client,
    stubs::{
        google::Google,
        openai::{Answer, OpenAi, OpenAiOptions, Outcome},
    },
};
use serde_json::{Value, json};
use shared::{
    config::{Env, ServiceConfig},
    ids::{OrgId, Uid, fingerprint},
    models::SubscriptionTier,
    store::{Store, firestore::Firestore, organizations},
};

use super::{
    PATIENCE, ended,
    google::{connect, hub, start_google},
    run, workflow_of,
};

const MAIL_TRIAGE: &str = include_str!("../../../../examples/mail-triage.json");
const ACCESS_TOKEN: &str = "access-1";

/// The product with a member of an organization that has connected its Google account.
struct Office {
    harness: Harness,
    google: Google,
    client: Client,
    org_id: OrgId,
    _llm: OpenAi,
}

impl Office {
    async fn open() -> Self {
        let google = start_google().await;
        google.accept(ACCESS_TOKEN);
        let llm = OpenAi::start(OpenAiOptions {
            port: 0,
            answers: vec![an_answer_is_due()],
        });
        let llm = llm.await.unwrap();
        let model = ("OPENAI_BASE_URL", llm.base_url());
        let harness = Harness::start(HarnessOptions {
            env: Env::from_pairs(google.variables().chain([model])),
            duplicate_tasks: 1.0,
            ..HarnessOptions::default()
        });
        let harness = harness.await.unwrap();
        let client = Client::sign_up(harness.endpoints()).await.unwrap();
        let me = client.get("/me").await.unwrap();
        let org_id = OrgId::parse(me["organizationId"].as_str().unwrap()).unwrap();
        let uid = Uid::parse(me["uid"].as_str().unwrap()).unwrap();
        let config = ServiceConfig::load(harness.env()).unwrap();
        let store = Store::new(Arc::new(Firestore::new(&config)));
        subscribe(&store, &org_id).await;
        let vault = hub(harness.env(), &store);
        connect((&vault, &store), (&org_id, &uid), ACCESS_TOKEN, 3_600).await;
        Self {
            harness,
            google,
            client,
            org_id,
            _llm: llm,
        }
    }

    /// What somebody is asked first, once it is asked.
    async fn question(&self) -> Value {
        let look = async {
            let mut interval = tokio::time::interval(std::time::Duration::from_millis(20));
            loop {
                interval.tick().await;
                let found = self.client.get("/approvals").await.unwrap();
                if let Some(first) = found["items"].as_array().and_then(|items| items.first()) {
                    return first.clone();
                }
            }
        };
        tokio::time::timeout(PATIENCE, look)
            .await
            .expect("nobody is asked")
    }

    fn count(&self, method: &str) -> usize {
        let calls = self.google.calls().into_iter();
        calls.filter(|call| call.method == method).count()
    }
}

/// A tier that Google Workspace is in.
async fn subscribe(store: &Store, org_id: &OrgId) {
    let found = store.find_organization(org_id).await.unwrap();
    let mut organization = found.unwrap();
    organization.value.subscription_tier = SubscriptionTier::Pro;
    let write = organizations::replace(&organization).unwrap();
    store.commit(vec![write]).await.unwrap();
}

fn an_answer_is_due() -> Answer {
    Answer {
        prompt_contains: vec!["Answer with JSON".to_owned()],
        system_contains: Vec::new(),
        model: None,
        times: None,
        delay_ms: 0,
        outcome: Outcome::Json(json!({ "answer": "It comes on Monday." })),
    }
}

/// The header that a send has under the key of its step, in every attempt.
fn message_id(org_id: &OrgId, execution: &Value, node_id: &str, iteration: &str) -> String {
    let [id, started_at] = ["id", "startedAt"].map(|field| execution[field].as_str().unwrap());
    let key = fingerprint(&[org_id.as_str(), id, started_at, node_id, iteration]);
    let hash = fingerprint(&["google.gmail.send", &key]);
    format!("<{hash}@infinity-x.invalid>")
}

#[tokio::test]
async fn mail_triage_sends_the_approved_answer_once() {
    let office = Office::open().await;
    let (client, google) = (&office.client, &office.google);
    google.deliver("Grace <grace@example.com>", "My order", "Where is it?");
    let mut workflow: Value = serde_json::from_str(MAIL_TRIAGE).unwrap();
    workflow["active"] = json!(true);
    let saved = client.post("/workflows", &workflow).await.unwrap();
    let path = format!("/workflows/trigger/{}", saved["id"].as_str().unwrap());
    let started = client.post(&path, &json!({ "payload": {} })).await.unwrap();
    let question = office.question().await;
    assert_eq!(question["action"]["name"], "google.gmail.send");
    assert_eq!(question["action"]["input"]["text"], "It comes on Monday.");
    assert_eq!(google.sent(), [], "nothing is sent before it is approved");

    let path = format!("/approvals/{}/decisions", question["id"].as_str().unwrap());
    let decision = json!({ "decision": "approve" });
    client.post(&path, &decision).await.unwrap();
    let execution_id = started["executionId"].as_str().unwrap();
    let execution = ended(client, execution_id).await.unwrap();
    assert_eq!(execution["status"], "succeeded", "{execution}");
    assert_eq!(execution["output"]["mails"], 1, "{execution}");

    let sent = google.sent();
    assert_eq!(sent.len(), 1);
    let iteration = question["iteration"].as_str().unwrap();
    let expected = message_id(&office.org_id, &execution, "reply", iteration);
    assert_eq!(sent[0].message_id, expected);
    assert!(sent[0].raw.contains("grace@example.com"));
    assert!(sent[0].raw.contains("Subject: Re: My order"));
    assert_eq!(office.count("gmail.users.messages.send"), 1);
    assert_eq!(google.problems(), Vec::<String>::new());
    office.harness.stop().await;
}

#[tokio::test]
async fn rows_are_appended_by_a_new_token_after_the_old_one_was_refused() {
    let office = Office::open().await;
    office.google.refuse(ACCESS_TOKEN);
    let node = json!({ "id": "work", "type": "google.sheets.append",
        "position": { "x": 0, "y": 0 },
        "data": { "spreadsheetId": "s1", "range": "A1", "rows": "${[[trigger.x, 1]]}" } });
    let payload = json!({ "x": "=1+1" });
    let execution = run(&office.client, &workflow_of(node), payload).await;
    let execution = execution.unwrap();
    assert_eq!(execution["status"], "succeeded", "{execution}");
    assert_eq!(office.google.rows(), [json!(["=1+1", 1])]);
    let calls = office.google.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0].token, "token-refreshed-1");
    assert_eq!(office.google.problems(), Vec::<String>::new());
    office.harness.stop().await;
}
