use std::sync::Arc;

use async_trait::async_trait;

use super::Error;

/// Makes models from examples.
///
/// No provider has keys for repeats: whoever calls keeps in mind what it is about to ask for, and
/// looks with [`Tuner::find`] before it asks again.
#[async_trait]
pub trait Tuner: Send + Sync {
    /// Hands examples over, JSON Lines of conversations; tells what the provider calls them. The
    /// provider deletes them after some time.
    ///
    /// # Errors
    /// Returns what went wrong; they may be there all the same.
    async fn upload(&self, key: &str, examples: String) -> Result<String, Error>;

    /// Has a model be made.
    ///
    /// # Errors
    /// Returns what went wrong; unless [`Error::is_unused`], the job may be there all the same.
    async fn create(&self, order: &TuningOrder) -> Result<TuningJob, Error>;

    /// The job that was made for a key, if there is one.
    ///
    /// # Errors
    /// Returns what went wrong.
    async fn find(&self, key: &str) -> Result<Option<TuningJob>, Error>;

    /// How far a job has come.
    ///
    /// # Errors
    /// Returns what went wrong.
    async fn look_at(&self, job_id: &str) -> Result<TuningJob, Error>;

    /// Stops a job.
    ///
    /// # Errors
    /// Returns what went wrong, also when the job has ended.
    async fn cancel(&self, job_id: &str) -> Result<TuningJob, Error>;
}

/// A tuner that can be shared.
pub type SharedTuner = Arc<dyn Tuner>;

/// A model that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuningOrder {
    /// What the job is found by.
    pub key: String,
    /// The model to begin with.
    pub base_model: String,
    /// The examples, as [`Tuner::upload`] told.
    pub file_id: String,
    /// How often the model sees each example.
    pub epochs: i64,
}

/// A job at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuningJob {
    /// What the provider calls it.
    pub id: String,
    /// How far it has come.
    pub state: JobState,
    /// The name of the model that was made.
    pub tuned_model: Option<String>,
    /// Tokens that the provider bills, once it has told.
    pub trained_tokens: Option<i64>,
    /// The provider's code for why it failed.
    pub error_code: Option<String>,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It has not ended.
    Open,
    /// The model is there.
    Succeeded,
    /// There is no model.
    Failed,
    /// It was stopped.
    Cancelled,
}
