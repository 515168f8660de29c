//! Readers of mails and files, on threads of their own, and the room that is kept for what they read.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    settings::Settings,
    stop::{Failure, Stop},
};

/// The unit that room is given in, in bytes.
const UNIT: usize = 1 << 10;

/// So many mails and files are fetched and read at once in the whole process, however many syncs there
/// are: what strangers send takes its time, and may unpack to many times its size.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    free: Arc<Semaphore>,
    room: Arc<Semaphore>,
    turns: Arc<RwLock<()>>,
    units: usize,
    read_limit: Duration,
    wait_limit: Duration,
}

/// Room that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _units: OwnedSemaphorePermit,
}

/// Leave to read until this is dropped.
#[derive(Debug)]
pub(crate) enum Turn {
    Shared { _turn: OwnedRwLockReadGuard<()> },
    Alone { _turn: OwnedRwLockWriteGuard<()> },
}

impl Readers {
    pub(crate) fn new(settings: &Settings) -> Self {
        let units = settings.content_bytes / UNIT;
        Self {
            free: Arc::new(Semaphore::new(settings.readers)),
            room: Arc::new(Semaphore::new(units)),
            turns: Arc::default(),
            units,
            read_limit: settings.read_timeout,
            wait_limit: settings.wait_timeout,
        }
    }

    /// Waits until a batch may be read: beside all others, or without any, so that the process ends of
    /// nothing else.
    pub(crate) async fn turn(&self, is_alone: bool) -> Result<Turn, Stop> {
        let turns = Arc::clone(&self.turns);
        let turn = async {
            match is_alone {
                true => Turn::Alone {
                    _turn: turns.write_owned().await,
                },
                false => Turn::Shared {
                    _turn: turns.read_owned().await,
                },
            }
        };
        let turn = timeout(self.wait_limit, turn).await;
        turn.map_err(|_| Failure::BUSY.into())
    }

    /// Takes room for so many bytes before they are fetched; all that there is, if that is less.
    pub(crate) async fn hold(&self, bytes: usize) -> Result<Held, Stop> {
        let units = bytes.div_ceil(UNIT).min(self.units);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let held = Arc::clone(&self.room).acquire_many_owned(units);
        match timeout(self.wait_limit, held).await {
            Ok(Ok(units)) => Ok(Held { _units: units }),
            _ => Err(Failure::BUSY.into()),
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
        let Ok(Ok(reader)) = timeout(self.wait_limit, free).await else {
            return Err(Failure::BUSY.into());
        };
        let reading = spawn_blocking(move || {
            let _reader = reader;
            read()
        });
        match timeout(self.read_limit, reading).await {
            Ok(Ok(read)) => Ok(Some(read)),
            // What it has panicked with may hold a part of the text.
            Ok(Err(_)) => {
                tracing::error!("a reader has panicked");
                Ok(None)
            }
            Err(_) => {
                tracing::warn!(
                    limit_secs = self.read_limit.as_secs(),
                    "a mail or file takes too long to be read"
                );
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests;
