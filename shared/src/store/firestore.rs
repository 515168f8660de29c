//! The document database on Cloud Firestore: the only file that talks to it.

mod request;
mod snapshot;
mod span;

use async_trait::async_trait;
use firestore::{FirestoreDb, FirestoreDbOptions, errors::FirestoreError};
use futures::TryStreamExt;
use gcloud_sdk::{
    google::firestore::v1 as wire,
    google_cloud_auth::{
        credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag},
        errors::CredentialsError,
    },
    tonic::{Code, Status},
};
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};
use tokio::sync::OnceCell;

pub use self::snapshot::FirestoreSnapshot;
use self::span::traced;
use super::{
    codec::document_from_wire,
    document_db::{
        Document, DocumentDb, DocumentPath, Error, Fields, Operation, Precondition, Query,
        ValueType, Write, from_wire_time, set_field, to_wire_time, value,
    },
};
use crate::{
    config::ServiceConfig,
    models::Timestamp,
    retry::{Policy, retry},
};

/// Cloud Firestore, or its emulator. It connects on first use, so that a function starts at once.
pub struct Firestore {
    options: FirestoreDbOptions,
    is_emulator: bool,
    client: OnceCell<FirestoreDb>,
}

impl Firestore {
    /// The database that the configuration names.
    #[must_use]
    pub fn new(config: &ServiceConfig) -> Self {
        let options = FirestoreDbOptions::new(config.project_id.clone())
            .with_database_id(config.database_id.clone());
        let (options, is_emulator) = match &config.firestore_emulator_host {
            Some(host) => (
                options.with_firebase_api_url(format!("http://{host}")),
                true,
            ),
            None => (options, false),
        };
        Self {
            options,
            is_emulator,
            client: OnceCell::new(),
        }
    }

    /// The client, connected on first use: for listeners, which are no part of the port.
    ///
    /// # Errors
    /// Returns [`Error::Unavailable`] when the database cannot be reached.
    pub async fn client(&self) -> Result<&FirestoreDb, Error> {
        let connect = async {
            let options = self.options.clone();
            if self.is_emulator {
                let owner = Credentials::from(EmulatorOwner {
                    tag: EntityTag::new(),
                });
                FirestoreDb::with_options_auth(options, owner).await
            } else {
                FirestoreDb::with_options(options).await
            }
        };
        let unavailable = |error: FirestoreError| Error::Unavailable(Box::new(error));
        self.client
            .get_or_try_init(|| connect)
            .await
            .map_err(unavailable)
    }

    /// Reads the fields of `mask`, all without one.
    async fn get_once(
        &self,
        path: &DocumentPath,
        mask: Option<&wire::DocumentMask>,
    ) -> Result<Option<Document>, Error> {
        let db = self.client().await?;
        let request = wire::GetDocumentRequest {
            name: resource_name(db, path),
            mask: mask.cloned(),
            ..Default::default()
        };
        match db.client().get().get_document(request).await {
            Ok(response) => Ok(document_from_wire(response.into_inner())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(from_read_status(status)),
        }
    }

    async fn query_once(&self, query: &Query) -> Result<Vec<Document>, Error> {
        let db = self.client().await?;
        let request = request::run_query(db.get_documents_path(), query);
        let stream = db
            .client()
            .get()
            .run_query(request)
            .await
            .map_err(from_read_status)?;
        let responses: Vec<_> = stream
            .into_inner()
            .try_collect()
            .await
            .map_err(from_read_status)?;
        Ok(responses
            .into_iter()
            .filter_map(|item| document_from_wire(item.document?))
            .collect())
    }

    async fn count_once(&self, query: &Query) -> Result<usize, Error> {
        let db = self.client().await?;
        let stream = db
            .client()
            .get()
            .run_aggregation_query(request::count(db.get_documents_path(), query))
            .await
            .map_err(from_read_status)?;
        let responses: Vec<_> = stream
            .into_inner()
            .try_collect()
            .await
            .map_err(from_read_status)?;
        let mut results = responses.into_iter().filter_map(|item| item.result);
        let count = results.find_map(|result| result.aggregate_fields.into_values().next());
        match count.and_then(|count| count.value_type) {
            Some(ValueType::IntegerValue(count)) => Ok(usize::try_from(count).unwrap_or_default()),
            _ => Err(Error::Unavailable("the database has told no count".into())),
        }
    }

    async fn commit_once(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        let db = self.client().await?;
        let request = wire::CommitRequest {
            database: db.get_database_path().clone(),
            writes: writes
                .into_iter()
                .map(|write| to_wire_write(db, write))
                .collect(),
            ..Default::default()
        };
        let response = db
            .client()
            .get()
            .commit(request)
            .await
            .map_err(from_status)?;
        Ok(response.into_inner().commit_time.map_or_else(
            || Timestamp::from(jiff::Timestamp::UNIX_EPOCH),
            |time| from_wire_time(&time),
        ))
    }
}

#[async_trait]
impl DocumentDb for Firestore {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        let call = retry(Policy::REMOTE_CALL, || self.get_once(path, None));
        traced("get", path.as_str(), call).await
    }

