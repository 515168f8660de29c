//! What OpenAI refuses, in its words where they are known.

use jsonschema::Validator;
use serde_json::Value;

use super::error::ApiError;

const ROLES: [&str; 6] = [
    "system",
    "assistant",
    "user",
    "function",
    "tool",
    "developer",
];

pub(super) fn chat(body: &Value, fields: &[String], schema: &Validator) -> Result<(), ApiError> {
    check_fields(body, fields)?;
    let Some(messages) = body.get("messages") else {
        return Err(missing("messages"));
    };
    let Some(messages) = messages.as_array() else {
        let message = "Invalid type for 'messages': expected an array of objects.";
        return Err(invalid(message.to_owned(), "messages", "invalid_type"));
    };
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, \
                       but got an empty array instead.";
        return Err(invalid(message.to_owned(), "messages", "empty_array"));
    }
    for (index, message) in messages.iter().enumerate() {
        check_role(index, message)?;
    }
    check_schema(body, schema)
}

pub(super) fn embedding(
    body: &Value,
    fields: &[String],
    schema: &Validator,
) -> Result<(), ApiError> {
    check_fields(body, fields)?;
    match body.get("input") {
        None => Err(missing("input")),
        Some(Value::String(text)) if text.is_empty() => {
            let message = "Invalid 'input': input cannot be an empty string.";
            Err(invalid(message.to_owned(), "input", "invalid_value"))
        }
        Some(_) => check_schema(body, schema),
    }
}

pub(super) fn speech(body: &Value, fields: &[String], schema: &Validator) -> Result<(), ApiError> {
    check_fields(body, fields)?;
    for param in ["input", "voice"] {
        if body.get(param).is_none() {
            return Err(missing(param));
        }
    }
    check_schema(body, schema)
}

/// The body is an object with a model and without fields that OpenAI does not know.
fn check_fields(body: &Value, fields: &[String]) -> Result<(), ApiError> {
    let object = body.as_object().ok_or_else(ApiError::unreadable)?;
    let unknown = object.keys().find(|name| !fields.contains(name));
    if let Some(name) = unknown {
        let message = format!("Unknown parameter: '{name}'.");
        return Err(invalid(message, name, "unknown_parameter"));
    }
    if !object.contains_key("model") {
        let message = "you must provide a model parameter".to_owned();
        return Err(ApiError::invalid(message, None, None));
    }
    Ok(())
}

fn check_role(index: usize, message: &Value) -> Result<(), ApiError> {
    let param = format!("messages[{index}].role");
    let Some(role) = message["role"].as_str() else {
        return Err(missing(&param));
    };
    if ROLES.contains(&role) {
        return Ok(());
    }
    let supported = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'";
    let message = format!("Invalid value: '{role}'. Supported values are: {supported}.");
    Err(invalid(message, &param, "invalid_value"))
}

/// Everything else the contract says; the words are ours.
fn check_schema(body: &Value, schema: &Validator) -> Result<(), ApiError> {
    let Err(error) = schema.validate(body) else {
        return Ok(());
    };
    let pointer = error.instance_path().to_string();
    let param = pointer.trim_start_matches('/').replace('/', ".");
    // Only the place: the validator's own text repeats the value, which may be a prompt.
    let message = format!("Invalid value for '{param}'.");
    Err(invalid(message, &param, "invalid_value"))
}

fn missing(param: &str) -> ApiError {
    let message = format!("Missing required parameter: '{param}'.");
    invalid(message, param, "missing_required_parameter")
}

fn invalid(message: String, param: &str, code: &str) -> ApiError {
    ApiError::invalid(message, Some(param), Some(code))
}
