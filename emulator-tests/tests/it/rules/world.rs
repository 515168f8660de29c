use emulator_tests::emulators::firestore::EmbeddedFirestore;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::store::{
    DocumentPath, Write,
    document_db::{DocumentDb, Fields, Operation as WriteOperation, Precondition},
    firestore::Firestore,
};

use super::{
    case::{Case, Operation, Verdict},
    google::GoogleEmulator,
    seed,
    values::to_fields,
};
use crate::{
    document_db::{PROJECT_ID, connect_to, start_firestore},
    models,
};

pub(super) const RULES: &str = include_str!("../../../../firestore.rules");

/// Who decides; dropping it stops it.
enum Server {
    Embedded(EmbeddedFirestore),
    Google(GoogleEmulator),
}

impl Server {
    fn host(&self) -> String {
        match self {
            Self::Embedded(firestore) => firestore.host(),
            Self::Google(emulator) => emulator.host(),
        }
    }
}

/// Two organizations with one document of every kind in the first.
pub(super) struct World {
    server: Server,
    owner: Firestore,
    client: reqwest::Client,
}

impl World {
    /// On the embedded Firestore.
    pub(super) async fn embedded() -> Self {
        Self::with(Server::Embedded(start_firestore().await)).await
    }

    /// On Google's emulator, if this machine has it.
    pub(super) async fn google() -> Option<Self> {
        let emulator = GoogleEmulator::start()?;
        let world = Self::with(Server::Google(emulator)).await;
        world.load(RULES).await;
        Some(world)
    }

    async fn with(server: Server) -> Self {
        let world = Self {
            owner: connect_to(server.host()),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            server,
        };
        world.seed(|_| true).await;
        world
    }

    /// Puts other rules in the place of the ones that are there.
    pub(super) async fn load(&self, rules: &str) {
        let host = self.server.host();
        let url = format!("http://{host}/emulator/v1/projects/{PROJECT_ID}:securityRules");
        let file = json!({ "name": "firestore.rules", "content": rules });
        let body = json!({ "rules": { "files": [file] } });
        succeed(self.client.put(url).json(&body)).await;
    }

    /// The cases that are decided otherwise than they expect.
    pub(super) async fn disagreements(&self, cases: &[Case]) -> Vec<String> {
        let mut wrong = Vec::new();
        for case in cases {
            if self.decide(case).await != case.expected {
                wrong.push(format!("{case:?}"));
            }
        }
        wrong
    }

    /// Asks through the REST door, as a client would. What a case changes is undone.
    pub(super) async fn decide(&self, case: &Case) -> Verdict {
        let mut request = self.request(case);
        if let Some(token) = case.actor.token() {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let verdict = match status {
            StatusCode::OK => Verdict::Allow,
            StatusCode::NOT_FOUND if case.operation == Operation::Get => Verdict::Allow,
            StatusCode::FORBIDDEN => Verdict::Deny,
            _ => panic!("{case:?}: {status} {}", response.text().await.unwrap()),
        };
        if verdict == Verdict::Allow && case.is_write() {
            self.restore(&case.path).await;
        }
        verdict
    }

    fn request(&self, case: &Case) -> RequestBuilder {
        let (parent, collection) = case.path.rsplit_once('/').unwrap_or(("", &case.path));
        let exists = |exists: bool| json!({ "exists": exists });
        let name = resource_name(&case.path);
        let document = |fields: &Value| json!({ "name": name, "fields": to_fields(fields) });
        match &case.operation {
            Operation::Get => self.client.get(self.url(&case.path)),
            Operation::List(conditions) => self.query(parent, collection, conditions, false),
            Operation::ListGroup(conditions) => self.query("", collection, conditions, true),
            Operation::Create(fields) => self.commit(&json!({
                "update": document(fields), "currentDocument": exists(false),
            })),
            Operation::Update(fields, removed) => {
                let set = fields.as_object().into_iter().flat_map(|map| map.keys());
                let paths: Vec<&str> = set.map(String::as_str).chain(removed.clone()).collect();
                self.commit(&json!({
                    "update": document(fields),
                    "updateMask": { "fieldPaths": paths },
                    "currentDocument": exists(true),
                }))
            }
            Operation::Set(fields) => self.commit(&json!({ "update": document(fields) })),
            Operation::Delete => self.commit(&json!({ "delete": name })),
        }
    }

    fn commit(&self, write: &Value) -> RequestBuilder {
        let body = json!({ "writes": [write] });
        self.client.post(self.url(":commit")).json(&body)
    }

    fn query(
        &self,
        parent: &str,
        collection: &str,
        conditions: &[Value],
        group: bool,
    ) -> RequestBuilder {
        let mut query = json!({
            "from": [{ "collectionId": collection, "allDescendants": group }],
        });
        if !conditions.is_empty() {
            query["where"] = json!({ "compositeFilter": { "op": "AND", "filters": conditions } });
        }
        let body = json!({ "structuredQuery": query });
        let url = self.url(&format!("{parent}:runQuery"));
        self.client.post(url).json(&body)
    }

    /// The URL of a path below the database's root, or of a method of the root.
    fn url(&self, path: &str) -> String {
        let name = resource_name(path);
        let name = name
            .replace("documents/:", "documents:")
            .replace('#', "%23");
        format!("http://{}/v1/{name}", self.server.host())
    }

    async fn restore(&self, path: &str) {
        let delete = json!({ "delete": resource_name(path) });
        succeed(self.commit(&delete).bearer_auth("owner")).await;
        self.seed(|seeded| seeded == path).await;
    }

    /// Writes the documents whose paths are `wanted`.
    async fn seed(&self, wanted: impl Fn(&str) -> bool) {
        let models = models::documents().into_iter();
        let models = models.filter(|(path, _)| wanted(path.as_str()));
        let writes: Vec<Write> = models.map(replace).collect();
        if !writes.is_empty() {
            self.owner.commit(writes).await.unwrap();
        }
        let documents = seed::documents().into_iter();
        let documents = documents.filter(|(path, _)| wanted(path));
        let writes: Vec<Value> = documents.map(set).collect();
        if !writes.is_empty() {
            let commit = self.client.post(self.url(":commit"));
            let commit = commit.json(&json!({ "writes": writes }));
            succeed(commit.bearer_auth("owner")).await;
        }
    }
}

async fn succeed(request: RequestBuilder) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status} {text}");
}

fn resource_name(path: &str) -> String {
    format!("projects/{PROJECT_ID}/databases/(default)/documents/{path}")
}

fn replace((path, fields): (DocumentPath, Fields)) -> Write {
    Write {
        path,
        operation: WriteOperation::Replace(fields),
        precondition: Precondition::None,
    }
}

fn set((path, document): (String, Value)) -> Value {
    json!({ "update": { "name": resource_name(&path), "fields": to_fields(&document) } })
}
