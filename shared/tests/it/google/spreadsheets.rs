use serde_json::{Value, json};
use shared::{connectors::Error, testing::discovery::Call};

use super::fake::{Google, reply};

const GET: &str = "sheets.spreadsheets.values.get";
const APPEND: &str = "sheets.spreadsheets.values.append";

async fn append(rows: Value, allow_formulas: Option<bool>) -> (Value, Call) {
    let updates = json!({ "updatedRange": "Sheet1!A2:C3", "updatedRows": 2, "updatedCells": 6 });
    let answer = json!({ "spreadsheetId": "s1", "updates": updates });
    let google = Google::answering([reply(APPEND, answer)]).await;
    let input = json!({
        "spreadsheetId": "s1", "range": "Sheet 1/x!A1:C1", "rows": rows, "allowFormulas": allow_formulas,
    });
    let (output, mut calls) = google.done("google.sheets.append", input).await;
    (output, calls.remove(0))
}

#[tokio::test]
async fn cells_are_read_as_values() {
    let answer = json!({
        "range": "Sheet1!A1:C10", "majorDimension": "ROWS", "values": [["a", 1.5, true], []],
    });
    let google = Google::answering([reply(GET, answer)]).await;
    let input = json!({ "spreadsheetId": "s1", "range": "Sheet1!A1:C10" });
    let (output, calls) = google.done("google.sheets.read", input).await;
    assert_eq!(
        output,
        json!({ "range": "Sheet1!A1:C10", "rows": [["a", 1.5, true], []] })
    );
    assert_eq!(calls[0].parameter("range"), Some("Sheet1!A1:C10"));
}

#[tokio::test]
async fn an_empty_range_has_no_rows() {
    let google = Google::answering([reply(GET, json!({}))]).await;
    let input = json!({ "spreadsheetId": "s1", "range": "A1" });
    let (output, _) = google.done("google.sheets.read", input).await;
    assert_eq!(output, json!({ "range": null, "rows": [] }));
}

#[tokio::test]
async fn text_that_looks_like_a_formula_stays_text() {
    let risky = [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r=1",
        "=HYPERLINK(\"https://evil.example\")",
    ];
    for text in risky {
        let rows = json!([[text, 1, true, null]]);
        for allow_formulas in [None, Some(false)] {
            let (output, call) = append(rows.clone(), allow_formulas).await;
            // `ValueInputOption.RAW`: values are not parsed and are stored as they are.
            assert_eq!(call.parameter("valueInputOption"), Some("RAW"), "{text}");
            assert_eq!(
                call.body,
                json!({ "majorDimension": "ROWS", "values": rows })
            );
            assert_eq!(output, json!({ "range": "Sheet1!A2:C3", "rows": 2 }));
        }
    }
}

#[tokio::test]
async fn formulas_are_made_when_asked_for() {
    let (_, call) = append(json!([["=1+1"]]), Some(true)).await;
    assert_eq!(call.parameter("valueInputOption"), Some("USER_ENTERED"));
    assert_eq!(call.parameter("insertDataOption"), Some("INSERT_ROWS"));
    assert_eq!(call.parameter("range"), Some("Sheet 1/x!A1:C1"));
}

#[tokio::test]
async fn rows_are_lists_of_plain_values() {
    let rows = [
        (json!([]), "rows"),
        (json!("a"), "rows"),
        (json!({ "a": 1 }), "rows"),
        (json!([["a"], "b"]), "rows[1]"),
        (json!([["a"], ["b", ["c"]]]), "rows[1][1]"),
        (json!([[{ "formula": "=1" }]]), "rows[0][0]"),
    ];
    for (rows, place) in rows {
        let google = Google::answering([]).await;
        let input = json!({ "spreadsheetId": "s1", "range": "A1", "rows": rows });
        let error = google
            .perform("google.sheets.append", input)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::Input { field, .. } if field == place),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_path() {
    for id in ["..", "."] {
        let google = Google::answering([]).await;
        let input = json!({ "spreadsheetId": id, "range": "A1" });
        let error = google
            .perform("google.sheets.read", input)
            .await
            .unwrap_err();
        assert!(matches!(&error, Error::Input { .. }), "{error}");
    }
    let google = Google::answering([reply(GET, json!({}))]).await;
    let input = json!({ "spreadsheetId": "../x?y#z", "range": "A1:append" });
    let (_, calls) = google.done("google.sheets.read", input).await;
    assert_eq!(calls[0].parameter("spreadsheetId"), Some("../x?y#z"));
    assert_eq!(calls[0].parameter("range"), Some("A1:append"));
}
