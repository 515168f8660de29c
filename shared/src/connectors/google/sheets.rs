//! Sheets v4 (<https://developers.google.com/workspace/sheets/api/reference/rest>).

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Session, read as fetch, segment, write};
use crate::connectors::{Error, input::refused};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cells {
    spreadsheet_id: String,
    range: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewRows {
    spreadsheet_id: String,
    range: String,
    rows: Value,
    #[serde(default)]
    allow_formulas: bool,
}

#[derive(Deserialize)]
struct ValueRange {
    range: Option<String>,
    /// Absent when all cells are empty.
    #[serde(default)]
    values: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct Appended {
    #[serde(default)]
    updates: Updates,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Updates {
    updated_range: Option<String>,
    #[serde(default)]
    updated_rows: u64,
}

/// The rows of a range. Google leaves out empty cells at the end of a row, and empty rows at the end.
pub(super) async fn read(session: &Session<'_>, cells: Cells) -> Result<Value, Error> {
    let path = path(&cells.spreadsheet_id, &cells.range)?;
    let request = session.get(&session.config.sheets, &path).query(&[
        ("valueRenderOption", "UNFORMATTED_VALUE"),
        // A date as people read it, not as a number of days.
        ("dateTimeRenderOption", "FORMATTED_STRING"),
    ]);
    let answer: ValueRange = fetch(request).await?;
    Ok(json!({ "range": answer.range, "rows": answer.values }))
}

/// Appends rows below a table. Values are stored as they are: text that begins with `=`, `+`, `-`
/// or `@` stays text, unless formulas were asked for.
pub(super) async fn append(session: &Session<'_>, new: NewRows) -> Result<Value, Error> {
    check_rows(&new.rows)?;
    let path = path(&new.spreadsheet_id, &new.range)?;
    let value_input = if new.allow_formulas {
        "USER_ENTERED"
    } else {
        "RAW"
    };
    let request = session
        .post(&session.config.sheets, &format!("{path}:append"))
        .query(&[
            ("valueInputOption", value_input),
            ("insertDataOption", "INSERT_ROWS"),
        ])
        .json(&json!({ "majorDimension": "ROWS", "values": new.rows }));
    let answer: Appended = write(request).await?;
    Ok(json!({
        "range": answer.updates.updated_range,
        "rows": answer.updates.updated_rows,
    }))
}

fn path(spreadsheet_id: &str, range: &str) -> Result<String, Error> {
    let spreadsheet = segment("spreadsheetId", spreadsheet_id)?;
    let range = segment("range", range)?;
    Ok(format!("/v4/spreadsheets/{spreadsheet}/values/{range}"))
}

/// A cell is a text, a number or a truth value; `null` leaves it as it is.
fn check_rows(rows: &Value) -> Result<(), Error> {
    let rows = rows.as_array().filter(|rows| !rows.is_empty());
    let rows = rows.ok_or_else(|| refused("rows", "is no list of rows, or empty"))?;
    for (number, row) in rows.iter().enumerate() {
        let place = format!("rows[{number}]");
        let cells = row.as_array();
        let cells = cells.ok_or_else(|| refused(&place, "is no list of cells"))?;
        let is_nested = |cell: &Value| cell.is_array() || cell.is_object();
        if let Some(column) = cells.iter().position(is_nested) {
            let place = format!("{place}[{column}]");
            return Err(refused(&place, "is no text, number or truth value"));
        }
    }
    Ok(())
}
