//! What runbooks and queries ask of lines of the log.

use std::path::Path;

use super::{Names, texts};
use crate::command::root;

/// Macros that log a line.
const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

/// What every line has.
const MESSAGE: &str = "message";

#[test]
fn each_field_that_a_runbook_asks_for_is_logged() {
    let asked = asked(&texts(&root().join("docs/runbooks"), "md"));
    assert!(asked.len() >= 5, "{asked:?}");
    let places = ["functions", "shared/src"].map(|folder| root().join(folder));
    let code: String = places
        .iter()
        .map(|place| texts(Path::new(place), "rs"))
        .collect();
    let unknown = &asked - &logged(&code);
    assert!(unknown.is_empty(), "nothing logs {unknown:?}");
}

/// The fields after `jsonPayload.`.
fn asked(runbooks: &str) -> Names {
    let places = runbooks.split("jsonPayload.").skip(1);
    let is_part = |character: &char| character.is_ascii_alphanumeric() || *character == '_';
    places
        .map(|place| place.chars().take_while(is_part).collect())
        .collect()
}

/// The fields of lines that this code logs, as Cloud Logging has them.
fn logged(code: &str) -> Names {
    let mut fields = Names::from([MESSAGE.to_owned()]);
    for level in LEVELS {
        let call = format!("tracing::{level}!(");
        let calls = code.split(&call).skip(1);
        let names = calls
            .flat_map(arguments)
            .filter_map(|argument| name(&argument));
        fields.extend(names);
    }
    fields
}

/// The arguments of a macro whose parenthesis is open.
fn arguments(rest: &str) -> Vec<String> {
    let (mut arguments, mut depth, mut is_text) = (vec![String::new()], 1, false);
    let mut before = ' ';
    for character in rest.chars() {
        match character {
            '"' if before != '\\' => is_text = !is_text,
            '(' | '[' | '{' if !is_text => depth += 1,
            ')' | ']' | '}' if !is_text => depth -= 1,
            _ => {}
        }
        match (character, depth) {
            (_, 0) => break,
            (',', 1) if !is_text => arguments.push(String::new()),
            _ => arguments.last_mut().unwrap().push(character),
        }
        before = character;
    }
    arguments
}

/// `%path`, `error = source` or `request.id = id`; a message has no name.
fn name(argument: &str) -> Option<String> {
    let name = argument
        .split('=')
        .next()?
        .trim()
        .trim_start_matches(['%', '?']);
    let is_part = |character: char| character.is_ascii_lowercase() || "_.".contains(character);
    if name.is_empty() || !name.chars().all(is_part) {
        return None;
    }
    // `tracing-stackdriver` writes them in camel case.
    let mut words = name.split(['.', '_']);
    let first = words.next()?.to_owned();
    Some(words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(1.min(word.len()));
        name + &initial.to_ascii_uppercase() + rest
    }))
}

#[test]
fn fields_are_told_from_messages_and_values() {
    let code = r#"tracing::info!(%method, path, duration_ms, request.id = id(1, "a, b"), "a, path2");
        tracing::error!(target: TRACE, ?error, failure = text, "x {other}"); other(unlogged);"#;
    let wanted = [
        "durationMs",
        "error",
        "failure",
        "message",
        "method",
        "path",
        "requestId",
    ];
    assert_eq!(logged(code), wanted.map(str::to_owned).into());
    let asked = asked("`jsonPayload.path` and 'jsonPayload.status>=500'");
    assert_eq!(asked, ["path", "status"].map(str::to_owned).into());
}
