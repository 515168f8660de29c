//! Google's APIs for databases, buckets, triggers and rules, with this job's identity.

mod wire;

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use http::{HeaderMap, Method};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use shared::{
    retry::{Policy, retry},
    service_identity::ServiceIdentity,
};

use crate::{
    place::Place,
    ports::{Deployed, Error, Export, Restorer},
};

/// Longest wait for one call; operations go on after it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait for an operation: a job's time is up before.
const OPERATION: Duration = Duration::from_secs(24 * 3_600);

/// The wildcard of all fields, which is no field with indexes of its own.
const DEFAULT_FIELD: &str = "__default__";

/// What a drill on Google Cloud works with.
#[derive(Clone, Debug)]
pub struct GoogleConfig {
    /// The database in use.
    pub source: Place,
    /// The database to make.
    pub target: Place,
    /// Its region.
    pub location: String,
    /// The bucket of the exports.
    pub backups: String,
    /// Host and port of a stand-in for all APIs.
    pub emulator_host: Option<String>,
}

/// Google Cloud, by its discovery documents
/// (<https://developers.google.com/discovery/v1/reference/apis>).
pub struct Google {
    client: Client,
    config: GoogleConfig,
    identity: ServiceIdentity,
}

/// What of Google's is called.
#[derive(Clone, Copy)]
enum Api {
    Eventarc,
    FirebaseRules,
    Firestore,
    Storage,
}

impl Api {
    fn host(self) -> &'static str {
        match self {
            Self::Eventarc => "eventarc.googleapis.com",
            Self::FirebaseRules => "firebaserules.googleapis.com",
            Self::Firestore => "firestore.googleapis.com",
            Self::Storage => "storage.googleapis.com",
        }
    }
}

impl Google {
    /// The databases and the bucket that the configuration names.
    #[must_use]
    pub fn new(config: GoogleConfig, client: Client) -> Self {
        let identity = ServiceIdentity::new();
        Self {
            client,
            config,
            identity,
        }
    }

    async fn request(&self, method: Method, api: Api, path: &str) -> Result<RequestBuilder, Error> {
        let (base, headers) = match &self.config.emulator_host {
            Some(host) => (format!("http://{host}"), HeaderMap::new()),
            None => {
                let headers = self.identity.headers().await.map_err(Error::Unavailable)?;
                (format!("https://{}", api.host()), headers)
            }
        };
        let request = self.client.request(method, format!("{base}/{path}"));
        Ok(request.timeout(TIMEOUT).headers(headers))
    }

    async fn get(&self, api: Api, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        retry(Policy::REMOTE_CALL, || async move {
            let request = self.request(Method::GET, api, path).await?;
            answer(request.query(query)).await
        })
        .await
    }

    /// All items of a listing. One that leaves out what could not be reached is refused.
    async fn list(
        &self,
        api: Api,
        path: &str,
        query: &[(&str, &str)],
        items: &str,
    ) -> Result<Vec<Value>, Error> {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let mut query = query.to_vec();
            if !token.is_empty() {
                query.push(("pageToken", &token));
            }
            let mut page = self.get(api, path, &query).await?;
            if let Some([first, ..]) = page["unreachable"].as_array().map(Vec::as_slice) {
                return Err(Error::Refused(format!(
                    "{first} was not reached for {items}"
                )));
            }
            if let Some(items) = page[items].as_array_mut() {
                all.append(items);
            }
            match page["nextPageToken"].as_str().unwrap_or_default() {
                "" => return Ok(all),
                next => token = next.to_owned(),
            }
        }
    }

    /// Begins an operation of Firestore, and returns when it is done.
    async fn operate(&self, request: RequestBuilder) -> Result<(), Error> {
        let operation = answer(request).await?;
        if wire::is_done(&operation)? {
            return Ok(());
        }
        let name = operation["name"].as_str().unwrap_or_default().to_owned();
        let path = &format!("v1/{name}");
        let look = || async move {
            let operation = self.get(Api::Firestore, path, &[]).await?;
            match wire::is_done(&operation)? {
                true => Ok(()),
                false => Err(Error::Pending),
            }
        };
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(60));
        let policy = Policy::new(u32::MAX, first, longest, OPERATION);
        retry(policy.unwrap_or(Policy::LATER), look).await
    }

    fn target(&self) -> String {
        format!("v1/{}", self.config.target.name())
    }

    fn source(&self) -> String {
        format!("v1/{}", self.config.source.name())
    }
}

