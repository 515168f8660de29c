//! A new user: its document, its organization and its welcome e-mail, once.

use serde_json::json;

use crate::{
    audit::{self, Entry, Trail},
    ids::{OrgId, RecordId, Uid},
    invitation,
    members::Members,
    models::{AuditAction, Organization, Role, Timestamp, User},
    outbox,
    store::{
        self, Store, Write, commit_contended,
        organizations::{self, StatsChange},
        users,
    },
};

/// Most characters taken of a display name; the access rules allow 200 for the whole name.
const MAX_DISPLAY_NAME_CHARS: usize = 180;

/// The name of a user's own organization when the account tells none: an e-mail address must not
/// become visible to members.
pub const PERSONAL_NAME: &str = "Personal organization";

/// Why there is no user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account was deleted: whoever still holds its token does not get it back.
    #[error("the account was deleted")]
    Deleted,
    /// The user cannot be recorded.
    #[error("the user cannot be made")]
    Audit(#[from] audit::Error),
    /// The database failed.
    #[error("the user cannot be kept")]
    Store(#[from] store::Error),
}

/// What the sign-up tells about a user.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Firebase Authentication uid.
    pub uid: Uid,
    /// E-mail address; accounts by telephone or without any have none.
    pub email: Option<String>,
    /// Whether the user has shown to own the address.
    pub email_verified: bool,
    /// The name that the user gave.
    pub display_name: Option<String>,
}

/// A user that exists.
#[derive(Clone, Debug)]
pub struct Provisioned {
    /// The user's document.
    pub user: User,
    /// Whether this call made it.
    pub created: bool,
    /// The outbox row of the welcome e-mail, for accounts with an address. A repeat has it too,
    /// because the first call may have died before it was sent.
    pub outbox_id: Option<RecordId>,
}

/// Makes the user with its welcome e-mail and audit record in one commit, or finds the user that is
/// there. Parallel calls for one uid make one of each.
///
/// It joins the organization whose invitation waits for its verified address; otherwise it becomes
/// the admin of its own, which is made with it.
///
/// # Errors
/// Returns [`Error::Deleted`], and the errors of the database and of the audit trail.
pub async fn ensure_user(
    store: &Store,
    trail: &Trail,
    new_user: NewUser,
    now: Timestamp,
) -> Result<Provisioned, Error> {
    let new_user = &new_user;
    commit_contended(store, || async move {
        if let Some(user) = store.find_user(&new_user.uid).await? {
            return Ok((Vec::new(), provisioned(user.value, false)));
        }
        if store.find_deleted_user(&new_user.uid).await?.is_some() {
            return Err(Error::Deleted);
        }
        let joined = join_by_invitation(store, trail, new_user, now).await?;
        let (mut writes, user) = match joined {
            Some(joined) => joined,
            None => establish_personal(trail, new_user, now).await?,
        };
        writes.push(users::create(&user)?);
        if user.email.is_some() {
            writes.push(store::outbox::create(&outbox::welcome(&user, now))?);
        }
        Ok((writes, provisioned(user, true)))
    })
    .await
}

/// The writes that make an organization with one member, its admin, to be added to the commit that
/// puts the user there; `entry` records it.
///
/// # Errors
/// Returns the errors of the database and of the audit trail.
pub async fn establish_organization(
    trail: &Trail,
    organization: &Organization,
    entry: Entry,
) -> Result<Vec<Write>, audit::Error> {
    let (org_id, now) = (&organization.id, organization.created_at);
    let mut writes = trail.append(entry, now).await?;
    writes.push(organizations::create(organization)?);
    writes.push(Members::first_of(org_id)?);
    let nothing = StatsChange::default();
    writes.extend(organizations::add_to_stats(org_id, None, nothing, now)?);
    Ok(writes)
}

fn provisioned(user: User, created: bool) -> Provisioned {
    let outbox_id = user.email.as_ref().map(|_| outbox::welcome_id(&user.uid));
    Provisioned {
        user,
        created,
        outbox_id,
    }
}

async fn join_by_invitation(
    store: &Store,
    trail: &Trail,
    new_user: &NewUser,
    now: Timestamp,
) -> Result<Option<(Vec<Write>, User)>, audit::Error> {
    let uid = &new_user.uid;
    let Some(email) = address(new_user).filter(|_| new_user.email_verified) else {
        return Ok(None);
    };
    let joined = invitation::join_newest(store, trail, &email, uid, now).await?;
    Ok(joined.map(|(writes, invitation)| {
        let user = user(new_user, invitation.org_id, invitation.role, now);
        (writes, user)
    }))
}

async fn establish_personal(
    trail: &Trail,
    new_user: &NewUser,
    now: Timestamp,
) -> Result<(Vec<Write>, User), audit::Error> {
    let uid = new_user.uid.as_str();
    let org_id = OrgId::derive(&["personal", uid]);
    let name = organization_name(new_user.display_name.as_deref());
    let organization = Organization::new(org_id.clone(), name, now);
    let metadata = json!({ "reason": "sign_up" });
    let entry = Entry::new(&org_id, uid, AuditAction::OrganizationCreate, metadata);
    let writes = establish_organization(trail, &organization, entry).await?;
    Ok((writes, user(new_user, org_id, Role::Admin, now)))
}

fn user(new_user: &NewUser, organization_id: OrgId, role: Role, now: Timestamp) -> User {
    User {
        uid: new_user.uid.clone(),
        email: address(new_user),
        role,
        organization_id,
        created_at: now,
        settings: [("theme", json!("system")), ("notifications", json!(true))]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        disabled: false,
        tokens_valid_after: None,
    }
}

fn address(new_user: &NewUser) -> Option<String> {
    new_user.email.as_deref().map(str::to_lowercase)
}

fn organization_name(display_name: Option<&str>) -> String {
    let readable = |c: &char| !c.is_control();
    let characters = display_name.unwrap_or_default().trim().chars();
    let name: String = characters
        .filter(readable)
        .take(MAX_DISPLAY_NAME_CHARS)
        .collect();
    match name.trim() {
        "" => PERSONAL_NAME.to_owned(),
        name => format!("{name}'s organization"),
    }
}
