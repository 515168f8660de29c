use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use futures::TryStreamExt;
use gcloud_sdk::{
    google::firestore::v1::{
        self as wire, batch_get_documents_request, batch_get_documents_response::Result as Looked,
        run_query_request, structured_query as sq,
    },
    prost_types,
};
use prost::Message;

use super::{Firestore, from_read_status, resource_name};
use crate::{
    models::Timestamp,
    retry::{Policy, retry},
    store::{
        codec::document_from_wire,
        document_db::{Document, DocumentPath, Error, ValueType, to_wire_time, value},
        snapshot::Snapshot,
    },
};

/// Documents of a page at most.
const PAGE: i32 = 300;

/// Bytes after which a page ends: a document has up to 1 MiB.
const PAGE_BYTES: usize = 8 << 20;

/// Cloud Firestore at one moment, or as it is.
pub struct FirestoreSnapshot {
    firestore: Arc<Firestore>,
    moment: Option<Timestamp>,
}

impl FirestoreSnapshot {
    /// The database at `moment`, a whole minute unless it is less than an hour ago
    /// (<https://cloud.google.com/firestore/docs/pitr>); as it is at each call without one.
    #[must_use]
    pub fn new(firestore: Arc<Firestore>, moment: Option<Timestamp>) -> Self {
        Self { firestore, moment }
    }

    fn read_time(&self) -> Option<prost_types::Timestamp> {
        self.moment.map(to_wire_time)
    }

    async fn page_once(&self, after: Option<&DocumentPath>) -> Result<Vec<Document>, Error> {
        let db = self.firestore.client().await?;
        let cursor = after.map(|path| wire::Cursor {
            values: vec![value(ValueType::ReferenceValue(resource_name(db, path)))],
            before: false,
        });
        let request = wire::RunQueryRequest {
            parent: db.get_documents_path().clone(),
            query_type: Some(run_query_request::QueryType::StructuredQuery(all(cursor))),
            consistency_selector: self
                .read_time()
                .map(run_query_request::ConsistencySelector::ReadTime),
            ..Default::default()
        };
        let stream = db.client().get().run_query(request).await;
        let mut stream = stream.map_err(from_read_status)?.into_inner();
        let (mut documents, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES
            && let Some(item) = stream.try_next().await.map_err(from_read_status)?
        {
            bytes += item.encoded_len();
            documents.extend(item.document.and_then(document_from_wire));
        }
        Ok(documents)
    }

    async fn missing_once(&self, paths: &[DocumentPath]) -> Result<Vec<DocumentPath>, Error> {
        let db = self.firestore.client().await?;
        let names: HashSet<String> = paths.iter().map(|path| resource_name(db, path)).collect();
        let request = wire::BatchGetDocumentsRequest {
            database: db.get_database_path().clone(),
            documents: names.into_iter().collect(),
            mask: Some(wire::DocumentMask {
                field_paths: vec!["__name__".to_owned()],
            }),
            consistency_selector: self
                .read_time()
                .map(batch_get_documents_request::ConsistencySelector::ReadTime),
            ..Default::default()
        };
        let stream = db.client().get().batch_get_documents(request).await;
        let stream = stream.map_err(from_read_status)?.into_inner();
        let items: Vec<_> = stream.try_collect().await.map_err(from_read_status)?;
        let missing = items.into_iter().filter_map(|item| match item.result? {
            Looked::Missing(name) => DocumentPath::from_resource_name(&name),
            Looked::Found(_) => None,
        });
        Ok(missing.collect())
    }
}

#[async_trait]
impl Snapshot for FirestoreSnapshot {
    async fn page(&self, after: Option<&DocumentPath>) -> Result<Vec<Document>, Error> {
        retry(Policy::REMOTE_CALL, || self.page_once(after)).await
    }

    async fn missing(&self, paths: &[DocumentPath]) -> Result<Vec<DocumentPath>, Error> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        retry(Policy::REMOTE_CALL, || self.missing_once(paths)).await
    }
}

/// What is below the root, however deep: a selector that names no collection.
fn all(start_at: Option<wire::Cursor>) -> wire::StructuredQuery {
    let name = sq::FieldReference {
        field_path: "__name__".to_owned(),
    };
    wire::StructuredQuery {
        from: vec![sq::CollectionSelector {
            collection_id: String::new(),
            all_descendants: true,
        }],
        order_by: vec![sq::Order {
            field: Some(name),
            direction: sq::Direction::Ascending.into(),
        }],
        start_at,
        limit: Some(PAGE),
        ..Default::default()
    }
}
