//! The embedded Firestore on threads of its own, so that what it takes is told apart from what its
//! callers take.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use tokio::runtime::{self, Runtime};

use crate::emulators::firestore::{EmbeddedFirestore, FirestoreOptions};

/// What its threads are called.
pub(super) const DATABASE: &str = "database";

/// For what its threads still do at the end.
const PATIENCE: Duration = Duration::from_secs(10);

const RULES: &str = include_str!("../../../firestore.rules");

pub(super) struct Database {
    firestore: EmbeddedFirestore,
    threads: Threads,
}

struct Threads(Option<Runtime>);

impl Database {
    /// Starts it, with its journal in a folder if there is one.
    pub(super) async fn start(project_id: &str, data_dir: Option<&Path>) -> Result<Self> {
        let mut threads = runtime::Builder::new_multi_thread();
        let threads = threads.thread_name(DATABASE).enable_all().build()?;
        let threads = Threads(Some(threads));
        let options = FirestoreOptions {
            port: 0,
            project_id: project_id.to_owned(),
            rules_source: RULES.to_owned(),
            data_dir: data_dir.map(Path::to_owned),
        };
        let runtime = threads.0.as_ref().context("the threads are gone")?;
        let firestore = runtime.spawn(EmbeddedFirestore::start(options)).await??;
        Ok(Self { firestore, threads })
    }

    pub(super) fn host(&self) -> String {
        self.firestore.host()
    }

    /// Ends it, with its threads: what they have used is gone from the sum with them.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.firestore.shutdown().await;
        if let Some(threads) = self.threads.0.take() {
            let end = move || threads.shutdown_timeout(PATIENCE);
            tokio::task::spawn_blocking(end).await?;
        }
        Ok(())
    }
}

impl Drop for Threads {
    /// A runtime that is dropped waits for its work, which must not be done in another's.
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}
