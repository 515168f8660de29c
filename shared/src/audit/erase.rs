use std::collections::HashSet;

use serde_json::json;

use super::{Entry, Error, Trail};
use crate::{
    ids::{OrgId, Uid},
    models::{AuditAction, AuditLog, SystemPrincipal, Timestamp},
    store::{self, DocumentPath, Found, Write, audit_logs, audit_logs::Naming},
};

/// What stands in the place of a deleted user's id.
pub(super) fn erased(pseudonym: &str) -> String {
    format!("erased:{pseudonym}")
}

impl Trail {
    /// Replaces a deleted user's id by its pseudonym in the records of all organizations, each of
    /// which first records that this is done. It can be repeated at any time; the chains stay
    /// valid.
    ///
    /// # Errors
    /// Returns the errors of the database and of the key, and that of a record that cannot be
    /// read; a repeat goes on where it stopped.
    pub async fn erase(
        &self,
        caller: &SystemPrincipal,
        uid: &Uid,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut announced = HashSet::new();
        for naming in [Naming::Actor, Naming::Subject] {
            loop {
                let named = self.store.find_audit_records_naming(caller, naming, uid);
                let named = named.await?;
                if named.is_empty() {
                    break;
                }
                let mut writes = Vec::new();
                for Found { path, value } in named {
                    let record = value?;
                    if announced.insert(record.org_id.clone()) {
                        self.announce(&record.org_id, uid, now).await?;
                    }
                    writes.push(replace(&path, &record, naming)?);
                }
                self.store.commit(writes).await?;
            }
        }
        Ok(())
    }

    async fn announce(&self, org_id: &OrgId, uid: &Uid, now: Timestamp) -> Result<(), Error> {
        let action = AuditAction::AccountErase;
        let entry = Entry::new(org_id, uid.as_str(), action, json!({})).by_erased();
        self.record(entry, now).await
    }
}

/// Where the record was found, not where it says that it is: it may be somebody's copy.
fn replace(path: &DocumentPath, record: &AuditLog, naming: Naming) -> Result<Write, store::Error> {
    let pseudonym = match naming {
        Naming::Actor => Some(&record.actor_pseudonym),
        Naming::Subject => record.subject_pseudonym.as_ref(),
    };
    // A subject without a pseudonym was written by nobody of us: `verify` tells it.
    let pseudonym = pseudonym.map_or("", String::as_str);
    audit_logs::erase(path, naming, &erased(pseudonym))
}
