//! The vendors' published schemas, for what comes in and, in tests, what goes out.

use anyhow::Context;
use jsonschema::Validator;
use serde_json::{Value, json};

const CLOUD_TASKS: &str = include_str!("../../contracts/cloudtasks.json");
const OPENAI: &str = include_str!("../../contracts/openai.json");
const SENDGRID: &str = include_str!("../../contracts/sendgrid.json");

/// Cloud Tasks' schema of that name.
pub(super) fn cloud_tasks(name: &str) -> anyhow::Result<Validator> {
    let mut schema: Value = serde_json::from_str(CLOUD_TASKS)?;
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    validator(&schema)
}

/// OpenAI's schema of that name.
pub(super) fn openai(name: &str) -> anyhow::Result<Validator> {
    let contract: Value = serde_json::from_str(OPENAI)?;
    validator(&json!({
        "$ref": format!("#/components/schemas/{name}"),
        "components": contract["components"],
    }))
}

/// The names of the fields of OpenAI's schema, those of its bases included.
pub(super) fn openai_fields(name: &str) -> anyhow::Result<Vec<String>> {
    let contract: Value = serde_json::from_str(OPENAI)?;
    let mut fields = Vec::new();
    collect_fields(
        &contract,
        &contract["components"]["schemas"][name],
        &mut fields,
    );
    Ok(fields)
}

/// SendGrid's schema of `POST /v3/mail/send`, closed to fields it does not name.
pub(super) fn sendgrid_mail() -> anyhow::Result<Validator> {
    let mut contract: Value = serde_json::from_str(SENDGRID)?;
    close(&mut contract);
    let pointer = "/components/requestBodies/PostMailSend/content/application~1json/schema";
    let mut schema = contract.pointer(pointer).context("no mail schema")?.clone();
    schema["components"] = contract["components"].take();
    validator(&schema)
}

/// SendGrid's schema of that name.
#[cfg(test)]
pub(super) fn sendgrid(name: &str) -> anyhow::Result<Validator> {
    let contract: Value = serde_json::from_str(SENDGRID)?;
    validator(&json!({
        "$ref": format!("#/components/schemas/{name}"),
        "components": contract["components"],
    }))
}

fn validator(schema: &Value) -> anyhow::Result<Validator> {
    let options = jsonschema::options().should_validate_formats(true);
    options.build(schema).context("a contract does not compile")
}

fn collect_fields(contract: &Value, schema: &Value, fields: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        fields.extend(properties.keys().cloned());
    }
    for base in schema["allOf"].as_array().into_iter().flatten() {
        collect_fields(contract, base, fields);
    }
    let reference = schema["$ref"]
        .as_str()
        .and_then(|text| text.strip_prefix('#'));
    if let Some(base) = reference.and_then(|pointer| contract.pointer(pointer)) {
        collect_fields(contract, base, fields);
    }
}

/// Objects that name their fields accept no others.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            let names_fields = object.get("properties").is_some_and(Value::is_object);
            if names_fields && object.get("type") == Some(&json!("object")) {
                object.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
