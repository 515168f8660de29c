use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use shared::{
    audit::{Anchor, Kept, Trail},
    ids::OrgId,
    store::Store,
};

use crate::{CALLER, report};

/// A chain to walk along.
#[derive(Default)]
pub(crate) struct Chain {
    /// Where it ends; nowhere when it is gone.
    end: i64,
    anchors: Vec<Anchor>,
}

/// Chains by organization.
pub(crate) type Chains = BTreeMap<OrgId, Chain>;

/// The chains of these organizations, or of all that there are or were by the anchors.
pub(crate) async fn chains(
    store: &Store,
    trail: &Trail,
    organizations: &[OrgId],
    kept: Kept,
) -> Result<Chains> {
    let mut chains = Chains::new();
    for head in trail.heads(&CALLER).await? {
        // Whose end it is tells the document's place, not what somebody has written into it.
        let org_id = OrgId::parse(head.path.id()).with_context(|| head.path.to_string())?;
        let end = head.value.map_or(0, |head| head.seq);
        chains.entry(org_id).or_default().end = end;
    }
    for (org_id, anchors) in kept.by_organization {
        chains.entry(org_id).or_default().anchors = anchors;
    }
    for org_id in all_organizations(store).await? {
        chains.entry(org_id).or_default();
    }
    if let Some(unknown) = organizations.iter().find(|id| !chains.contains_key(id)) {
        bail!("there is no organization `{unknown}`");
    }
    if !organizations.is_empty() {
        chains.retain(|org_id, _| organizations.contains(org_id));
    }
    Ok(chains)
}

async fn all_organizations(store: &Store) -> Result<Vec<OrgId>> {
    let mut all: Vec<OrgId> = Vec::new();
    loop {
        let page = store.list_organization_ids(&CALLER, all.last()).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Walks along the chains and tells what is wrong; a chain that cannot be read is wrong as well,
/// and keeps no other from being walked.
pub(crate) async fn run(trail: &Trail, chains: Chains, json: bool) -> Result<ExitCode> {
    let ends = chains.values().map(|chain| chain.end);
    let all = ends.fold(0, i64::saturating_add);
    let progress = progress_bar(all);
    let (mut whole, count) = (0, chains.len());
    for (org_id, chain) in chains {
        let step = |records| progress.inc(records);
        let report = trail.verify(&CALLER, &org_id, &chain.anchors, step).await;
        progress.suspend(|| match report {
            Ok(report) => {
                whole += usize::from(report.problems.is_empty());
                report::tell(&report, json);
            }
            Err(error) => report::tell_failure(&org_id, &error.into(), json),
        });
    }
    progress.finish_and_clear();
    if !json {
        report::print(&format!("{whole} of {count} chains are whole"));
    }
    Ok(if whole == count {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Drawn on a terminal only.
fn progress_bar(records: i64) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(records).unwrap_or_default());
    let template = "{bar:40} {pos}/{len} records, {eta} left";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
