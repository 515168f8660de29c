use std::collections::HashSet;

use serde_json::json;

use super::{Entry, Error, Trail};
use crate::{
    ids::{OrgId, Uid},
    models::{AuditAction, AuditLog, SystemPrincipal, Timestamp},
    store::{Versioned, Write, audit_logs, audit_logs::Naming, commit_contended},
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
    /// Returns the errors of the database and of the key; a repeat goes on where it stopped.
    pub async fn erase(
        &self,
        caller: &SystemPrincipal,
        uid: &Uid,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut announced = HashSet::new();
        for naming in [Naming::Actor, Naming::Subject] {
            loop {
                let named = self.store.list_audit_records_naming(caller, naming, uid);
                let named = named.await?;
                if named.is_empty() {
                    break;
                }
                for record in &named {
                    if announced.insert(record.value.org_id.clone()) {
                        self.announce(&record.value.org_id, uid, now).await?;
                    }
                }
                self.replace(naming, &named).await?;
            }
        }
        Ok(())
    }

    async fn announce(&self, org_id: &OrgId, uid: &Uid, now: Timestamp) -> Result<(), Error> {
        commit_contended(&self.store, || async {
            let action = AuditAction::AccountErase;
            let entry = Entry::new(org_id, uid.as_str(), action, json!({})).by_erased();
            Ok((self.append(entry, now).await?, ()))
        })
        .await
    }

    /// Another eraser may be faster: what it has left is found by the next look.
    async fn replace(&self, naming: Naming, records: &[Versioned<AuditLog>]) -> Result<(), Error> {
        let writes: Vec<Write> = records
            .iter()
            .filter_map(|record| {
                let pseudonym = match naming {
                    Naming::Actor => Some(&record.value.actor_pseudonym),
                    Naming::Subject => record.value.subject_pseudonym.as_ref(),
                };
                let pseudonym = erased(pseudonym?);
                Some(audit_logs::erase(record, naming, &pseudonym))
            })
            .collect::<Result<_, _>>()?;
        match self.store.commit(writes).await {
            Err(error) if !error.is_lost_race() => Err(error.into()),
            _ => Ok(()),
        }
    }
}
