//! All that is kept about a user, for the user.

use futures::{Stream, stream};
use serde::Serialize;
use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    ids::{TriggerId, WorkflowId},
    models::{AuditAction, AuditLog, Organization, Principal, Timestamp, User},
    store::{Page, Store, audit_logs::Naming, commit_contended},
};

use crate::{CALLER, error::Error, organization};

/// Documents read at once.
const PAGE_SIZE: u32 = 300;

/// One thing that is kept about a user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Kept {
    /// The user's own document.
    User(Box<User>),
    /// The organization it belongs to.
    Organization {
        /// Its name.
        name: String,
        /// When it was made.
        created_at: Timestamp,
    },
    /// What it did, or what was done to it.
    AuditRecord {
        /// What was done.
        action: AuditAction,
        /// Who did it.
        actor_id: String,
        /// Whom it was done to.
        subject_id: Option<String>,
        /// When it was done.
        timestamp: Timestamp,
    },
    /// A workflow that it started.
    Trigger {
        /// The trigger.
        id: TriggerId,
        /// The workflow.
        workflow_id: WorkflowId,
        /// When it was started.
        created_at: Timestamp,
    },
}

/// Where the walk through a user's data goes on.
enum Next {
    Profile,
    Records(Naming, Page),
    Triggers(Page),
    End,
}

/// Records that the caller takes its data, and walks through it page by page.
pub(crate) async fn export(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    now: Timestamp,
) -> Result<impl Stream<Item = Result<Vec<Kept>, Error>> + Send + use<>, Error> {
    record(store, trail, principal, now).await?;
    let (store, principal) = (store.clone(), principal.clone());
    Ok(stream::try_unfold(Next::Profile, move |next| {
        let (store, principal) = (store.clone(), principal.clone());
        async move { next.read(&store, &principal).await }
    }))
}

async fn record(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    now: Timestamp,
) -> Result<(), Error> {
    let (org_id, actor_id) = (&principal.org_id, principal.uid.as_str());
    commit_contended(store, || async {
        let action = AuditAction::AccountExport;
        let entry = Entry::new(org_id, actor_id, action, json!({})).about(&principal.uid);
        Ok((trail.append(entry, now).await?, ()))
    })
    .await
}

impl Next {
    async fn read(
        self,
        store: &Store,
        principal: &Principal,
    ) -> Result<Option<(Vec<Kept>, Self)>, Error> {
        let uid = &principal.uid;
        Ok(match self {
            Self::Profile => {
                let user = organization::find_caller(store, principal).await?.value;
                let organization = organization::find(store, &user.organization_id).await?;
                let kept = vec![Kept::User(Box::new(user)), organization.into()];
                Some((kept, Self::Records(Naming::Actor, Page::first(PAGE_SIZE))))
            }
            Self::Records(naming, page) => {
                let records = store.list_audit_records_naming(&CALLER, naming, uid, &page);
                let records = records.await?;
                let next = match (page_after(records.next), naming) {
                    (Some(page), _) => Self::Records(naming, page),
                    (None, Naming::Actor) => Self::Records(Naming::Subject, Page::first(PAGE_SIZE)),
                    (None, Naming::Subject) => Self::Triggers(Page::first(PAGE_SIZE)),
                };
                // A record of what the user did to itself has been told already.
                let is_new =
                    |record: &AuditLog| naming == Naming::Actor || record.actor_id != uid.as_str();
                let kept = records.items.into_iter().filter(is_new).map(Kept::from);
                Some((kept.collect(), next))
            }
            Self::Triggers(page) => {
                let triggers = store.list_triggers_by_user(&CALLER, uid, &page).await?;
                let next = page_after(triggers.next).map_or(Self::End, Self::Triggers);
                let kept = triggers.items.into_iter().map(|trigger| Kept::Trigger {
                    id: trigger.id,
                    workflow_id: trigger.workflow_id,
                    created_at: trigger.created_at,
                });
                Some((kept.collect(), next))
            }
            Self::End => None,
        })
    }
}

impl From<Organization> for Kept {
    fn from(organization: Organization) -> Self {
        Self::Organization {
            name: organization.name,
            created_at: organization.created_at,
        }
    }
}

impl From<AuditLog> for Kept {
    fn from(record: AuditLog) -> Self {
        Self::AuditRecord {
            action: record.action,
            actor_id: record.actor_id,
            subject_id: record.subject_id,
            timestamp: record.timestamp,
        }
    }
}

fn page_after(after: Option<String>) -> Option<Page> {
    after.map(|after| Page {
        after: Some(after),
        ..Page::first(PAGE_SIZE)
    })
}
