//! What the command tells whoever has started it.

use anyhow::Error;
use serde_json::json;
use shared::{audit::Report, ids::OrgId};

/// Tells what was found in one chain.
pub(crate) fn tell(report: &Report, json: bool) {
    if json {
        let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        let (org_id, records) = (&report.org_id, report.records);
        let line = json!({ "orgId": org_id, "records": records, "problems": problems });
        return print(&line.to_string());
    }
    let verdict = if report.problems.is_empty() {
        "whole"
    } else {
        "NOT WHOLE"
    };
    print(&format!(
        "{}: {} records, {verdict}",
        report.org_id, report.records
    ));
    for problem in &report.problems {
        print(&format!("  {problem}"));
    }
}

/// Tells that a chain could not be read to its end.
pub(crate) fn tell_failure(org_id: &OrgId, error: &Error, json: bool) {
    print(&match json {
        true => json!({ "orgId": org_id, "error": format!("{error:#}") }).to_string(),
        false => format!("{org_id}: cannot be read: {error:#}"),
    });
}

/// Tells what concerns no single chain.
#[expect(
    clippy::print_stderr,
    reason = "standard output may be read by a program"
)]
pub(crate) fn warn(line: &str) {
    eprintln!("{line}");
}

#[expect(clippy::print_stdout, reason = "a command talks through its output")]
pub(crate) fn print(line: &str) {
    println!("{line}");
}
