use super::{Action, Effect, Field, FieldKind};
use crate::models::IntegrationService;

/// What agents and workflows do with Twilio.
pub(super) const ACTIONS: &[Action] = &[Action {
    name: "twilio.sms.send",
    service: IntegrationService::Twilio,
    title: "Send an SMS",
    description: "Sends a text message.",
    effect: Effect::Once,
    asks_first: true,
    scopes: &[],
    fields: &[
        Field::required("to", FieldKind::Text, "The number, as `+4930123456`."),
        Field::required(
            "from",
            FieldKind::Text,
            "A number of the account, or the id of a messaging service, `MG…`.",
        ),
        Field::required("body", FieldKind::Text, "The text."),
    ],
}];
