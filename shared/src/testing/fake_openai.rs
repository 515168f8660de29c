use std::sync::{Arc, Mutex, MutexGuard};

use ::http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_TYPE};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{deaths::Deaths, lock};

/// OpenAI's published description; source and licence are in it.
const CONTRACT: &str = include_str!("../../tests/contracts/openai-tuning.json");

/// OpenAI's files and fine-tuning jobs on a local port, where jobs end as the test says. Requests and
/// answers are held to OpenAI's published description.
#[derive(Clone)]
pub struct FakeOpenAi {
    base_url: String,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<Vendor>,
    deaths: Deaths,
}

#[derive(Default)]
struct Vendor {
    /// Id and content.
    files: Vec<(String, String)>,
    jobs: Vec<Value>,
    calls: Vec<String>,
    problems: Vec<String>,
    failure: Option<StatusCode>,
    /// Whether lists have all there is, whatever was asked for.
    is_unfiltered: bool,
}

impl FakeOpenAi {
    /// A server without files and jobs.
    ///
    /// # Panics
    /// Panics when there is no port.
    #[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            deaths: Deaths::default(),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base_url, shared }
    }

    /// What `/files` is appended to.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The contents of the files, oldest first.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let files = self.state().files.clone().into_iter();
        files.map(|(_, content)| content).collect()
    }

    /// The jobs, oldest first.
    #[must_use]
    pub fn jobs(&self) -> Vec<Value> {
        self.state().jobs.clone()
    }

    /// Method and path of each request.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// What did not fit OpenAI's description.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.state().problems.clone()
    }

    /// Changes the fields of all jobs, as `{"status": "succeeded", …}`.
    pub fn change_jobs(&self, change: &Value) {
        let change = change.as_object().cloned().unwrap_or_default();
        for job in &mut self.state().jobs {
            for (field, value) in &change {
                job[field] = value.clone();
            }
        }
    }

    /// Refuses all requests, or none.
    pub fn fail_all(&self, status: Option<StatusCode>) {
        self.state().failure = status;
    }

    /// Lists all jobs, whatever is asked for.
    pub fn ignore_filters(&self) {
        self.state().is_unfiltered = true;
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

    fn state(&self) -> MutexGuard<'_, Vendor> {
        lock(&self.shared.state)
    }
}

impl Vendor {
    /// The answer; none for a caller that dies, before or after this is carried out.
    fn take(
        &mut self,
        death: Option<bool>,
        (method, uri): (&Method, &Uri),
        body: &Body,
    ) -> Option<(StatusCode, Value)> {
        self.calls.push(format!("{method} {}", uri.path()));
        if death == Some(false) {
            return None;
        }
        let answer = match self.failure {
            Some(status) => refusal(status, "server_error"),
            None => self.carry_out(method, uri, body),
        };
        death.is_none().then_some(answer)
    }

