//! What the command tells whoever has started it.

use serde_json::json;
use shared::audit::Report;

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

#[expect(clippy::print_stdout, reason = "a command talks through its output")]
pub(crate) fn print(line: &str) {
    println!("{line}");
}
