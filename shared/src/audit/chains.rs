use std::collections::BTreeMap;

use super::{Anchor, Error, Kept, Report, Trail};
use crate::{
    ids::OrgId,
    models::SystemPrincipal,
    store::{self, Store},
};

/// A chain to walk along.
#[derive(Default)]
pub struct Chain {
    /// Where it ends; nowhere when it is gone.
    pub end: i64,
    anchors: Vec<Anchor>,
}

/// Chains by organization.
pub type Chains = BTreeMap<OrgId, Chain>;

impl Trail {
    /// The chains of all organizations that there are, or were by the chains' ends and the anchors.
    ///
    /// # Errors
    /// Returns the database's error, and that of an end whose place names no organization.
    pub async fn chains(&self, caller: &SystemPrincipal, kept: Kept) -> Result<Chains, Error> {
        let mut chains = Chains::new();
        for head in self.heads(caller).await? {
            // Whose end it is tells the document's place, not what somebody has written into it.
            let org_id = OrgId::parse(head.path.id());
            let org_id = org_id.map_err(|error| store::Error::Malformed {
                path: head.path.to_string(),
                source: Box::new(error),
            })?;
            let end = head.value.map_or(0, |head| head.seq);
            chains.entry(org_id).or_default().end = end;
        }
        for (org_id, anchors) in kept.by_organization {
            chains.entry(org_id).or_default().anchors = anchors;
        }
        for org_id in all_organizations(&self.store, caller).await? {
            chains.entry(org_id).or_default();
        }
        Ok(chains)
    }

    /// Walks along one of them.
    ///
    /// # Errors
    /// Returns those of [`Self::verify`].
    pub async fn verify_chain(
        &self,
        caller: &SystemPrincipal,
        (org_id, chain): (&OrgId, &Chain),
        progress: impl Fn(u64),
    ) -> Result<Report, Error> {
        self.verify(caller, org_id, &chain.anchors, progress).await
    }
}

async fn all_organizations(
    store: &Store,
    caller: &SystemPrincipal,
) -> Result<Vec<OrgId>, store::Error> {
    let mut all: Vec<OrgId> = Vec::new();
    loop {
        let page = store.list_organization_ids(caller, all.last()).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
