use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use ::http::{HeaderMap, Method, StatusCode, Uri};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};
use url::Url;

use super::{
    deaths::Deaths,
    discovery::{Call, Discovery, RawRequest, Route},
    lock,
};

const PREFIX: &str = "run.projects.locations.services.";

/// Cloud Run's Admin API on a local port, which knows no images: services come and go as the test
/// says. Requests and answers are held to Google's discovery document.
#[derive(Clone)]
pub struct FakeCloudRun {
    host: String,
    shared: Arc<Shared>,
}

struct Shared {
    discovery: Discovery,
    state: Mutex<CloudRun>,
    deaths: Deaths,
    /// Lets creations on that are held up.
    gate: Semaphore,
    /// Creations that were held up and are done.
    done: Semaphore,
}

#[derive(Default)]
struct CloudRun {
    services: BTreeMap<String, Service>,
    calls: Vec<String>,
    problems: Vec<String>,
    /// How many looks a change of a service takes.
    slowness: usize,
    never_ready: bool,
    failure: Option<StatusCode>,
    holds_creations: bool,
    changes: u64,
}

#[derive(Clone)]
struct Service {
    value: Value,
    looks_left: usize,
    is_going: bool,
}

/// What becomes of a request.
enum Fate {
    Answered(StatusCode, Value),
    Fatal,
    Held,
}

impl FakeCloudRun {
    /// A server without services.
    ///
    /// # Panics
    /// Panics when there is no port.
    #[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            discovery: Discovery::cloud_run(),
            state: Mutex::default(),
            deaths: Deaths::default(),
            gate: Semaphore::new(0),
            done: Semaphore::new(0),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, shared }
    }

    /// As `host:port`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The services that are there, with their ids.
    #[must_use]
    pub fn services(&self) -> Vec<(String, Value)> {
        let services = &self.state().services;
        let services = services.iter();
        services
            .map(|(id, service)| (id.clone(), service.value.clone()))
            .collect()
    }

    /// Puts a service there, whoever may have made it.
    pub fn put(&self, id: &str, value: Value) {
        let service = Service {
            value,
            looks_left: 0,
            is_going: false,
        };
        self.state().services.insert(id.to_owned(), service);
    }

    /// The methods that were called, oldest first, as `create`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Requests that the document does not allow.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.state().problems.clone()
    }

    /// Has each change of a service be seen by so many looks before it is done.
    pub fn set_slowness(&self, looks: usize) {
        self.state().slowness = looks;
    }

    /// Has containers never become ready.
    pub fn break_containers(&self, is_broken: bool) {
        self.state().never_ready = is_broken;
    }

    /// Has every request be answered with this status.
    pub fn set_failure(&self, status: Option<StatusCode>) {
        self.state().failure = status;
    }

    /// Has the caller of the request of that number, counted from 0 and from now, get no answer;
    /// what it asks for is done all the same, or not. [`Self::death`] tells when.
    pub fn kill_at(&self, request: usize, is_carried_out: bool) {
        self.shared.deaths.plan(request, is_carried_out);
    }

    /// Ends when a caller is to die.
    pub async fn death(&self) {
        self.shared.deaths.wait().await;
    }

    /// Has requests that make services be carried out only after [`Self::release`].
    pub fn hold_creations(&self) {
        self.state().holds_creations = true;
    }

    /// Has the request that is held up be carried out, and returns when it is.
    pub async fn release(&self) {
        self.state().holds_creations = false;
        self.shared.gate.add_permits(1);
        if let Ok(permit) = self.shared.done.acquire().await {
            permit.forget();
        }
    }

    fn state(&self) -> MutexGuard<'_, CloudRun> {
        lock(&self.shared.state)
    }
}

impl CloudRun {
    fn handle(&mut self, death: Option<bool>, route: &Route<'_>, call: &Call) -> Fate {
        let method = route.method.id();
        let method = method.strip_prefix(PREFIX).unwrap_or(method);
        self.calls.push(method.to_owned());
        if death == Some(false) {
            return Fate::Fatal;
        }
        if let Some(status) = self.failure {
            return refuse(status, "UNKNOWN");
        }
        if method == "create" && self.holds_creations {
            return Fate::Held;
        }
        let fate = self.carry_out(method, call);
        match death {
            Some(_) => Fate::Fatal,
            None => fate,
        }
    }

    fn carry_out(&mut self, method: &str, call: &Call) -> Fate {
        let parameter = |name| call.parameter(name).unwrap_or_default().to_owned();
        let name = parameter("name");
        let id = name.rsplit('/').next().unwrap_or_default();
        match method {
            "create" => self.create(&parameter("parent"), &parameter("serviceId"), &call.body),
            "get" => self.look(id),
            "patch" => self.patch(id, &call.body),
            _ => self.delete(id, &parameter("etag")),
        }
    }

