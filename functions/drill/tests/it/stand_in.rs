use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use drill::{Google, GoogleConfig, Place};
use serde_json::{Value, json};
use shared::testing::discovery::{Call, Discovery, RawRequest};
use tokio::net::TcpListener;
use url::Url;

/// How often an operation is looked at before it is done.
const LOOKS: usize = 2;

/// Google, for one test.
pub(crate) struct StandIn {
    host: String,
    shared: Arc<Shared>,
}

struct Shared {
    discovery: Discovery,
    state: Mutex<Platform>,
}

#[derive(Default)]
struct Platform {
    objects: Vec<Value>,
    triggers: Vec<Value>,
    /// Locations whose triggers are not listed.
    unreachable: Vec<&'static str>,
    indexes: Vec<Value>,
    fields: Vec<Value>,
    /// Databases with what was imported into them.
    databases: BTreeMap<String, Option<String>>,
    looks: usize,
    breaks_imports: bool,
    is_import: bool,
    problems: Vec<String>,
}

type Answer = (StatusCode, Value);

impl StandIn {
    #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            discovery: Discovery::restore(),
            state: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, shared }
    }

    pub(crate) fn client(&self) -> Google {
        let place = |project: &str, database: &str| Place {
            project: project.to_owned(),
            database: database.to_owned(),
        };
        let config = GoogleConfig {
            source: place("p", "(default)"),
            target: place("staging", "drill-2026-q4"),
            location: "europe-west3".to_owned(),
            backups: "backups".to_owned(),
            emulator_host: Some(self.host.clone()),
        };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Google::new(config, client)
    }

    pub(crate) fn put_objects(&self, names: &[&str]) {
        let objects = names.iter().map(|name| json!({ "name": name }));
        self.state().objects = objects.collect();
    }

    pub(crate) fn put_triggers(&self, triggers: Vec<Value>) {
        self.state().triggers = triggers;
    }

    pub(crate) fn lose(&self, location: &'static str) {
        self.state().unreachable.push(location);
    }

    pub(crate) fn put_indexes(&self, indexes: Vec<Value>, fields: Vec<Value>) {
        let mut state = self.state();
        (state.indexes, state.fields) = (indexes, fields);
    }

    pub(crate) fn break_imports(&self) {
        self.state().breaks_imports = true;
    }

    pub(crate) fn databases(&self) -> Vec<(String, Option<String>)> {
        self.state().databases.clone().into_iter().collect()
    }

    /// What the documents do not allow.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.state().problems.clone()
    }

    fn state(&self) -> MutexGuard<'_, Platform> {
        self.shared.state.lock().unwrap()
    }
}

impl Platform {
    fn handle(&mut self, method: &str, call: &Call) -> Answer {
        let parameter = |name| call.parameter(name).unwrap_or_default();
        let page = parameter("pageToken").parse().unwrap_or_default();
        let target = "projects/staging/databases/drill-2026-q4";
        match method {
            "storage.objects.list" => listing("items", &self.objects, page),
            "eventarc.projects.locations.triggers.list" => {
                let (status, mut answer) = listing("triggers", &self.triggers, page);
                if !self.unreachable.is_empty() {
                    answer["unreachable"] = json!(self.unreachable);
                }
                (status, answer)
            }
            "firestore.projects.databases.collectionGroups.indexes.list" => {
                listing("indexes", &self.indexes, page)
            }
            "firestore.projects.databases.collectionGroups.fields.list" => {
                listing("fields", &self.fields, page)
            }
            "firestore.projects.databases.create" => {
                let id = parameter("databaseId").to_owned();
                if self.databases.contains_key(&id) {
                    return refuse(StatusCode::CONFLICT, "ALREADY_EXISTS");
                }
                self.databases.insert(id, None);
                self.begin(false)
            }
            "firestore.projects.databases.importDocuments" if parameter("name") == target => {
                let url = call.body["inputUriPrefix"].as_str().map(str::to_owned);
                self.databases.insert("drill-2026-q4".to_owned(), url);
                self.begin(true)
            }
            "firestore.projects.databases.delete" if parameter("name") == target => {
                self.databases.clear();
                self.begin(false)
            }
            "firestore.projects.databases.operations.get" => {
                self.looks += 1;
                self.operation(self.looks >= LOOKS)
            }
            "firebaserules.projects.releases.get" => {
                let name =
                    json!({ "name": parameter("name"), "rulesetName": "projects/p/rulesets/r1" });
                (StatusCode::OK, name)
            }
            "firebaserules.projects.rulesets.get" => {
                let file = json!({ "name": "firestore.rules", "content": "rules in force" });
                (StatusCode::OK, json!({ "source": { "files": [file] } }))
            }
            _ => refuse(StatusCode::NOT_FOUND, "NOT_FOUND"),
        }
    }

    fn begin(&mut self, is_import: bool) -> Answer {
        (self.looks, self.is_import) = (0, is_import);
        self.operation(false)
    }

    fn operation(&self, done: bool) -> Answer {
        let name = "projects/staging/databases/drill-2026-q4/operations/o1";
        let mut operation = json!({ "name": name, "done": done });
        if done && self.is_import && self.breaks_imports {
            operation["error"] = json!({ "code": 3, "message": "no such export" });
        }
        (StatusCode::OK, operation)
    }
}

/// Two items a page.
fn listing(name: &str, items: &[Value], page: usize) -> Answer {
    let end = items.len().min(page + 2);
    let mut answer = json!({ name: items[page..end] });
    if end < items.len() {
        answer["nextPageToken"] = json!(end.to_string());
    }
    (StatusCode::OK, answer)
}

fn refuse(status: StatusCode, code: &str) -> Answer {
    let error = json!({ "code": status.as_u16(), "message": "refused", "status": code });
    (status, json!({ "error": error }))
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let refuse_problem = |problem: String| {
        shared.state.lock().unwrap().problems.push(problem);
        StatusCode::BAD_REQUEST.into_response()
    };
    let Some(route) = shared.discovery.route(method.as_str(), uri.path()) else {
        return refuse_problem(format!("no method for {method} {}", uri.path()));
    };
    let url = Url::parse(&format!("http://google{uri}")).unwrap();
    let raw = RawRequest {
        verb: method.as_str(),
        url: &url,
        headers: &headers,
        body: &body,
    };
    let id = route.method.id();
    let call = match Call::read(&route, &raw) {
        Ok(call) => call,
        Err(problems) => return refuse_problem(format!("{id}: {problems:?}")),
    };
    let (status, body) = shared.state.lock().unwrap().handle(id, &call);
    let problems = match status.is_success() {
        true => route.method.check_response(&body),
        false => Vec::new(),
    };
    match problems.is_empty() {
        true => (status, Json(body)).into_response(),
        false => refuse_problem(format!("{id} never answers so: {problems:?}")),
    }
}
