//! Firestore in this process: gRPC, REST and WebChannel on one port, behind the real rules.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use hidane::Admin;
use hidane_core::store::Store;
use hidane_rules::{Ruleset, SourceFile};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::journal::JournaledStore;
use super::server::GRACE;

const RULES_FILE: &str = "firestore.rules";

/// What an [`EmbeddedFirestore`] starts with.
#[derive(Debug, Clone)]
pub struct FirestoreOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The one project it serves; a request for another is refused.
    pub project_id: String,
    /// The text of `firestore.rules`.
    pub rules_source: String,
    /// Keeps the documents over restarts; without it they live in memory.
    pub data_dir: Option<PathBuf>,
}

/// A running Firestore; dropping it stops it.
pub struct EmbeddedFirestore {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    store: Option<Arc<JournaledStore>>,
}

impl EmbeddedFirestore {
    /// Compiles the rules, reads the journal and starts to serve.
    ///
    /// # Errors
    /// When the rules have an error or a warning, the data cannot be read or the port is taken.
    pub async fn start(options: FirestoreOptions) -> anyhow::Result<Self> {
        let journaled = open_store(options.data_dir.as_deref())?;
        let admin = match &journaled {
            Some(store) => Admin::new(Arc::clone(store) as _),
            None => Admin::default(),
        };
        Self::start_admin(admin, options, journaled).await
    }

    /// The same on `store`, whatever directory the options name.
    ///
    /// # Errors
    /// When the rules have an error or a warning, or the port is taken.
    pub async fn start_on(
        store: Arc<dyn Store>,
        options: FirestoreOptions,
    ) -> anyhow::Result<Self> {
        Self::start_admin(Admin::new(store), options, None).await
    }

    async fn start_admin(
        admin: Admin,
        options: FirestoreOptions,
        store: Option<Arc<JournaledStore>>,
    ) -> anyhow::Result<Self> {
        let ruleset = compile(&options.rules_source)?;
        let admin = admin.with_single_project(options.project_id, true);
        if let Some(project) = admin.single_project() {
            project.set_log(Arc::new(|line| tracing::warn!("firestore: {line}")));
        }
        let rules = admin.rules();
        rules.set_default(Path::new(RULES_FILE), options.rules_source, ruleset);
        Self::serve(&admin, options.port, store).await
    }

    async fn serve(
        admin: &Admin,
        port: u16,
        store: Option<Arc<JournaledStore>>,
    ) -> anyhow::Result<Self> {
        let listeners = hidane::bind("127.0.0.1", port)
            .await
            .with_context(|| format!("firestore cannot listen on 127.0.0.1:{port}"))?;
        let address = listeners
            .first()
            .context("firestore has no listener")?
            .local_addr()?;
        let (grpc, http) = (
            hidane::grpc_routes(admin),
            hidane::http_routes(admin.clone()),
        );
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let stopped = stop.clone().cancelled_owned();
        tasks.spawn(async move {
            if let Err(error) = hidane::serve(listeners, grpc, http, stopped).await {
                tracing::error!(%error, "the embedded firestore ended");
            }
        });
        tasks.close();
        Ok(Self {
            address,
            stop,
            tasks,
            store,
        })
    }

    /// The value for `FIRESTORE_EMULATOR_HOST`, as `127.0.0.1:8080`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The address it answers on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets open requests finish, then closes the port and the journal.
    pub async fn shutdown(self) {
        self.stop.cancel();
        // The emulator itself waits for as long before it cuts connections.
        let _ = tokio::time::timeout(GRACE * 2, self.tasks.wait()).await;
    }
}

impl Drop for EmbeddedFirestore {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(store) = &self.store {
            store.close();
        }
    }
}

fn open_store(data_dir: Option<&Path>) -> anyhow::Result<Option<Arc<JournaledStore>>> {
    let open = |directory: &Path| {
        JournaledStore::open(directory)
            .with_context(|| format!("the documents in {} cannot be used", directory.display()))
    };
    Ok(data_dir.map(open).transpose()?.map(Arc::new))
}

fn compile(source: &str) -> anyhow::Result<Ruleset> {
    let compilation = hidane_rules::compile(&[SourceFile {
        name: Some(RULES_FILE.to_owned()),
        content: source.to_owned(),
    }]);
    let lines: Vec<String> = compilation.issues.iter().map(describe).collect();
    match compilation.ruleset {
        Some(ruleset) if lines.is_empty() => Ok(ruleset),
        _ => bail!(
            "the security rules do not compile cleanly:\n{}",
            lines.join("\n")
        ),
    }
}

fn describe(issue: &hidane_rules::Issue) -> String {
    let (line, column) = issue.position.map_or((0, 0), |at| (at.line, at.column));
    format!("{RULES_FILE}:{line}:{column} {}", issue.description)
}

#[cfg(test)]
mod tests;
