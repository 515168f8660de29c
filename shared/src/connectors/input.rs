//! What an action is told, as the type that its adapter makes of it.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Error, Request};
use crate::{
    actions::{self, Action, InvalidField},
    models::IntegrationService,
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

/// The input, once it fits the catalogue. A field that is `null` counts as left out.
pub(super) fn read<T: DeserializeOwned>(action: &Action, input: &Value) -> Result<T, Error> {
    let Value::Object(fields) = input else {
        return Err(refused("input", "must be an object"));
    };
    action.check(input)?;
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    let known = known.map(|(name, value)| (name.clone(), value.clone()));
    let known: Map<String, Value> = known.collect();
    serde_path_to_error::deserialize(Value::Object(known))
        .map_err(|error| refused(&error.path().to_string(), "cannot be used"))
}

/// A field that is wrong. The message never holds its value.
pub(super) fn refused(field: &str, message: &str) -> Error {
    Error::Input {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

impl From<InvalidField> for Error {
    fn from(InvalidField { field, message }: InvalidField) -> Self {
        Self::Input { field, message }
    }
}
