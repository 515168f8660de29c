use shared::{
    ids::OrgId,
    models::{Organization, Principal, User},
    store::{Store, Versioned},
};

use crate::error::Error;

/// An organization that a user or an agent belongs to.
pub(crate) async fn find(store: &Store, org_id: &OrgId) -> Result<Organization, Error> {
    let organization = store.find_organization(org_id).await?;
    let organization = organization.ok_or(Error::NotFound("organization"))?;
    Ok(organization.value)
}

/// The caller's own document.
pub(crate) async fn find_caller(
    store: &Store,
    principal: &Principal,
) -> Result<Versioned<User>, Error> {
    let user = store.find_user(&principal.uid).await?;
    user.ok_or(Error::NotFound("user"))
}
