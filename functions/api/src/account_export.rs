//! All that is kept about a user, for the user.

use futures::{Stream, stream};
use serde::Serialize;
use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    ids::{AgentId, IntegrationId, RecordId, TriggerId, Uid, WorkflowId},
    models::{
        AuditAction, AuditLog, Integration, IntegrationService, IntegrationStatus, Invitation,
        Memory, Organization, Principal, Role, Timestamp, Trigger, User,
    },
    store::{Page, Store, Versioned, audit_logs::Naming},
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
    /// A service that it connected, without the credentials.
    Integration {
        /// The integration.
        id: IntegrationId,
        /// The service.
        service: IntegrationService,
        /// Which account, masked.
        account_label: String,
        /// Whether it works.
        status: IntegrationStatus,
    },
    /// An invitation that it sent, without the other person's address.
    Invitation {
        /// The invitation.
        id: RecordId,
        /// The role that it gives.
        role: Role,
        /// When it ends.
        expires_at: Timestamp,
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
    /// What an agent remembers of the user alone.
    Memory {
        /// The agent.
        agent_id: AgentId,
        /// What it remembers.
        text: String,
        /// When it was learnt.
        created_at: Timestamp,
    },
}

/// Where the walk through a user's data goes on.
enum Next {
    Profile,
    Records(Naming, Page),
    Integrations(Page),
    Invitations(Page),
    Triggers(Page),
    Memories(Page),
    End,
}

/// Records that the caller takes its data, and walks through it page by page.
pub(crate) async fn export(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    now: Timestamp,
) -> Result<impl Stream<Item = Result<Vec<Kept>, Error>> + Send + use<>, Error> {
    let (org_id, actor_id) = (&principal.org_id, principal.uid.as_str());
    let entry = Entry::new(org_id, actor_id, AuditAction::AccountExport, json!({}));
    trail.record(entry.about(&principal.uid), now).await?;
    let (store, principal) = (store.clone(), principal.clone());
    Ok(stream::try_unfold(Next::Profile, move |next| {
        let (store, principal) = (store.clone(), principal.clone());
        async move { next.read(&store, &principal).await }
    }))
}

impl Next {
    async fn read(
        self,
        store: &Store,
        principal: &Principal,
    ) -> Result<Option<(Vec<Kept>, Self)>, Error> {
        let uid = &principal.uid;
        Ok(Some(match self {
            Self::Profile => {
                let user = organization::find_caller(store, principal).await?.value;
                let organization = organization::find(store, &user.organization_id).await?;
                let kept = vec![Kept::User(Box::new(user)), organization.into()];
                (kept, Self::Records(Naming::Actor, Page::first(PAGE_SIZE)))
            }
            Self::Records(naming, page) => read_records(store, uid, naming, &page).await?,
            Self::Integrations(page) => {
                let listing = store.list_integrations_by_user(&CALLER, uid, &page).await?;
                let next = goes_on(listing.next, Self::Integrations, Self::Invitations);
                (kept(listing.items), next)
            }
            Self::Invitations(page) => {
                let listing = store.list_invitations_by_user(&CALLER, uid, &page).await?;
                let next = goes_on(listing.next, Self::Invitations, Self::Triggers);
                (kept(listing.items), next)
            }
            Self::Triggers(page) => {
                let listing = store.list_triggers_by_user(&CALLER, uid, &page).await?;
                let next = goes_on(listing.next, Self::Triggers, Self::Memories);
                (kept(listing.items), next)
            }
            Self::Memories(page) => {
                let listing = store.list_memories_of_user(&CALLER, uid, &page).await?;
                let next = goes_on(listing.next, Self::Memories, |_| Self::End);
                (kept(listing.items), next)
            }
            Self::End => return Ok(None),
        }))
    }
}

async fn read_records(
    store: &Store,
    uid: &Uid,
    naming: Naming,
    page: &Page,
) -> Result<(Vec<Kept>, Next), Error> {
    let listing = store.list_audit_records_naming(&CALLER, naming, uid, page);
    let listing = listing.await?;
    let next = goes_on(
        listing.next,
        |page| Next::Records(naming, page),
        |first| match naming {
            Naming::Actor => Next::Records(Naming::Subject, first),
            Naming::Subject => Next::Integrations(first),
        },
    );
    // A record of what the user did to itself has been told already.
    let is_new = |record: &AuditLog| naming == Naming::Actor || record.actor_id != uid.as_str();
    let kept = listing.items.into_iter().filter(is_new).map(Kept::from);
    Ok((kept.collect(), next))
}

/// The next page of the same listing, or the first one of the listing after it.
fn goes_on(
    after: Option<String>,
    same: impl Fn(Page) -> Next,
    other: impl Fn(Page) -> Next,
) -> Next {
    let first = Page::first(PAGE_SIZE);
    match after {
        Some(_) => same(Page { after, ..first }),
        None => other(first),
    }
}

fn kept<T: Into<Kept>>(items: Vec<Versioned<T>>) -> Vec<Kept> {
    items.into_iter().map(|item| item.value.into()).collect()
}

impl From<Integration> for Kept {
    fn from(integration: Integration) -> Self {
        Self::Integration {
            id: integration.id,
            service: integration.service,
            account_label: integration.account_label,
            status: integration.status,
        }
    }
}

impl From<Invitation> for Kept {
    fn from(invitation: Invitation) -> Self {
        Self::Invitation {
            id: invitation.id,
            role: invitation.role,
            expires_at: invitation.expires_at,
        }
    }
}

impl From<Trigger> for Kept {
    fn from(trigger: Trigger) -> Self {
        Self::Trigger {
            id: trigger.id,
            workflow_id: trigger.workflow_id,
            created_at: trigger.created_at,
        }
    }
}

impl From<Memory> for Kept {
    fn from(memory: Memory) -> Self {
        Self::Memory {
            agent_id: memory.agent_id,
            text: memory.text,
            created_at: memory.created_at,
        }
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