    fn create(&mut self, parent: &str, id: &str, body: &Value) -> Fate {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.len() >= 50 || !id.chars().all(is_allowed) {
            return refuse(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT");
        }
        if self.services.contains_key(id) {
            return refuse(StatusCode::CONFLICT, "ALREADY_EXISTS");
        }
        let mut value = body.clone();
        value["name"] = json!(format!("{parent}/services/{id}"));
        value["generation"] = json!("0");
        self.put(id, value)
    }

    fn patch(&mut self, id: &str, body: &Value) -> Fate {
        let Some(service) = self.services.get(id) else {
            return refuse(StatusCode::NOT_FOUND, "NOT_FOUND");
        };
        if body["etag"] != service.value["etag"] {
            return refuse(StatusCode::CONFLICT, "ABORTED");
        }
        let mut value = body.clone();
        for field in ["name", "generation", "uri"] {
            if let Some(kept) = service.value.get(field) {
                value[field] = kept.clone();
            }
        }
        self.put(id, value)
    }

    /// Begins to make the service so.
    fn put(&mut self, id: &str, mut value: Value) -> Fate {
        let generation = value["generation"].as_str().unwrap_or_default();
        let generation = generation.parse::<u64>().unwrap_or_default() + 1;
        self.changes += 1;
        value["etag"] = json!(format!("e{}", self.changes));
        value["generation"] = json!(generation.to_string());
        value["observedGeneration"] = json!((generation - 1).to_string());
        value["reconciling"] = json!(true);
        let service = Service {
            value,
            looks_left: self.slowness,
            is_going: false,
        };
        self.services.insert(id.to_owned(), service);
        self.operation()
    }

    fn look(&mut self, id: &str) -> Fate {
        let never_ready = self.never_ready;
        let Some(service) = self.services.get_mut(id) else {
            return refuse(StatusCode::NOT_FOUND, "NOT_FOUND");
        };
        if service.looks_left > 0 {
            service.looks_left -= 1;
        } else if service.is_going {
            self.services.remove(id);
            return refuse(StatusCode::NOT_FOUND, "NOT_FOUND");
        } else if service.value["reconciling"] == true {
            service.settle(id, never_ready);
        }
        Fate::Answered(StatusCode::OK, service.value.clone())
    }

    fn delete(&mut self, id: &str, etag: &str) -> Fate {
        let slowness = self.slowness;
        let Some(service) = self.services.get_mut(id) else {
            return refuse(StatusCode::NOT_FOUND, "NOT_FOUND");
        };
        if service.value["etag"] != etag {
            return refuse(StatusCode::CONFLICT, "ABORTED");
        }
        service.is_going = true;
        service.looks_left = slowness;
        service.value["deleteTime"] = json!("2026-11-23T12:00:00Z");
        self.operation()
    }

    fn operation(&self) -> Fate {
        let name = format!("projects/p/locations/l/operations/{}", self.changes);
        Fate::Answered(StatusCode::OK, json!({ "name": name, "done": false }))
    }
}

impl Service {
    fn settle(&mut self, id: &str, never_ready: bool) {
        let value = &mut self.value;
        value["observedGeneration"] = value["generation"].clone();
        value["reconciling"] = json!(false);
        value["terminalCondition"] = match never_ready {
            true => json!({
                "type": "Ready",
                "state": "CONDITION_FAILED",
                "reason": "PROGRESS_DEADLINE_EXCEEDED",
                "message": "image private.example.com/agent: the container failed to start",
            }),
            false => json!({ "type": "Ready", "state": "CONDITION_SUCCEEDED" }),
        };
        if !never_ready {
            value["uri"] = json!(format!("https://{id}-x.a.run.app"));
        }
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let refuse_problem = |problem: String| {
        lock(&shared.state).problems.push(problem);
        StatusCode::BAD_REQUEST.into_response()
    };
    let Some(route) = shared.discovery.route(method.as_str(), uri.path()) else {
        return refuse_problem(format!("no method for {method} {}", uri.path()));
    };
    let Ok(url) = Url::parse(&format!("http://run{uri}")) else {
        return refuse_problem(format!("no address: {uri}"));
    };
    let raw = RawRequest {
        verb: method.as_str(),
        url: &url,
        headers: &headers,
        body: &body,
    };
    let call = match Call::read(&route, &raw) {
        Ok(call) => call,
        Err(problems) => return refuse_problem(format!("{}: {problems:?}", route.method.id())),
    };
    let death = shared.deaths.count();
    let mut fate = lock(&shared.state).handle(death, &route, &call);
    if matches!(fate, Fate::Held) {
        fate = carry_out_later(&shared, call.clone()).await;
    }
    let (status, body) = match fate {
        Fate::Answered(status, body) => (status, body),
        Fate::Fatal | Fate::Held => return shared.deaths.strike().await,
    };
    let problems = match status.is_success() {
        true => route.method.check_response(&body),
        false => Vec::new(),
    };
    match problems.is_empty() {
        true => (status, Json(body)).into_response(),
        false => refuse_problem(format!(
            "{} never answers so: {problems:?}",
            route.method.id()
        )),
    }
}

/// Also when the caller has gone meanwhile.
#[expect(clippy::disallowed_methods, reason = "it outlives the request")]
async fn carry_out_later(shared: &Arc<Shared>, call: Call) -> Fate {
    let shared = Arc::clone(shared);
    let done = tokio::spawn(async move {
        if let Ok(permit) = shared.gate.acquire().await {
            permit.forget();
        }
        let fate = lock(&shared.state).carry_out("create", &call);
        shared.done.add_permits(1);
        fate
    });
    done.await.unwrap_or(Fate::Fatal)
}

fn refuse(status: StatusCode, code: &str) -> Fate {
    let error = json!({ "code": status.as_u16(), "message": "refused", "status": code });
    Fate::Answered(status, json!({ "error": error }))
}
