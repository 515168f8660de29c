//! `organizations/{id}/knowledge`.

use super::{
    DocumentPath, Error, Store, Write,
    document_db::{Comparison, Query},
};
use crate::ids::{IntegrationId, OrgId};

impl Store {
    /// The writes that delete what was synced through the organization's integration, at most
    /// `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_knowledge_removals(
        &self,
        org_id: &OrgId,
        integration_id: &IntegrationId,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        let organization = DocumentPath::new("organizations", org_id.as_str());
        let query = Query::new(organization.collection("knowledge"), limit);
        let id = integration_id.as_str();
        let query = query.filter("integrationId", Comparison::Equal, id);
        self.list_removals(&query).await
    }
}
