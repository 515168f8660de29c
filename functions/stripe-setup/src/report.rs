//! What the command tells whoever has started it.

use crate::change::{Row, Verdict};

/// A table of what is needed and what is there.
pub(crate) fn print(rows: &[Row]) {
    let width = rows
        .iter()
        .map(|row| row.name.len())
        .max()
        .unwrap_or_default();
    for row in rows {
        let name = &row.name;
        match &row.verdict {
            Verdict::Right => tell(&format!("ok       {name:width$}  {}", row.needed)),
            Verdict::Mend(_) => {
                tell(&format!("DIFFERS  {name:width$}  needed: {}", row.needed));
                tell(&format!("         {:width$}  found:  {}", "", row.found));
            }
            Verdict::Ask(what) => {
                tell(&format!("DIFFERS  {name:width$}  needed: {}", row.needed));
                tell(&format!(
                    "         {:width$}  found:  {}; {what}",
                    "", row.found
                ));
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "a command talks through its output")]
pub(crate) fn tell(line: &str) {
    println!("{line}");
}
