use shared::{
    ids::AgentId,
    models::{Principal, Timestamp},
    store::{self, Store, commit_contended},
};

use crate::{agents, error::Error};

/// Keeps that the caller's agent is alive, unless it was told so a moment ago.
pub(crate) async fn beat(
    store: &Store,
    principal: &Principal,
    id: &AgentId,
    now: Timestamp,
) -> Result<(), Error> {
    commit_contended(store, || async move {
        let agent = agents::find(store, principal, id).await?.value;
        if agent.presence.absorbs_beat(now) {
            return Ok((Vec::new(), ()));
        }
        Ok((vec![store::agents::beat(id, now)?], ()))
    })
    .await
}