    async fn exists(&self, path: &DocumentPath) -> Result<bool, Error> {
        let mask = wire::DocumentMask {
            field_paths: vec!["__name__".to_owned()],
        };
        let call = retry(Policy::REMOTE_CALL, || self.get_once(path, Some(&mask)));
        let found = traced("exists", path.as_str(), call).await?;
        Ok(found.is_some())
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        let call = retry(Policy::REMOTE_CALL, || self.query_once(query));
        traced("query", &query.collection, call).await
    }

    async fn count(&self, query: &Query) -> Result<usize, Error> {
        let call = retry(Policy::REMOTE_CALL, || self.count_once(query));
        traced("count", &query.collection, call).await
    }

    /// One `Commit` without a transaction: preconditions make it safe, and it is one round trip.
    /// It is not repeated here, because an unavailable database may have applied it.
    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        traced("commit", "", self.commit_once(writes)).await
    }
}

fn resource_name(db: &FirestoreDb, path: &DocumentPath) -> String {
    format!("{}/{path}", db.get_documents_path())
}

fn to_wire_write(db: &FirestoreDb, write: Write) -> wire::Write {
    let name = resource_name(db, &write.path);
    let mut request = wire::Write {
        current_document: to_wire_precondition(write.precondition),
        ..Default::default()
    };
    let update = |fields| {
        let document = wire::Document {
            name: name.clone(),
            fields,
            ..Default::default()
        };
        Some(wire::write::Operation::Update(document))
    };
    match write.operation {
        Operation::Replace(fields) => request.operation = update(fields),
        Operation::Merge { fields, increments } => {
            let field_paths = fields.keys().cloned().collect();
            request.update_mask = Some(wire::DocumentMask { field_paths });
            request.update_transforms = increments.into_iter().map(to_wire_increment).collect();
            let mut nested = Fields::new();
            for (name, field) in fields {
                set_field(&mut nested, &name, field);
            }
            request.operation = update(nested);
        }
        Operation::Delete => request.operation = Some(wire::write::Operation::Delete(name)),
    }
    request
}

fn to_wire_increment((field, amount): (&str, i64)) -> wire::document_transform::FieldTransform {
    use wire::document_transform::{FieldTransform, field_transform::TransformType};
    let amount = value(wire::value::ValueType::IntegerValue(amount));
    FieldTransform {
        field_path: field.to_owned(),
        transform_type: Some(TransformType::Increment(amount)),
    }
}

fn to_wire_precondition(precondition: Precondition) -> Option<wire::Precondition> {
    use wire::precondition::ConditionType;
    let condition_type = match precondition {
        Precondition::None => return None,
        Precondition::Exists => ConditionType::Exists(true),
        Precondition::Absent => ConditionType::Exists(false),
        Precondition::Version(version) => ConditionType::UpdateTime(to_wire_time(version)),
    };
    Some(wire::Precondition {
        condition_type: Some(condition_type),
    })
}

/// A read has no precondition to fail: this is a missing index, which the status names.
fn from_read_status(status: Status) -> Error {
    match status.code() {
        Code::FailedPrecondition => Error::Rejected(Box::new(status)),
        _ => from_status(status),
    }
}

/// Codes by <https://cloud.google.com/firestore/docs/understand-error-codes>.
fn from_status(status: Status) -> Error {
    match status.code() {
        Code::AlreadyExists => Error::AlreadyExists,
        Code::NotFound => Error::NotFound,
        Code::FailedPrecondition | Code::Aborted => Error::Conflict,
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Internal
        | Code::Unknown
        | Code::Cancelled => Error::Unavailable(Box::new(status)),
        _ => Error::Rejected(Box::new(status)),
    }
}

/// The emulators take this token as the administrator's, so that rules are skipped as they are
/// for a service account in production.
#[derive(Debug)]
struct EmulatorOwner {
    tag: EntityTag,
}

impl CredentialsProvider for EmulatorOwner {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        if extensions.get::<EntityTag>() == Some(&self.tag) {
            return Ok(CacheableResource::NotModified);
        }
        let owner = HeaderValue::from_static("Bearer owner");
        let data = HeaderMap::from_iter([(AUTHORIZATION, owner)]);
        Ok(CacheableResource::New {
            entity_tag: self.tag.clone(),
            data,
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}
