use crate::{
    ids::{IntegrationId, OrgId, Uid},
    models::{Integration, IntegrationService, IntegrationStatus, RenewalLease},
};

/// A connected account of `o1` that nothing is special about, to be changed.
///
/// # Panics
/// Panics when an id is none.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
pub fn integration(id: &str, owner_uid: &str, service: IntegrationService) -> Integration {
    Integration {
        id: IntegrationId::parse(id).unwrap(),
        org_id: OrgId::parse("o1").unwrap(),
        owner_uid: Uid::parse(owner_uid).unwrap(),
        service,
        account_label: "a…@example.com".to_owned(),
        is_of_key: false,
        credentials: "sealed".into(),
        status: IntegrationStatus::Connected,
        error_cause: None,
        last_sync: None,
        granted_scopes: Vec::new(),
        renewal: RenewalLease::default(),
        shares_knowledge: false,
        allows_triggers: false,
    }
}
