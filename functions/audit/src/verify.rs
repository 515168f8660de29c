use std::process::ExitCode;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use shared::{
    audit::{Chains, Kept, Trail},
    ids::OrgId,
};

use crate::{CALLER, report};

/// The chains of these organizations, or of all.
pub(crate) async fn chains(trail: &Trail, organizations: &[OrgId], kept: Kept) -> Result<Chains> {
    let mut chains = trail.chains(&CALLER, kept).await?;
    if let Some(unknown) = organizations.iter().find(|id| !chains.contains_key(id)) {
        bail!("there is no organization `{unknown}`");
    }
    if !organizations.is_empty() {
        chains.retain(|org_id, _| organizations.contains(org_id));
    }
    Ok(chains)
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
        let chain = (&org_id, &chain);
        let report = trail.verify_chain(&CALLER, chain, step).await;
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
