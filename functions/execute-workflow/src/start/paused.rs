//! A workflow does not start by itself while a service that it needs has to be connected again.

use shared::{
    graph::{Graph, Node, NodeData},
    ids::OrgId,
    models::{ExecutionError, IntegrationService, IntegrationStatus, SyncStatus},
    store::{Error, Page, Store},
};

use crate::version;

/// Integrations of an organization that are looked at; those beyond count as working.
const MAX_READ: u32 = 200;

/// What an action of a graph needs.
struct Need<'a> {
    service: IntegrationService,
    /// Absent when any integration of the service will do.
    integration_id: Option<&'a str>,
}

/// Why nothing but a person may start the graph now, if so.
pub(super) async fn refusal(
    store: &Store,
    org_id: &OrgId,
    graph: &Graph,
) -> Result<Option<ExecutionError>, Error> {
    let needs: Vec<_> = graph.nodes().iter().filter_map(Need::of).collect();
    if needs.is_empty() {
        return Ok(None);
    }
    let page = Page::first(MAX_READ);
    let statuses = store.list_integration_statuses(org_id, &page).await?.items;
    let broken = needs.iter().find(|need| need.is_broken(&statuses));
    Ok(broken.map(|need| {
        let service = need.service.as_str();
        let message = format!("the workflow is paused: `{service}` has to be connected again");
        version::refusal("failed_precondition", message)
    }))
}

impl<'a> Need<'a> {
    /// What an expression comes to is known when the run gets there.
    fn of(node: &'a Node) -> Option<Self> {
        let NodeData::Action(data) = &node.data else {
            return None;
        };
        let integration_id = match &data.integration {
            None => None,
            Some(template) => Some(template.literal()?.as_str()?),
        };
        Some(Self {
            service: data.action.service,
            integration_id,
        })
    }

    /// Whether all that would do are broken. One that was never connected, or is not any more, is
    /// up to the run.
    fn is_broken(&self, statuses: &[SyncStatus]) -> bool {
        let mut fit = statuses.iter().filter(|status| match self.integration_id {
            Some(id) => status.id.as_str() == id,
            None => status.service == self.service,
        });
        let is_broken = |status: &SyncStatus| status.status == IntegrationStatus::Error;
        fit.next().is_some_and(is_broken) && fit.all(is_broken)
    }
}
