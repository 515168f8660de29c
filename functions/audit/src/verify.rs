use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use shared::{
    audit::{Anchor, Trail},
    ids::OrgId,
    store::{Page, Store},
};

use crate::{CALLER, report};

/// Chains whose ends are read at once.
const PAGE_SIZE: u32 = 300;

/// A chain to walk along.
pub(crate) struct Chain {
    org_id: OrgId,
    /// Where it ends; nowhere when it is gone, but an anchor names it.
    end: i64,
    anchor: Option<Anchor>,
}

/// The chains of these organizations, or of all that have one or had one by the anchors.
pub(crate) async fn chains<D>(
    store: &Store,
    organizations: &[OrgId],
    anchors: Option<(D, Vec<Anchor>)>,
) -> Result<Vec<Chain>> {
    let mut chains = BTreeMap::new();
    let mut page = Page {
        limit: PAGE_SIZE,
        after: None,
    };
    loop {
        let heads = store.list_audit_heads(&CALLER, &page).await?;
        for head in heads.items {
            chain(&mut chains, &head.org_id).end = head.seq;
        }
        if heads.next.is_none() {
            break;
        }
        page.after = heads.next;
    }
    for anchor in anchors.into_iter().flat_map(|(_, anchors)| anchors) {
        let org_id = anchor.org_id.clone();
        chain(&mut chains, &org_id).anchor = Some(anchor);
    }
    for org_id in organizations {
        chain(&mut chains, org_id);
    }
    let is_wanted =
        |chain: &Chain| organizations.is_empty() || organizations.contains(&chain.org_id);
    Ok(chains.into_values().filter(is_wanted).collect())
}

fn chain<'a>(chains: &'a mut BTreeMap<OrgId, Chain>, org_id: &OrgId) -> &'a mut Chain {
    chains.entry(org_id.clone()).or_insert_with(|| Chain {
        org_id: org_id.clone(),
        end: 0,
        anchor: None,
    })
}

/// Walks along the chains and tells what is wrong; a chain that cannot be read is wrong as well,
/// and keeps no other from being walked.
pub(crate) async fn run(trail: &Trail, chains: Vec<Chain>, json: bool) -> Result<ExitCode> {
    let all: i64 = chains.iter().map(|chain| chain.end).sum();
    let progress = progress_bar(all);
    let (mut whole, count) = (0, chains.len());
    for chain in chains {
        let step = |_| progress.inc(1);
        let anchor = chain.anchor.as_ref();
        let report = trail.verify(&CALLER, &chain.org_id, anchor, step).await;
        progress.suspend(|| match report {
            Ok(report) => {
                whole += usize::from(report.problems.is_empty());
                report::show(&report, json);
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                report::print(&format!("{}: cannot be read: {error:#}", chain.org_id));
            }
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
