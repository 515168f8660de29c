//! What an action is told, against the catalogue: exactly its fields, each of its kind.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Error, Request};
use crate::{
    actions::{self, Action, Field, FieldKind},
    models::{IntegrationService, Timestamp},
};

/// The action of a request, if it is one of the service's.
pub(super) fn action(
    request: &Request<'_>,
    service: IntegrationService,
) -> Result<&'static Action, Error> {
    actions::find(request.action)
        .filter(|action| action.service == service)
        .ok_or_else(|| refused("action", "is none of this service"))
}

/// The input as the type that the adapter makes of the action's fields. A field that is `null` counts
/// as left out.
pub(super) fn read<T: DeserializeOwned>(action: &Action, input: &Value) -> Result<T, Error> {
    let Value::Object(input) = input else {
        return Err(refused("input", "is no object"));
    };
    let mut known = Map::new();
    for (name, value) in input {
        let field = action.fields.iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| refused("input", "has a field that the action lacks"))?;
        if !value.is_null() {
            check(field, value)?;
            known.insert(name.clone(), value.clone());
        }
    }
    let mut required = action.fields.iter().filter(|field| field.is_required);
    if let Some(missing) = required.find(|field| !known.contains_key(field.name)) {
        return Err(refused(missing.name, "is missing"));
    }
    let value = Value::Object(known);
    serde_path_to_error::deserialize(value)
        .map_err(|error| refused(&error.path().to_string(), "cannot be used"))
}

/// A field that is wrong. The message never holds its value.
pub(super) fn refused(field: &str, message: &str) -> Error {
    Error::Input {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

fn check(field: &Field, value: &Value) -> Result<(), Error> {
    let wrong = |message: &str| Err(refused(field.name, message));
    match field.kind {
        FieldKind::Text if !is_text(value) => wrong("is no text, or empty"),
        FieldKind::Texts => check_texts(field, value),
        FieldKind::Flag if !value.is_boolean() => wrong("is neither true nor false"),
        FieldKind::Integer { least, most }
            if !value
                .as_i64()
                .is_some_and(|number| (least..=most).contains(&number)) =>
        {
            wrong(&format!("is no whole number from {least} to {most}"))
        }
        FieldKind::Choice(choices)
            if !value.as_str().is_some_and(|text| choices.contains(&text)) =>
        {
            wrong(&format!("is none of {}", choices.join(", ")))
        }
        FieldKind::Instant if serde_json::from_value::<Timestamp>(value.clone()).is_err() => {
            wrong("is no instant as RFC 3339 writes it")
        }
        _ => Ok(()),
    }
}

fn check_texts(field: &Field, value: &Value) -> Result<(), Error> {
    let texts = value
        .as_array()
        .ok_or_else(|| refused(field.name, "is no list of texts"))?;
    match texts.iter().position(|text| !is_text(text)) {
        Some(index) => {
            let place = format!("{}[{index}]", field.name);
            Err(refused(&place, "is no text, or empty"))
        }
        None => Ok(()),
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}
