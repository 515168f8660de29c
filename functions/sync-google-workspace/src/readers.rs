//! Readers of mails and files, on threads of their own.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::stop::Stop;

/// So many mails and files are read at once in the whole process, however many syncs there are: what
/// strangers send takes its time, and may unpack to many times its size.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    free: Arc<Semaphore>,
    time_limit: Duration,
}

impl Readers {
    pub(crate) fn new(count: usize, time_limit: Duration) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count)),
            time_limit,
        }
    }

    /// What `read` comes to; none if it takes longer than the limit.
    ///
    /// The libraries cannot be stopped: whoever waits for one goes on, while its reader is taken until
    /// the limits of [`crate::text`] have ended it.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, Stop> {
        let free = Arc::clone(&self.free).acquire_owned();
        let Ok(Ok(reader)) = timeout(self.time_limit, free).await else {
            return Err(Stop::OutOfTime);
        };
        let reading = spawn_blocking(move || {
            let _reader = reader;
            read()
        });
        match timeout(self.time_limit, reading).await {
            Ok(Ok(read)) => Ok(Some(read)),
            // What it has panicked with may hold a part of the text.
            Ok(Err(_)) => {
                tracing::error!("a reader has panicked");
                Ok(None)
            }
            Err(_) => {
                tracing::warn!(
                    limit_secs = self.time_limit.as_secs(),
                    "a mail or file takes too long to be read"
                );
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests;
