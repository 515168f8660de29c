//! `organizations/{id}/invitations`.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Precondition, Query},
};
use crate::{
    ids::{OrgId, RecordId, Uid},
    models::{Invitation, SystemPrincipal},
};

const COLLECTION: &str = "invitations";

impl Store {
    /// The organization's invitation.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_invitation(
        &self,
        org_id: &OrgId,
        id: &RecordId,
    ) -> Result<Option<Versioned<Invitation>>, Error> {
        self.load(&path(org_id, id)).await
    }

    /// The organization's invitations by id, those that are over included.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_invitations(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<Invitation>, Error> {
        let query = Query::new(collection(org_id), page.limit);
        self.page_by_id(query, page).await
    }

    /// The organization's invitations with their versions, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_all_invitations(
        &self,
        org_id: &OrgId,
        limit: u32,
    ) -> Result<Vec<Versioned<Invitation>>, Error> {
        self.list(&Query::new(collection(org_id), limit)).await
    }

    /// Invitations of an address into all organizations, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_invitations_of_address(
        &self,
        _caller: &SystemPrincipal,
        email: &str,
        limit: u32,
    ) -> Result<Vec<Versioned<Invitation>>, Error> {
        let query = Query::group(COLLECTION, limit).filter("email", Comparison::Equal, email);
        self.list(&query).await
    }

    /// Invitations into all organizations that the user has sent, by path.
    ///
    /// # Errors
    /// Returns the database's error, also for one that cannot be read.
    pub async fn list_invitations_by_user(
        &self,
        _caller: &SystemPrincipal,
        uid: &Uid,
        page: &Page,
    ) -> Result<Listing<Versioned<Invitation>>, Error> {
        let query = Query::group(COLLECTION, page.limit);
        let query = query.filter("invitedBy", Comparison::Equal, uid.as_str());
        self.strict_page_by_id(query, page).await
    }
}

/// Creates the invitation.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(invitation: &Invitation) -> Result<Write, Error> {
    super::create(path(&invitation.org_id, &invitation.id), invitation)
}

/// Deletes the invitation, if nobody has used or changed it meanwhile.
#[must_use]
pub fn delete(invitation: &Versioned<Invitation>) -> Write {
    let Invitation { org_id, id, .. } = &invitation.value;
    super::delete(path(org_id, id), Precondition::Version(invitation.version))
}

fn collection(org_id: &OrgId) -> String {
    organization(org_id).collection(COLLECTION)
}

fn path(org_id: &OrgId, id: &RecordId) -> DocumentPath {
    organization(org_id).child(COLLECTION, id.as_str())
}

fn organization(org_id: &OrgId) -> DocumentPath {
    DocumentPath::new("organizations", org_id.as_str())
}
