//! Searches of what was synced, for the people who may find it.

use shared::{
    ids::{IntegrationId, fingerprint, random_token},
    knowledge::{self, Hit, Search, principals_of},
    models::Principal,
    quota::{self, Call, MeteredLlm},
    store::Store,
};

use crate::error::Error;

/// What somebody looks for.
pub(crate) struct Wanted {
    pub(crate) query: String,
    pub(crate) limit: u32,
    pub(crate) integration_id: Option<IntegrationId>,
    /// What the client marks repeats with.
    pub(crate) key: Option<String>,
}

/// What the caller may find of what was synced, best first.
pub(crate) async fn search(
    store: &Store,
    llm: Option<&MeteredLlm>,
    principal: &Principal,
    wanted: Wanted,
) -> Result<Vec<Hit>, Error> {
    let Principal { org_id, uid, .. } = principal;
    if !quota::allows_knowledge(store, org_id).await? {
        return Err(Error::Precondition(
            "searching knowledge needs the pro tier",
        ));
    }
    let llm = llm.ok_or(Error::Precondition("no model provider is configured"))?;
    // A repeat is paid once; the same mark on another query is not a repeat.
    let key = match &wanted.key {
        Some(key) => fingerprint(&["knowledge", uid.as_str(), key, &wanted.query]),
        None => random_token(),
    };
    let call = Call {
        org_id: org_id.clone(),
        agent_id: None,
        workflow_id: None,
        execution_id: None,
        uid: Some(uid.clone()),
        request: Search {
            principals: principals_of(Some(uid)),
            query: wanted.query,
            limit: wanted.limit,
            integration_id: wanted.integration_id,
        },
    };
    let found = knowledge::search(store, llm, &call, &key).await;
    found.map_err(|error| match error {
        knowledge::Error::Quota(error) => error.into(),
        knowledge::Error::Store(error) => error.into(),
        knowledge::Error::Dimension => {
            Error::Precondition("the embedding model's vectors have another length than the index")
        }
    })
}
