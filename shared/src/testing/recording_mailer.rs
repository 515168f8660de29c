use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;

use super::lock;
use crate::email::{Email, Error, Mailer};

/// A mail provider that keeps what it accepts.
#[derive(Default)]
pub struct RecordingMailer {
    accepted: Mutex<Vec<Email>>,
    failures: Mutex<VecDeque<Error>>,
}

impl RecordingMailer {
    /// A provider that accepts everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has the next call fail. After [`Error::Unknown`] the mail is accepted all the same: the
    /// worst that this outcome can mean.
    pub fn fail_next(&self, error: Error) {
        lock(&self.failures).push_back(error);
    }

    /// The mails accepted so far, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Email> {
        lock(&self.accepted).clone()
    }
}

#[async_trait]
impl Mailer for RecordingMailer {
    async fn send(&self, email: &Email) -> Result<(), Error> {
        // Lets other tasks run, as a network call would.
        tokio::task::yield_now().await;
        let failure = lock(&self.failures).pop_front();
        if matches!(failure, None | Some(Error::Unknown(_))) {
            lock(&self.accepted).push(email.clone());
        }
        failure.map_or(Ok(()), Err)
    }
}
