use super::{Action, Effect, Field, FieldKind};
use crate::models::IntegrationService;

/// What agents and workflows do with SendGrid.
pub(super) const ACTIONS: &[Action] = &[Action {
    name: "sendgrid.mail.send",
    service: IntegrationService::Sendgrid,
    title: "Send a mail by SendGrid",
    description: "Sends a message from a verified sender.",
    effect: Effect::Once,
    asks_first: true,
    scopes: &[],
    fields: &[
        Field::required(
            "from",
            FieldKind::Text,
            "A sender that is verified at SendGrid.",
        ),
        Field::required(
            "to",
            FieldKind::Texts,
            "Addresses; each gets a mail of its own.",
        ),
        Field::required("subject", FieldKind::Text, "The subject."),
        Field::required("text", FieldKind::Text, "The body, as plain text."),
        Field::optional("html", FieldKind::Text, "The body, as HTML."),
    ],
}];