    fn carry_out(&mut self, method: &Method, uri: &Uri, body: &Body) -> (StatusCode, Value) {
        let path = uri.path().strip_prefix("/v1/").unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("POST", ["files"]) => self.upload(body),
            ("POST", ["fine_tuning", "jobs"]) => self.create(body),
            ("GET", ["fine_tuning", "jobs"]) => self.list(uri.query().unwrap_or_default()),
            ("GET", ["fine_tuning", "jobs", id]) => self.job(id, |_| {}),
            ("POST", ["fine_tuning", "jobs", id, "cancel"]) => self.job(id, |job| {
                job["status"] = json!("cancelled");
            }),
            _ => refusal(StatusCode::NOT_FOUND, "unknown_url"),
        }
    }

    fn upload(&mut self, body: &Body) -> (StatusCode, Value) {
        let form = body.form();
        self.check("CreateFileRequest", &form);
        let content = form["file"].as_str().unwrap_or_default().to_owned();
        let id = format!("file-{}", self.files.len() + 1);
        let answer = json!({
            "id": id,
            "object": "file",
            "bytes": content.len(),
            "created_at": 1_795_000_000,
            "filename": "examples.jsonl",
            "purpose": "fine-tune",
            "status": "processed",
        });
        self.files.push((id, content));
        self.answer("OpenAIFile", answer)
    }

    fn create(&mut self, body: &Body) -> (StatusCode, Value) {
        let order = body.json();
        self.check("CreateFineTuningJobRequest", &order);
        let is_file = |(id, _): &(String, String)| order["training_file"] == *id;
        if !self.files.iter().any(is_file) {
            return refusal(StatusCode::BAD_REQUEST, "file_not_found");
        }
        let job = json!({
            "id": format!("ftjob-{}", self.jobs.len() + 1),
            "object": "fine_tuning.job",
            "created_at": 1_795_000_000 + self.jobs.len(),
            "model": order["model"],
            "training_file": order["training_file"],
            "metadata": order["metadata"],
            "hyperparameters": { "n_epochs": order["method"]["supervised"]["hyperparameters"]["n_epochs"] },
            "method": order["method"],
            "seed": order["seed"],
            "organization_id": "org-1",
            "status": "validating_files",
            "result_files": [],
            "error": null,
            "finished_at": null,
            "fine_tuned_model": null,
            "trained_tokens": null,
            "validation_file": null,
        });
        self.jobs.push(job.clone());
        self.answer("FineTuningJob", job)
    }

    /// The newest first, as OpenAI lists.
    fn list(&mut self, query: &str) -> (StatusCode, Value) {
        let query: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let wanted = query.iter().filter_map(|(name, value)| {
            let key = name.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((key, value))
        });
        let wanted: Vec<_> = wanted.filter(|_| !self.is_unfiltered).collect();
        let is_wanted = |job: &&Value| {
            let mut wanted = wanted.iter();
            wanted.all(|(key, value)| job["metadata"][*key] == **value)
        };
        let jobs: Vec<Value> = self.jobs.iter().rev().filter(is_wanted).cloned().collect();
        let answer = json!({ "object": "list", "data": jobs, "has_more": false });
        self.answer("ListPaginatedFineTuningJobsResponse", answer)
    }

    fn job(&mut self, id: &str, change: impl FnOnce(&mut Value)) -> (StatusCode, Value) {
        let Some(job) = self.jobs.iter_mut().find(|job| job["id"] == id) else {
            return refusal(StatusCode::NOT_FOUND, "fine_tune_not_found");
        };
        change(job);
        let job = job.clone();
        self.answer("FineTuningJob", job)
    }

    fn answer(&mut self, definition: &str, answer: Value) -> (StatusCode, Value) {
        self.check(definition, &answer);
        (StatusCode::OK, answer)
    }

    fn check(&mut self, definition: &str, instance: &Value) {
        let mut schema: Value = serde_json::from_str(CONTRACT).unwrap_or_default();
        schema["$ref"] = json!(format!("#/$defs/{definition}"));
        let Ok(validator) = jsonschema::validator_for(&schema) else {
            self.problems.push(format!("{definition} is no schema"));
            return;
        };
        let problems = validator.iter_errors(instance);
        let problems = problems.map(|error| format!("{definition}: {error}"));
        self.problems.extend(problems);
    }
}

/// What a request carries.
struct Body {
    media_type: String,
    bytes: Bytes,
}

impl Body {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// The fields of a form, those in brackets as objects.
    fn form(&self) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        let boundary = self.media_type.split("boundary=").nth(1);
        let delimiter = format!("--{}", boundary.unwrap_or("none"));
        let mut form = json!({});
        for part in text.split(&delimiter) {
            let Some((head, content)) = part.split_once("\r\n\r\n") else {
                continue;
            };
            let name = head.split("name=\"").nth(1).unwrap_or_default();
            let name = name.split('"').next().unwrap_or_default();
            let content = content.strip_suffix("\r\n").unwrap_or(content);
            match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
                // A form has only text.
                Some((object, key)) => {
                    let number = content.parse::<i64>().map(Value::from);
                    form[object][key] = number.unwrap_or_else(|_| content.into());
                }
                None => form[name] = content.into(),
            }
        }
        form
    }
}

fn refusal(status: StatusCode, code: &str) -> (StatusCode, Value) {
    let body = json!({ "error": { "message": "secret text", "type": code, "code": code } });
    (status, body)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let body = Body {
        media_type: media_type.unwrap_or_default().to_owned(),
        bytes,
    };
    let death = shared.deaths.count();
    let answer = lock(&shared.state).take(death, (&method, &uri), &body);
    match answer {
        Some((status, body)) => (status, Json(body)).into_response(),
        None => shared.deaths.strike().await,
    }
}
