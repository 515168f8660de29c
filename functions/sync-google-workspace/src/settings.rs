use std::time::Duration;

use shared::config::{Env, Error};

/// How syncs are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `EMBEDDING_MODEL`: makes the vectors that texts are found by.
    pub embedding_model: String,
    /// `SYNC_BUDGET_SECS`: after so much time a message goes on with another one.
    pub budget: Duration,
    /// No call of Google or of a model takes longer.
    pub call_timeout: Duration,
    /// `SYNC_READERS`: so many mails and files are read at once in the whole process.
    pub readers: usize,
    /// None is read for longer.
    pub read_timeout: Duration,
    /// None waits longer for a reader, or for room.
    pub wait_timeout: Duration,
    /// Room for what is fetched and not read yet, in bytes, in the whole process.
    pub content_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            embedding_model: "text-embedding-3-small".to_owned(),
            budget: Duration::from_secs(300),
            call_timeout: Duration::from_secs(45),
            readers: 2,
            read_timeout: Duration::from_secs(30),
            wait_timeout: Duration::from_secs(120),
            content_bytes: 192 << 20,
        }
    }
}

impl Settings {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is invalid.
    pub fn load(env: &Env) -> Result<Self, Error> {
        let defaults = Self::default();
        let budget_secs = env.parsed("SYNC_BUDGET_SECS", defaults.budget.as_secs())?;
        if !(10..=500).contains(&budget_secs) {
            return Err(Error::Invalid {
                name: "SYNC_BUDGET_SECS",
                reason: "expected 10 to 500".to_owned(),
            });
        }
        let readers = env.parsed("SYNC_READERS", defaults.readers)?;
        if !(1..=32).contains(&readers) {
            return Err(Error::Invalid {
                name: "SYNC_READERS",
                reason: "expected 1 to 32".to_owned(),
            });
        }
        Ok(Self {
            embedding_model: env.parsed("EMBEDDING_MODEL", defaults.embedding_model.clone())?,
            budget: Duration::from_secs(budget_secs),
            readers,
            ..defaults
        })
    }
}
