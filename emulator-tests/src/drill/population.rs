use std::{collections::BTreeSet, sync::Arc};

use anyhow::Result;
use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    clock::{Clock, SystemClock},
    crypto::{Envelope, LocalKeys, MacKey},
    ids::{IntegrationId, OrgId, Uid},
    models::{
        AuditAction, Integration, IntegrationService, IntegrationStatus, REFERENCES, RenewalLease,
        Sealed, Timestamp,
    },
    store::{
        DocumentPath, Store, Write,
        document_db::{
            DocumentDb, Fields, Operation, Precondition, ValueType, to_wire_time, to_wire_vector,
            value,
        },
        encode,
        firestore::Firestore,
    },
    vault::SealedFields,
};

use super::{KeyFile, Progress};

/// Collections that lead nowhere; the others are those that do.
const LEADING_NOWHERE: [&str; 5] = [
    "deleted_users",
    "organizations",
    "platform",
    "schedule_ticks",
    "usage_reconciliations",
];

/// Collections whose documents are made one by one.
const MADE_APART: [&str; 3] = ["audit_heads", "audit_logs", "integrations"];

/// Documents for each organization, if there are so many.
const ORGANIZATION: usize = 500;

/// Records of each organization's audit trail.
const RECORDS: usize = 10;

/// Writes of a commit.
const BATCH: usize = 400;

/// Fills a database.
pub(super) struct Population<'a> {
    firestore: Arc<Firestore>,
    mac: Arc<dyn MacKey>,
    keys: &'a KeyFile,
    envelope: Envelope,
}

/// The collections that are filled.
pub fn collections() -> BTreeSet<&'static str> {
    let leading = REFERENCES.iter().map(|reference| reference.from);
    leading.chain(LEADING_NOWHERE).collect()
}

impl<'a> Population<'a> {
    pub(super) fn new(firestore: Arc<Firestore>, mac: Arc<dyn MacKey>, keys: &'a KeyFile) -> Self {
        let key = Arc::new(LocalKeys::new(keys.path()));
        Self {
            firestore,
            mac,
            keys,
            envelope: Envelope::new(key, SystemClock::shared()),
        }
    }

    /// Writes so many documents at least, and tells when the last of them was written.
    pub(super) async fn settle(
        &self,
        documents: usize,
        progress: &Progress<'_>,
    ) -> Result<Timestamp> {
        let organizations = (documents / ORGANIZATION).max(2);
        let mut writes = Vec::new();
        let mut number = 0;
        let mut left = documents.saturating_sub(organizations * RECORDS);
        // Every organization has a first document in each collection, which others lead to.
        while number < 1 || left > 0 {
            if number == 1 {
                self.keys.rotate()?;
            }
            for organization in 0..organizations {
                let made = self.documents(organization, number).await?;
                left = left.saturating_sub(made.len());
                writes.extend(made);
            }
            number += 1;
        }
        self.keys.rotate()?;
        for batch in writes.chunks(BATCH) {
            self.firestore.commit(batch.to_vec()).await?;
            batch.iter().for_each(|_| progress());
        }
        self.record(organizations, progress).await
    }

    /// The documents of that number of an organization, one a collection.
    async fn documents(&self, organization: usize, number: usize) -> Result<Vec<Write>> {
        let first = id(organization, 0);
        let own = id(organization, number);
        let apart = |name: &&&str| !MADE_APART.contains(*name);
        let collections = collections();
        let mut writes = Vec::new();
        for name in collections.iter().filter(apart) {
            // An organization is one document.
            if *name != "organizations" || number == 0 {
                let path = DocumentPath::new(&name.replace('*', &first), &own);
                let fields = filling(&path, &first, number)?;
                writes.push(put(path, fields));
            }
        }
        writes.push(sealed(&self.envelope, &first, &own).await?);
        Ok(writes)
    }

    async fn record(&self, organizations: usize, progress: &Progress<'_>) -> Result<Timestamp> {
        let trail = Trail::new(Store::new(self.firestore.clone()), self.mac.clone());
        let mut last = Timestamp::from(SystemClock.now());
        for organization in 0..organizations {
            let org_id = OrgId::parse(id(organization, 0))?;
            for number in 0..RECORDS {
                let context = json!({ "number": number });
                let entry = Entry::new(&org_id, "u1", AuditAction::WorkflowUpdate, context);
                let writes = trail.append(entry, last).await?;
                last = self.firestore.commit(writes).await?;
                progress();
            }
        }
        Ok(last)
    }
}

/// An integration whose credentials are sealed under the key's primary version.
pub(super) async fn sealed(envelope: &Envelope, org_id: &str, id: &str) -> Result<Write> {
    let mut integration = Integration {
        id: IntegrationId::parse(id)?,
        org_id: OrgId::parse(org_id)?,
        owner_uid: Uid::parse("u1")?,
        service: IntegrationService::Github,
        account_label: "octocat".to_owned(),
        is_of_key: false,
        credentials: Sealed::from(""),
        status: IntegrationStatus::Connected,
        error_cause: None,
        last_sync: None,
        granted_scopes: Vec::new(),
        renewal: RenewalLease::default(),
        shares_knowledge: false,
        allows_triggers: false,
    };
    for (place, _) in integration.clone().sealed() {
        integration.credentials = envelope.seal(b"not a real token", &place).await?.into();
    }
    let path = DocumentPath::new("integrations", id);
    let fields = encode(&path, &integration)?;
    Ok(put(path, fields))
}

pub(super) fn put(path: DocumentPath, fields: Fields) -> Write {
    Write {
        path,
        operation: Operation::Replace(fields),
        precondition: Precondition::None,
    }
}

/// Where references lead to, and values of the kinds that Firestore has.
fn filling(path: &DocumentPath, first: &str, number: usize) -> Result<Fields> {
    let filling = json!({
        "id": path.id(),
        "orgId": first,
        "organizationId": first,
        "executionId": first,
        "workflowId": first,
        "workflowVersion": first,
        "name": format!("№ {number} of {first}"),
        "number": number,
        "ratio": 1.0 / (number as f64 + 3.0),
        "active": number.is_multiple_of(2),
        "cause": null,
        "nodes": [{ "id": "a", "position": { "x": 0.5, "y": -0.0 } }, { "id": "b" }],
        "settings": { "theme": "dark", "notifications": {} },
    });
    let mut fields = encode(path, &filling)?;
    let at = jiff::Timestamp::from_microsecond(1_790_000_000_123_456)?.into();
    let vector = shared::models::Vector::from(vec![0.25; 8]);
    for (name, kind) in [
        ("createdAt", ValueType::TimestampValue(to_wire_time(at))),
        ("digest", ValueType::BytesValue(vec![0, 1, 255])),
    ] {
        fields.insert(name.to_owned(), value(kind));
    }
    fields.insert("embedding".to_owned(), to_wire_vector(&vector));
    Ok(fields)
}

/// The id of an organization's document of that number.
pub(super) fn id(organization: usize, number: usize) -> String {
    format!("{organization:04}-{number:04}")
}
