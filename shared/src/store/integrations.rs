//! `integrations`, and `integration_status`, the part of them that people may see.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    DocumentPath, Error, Found, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Document, Operation, Precondition, Query, ValueType, value},
};
use crate::{
    ids::{IntegrationId, OrgId, Uid},
    models::{
        Integration, IntegrationService, IntegrationStatus, KnowledgeKind, SyncProgress, SyncState,
        SyncStatus, SystemPrincipal, Timestamp,
    },
};

const MIRROR: &str = "integration_status";

impl Store {
    /// The organization's integration; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_integration(
        &self,
        org_id: &OrgId,
        id: &IntegrationId,
    ) -> Result<Option<Versioned<Integration>>, Error> {
        let integration: Option<Versioned<Integration>> = self.load(&path(id)).await?;
        Ok(integration.filter(|integration| integration.value.org_id == *org_id))
    }

    /// The organization's integrations of one service, whatever their state, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_integrations_of_service(
        &self,
        org_id: &OrgId,
        service: IntegrationService,
        limit: u32,
    ) -> Result<Vec<Versioned<Integration>>, Error> {
        let query = Query::new("integrations", limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("service", Comparison::Equal, service.as_str());
        self.list(&query).await
    }

    /// What people may see of the organization's integrations, by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_integration_statuses(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<SyncStatus>, Error> {
        let query = Query::new(MIRROR, page.limit);
        let query = query.filter("orgId", Comparison::Equal, org_id.as_str());
        self.page_by_id(query, page).await
    }

    /// What people may see of the organization's integration.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_integration_status(
        &self,
        org_id: &OrgId,
        id: &IntegrationId,
    ) -> Result<Option<SyncStatus>, Error> {
        let status: Option<Versioned<SyncStatus>> = self.load(&mirror_path(id)).await?;
        let own = status.filter(|status| status.value.org_id == *org_id);
        Ok(own.map(|status| status.value))
    }

    /// The writes that delete where syncs of the organization's integration go on, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_sync_cursor_removals(
        &self,
        id: &IntegrationId,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        let query = Query::new(path(id).collection("sync"), limit);
        self.list_removals(&query).await
    }

    /// How far the sync of the organization's integration has come with one kind; another
    /// organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_sync_state(
        &self,
        org_id: &OrgId,
        id: &IntegrationId,
        kind: KnowledgeKind,
    ) -> Result<Option<Versioned<SyncState>>, Error> {
        let state: Option<Versioned<SyncState>> = self.load(&sync_path(id, kind)).await?;
        Ok(state.filter(|state| state.value.org_id == *org_id))
    }

    /// The integrations whose mailbox has this address, told by its keyed hash, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_integrations_of_mailbox(
        &self,
        _caller: &SystemPrincipal,
        address_hash: &str,
        limit: u32,
    ) -> Result<Vec<(OrgId, IntegrationId)>, Error> {
        let query = Query::group("sync", limit);
        let query = query.filter("addressHash", Comparison::Equal, address_hash);
        let documents = self.db.query(&query).await?;
        let of = |document: &Document| {
            let state: SyncState = super::decode(document).ok()?;
            let id = document.path.as_str().rsplit('/').nth(2)?;
            Some((state.org_id, IntegrationId::parse(id).ok()?))
        };
        Ok(documents.iter().filter_map(of).collect())
    }

    /// Whether the organization has any integration, whatever its state.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn has_integration(&self, org_id: &OrgId) -> Result<bool, Error> {
        let query =
            Query::new("integrations", 1).filter("orgId", Comparison::Equal, org_id.as_str());
        Ok(!self.db.query(&query).await?.is_empty())
    }

    /// Integrations of all organizations by id, from after a position on; one that cannot be read
    /// is told as well.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_all_integrations(
        &self,
        _caller: &SystemPrincipal,
        after: Option<&DocumentPath>,
        limit: u32,
    ) -> Result<Vec<Found<Versioned<Integration>>>, Error> {
        let query = Query::new("integrations", limit);
        self.find_versioned_by_id(query, after).await
    }

    /// Connected Google integrations of all organizations, by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_active_google_integrations(
        &self,
        _caller: &SystemPrincipal,
        page: &Page,
    ) -> Result<Listing<Integration>, Error> {
        let query = Query::new("integrations", page.limit)
            .filter("service", Comparison::Equal, "google")
            .filter("status", Comparison::Equal, "connected");
        self.page_by_id(query, page).await
    }

    /// Integrations of all organizations that somebody has begun to disconnect, by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_disconnecting_integrations(
        &self,
        _caller: &SystemPrincipal,
        page: &Page,
    ) -> Result<Listing<Integration>, Error> {
        let query = Query::new("integrations", page.limit);
        let cause = Integration::DISCONNECTING;
        let query = query.filter("errorCause", Comparison::Equal, cause);
        self.page_by_id(query, page).await
    }

    /// Integrations of all organizations that the user has connected, by id.
    ///
    /// # Errors
    /// Returns the database's error, also for one that cannot be read.
    pub async fn list_integrations_by_user(
        &self,
        _caller: &SystemPrincipal,
        uid: &Uid,
        page: &Page,
    ) -> Result<Listing<Versioned<Integration>>, Error> {
        let query = Query::new("integrations", page.limit);
        let query = query.filter("ownerUid", Comparison::Equal, uid.as_str());
        self.strict_page_by_id(query, page).await
    }
}

