use emulator_tests::emulators::firestore::{EmbeddedFirestore, FirestoreOptions};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::store::{
    Write,
    document_db::{DocumentDb, Operation as WriteOperation, Precondition},
    firestore::Firestore,
};

use super::{
    actor::Actor,
    case::{Case, Operation, Verdict},
    values::to_fields,
    workflows,
};
use crate::{
    document_db::{PROJECT_ID, connect},
    models,
};

pub(super) const RULES: &str = include_str!("../../../../firestore.rules");

/// Two organizations with one document of every kind in the first.
pub(super) struct World {
    firestore: EmbeddedFirestore,
    owner: Firestore,
    client: reqwest::Client,
}

impl World {
    pub(super) async fn start(rules: &str) -> Self {
        let options = FirestoreOptions {
            port: 0,
            project_id: PROJECT_ID.to_owned(),
            rules_source: rules.to_owned(),
            data_dir: None,
        };
        let firestore = EmbeddedFirestore::start(options).await.unwrap();
        let world = Self {
            owner: connect(&firestore),
            firestore,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        world.seed().await;
        world
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
        let is_read = matches!(
            case.operation,
            Operation::Get | Operation::List(_) | Operation::ListGroup(_)
        );
        if verdict == Verdict::Allow && !is_read {
            self.clear().await;
            self.seed().await;
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
        format!("http://{}/v1/{name}", self.firestore.host())
    }

    async fn clear(&self) {
        let host = self.firestore.host();
        let all = format!(
            "http://{host}/emulator/v1/projects/{PROJECT_ID}/databases/(default)/documents"
        );
        let request = self.client.request(Method::DELETE, all);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
    }

    async fn seed(&self) {
        let models = models::documents().into_iter().map(|(path, fields)| Write {
            path,
            operation: WriteOperation::Replace(fields),
            precondition: Precondition::None,
        });
        self.owner.commit(models.collect()).await.unwrap();
        let writes: Vec<Value> = users().into_iter().chain(others()).map(write).collect();
        let body = json!({ "writes": writes });
        let request = self.client.post(self.url(":commit")).bearer_auth("owner");
        let response = request.json(&body).send().await.unwrap();
        let status = response.status();
        assert!(status.is_success(), "{}", response.text().await.unwrap());
    }
}

fn resource_name(path: &str) -> String {
    format!("projects/{PROJECT_ID}/databases/(default)/documents/{path}")
}

fn write((path, document): (String, Value)) -> Value {
    json!({ "update": { "name": resource_name(&path), "fields": to_fields(&document) } })
}

fn users() -> Vec<(String, Value)> {
    let user = |actor: Actor, mut membership: Value| {
        membership["uid"] = json!(actor.uid());
        membership["email"] = json!("ada@example.com");
        membership["createdAt"] = json!({ "timestampValue": "2026-11-23T12:00:00Z" });
        membership["settings"] = json!({ "theme": "dark", "notifications": true });
        (format!("users/{}", actor.uid()), membership)
    };
    let member = |actor, org_id: Value, role: Value| {
        let membership = json!({ "organizationId": org_id, "role": role, "disabled": false });
        user(actor, membership)
    };
    let disabled = |actor, disabled: Value| {
        let membership = json!({ "organizationId": "o1", "role": "admin", "disabled": disabled });
        user(actor, membership)
    };
    vec![
        member(Actor::Admin, json!("o1"), json!("admin")),
        member(Actor::User, json!("o1"), json!("user")),
        // As documents were before the field `disabled`.
        user(
            Actor::Viewer,
            json!({ "organizationId": "o1", "role": "viewer" }),
        ),
        member(Actor::Foreign, json!("o2"), json!("admin")),
        disabled(Actor::Disabled, json!(true)),
        disabled(Actor::OddlyDisabled, json!("true")),
        member(Actor::UnknownRole, json!("o1"), json!("owner")),
        member(Actor::ListOfRoles, json!("o1"), json!(["admin"])),
        member(Actor::EmptyOrganization, json!(""), json!("admin")),
        member(Actor::NullOrganization, json!(null), json!("admin")),
        user(Actor::NoOrganization, json!({ "role": "admin" })),
    ]
}

/// Documents of organization `o2`, some of no organization, and one that lies about its parent's.
fn others() -> Vec<(String, Value)> {
    let documents = [
        (
            "organizations/o2",
            json!({ "id": "o2", "name": "Two", "subscriptionTier": "free" }),
        ),
        ("organizations/o2/stats/current", json!({ "tokens": 1 })),
        (
            "agents/foreign",
            json!({ "id": "foreign", "orgId": "o2", "name": "Eve" }),
        ),
        (
            "agents/empty",
            json!({ "id": "empty", "orgId": "", "name": "Eve" }),
        ),
        (
            "agents/null",
            json!({ "id": "null", "orgId": null, "name": "Eve" }),
        ),
        ("agents/none", json!({ "id": "none", "name": "Eve" })),
        ("workflows/foreign", workflows::least("foreign", "o2")),
        (
            "executions/foreign",
            json!({ "id": "foreign", "orgId": "o2" }),
        ),
        (
            "executions/foreign/logs/1",
            json!({ "seq": 1, "orgId": "o1" }),
        ),
        (
            "executions/missing/logs/1",
            json!({ "seq": 1, "orgId": "o1" }),
        ),
        (
            "audit_logs/foreign",
            json!({ "id": "foreign", "orgId": "o2" }),
        ),
    ];
    documents
        .map(|(path, document)| (path.to_owned(), document))
        .into()
}
