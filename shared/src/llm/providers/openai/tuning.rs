//! Files and fine-tuning jobs
//! (<https://platform.openai.com/docs/guides/supervised-fine-tuning>).

use std::collections::BTreeMap;

use async_trait::async_trait;
use reqwest::{
    Response,
    multipart::{Form, Part},
};
use serde::{Deserialize, Serialize};

use super::{
    super::http::{invalid, is_name, malformed, read_json},
    OpenAi,
};
use crate::{
    ids::fingerprint,
    llm::{Error, JobState, Tuner, TuningJob, TuningOrder},
};

/// What a job keeps of the key that it was made for.
const KEY: &str = "infinity_x_tuning";

/// When the examples are deleted, in seconds: the longest that OpenAI takes, 30 days. Jobs wait and
/// run for hours.
const EXAMPLES_KEPT_SECS: &str = "2592000";

/// Jobs that are looked at for one key; there should be one.
const LIST_LIMIT: &str = "10";

/// `CreateFineTuningJobRequest`.
#[derive(Serialize)]
struct JobBody<'a> {
    model: &'a str,
    training_file: &'a str,
    suffix: String,
    seed: u32,
    method: Method,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Method {
    r#type: &'static str,
    supervised: Supervised,
}

#[derive(Serialize)]
struct Supervised {
    hyperparameters: Hyperparameters,
}

#[derive(Serialize)]
struct Hyperparameters {
    n_epochs: i64,
}

#[derive(Serialize)]
struct Metadata<'a> {
    infinity_x_tuning: &'a str,
}

/// `OpenAIFile`.
#[derive(Deserialize)]
struct FileAnswer {
    id: String,
}

/// `ListPaginatedFineTuningJobsResponse`.
#[derive(Deserialize)]
struct ListAnswer {
    data: Vec<JobAnswer>,
}

/// `FineTuningJob`.
#[derive(Deserialize)]
struct JobAnswer {
    id: String,
    created_at: i64,
    status: Status,
    fine_tuned_model: Option<String>,
    trained_tokens: Option<i64>,
    error: Option<JobError>,
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct JobError {
    code: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    ValidatingFiles,
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
    /// What may come to be.
    #[serde(other)]
    Unknown,
}

impl<'a> JobBody<'a> {
    /// The same for every attempt of the same order.
    fn new(order: &'a TuningOrder) -> Self {
        let digits = fingerprint(&["tuning", &order.key]);
        let digits = digits.get(..7).unwrap_or_default();
        Self {
            model: &order.base_model,
            training_file: &order.file_id,
            suffix: format!("ix-{digits}"),
            // Seven hexadecimal digits are below the 2^31 - 1 that is the most.
            seed: u32::from_str_radix(digits, 16).unwrap_or_default(),
            method: Method {
                r#type: "supervised",
                supervised: Supervised {
                    hyperparameters: Hyperparameters {
                        n_epochs: order.epochs,
                    },
                },
            },
            metadata: Metadata {
                infinity_x_tuning: &order.key,
            },
        }
    }
}

impl JobAnswer {
    fn is_for(&self, key: &str) -> bool {
        let metadata = self.metadata.as_ref();
        metadata.and_then(|kept| kept.get(KEY)).map(String::as_str) == Some(key)
    }
}

impl OpenAi {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Response, Error> {
        let request = self.client.get(self.url(path)).query(query);
        self.submit(request.timeout(self.config.timeout)).await
    }

    async fn post_job(&self, path: &str, body: Option<&JobBody<'_>>) -> Result<TuningJob, Error> {
        let request = self.client.post(self.url(path));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = self.submit(request.timeout(self.config.timeout)).await?;
        let job: JobAnswer = read_json(response).await?;
        Ok(job.into())
    }
}

#[async_trait]
impl Tuner for OpenAi {
    async fn upload(&self, key: &str, examples: String) -> Result<String, Error> {
        let file = Part::text(examples).file_name(format!("{key}.jsonl"));
        let file = file.mime_str("application/jsonl");
        let file = file.map_err(|_| malformed("the media type is none"))?;
        let form = Form::new()
            .text("purpose", "fine-tune")
            .text("expires_after[anchor]", "created_at")
            .text("expires_after[seconds]", EXAMPLES_KEPT_SECS)
            .part("file", file);
        let request = self.client.post(self.url("files")).multipart(form);
        let response = self.submit(request.timeout(self.config.timeout)).await?;
        let file: FileAnswer = read_json(response).await?;
        Ok(file.id)
    }

    async fn create(&self, order: &TuningOrder) -> Result<TuningJob, Error> {
        self.post_job("fine_tuning/jobs", Some(&JobBody::new(order)))
            .await
    }

    /// The first one, should there be several. A list with jobs of others was not filtered, so that
    /// ours may be missing from it: nobody can tell.
    async fn find(&self, key: &str) -> Result<Option<TuningJob>, Error> {
        let filter = format!("metadata[{KEY}]");
        let query = [(filter.as_str(), key), ("limit", LIST_LIMIT)];
        let response = self.get("fine_tuning/jobs", &query).await?;
        let jobs: ListAnswer = read_json(response).await?;
        let (ours, others): (Vec<_>, Vec<_>) =
            jobs.data.into_iter().partition(|job| job.is_for(key));
        let first = ours.into_iter().min_by_key(|job| job.created_at);
        if first.is_none() && !others.is_empty() {
            return Err(malformed("the list has jobs of other keys"));
        }
        Ok(first.map(Into::into))
    }

    async fn look_at(&self, job_id: &str) -> Result<TuningJob, Error> {
        let response = self.get(&job_path(job_id)?, &[]).await?;
        let job: JobAnswer = read_json(response).await?;
        Ok(job.into())
    }

    async fn cancel(&self, job_id: &str) -> Result<TuningJob, Error> {
        let path = format!("{}/cancel", job_path(job_id)?);
        self.post_job(&path, None).await
    }
}

/// The id is the provider's own; what is no name would lead elsewhere.
fn job_path(id: &str) -> Result<String, Error> {
    match is_name(id) {
        true => Ok(format!("fine_tuning/jobs/{id}")),
        false => Err(invalid("job_id")),
    }
}

impl From<JobAnswer> for TuningJob {
    fn from(job: JobAnswer) -> Self {
        let state = match job.status {
            Status::ValidatingFiles | Status::Queued | Status::Running | Status::Unknown => {
                JobState::Open
            }
            Status::Succeeded => JobState::Succeeded,
            Status::Failed => JobState::Failed,
            Status::Cancelled => JobState::Cancelled,
        };
        let code = job.error.and_then(|error| error.code);
        Self {
            id: job.id,
            state,
            tuned_model: job.fine_tuned_model,
            trained_tokens: job.trained_tokens,
            // A message may quote the examples.
            error_code: code.filter(|code| is_name(code)),
        }
    }
}