/// Creates the integration and what people may see of it.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(integration: &Integration) -> Result<[Write; 2], Error> {
    Ok([
        super::create(path(&integration.id), integration)?,
        mirror(integration)?,
    ])
}

/// Replaces the integration, if nobody changed it meanwhile, and what people may see of it.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(integration: &Versioned<Integration>) -> Result<[Write; 2], Error> {
    let path = path(&integration.value.id);
    Ok([
        super::replace(path, integration)?,
        mirror(&integration.value)?,
    ])
}

/// Deletes the integration, if nobody changed it meanwhile, and what people may see of it.
#[must_use]
pub fn delete_unchanged(integration: &Versioned<Integration>) -> [Write; 2] {
    let id = &integration.value.id;
    [
        super::delete(path(id), Precondition::Version(integration.version)),
        super::delete(mirror_path(id), Precondition::None),
    ]
}

/// Sets how far a sync has come, if nobody changed it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_sync_state(
    id: &IntegrationId,
    kind: KnowledgeKind,
    state: &SyncState,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(sync_path(id, kind), state, precondition)
}

/// Changes nothing, but has the commit fail when the integration was changed meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn require_unchanged(integration: &Versioned<Integration>) -> Result<Write, Error> {
    let field = BTreeMap::from([("orgId", &integration.value.org_id)]);
    let unchanged = Precondition::Version(integration.version);
    super::merge(path(&integration.value.id), &field, unchanged)
}

/// Tells people how far a sync has come, in the commit that brings it there.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_progress(
    id: &IntegrationId,
    kind: KnowledgeKind,
    progress: &SyncProgress,
) -> Result<Write, Error> {
    let field = match kind {
        KnowledgeKind::Gmail => "sync.gmail",
        KnowledgeKind::Drive => "sync.drive",
    };
    let fields = BTreeMap::from([(field, progress)]);
    super::merge(mirror_path(id), &fields, Precondition::Exists)
}

/// What the mirror copies; how far the syncs have come stays as it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mirrored<'a> {
    id: &'a IntegrationId,
    org_id: &'a OrgId,
    service: IntegrationService,
    account_label: &'a str,
    status: IntegrationStatus,
    error_cause: Option<&'a str>,
    last_sync: Option<Timestamp>,
    granted_scopes: &'a [String],
    shares_knowledge: bool,
    allows_triggers: bool,
}

/// The precondition of the integration itself guards it: both are written in one commit.
fn mirror(integration: &Integration) -> Result<Write, Error> {
    let mirrored = Mirrored {
        id: &integration.id,
        org_id: &integration.org_id,
        service: integration.service,
        account_label: &integration.account_label,
        status: integration.status,
        error_cause: integration.error_cause.as_deref(),
        last_sync: integration.last_sync,
        granted_scopes: &integration.granted_scopes,
        shares_knowledge: integration.shares_knowledge,
        allows_triggers: integration.allows_triggers,
    };
    let path = mirror_path(&integration.id);
    let mut fields = super::encode(&path, &mirrored)?;
    for name in ["errorCause", "lastSync"] {
        let absent = || value(ValueType::NullValue(0));
        fields.entry(name.to_owned()).or_insert_with(absent);
    }
    Ok(Write {
        path,
        operation: Operation::Merge {
            fields,
            increments: Vec::new(),
        },
        precondition: Precondition::None,
    })
}

fn mirror_path(id: &IntegrationId) -> DocumentPath {
    DocumentPath::new(MIRROR, id.as_str())
}

fn sync_path(id: &IntegrationId, kind: KnowledgeKind) -> DocumentPath {
    path(id).child("sync", kind.as_str())
}

fn path(id: &IntegrationId) -> DocumentPath {
    DocumentPath::new("integrations", id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        models::{IntegrationService, IntegrationStatus, RenewalLease},
        store::document_db::Operation,
    };

    #[test]
    fn people_see_a_copy_without_credentials() {
        let integration = Integration {
            id: IntegrationId::parse("i1").unwrap(),
            org_id: OrgId::parse("o1").unwrap(),
            owner_uid: Uid::parse("u1").unwrap(),
            service: IntegrationService::Google,
            account_label: "a…@example.com".to_owned(),
            is_of_key: false,
            credentials: "sealed".into(),
            status: IntegrationStatus::Connected,
            error_cause: None,
            last_sync: None,
            granted_scopes: vec!["openid".to_owned()],
            renewal: RenewalLease::default(),
            shares_knowledge: false,
            allows_triggers: false,
        };
        let [_, copy] = create(&integration).unwrap();
        assert_eq!(copy.path.as_str(), "integration_status/i1");
        let Operation::Merge { fields, .. } = copy.operation else {
            panic!("it replaces how far the syncs have come");
        };
        let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected = [
            "accountLabel",
            "allowsTriggers",
            "errorCause",
            "grantedScopes",
            "id",
            "lastSync",
            "orgId",
            "service",
            "sharesKnowledge",
            "status",
        ];
        assert_eq!(names, expected);
    }
}
