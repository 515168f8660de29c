//! Who belongs to an organization, exact under concurrency: whatever changes a membership, a role
//! or an access writes one counter conditionally, so that of two changes at the same time the
//! second reads again.

use crate::{
    ids::OrgId,
    models::{MemberCount, Role, Timestamp, User},
    store::{self, Page, Store, Write, organizations},
};

/// Members read at once when an organization has no counter yet.
const BATCH: u32 = 300;

/// Why a member does not change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Members would be left without anybody who can administer them.
    #[error("the organization needs an admin: make another member admin first")]
    LastAdmin,
    /// The database failed.
    #[error("the members cannot be counted")]
    Store(#[from] store::Error),
}

/// The members of an organization as they were counted. A change of one of them makes a write of
/// it, to be added to the commit that does it.
#[derive(Debug)]
pub struct Members {
    org_id: OrgId,
    count: MemberCount,
    version: Option<Timestamp>,
}

impl Members {
    /// Reads the counter, or counts when nobody has since the organization was made.
    ///
    /// What is read of members after this cannot change without a lost race of the commit.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn load(store: &Store, org_id: &OrgId) -> Result<Self, store::Error> {
        let found = store.find_member_count(org_id).await?;
        let (count, version) = match found {
            Some(found) => (found.value, Some(found.version)),
            None => (count(store, org_id).await?, None),
        };
        Ok(Self {
            org_id: org_id.clone(),
            count,
            version,
        })
    }

    /// Whether there is one member only.
    #[must_use]
    pub fn has_one(&self) -> bool {
        self.count.members <= 1
    }

    /// The first member of an organization that is being made: its admin.
    ///
    /// # Errors
    /// Returns [`store::Error::Malformed`] for a model that Firestore cannot hold.
    pub fn first_of(org_id: &OrgId) -> Result<Write, store::Error> {
        let nobody = Self {
            org_id: org_id.clone(),
            count: MemberCount::default(),
            version: None,
        };
        nobody.join(Role::Admin)
    }

    /// One more member, who can act.
    ///
    /// # Errors
    /// Returns [`store::Error::Malformed`] for a model that Firestore cannot hold.
    pub fn join(mut self, role: Role) -> Result<Write, store::Error> {
        self.count.members += 1;
        self.count.admins += i64::from(role == Role::Admin);
        self.write()
    }

    /// One member less.
    ///
    /// # Errors
    /// Returns [`Error::LastAdmin`] when the others would be left without an admin.
    pub fn leave(mut self, member: &User) -> Result<Write, Error> {
        self.count.members -= 1;
        self.replace_admins(acting_admins(member), 0)?;
        Ok(self.write()?)
    }

    /// A member with another role or access.
    ///
    /// # Errors
    /// Returns [`Error::LastAdmin`] when it was the only admin that could act.
    pub fn change(mut self, before: &User, after: &User) -> Result<Write, Error> {
        self.replace_admins(acting_admins(before), acting_admins(after))?;
        Ok(self.write()?)
    }

    fn replace_admins(&mut self, less: i64, more: i64) -> Result<(), Error> {
        self.count.admins += more - less;
        if less > more && self.count.admins < 1 && self.count.members > 0 {
            return Err(Error::LastAdmin);
        }
        Ok(())
    }

    fn write(mut self) -> Result<Write, store::Error> {
        self.count.revision += 1;
        organizations::set_member_count(&self.org_id, &self.count, self.version)
    }
}

/// Who changes a member meanwhile creates the counter, and the commit of this count loses.
async fn count(store: &Store, org_id: &OrgId) -> Result<MemberCount, store::Error> {
    let mut count = MemberCount::default();
    let mut page = Page::first(BATCH);
    loop {
        let listing = store.list_members(org_id, &page).await?;
        for member in &listing.items {
            count.members += 1;
            count.admins += acting_admins(member);
        }
        if listing.next.is_none() {
            return Ok(count);
        }
        page.after = listing.next;
    }
}

/// An admin that is locked out cannot help the others.
fn acting_admins(member: &User) -> i64 {
    i64::from(member.role == Role::Admin && !member.disabled)
}