#[async_trait]
impl Restorer for Google {
    async fn bystanders(&self) -> Result<Vec<String>, Error> {
        let target = &self.config.target;
        let path = format!("v1/projects/{}/locations/-/triggers", target.project);
        let triggers = self.list(Api::Eventarc, &path, &[], "triggers").await?;
        let acting = triggers
            .iter()
            .filter(|trigger| wire::acts_on(trigger, &target.database));
        let names = acting.map(|trigger| trigger["name"].as_str().unwrap_or_default().to_owned());
        Ok(names.collect())
    }

    async fn newest_export(&self) -> Result<Export, Error> {
        let bucket = &self.config.backups;
        let query = [
            ("matchGlob", "**.overall_export_metadata"),
            ("fields", "items(name),nextPageToken"),
        ];
        let path = format!("storage/v1/b/{bucket}/o");
        let objects = self.list(Api::Storage, &path, &query, "items").await?;
        let names = objects.iter().filter_map(|object| object["name"].as_str());
        let exports = names.filter_map(|name| wire::export(bucket, name));
        let newest = exports.max_by_key(|export| export.moment.instant());
        newest.ok_or(Error::NoExport)
    }

    async fn create(&self) -> Result<(), Error> {
        let GoogleConfig {
            target, location, ..
        } = &self.config;
        let path = format!("v1/projects/{}/databases", target.project);
        let request = self.request(Method::POST, Api::Firestore, &path).await?;
        let request = request.query(&[("databaseId", &target.database)]);
        let database = json!({
            "type": "FIRESTORE_NATIVE",
            "locationId": location,
            "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
            "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
        });
        self.operate(request.json(&database)).await
    }

    async fn import(&self, export: &Export) -> Result<(), Error> {
        let path = format!("{}:importDocuments", self.target());
        let request = self.request(Method::POST, Api::Firestore, &path).await?;
        let body = json!({ "inputUriPrefix": export.url });
        self.operate(request.json(&body)).await
    }

    /// What is gone was deleted by an attempt whose answer was lost.
    async fn delete(&self) -> Result<(), Error> {
        let path = &self.target();
        let deleted = retry(Policy::REMOTE_CALL, || async move {
            let request = self.request(Method::DELETE, Api::Firestore, path);
            self.operate(request.await?).await
        });
        match deleted.await {
            Err(Error::Missing(_)) => Ok(()),
            other => other,
        }
    }
}

#[async_trait]
impl Deployed for Google {
    async fn rules(&self) -> Result<String, Error> {
        let Place { project, database } = &self.config.source;
        let release = match database.as_str() {
            "(default)" => "cloud.firestore".to_owned(),
            other => format!("cloud.firestore/{other}"),
        };
        let path = format!("v1/projects/{project}/releases/{release}");
        let release = self.get(Api::FirebaseRules, &path, &[]).await?;
        let ruleset = release["rulesetName"].as_str().unwrap_or_default();
        let path = format!("v1/{ruleset}");
        let ruleset = self.get(Api::FirebaseRules, &path, &[]).await?;
        let files = ruleset["source"]["files"].as_array();
        let files = files.into_iter().flatten();
        let contents = files.filter_map(|file| file["content"].as_str());
        Ok(contents.collect())
    }

    async fn indexes(&self) -> Result<BTreeSet<String>, Error> {
        let groups = format!("{}/collectionGroups/-", self.source());
        let path = format!("{groups}/indexes");
        let indexes = self.list(Api::Firestore, &path, &[], "indexes").await?;
        let path = format!("{groups}/fields");
        // What firebase-tools asks for.
        let filter = "indexConfig.usesAncestorConfig:false OR ttlConfig:*";
        let query = [("filter", filter)];
        let fields = self.list(Api::Firestore, &path, &query, "fields").await?;
        let fields = fields.iter().filter(|field| {
            let name = field["name"].as_str().unwrap_or_default();
            !name.contains(DEFAULT_FIELD)
        });
        let ready = indexes.iter().filter(|index| index["state"] == "READY");
        let ready = ready.map(wire::describe_index);
        ready.chain(fields.map(wire::describe_field)).collect()
    }
}

/// Sends a request, and returns what was answered.
async fn answer(request: RequestBuilder) -> Result<Value, Error> {
    let response: Response = request.send().await.map_err(unavailable)?;
    let status = response.status();
    if status.is_success() {
        return response.json().await.map_err(unavailable);
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(unavailable(format!("status {status}")));
    }
    let body: Value = response.json().await.unwrap_or_default();
    let code = body["error"]["status"].as_str().unwrap_or_default();
    let told = format!("status {status} {code}");
    Err(match status {
        StatusCode::NOT_FOUND => Error::Missing(told),
        _ => Error::Refused(told),
    })
}

fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Unavailable(source.into())
}
