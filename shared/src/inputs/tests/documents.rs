use std::collections::BTreeSet;

use super::*;
use crate::inputs::functions;

const DOCUMENT: &str = include_str!("../../../../docs/expressions.md");

/// What the parser expands.
const MACROS: [&str; 6] = ["all", "exists", "exists_one", "filter", "has", "map"];

struct Row {
    call: &'static str,
    example: &'static str,
    result: Value,
}

impl Row {
    /// A line of a table of the document's functions.
    fn read(line: &'static str) -> Option<Self> {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let code = |cell: &'static str| cell.strip_prefix('`')?.strip_suffix('`');
        let [call, _, example, result] = cells.as_slice() else {
            return None;
        };
        Some(Self {
            call: code(call)?,
            example: code(example)?,
            result: serde_json::from_str(code(result)?).unwrap_or_else(|_| panic!("{line}")),
        })
    }

    /// The function's name, unless it is an operator.
    fn name(&self) -> Option<&'static str> {
        let (before, _) = self.call.split_once('(')?;
        before.rsplit('.').next()
    }
}

fn rows() -> Vec<Row> {
    DOCUMENT.lines().filter_map(Row::read).collect()
}

fn documented() -> Bindings {
    let (_, rest) = DOCUMENT.split_once("```json\n").unwrap();
    let (trigger, _) = rest.split_once("```").unwrap();
    let trigger = serde_json::from_str(trigger).unwrap();
    let mut bindings = Bindings::new(trigger).with_execution("e-1", "2025-06-01T12:00:00Z");
    bindings.set_output("fetch", json!({ "title": "Hello" }));
    bindings
}

#[test]
fn every_function_is_documented_and_no_other() {
    let written: BTreeSet<&str> = rows().iter().filter_map(Row::name).collect();
    let callable: BTreeSet<&str> = functions::names().chain(MACROS).collect();
    assert_eq!(written, callable);
}

#[test]
fn every_example_gives_what_the_document_says() {
    let bindings = documented();
    for Row {
        example, result, ..
    } in rows()
    {
        let template = Template::compile(&json!(format!("${{{example}}}")));
        let rendered = template.and_then(|template| template.render(&bindings));
        assert_eq!(rendered.unwrap(), result, "{example}");
    }
}

#[test]
fn every_example_shows_its_function() {
    for row in rows() {
        let call = row.name().map(|name| format!("{name}("));
        assert!(
            call.is_none_or(|call| row.example.contains(&call)),
            "{}",
            row.call
        );
    }
}
