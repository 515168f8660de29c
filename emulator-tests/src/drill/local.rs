use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use ::drill::{Deployed, Error, Export, RULES, Restorer, described};
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use shared::{
    models::Timestamp,
    store::{
        document_db::DocumentDb,
        firestore::{Firestore, FirestoreSnapshot},
        snapshot::Snapshot,
    },
};

use super::{DATABASE, Fault, SOURCE_PROJECT, Scene, TARGET_PROJECT};

/// The emulators' export and import.
pub(super) struct LocalRestorer {
    source_host: String,
    target_host: String,
    target: Arc<Firestore>,
    exports: PathBuf,
    moment: Timestamp,
    fault: Option<Fault>,
}

impl LocalRestorer {
    pub(super) fn new(scene: &Scene, fault: Option<Fault>) -> Self {
        Self {
            source_host: scene.source.host(),
            target_host: scene.target.host(),
            target: scene.target(),
            exports: scene.directory.path().join("exports"),
            moment: scene.moment,
            fault,
        }
    }

    /// Writes an export in the place of the one before.
    pub(super) async fn export(&self) -> Result<()> {
        if self.exports.exists() {
            tokio::fs::remove_dir_all(&self.exports).await?;
        }
        tokio::fs::create_dir_all(&self.exports).await?;
        let body = json!({
            "database": database(SOURCE_PROJECT),
            "export_directory": self.exports,
            "export_name": "newest",
        });
        let path = format!("emulator/v1/projects/{SOURCE_PROJECT}:export");
        call(Method::POST, &self.source_host, &path, Some(body)).await
    }

    async fn import_newest(&self) -> Result<()> {
        let file = self.exports.join("newest/newest.overall_export_metadata");
        let body = json!({ "database": database(TARGET_PROJECT), "export_directory": file });
        let path = format!("emulator/v1/projects/{TARGET_PROJECT}:import");
        call(Method::POST, &self.target_host, &path, Some(body)).await?;
        if let Some(fault) = self.fault {
            let writes = fault.damage(&self.target).await?;
            if !writes.is_empty() {
                self.target.commit(writes).await?;
            }
        }
        Ok(())
    }

    async fn clear(&self) -> Result<()> {
        let database = database(TARGET_PROJECT);
        let path = format!("emulator/v1/{database}/documents");
        call(Method::DELETE, &self.target_host, &path, None).await
    }
}

#[async_trait]
impl Restorer for LocalRestorer {
    async fn bystanders(&self) -> Result<Vec<String>, Error> {
        let trigger = "triggers/agent-written".to_owned();
        let is_planted = self.fault == Some(Fault::SideEffects);
        Ok(is_planted.then_some(trigger).into_iter().collect())
    }

    async fn newest_export(&self) -> Result<Export, Error> {
        Ok(Export {
            url: self.exports.display().to_string(),
            moment: self.moment,
        })
    }

    async fn create(&self) -> Result<(), Error> {
        let snapshot = FirestoreSnapshot::new(self.target.clone(), None);
        let found = snapshot.page(None).await;
        match found.map_err(|error| Error::Unavailable(error.into()))? {
            found if found.is_empty() => Ok(()),
            _ => Err(Error::Refused("it is there already".to_owned())),
        }
    }

    async fn import(&self, _: &Export) -> Result<(), Error> {
        self.import_newest().await.map_err(refused)
    }

    async fn delete(&self) -> Result<(), Error> {
        self.clear().await.map_err(refused)
    }
}

/// What a deployment of this repository has put in force: nobody keeps indexes locally.
pub(super) struct Installed {
    fault: Option<Fault>,
}

impl Installed {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self { fault }
    }
}

#[async_trait]
impl Deployed for Installed {
    async fn rules(&self) -> Result<String, Error> {
        Ok(match self.fault {
            Some(Fault::Rules) => RULES.replacen("false", "true", 1),
            _ => RULES.to_owned(),
        })
    }

    async fn indexes(&self) -> Result<BTreeSet<String>, Error> {
        let mut indexes = described().map_err(refused)?;
        if self.fault == Some(Fault::Index) {
            indexes.pop_first();
        }
        Ok(indexes)
    }
}

fn database(project: &str) -> String {
    format!("projects/{project}/databases/{DATABASE}")
}

async fn call(method: Method, host: &str, path: &str, body: Option<Value>) -> Result<()> {
    let client = Client::builder().no_proxy().build()?;
    let request = client.request(method, format!("http://{host}/{path}"));
    let request = match &body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.bearer_auth("owner").send().await?;
    let status = response.status();
    let text = response.text().await.context("no answer")?;
    ensure!(status.is_success(), "{path}: {status} {text}");
    Ok(())
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::Refused(format!("{error:#}"))
}
