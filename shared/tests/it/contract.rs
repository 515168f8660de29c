//! The vendors' published schemas, trimmed; source and licence are in each file.

use serde_json::{Value, json};

const AI_PLATFORM: &str = include_str!("../contracts/aiplatform.json");
const ANTHROPIC: &str = include_str!("../contracts/anthropic.json");
const CLOUD_KMS: &str = include_str!("../contracts/cloudkms.json");
const CLOUD_TASKS: &str = include_str!("../contracts/cloudtasks.json");
const GITHUB: &str = include_str!("../contracts/github.json");
const GITHUB_EXAMPLES: &str = include_str!("../contracts/github-examples.json");
const IDENTITY_TOOLKIT: &str = include_str!("../contracts/identitytoolkit.json");
const OPENAI: &str = include_str!("../contracts/openai.json");
const SENDGRID: &str = include_str!("../contracts/sendgrid.json");
const STRIPE: &str = include_str!("../contracts/stripe.json");
const STRIPE_FIXTURES: &str = include_str!("../contracts/stripe-fixtures.json");
const STRIPE_REQUESTS: &str = include_str!("../contracts/stripe-requests.json");
const TEXT_TO_SPEECH: &str = include_str!("../contracts/texttospeech.json");
const TWILIO: &str = include_str!("../contracts/twilio.json");

/// Gemini's messages too: Google publishes no other description of them.
pub(crate) fn check_ai_platform(definition: &str, instance: &Value) -> Result<(), String> {
    check(AI_PLATFORM, definition, instance)
}

pub(crate) fn check_anthropic(definition: &str, instance: &Value) -> Result<(), String> {
    check(ANTHROPIC, definition, instance)
}

pub(crate) fn check_cloud_kms(definition: &str, instance: &Value) -> Result<(), String> {
    check(CLOUD_KMS, definition, instance)
}

pub(crate) fn check_cloud_tasks(definition: &str, instance: &Value) -> Result<(), String> {
    check(CLOUD_TASKS, definition, instance)
}

pub(crate) fn check_github(definition: &str, instance: &Value) -> Result<(), String> {
    check(GITHUB, definition, instance)
}

/// An answer of GitHub's, from its own description.
pub(crate) fn github_example(name: &str) -> Value {
    part_of(GITHUB_EXAMPLES, "examples", name)
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

pub(crate) fn check_stripe(definition: &str, instance: &Value) -> Result<(), String> {
    check(STRIPE, definition, instance)
}

/// An object of Stripe's, from its own fixtures.
pub(crate) fn stripe_fixture(name: &str) -> Value {
    part_of(STRIPE_FIXTURES, "resources", name)
}

/// The requests that Stripe's own library sends for the same calls.
pub(crate) fn stripe_requests() -> Vec<Value> {
    let requests: Value = serde_json::from_str(STRIPE_REQUESTS).unwrap();
    requests["vectors"].as_array().unwrap().clone()
}

pub(crate) fn check_text_to_speech(definition: &str, instance: &Value) -> Result<(), String> {
    check(TEXT_TO_SPEECH, definition, instance)
}

pub(crate) fn check_twilio(definition: &str, instance: &Value) -> Result<(), String> {
    check(TWILIO, definition, instance)
}

fn part_of(text: &str, group: &str, name: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap();
    let part = value[group][name].clone();
    assert!(!part.is_null(), "{name}");
    part
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
