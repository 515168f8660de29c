//! An expression and data: both may come from strangers. Nothing panics or takes long, the same
//! data gives the same result, and data is never evaluated.
//!
//! A text is an expression on its first line and JSON below. Other bytes choose from what the
//! language has.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use serde_json::{Value, json};
use shared::inputs::{Bindings, Condition, Error, MAX_RESULT_BYTES, Template};

const LEVELS: u32 = 5;

/// Escapes make JSON text of a result at most this much longer.
const ESCAPED: usize = 6;

const LEAVES: [&str; 24] = [
    "trigger",
    "trigger.a",
    "trigger.a.b",
    "trigger[0]",
    "trigger[\"a\"][1]",
    "nodes.n.output",
    "nodes.n.output.a",
    "nodes.none.output",
    "item",
    "index",
    "loops.l.item.a",
    "e",
    "e.a",
    "1",
    "-1",
    "9223372036854775807",
    "1.5",
    "2u",
    "''",
    "'a,b'",
    "'%Y-%m-%d'",
    "true",
    "null",
    "execution.startedAt",
];

/// `@` and `#` are expressions.
const SHAPES: [&str; 60] = [
    "(@)+(#)",
    "(@)-(#)",
    "(@)*(#)",
    "(@)/(#)",
    "(@)%(#)",
    "(@)==(#)",
    "(@)<(#)",
    "(@)&&(#)",
    "(@)||(#)",
    "(@)in(#)",
    "(@)[#]",
    "(@)?(#):(@)",
    "!(@)",
    "-(@)",
    "[@,#]",
    "{'a':@,'b':#}",
    "(@).map(e,#)",
    "(@).filter(e,#)",
    "(@).all(e,#)",
    "(@).exists(e,#)",
    "has((@).a)",
    "default(trigger.a.b,@)",
    "size(@)",
    "lower(@)",
    "trim(@)",
    "(@).split(#)",
    "(@).join(#)",
    "(@).replace(#,@)",
    "(@).matches(#)",
    "(@).contains(#)",
    "substring(@,#,@)",
    "padStart(@,#,@)",
    "urlEncode(@)",
    "base64Encode(@)",
    "base64Decode(@)",
    "sha256(@)",
    "first(@)",
    "last(@)",
    "min(@)",
    "max(@)",
    "sum(@)",
    "sort(@)",
    "unique(@)",
    "flatten(@)",
    "slice(@,#)",
    "slice(@,#,@)",
    "range(@)",
    "keys(@)",
    "values(@)",
    "merge(@,#)",
    "json(@)",
    "toJson(@)",
    "round(@,#)",
    "floor(@)",
    "string(@)",
    "int(@)",
    "formatTime(@,#)",
    "parseTime(@,#)",
    "addDays(@,#)",
    "fromEpochSeconds(@)",
];

fuzz_target!(|bytes: &[u8]| {
    if let Some((source, data)) = read(bytes).or_else(|| choose(bytes).ok()) {
        check(&source, &data);
    }
});

fn read(bytes: &[u8]) -> Option<(String, Value)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (source, data) = text.split_once('\n')?;
    Some((source.to_owned(), serde_json::from_str(data).ok()?))
}

fn choose(bytes: &[u8]) -> Result<(String, Value)> {
    let mut choices = Unstructured::new(bytes);
    let source = expression(&mut choices, LEVELS)?;
    Ok((source, data(&mut choices, LEVELS)?))
}

fn expression(choices: &mut Unstructured<'_>, levels: u32) -> Result<String> {
    if levels == 0 || choices.ratio(1, 4)? {
        return Ok((*choices.choose(&LEAVES)?).to_owned());
    }
    let shape = *choices.choose(&SHAPES)?;
    let (a, b) = (
        expression(choices, levels - 1)?,
        expression(choices, levels - 1)?,
    );
    Ok(shape.replace('#', &b).replace('@', &a))
}

fn data(choices: &mut Unstructured<'_>, levels: u32) -> Result<Value> {
    let kinds = if levels == 0 { 4 } else { 6 };
    let length = 0..choices.int_in_range(0..=4)?;
    Ok(match choices.int_in_range(0..=kinds - 1)? {
        0 => json!(choices.arbitrary::<Option<bool>>()?),
        1 => json!(choices.arbitrary::<i64>()?),
        2 => json!(choices.arbitrary::<f64>()?),
        3 => json!(choices.arbitrary::<&str>()?),
        4 => length
            .map(|_| data(choices, levels - 1))
            .collect::<Result<_>>()?,
        _ => {
            let fields = length.map(|n| {
                Ok((
                    ["a", "b", "c", "d"][n].to_owned(),
                    data(choices, levels - 1)?,
                ))
            });
            Value::Object(fields.collect::<Result<_>>()?)
        }
    })
}

fn check(source: &str, data: &Value) {
    let mut bindings = Bindings::new(data.clone())
        .with_execution("e", "2025-06-01T12:00:00Z")
        .with_workflow("w", "Name");
    bindings.set_output("n", data.clone());
    let bindings = bindings.with_loop("l", Arc::new(data.clone()), 1);
    for template in [
        format!("${{{source}}}"),
        format!("a ${{{source}}} b"),
        source.to_owned(),
    ] {
        if let Ok(template) = Template::compile(&Value::from(template)) {
            let (first, second) = (template.render(&bindings), template.render(&bindings));
            assert_eq!(outcome(&first), outcome(&second), "{source}");
        }
    }
    if let Ok(condition) = Condition::compile(source) {
        let result = condition.evaluate(&bindings).map(Value::from);
        let _ = outcome(&result);
    }
    stays_data(data, &bindings);
}

fn outcome(result: &std::result::Result<Value, Error>) -> String {
    match result {
        Ok(value) => {
            let text = value.to_string();
            assert!(
                text.len() <= MAX_RESULT_BYTES * ESCAPED,
                "the result is too large"
            );
            text
        }
        Err(Error::Evaluator(error)) => panic!("the evaluator failed: {error}"),
        Err(error) => error.to_string(),
    }
}

fn stays_data(data: &Value, bindings: &Bindings) {
    let template = Template::compile(&json!(["${trigger}", "<${trigger}>"])).expect("it is valid");
    if let Ok(rendered) = template.render(bindings) {
        let text = data
            .as_str()
            .map_or_else(|| data.to_string(), str::to_owned);
        assert_eq!(rendered, json!([data, format!("<{text}>")]));
    }
}
