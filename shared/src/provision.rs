//! A new user: its document, its personal organization and its welcome e-mail, once.

use serde_json::json;

use crate::{
    audit::{self, Entry, Trail},
    ids::{OrgId, RecordId, Uid},
    models::{AuditAction, Limits, Organization, Role, SubscriptionTier, Timestamp, User},
    outbox,
    store::{
        self, Store, Write,
        organizations::{self, StatsChange},
        users,
    },
};

/// Most characters taken of a display name; the access rules allow 200 for the whole name.
const MAX_DISPLAY_NAME_CHARS: usize = 180;

/// The name when the account tells none: an e-mail address must not become visible to members.
const DEFAULT_NAME: &str = "Personal organization";

/// What the sign-up tells about a user.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Firebase Authentication uid.
    pub uid: Uid,
    /// E-mail address; accounts by telephone or without any have none.
    pub email: Option<String>,
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

/// Makes the user, its organization, statistics, welcome e-mail and audit record in one commit,
/// or finds the user that is there. Parallel calls for one uid make one of each.
///
/// # Errors
/// Returns the errors of the database and of the audit trail.
pub async fn ensure_user(
    store: &Store,
    trail: &Trail,
    new_user: NewUser,
    now: Timestamp,
) -> Result<Provisioned, audit::Error> {
    if let Some(user) = store.find_user(&new_user.uid).await? {
        return Ok(provisioned(user.value, false));
    }
    let user = user(&new_user, now);
    let writes = first_writes(trail, &new_user, &user, now).await?;
    match store.commit(writes).await {
        Ok(_) => Ok(provisioned(user, true)),
        Err(error) if error.is_lost_race() => {
            let found = store.find_user(&user.uid).await?;
            found
                .map(|found| provisioned(found.value, false))
                .ok_or(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

fn provisioned(user: User, created: bool) -> Provisioned {
    let outbox_id = user.email.as_ref().map(|_| outbox::welcome_id(&user.uid));
    Provisioned {
        user,
        created,
        outbox_id,
    }
}

fn user(new_user: &NewUser, now: Timestamp) -> User {
    User {
        uid: new_user.uid.clone(),
        email: new_user.email.as_deref().map(str::to_lowercase),
        role: Role::Admin,
        organization_id: OrgId::derive(&["personal", new_user.uid.as_str()]),
        created_at: now,
        settings: [("theme", json!("system")), ("notifications", json!(true))]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        disabled: false,
        tokens_valid_after: None,
    }
}

async fn first_writes(
    trail: &Trail,
    new_user: &NewUser,
    user: &User,
    now: Timestamp,
) -> Result<Vec<Write>, audit::Error> {
    let org_id = &user.organization_id;
    let action = AuditAction::OrganizationCreate;
    let entry = Entry::new(
        org_id,
        user.uid.as_str(),
        action,
        json!({ "reason": "sign_up" }),
    );
    let mut writes = trail.append(entry, now).await?;
    writes.extend([
        users::create(user)?,
        organizations::create(&organization(new_user, user, now))?,
    ]);
    writes.extend(organizations::add_to_stats(
        org_id,
        None,
        StatsChange::default(),
        now,
    )?);
    if user.email.is_some() {
        writes.push(store::outbox::create(&outbox::welcome(user, now))?);
    }
    Ok(writes)
}

fn organization(new_user: &NewUser, user: &User, now: Timestamp) -> Organization {
    Organization {
        id: user.organization_id.clone(),
        name: organization_name(new_user.display_name.as_deref()),
        subscription_tier: SubscriptionTier::Free,
        stripe_customer_id: None,
        api_usage: 0,
        limits: Limits::default(),
        created_at: now,
    }
}

fn organization_name(display_name: Option<&str>) -> String {
    let readable = |c: &char| !c.is_control();
    let characters = display_name.unwrap_or_default().trim().chars();
    let name: String = characters
        .filter(readable)
        .take(MAX_DISPLAY_NAME_CHARS)
        .collect();
    match name.trim() {
        "" => DEFAULT_NAME.to_owned(),
        name => format!("{name}'s organization"),
    }
}
