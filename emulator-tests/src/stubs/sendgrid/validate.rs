//! What SendGrid refuses: the published schema, and the rules its documentation adds.

use jsonschema::Validator;
use serde_json::Value;

use super::error::{ApiError, FieldError};

/// The order SendGrid demands; other types follow.
const CONTENT_ORDER: [&str; 2] = ["text/plain", "text/html"];

pub(super) fn mail(body: &Value, schema: &Validator) -> Result<(), ApiError> {
    let mut errors: Vec<FieldError> = schema.iter_errors(body).map(field_error).collect();
    if errors.is_empty() {
        check_recipients(body, &mut errors);
        check_subject(body, &mut errors);
        check_content(body, &mut errors);
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ApiError::invalid(errors))
    }
}

fn field_error(error: jsonschema::ValidationError<'_>) -> FieldError {
    let field = error.instance_path().to_string();
    let field = field.trim_start_matches('/').replace('/', ".");
    // The validator's text would repeat the value, which may be an address.
    let keyword = error.schema_path().to_string();
    let keyword = keyword.rsplit('/').next().unwrap_or_default();
    FieldError::new(
        &field,
        &format!("The value does not fit the contract: {keyword}"),
    )
}

fn check_recipients(body: &Value, errors: &mut Vec<FieldError>) {
    let personalizations = list(&body["personalizations"]);
    if personalizations.is_empty() {
        let message = "The personalizations field is required and must have at least one \
                       personalization.";
        errors.push(FieldError::new("personalizations", message));
    }
    for (index, personalization) in personalizations.iter().enumerate() {
        if list(&personalization["to"]).is_empty() {
            let message = "The to array is required for all personalization objects, and must \
                           have at least one email object with a valid email address.";
            let field = format!("personalizations.{index}.to");
            errors.push(FieldError::new(&field, message));
        }
    }
}

fn check_subject(body: &Value, errors: &mut Vec<FieldError>) {
    let personalizations = list(&body["personalizations"]);
    let everywhere = personalizations
        .iter()
        .all(|personalization| personalization["subject"].is_string());
    if body["subject"].is_string() || body["template_id"].is_string() || everywhere {
        return;
    }
    let message = "The subject is required. You can get around this requirement if you use a \
                   template with a subject defined or if every personalization has a subject \
                   defined.";
    errors.push(FieldError::new("subject", message));
}

fn check_content(body: &Value, errors: &mut Vec<FieldError>) {
    let contents = list(&body["content"]);
    if contents.is_empty() && !body["template_id"].is_string() {
        let message = "Unless a valid template_id is provided, the content parameter is \
                       required. There must be at least one defined content block.";
        errors.push(FieldError::new("content", message));
    }
    let rank = |content: &Value| {
        let kind = content["type"].as_str().unwrap_or_default();
        let known = CONTENT_ORDER.iter().position(|known| *known == kind);
        known.unwrap_or(CONTENT_ORDER.len())
    };
    if !contents.is_sorted_by_key(rank) {
        let message = "If present, text/plain must be first, followed by text/html, followed by \
                       any other type.";
        errors.push(FieldError::new("content", message));
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
