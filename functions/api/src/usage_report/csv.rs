//! Usage as a table: RFC 4180, a row for each group and day.

use csv::{QuoteStyle, Terminator, WriterBuilder};
use shared::quota::usage::{Cell, GroupBy, Sums};

/// With these a spreadsheet takes a cell for a formula, in full width too
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

const NUMBERS: [&str; 5] = [
    "requests",
    "inputTokens",
    "outputTokens",
    "tokens",
    "costMicroUsd",
];

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The columns are `day`, the group unless that is the day, and the numbers. All cells are quoted, so
/// that no separator that a spreadsheet knows begins another one.
pub(super) fn write(sums: &Sums, group_by: GroupBy) -> Result<Vec<u8>, BoxError> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .quote_style(QuoteStyle::Always)
        .from_writer(Vec::new());
    let group = (group_by != GroupBy::Day).then_some(group_by.as_str());
    writer.write_record(["day"].into_iter().chain(group).chain(NUMBERS))?;
    for cell in sums.cells() {
        let Cell { day, key, totals } = cell;
        let key = group.map(|_| inert(key.unwrap_or_default()));
        let numbers = [
            totals.requests,
            totals.input_tokens,
            totals.output_tokens,
            totals.tokens,
            totals.cost_micro_usd,
        ];
        let numbers = numbers.map(|number| number.to_string());
        writer.write_record([day].into_iter().chain(key).chain(numbers))?;
    }
    Ok(writer.into_inner().map_err(|error| error.to_string())?)
}

/// The text as a cell that is no formula.
fn inert(text: String) -> String {
    match text.starts_with(FORMULA) {
        true => format!("'{text}"),
        false => text,
    }
}

#[cfg(test)]
mod tests;
