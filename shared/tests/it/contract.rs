//! The vendors' published schemas, trimmed; source and licence are in each file.

use serde_json::{Value, json};

const CLOUD_KMS: &str = include_str!("../contracts/cloudkms.json");
const CLOUD_TASKS: &str = include_str!("../contracts/cloudtasks.json");
const IDENTITY_TOOLKIT: &str = include_str!("../contracts/identitytoolkit.json");
const OPENAI: &str = include_str!("../contracts/openai.json");
const SENDGRID: &str = include_str!("../contracts/sendgrid.json");

pub(crate) fn check_cloud_kms(definition: &str, instance: &Value) -> Result<(), String> {
    check(CLOUD_KMS, definition, instance)
}

pub(crate) fn check_cloud_tasks(definition: &str, instance: &Value) -> Result<(), String> {
    check(CLOUD_TASKS, definition, instance)
}

pub(crate) fn check_identity_toolkit(definition: &str, instance: &Value) -> Result<(), String> {
    check(IDENTITY_TOOLKIT, definition, instance)
}

pub(crate) fn check_openai(definition: &str, instance: &Value) -> Result<(), String> {
    check(OPENAI, definition, instance)
}

pub(crate) fn check_sendgrid(definition: &str, instance: &Value) -> Result<(), String> {
    check(SENDGRID, definition, instance)
}

fn check(contract: &str, definition: &str, instance: &Value) -> Result<(), String> {
    let mut schema: Value = serde_json::from_str(contract).unwrap();
    assert!(schema["$defs"].get(definition).is_some(), "{definition}");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<_> = validator
        .iter_errors(instance)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}
