//! Nodes that have a connected service do something: one kind for each action of the catalogue.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::approvers::Approvers;
use crate::{
    actions::{Action, Field, FieldKind, InvalidField},
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

/// What stands for an expression in a schema: `$${` is none, which no schema can tell.
const EXPRESSION: &str = r"\$\{";

/// Whether the one who started the run may approve, unless told: it is another look at what an
/// expression or a model has come to, and an organization may have one member only.
const ALLOW_SELF: bool = true;

/// Settings of an action.
#[derive(Clone, Debug)]
pub struct ActionData {
    /// What is done.
    pub action: &'static Action,
    /// The id of the integration; without it, the only one of the action's service.
    pub integration: Option<Template>,
    /// Who has to approve before it is done, if anybody.
    pub approvers: Option<Approvers>,
    /// What it is told, by the names of its fields.
    pub input: BTreeMap<&'static str, Template>,
}

/// `approval`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asking {
    Required,
    None,
}

impl ActionData {
    pub(super) fn read(action: &'static Action, fields: &mut Fields<'_>) -> Self {
        let names = action.fields.iter();
        Self {
            action,
            integration: read_integration(fields),
            approvers: read_approvers(action, fields),
            input: names
                .filter_map(|field| Some((field.name, read_field(field, fields)?)))
                .collect(),
        }
    }

    pub(super) fn schema(action: &'static Action) -> Settings {
        let settings = Settings::new(action.title, action.description)
            .noting("x-service", action.service)
            .noting("x-scopes", action.scopes);
        let fields = action.fields.iter();
        let settings = fields.fold(settings, |settings, field| match field.is_required {
            true => settings.required(field.name, field_schema(field)),
            false => settings.optional(field.name, field_schema(field)),
        });
        let about = "The id of the integration; without it, the only one of the service.";
        let settings = settings.optional("integration", schema::text(about));
        if !action.asks_first {
            return settings;
        }
        let about = "Whether people have to approve before it is done.";
        let asking = schema::choice(&["required", "none"], about);
        let who = Settings::new("Approvers", "Who has to approve, if anybody.");
        let who = Approvers::describe(who, ALLOW_SELF, "the node fails");
        settings
            .optional("approval", schema::with_default(asking, "required"))
            .optional("approvers", who.into_field())
    }
}

fn read_integration(fields: &mut Fields<'_>) -> Option<Template> {
    let integration = fields.optional_text("integration")?;
    if integration.literal().is_some_and(|text| *text == "") {
        fields.refuse("integration", "must not be empty");
    }
    Some(integration)
}

fn read_approvers(action: &Action, fields: &mut Fields<'_>) -> Option<Approvers> {
    if !action.asks_first {
        return None;
    }
    let asking = fields.optional("approval").unwrap_or(Asking::Required);
    let approvers = fields.object("approvers", |fields| Approvers::read(fields, ALLOW_SELF));
    match asking {
        Asking::Required => Some(approvers.unwrap_or_else(|| Approvers::one_admin(ALLOW_SELF))),
        Asking::None => None,
    }
}

/// What has no expressions is checked; what has them is when it is known.
fn read_field(field: &Field, fields: &mut Fields<'_>) -> Option<Template> {
    let value = fields
        .peek(field.name)
        .filter(|value| !value.is_null())
        .cloned();
    let Some(value) = value else {
        fields.take(field.name);
        if field.is_required {
            fields.refuse(field.name, "missing field");
        }
        return None;
    };
    let template = fields.template(field.name)?;
    if let Err(InvalidField { field, message }) = check(field, &value, &template) {
        fields.refuse(&field, message);
    }
    Some(template)
}

fn check(field: &Field, value: &Value, template: &Template) -> Result<(), InvalidField> {
    match (template.literal(), value) {
        (Some(literal), _) => field.check(literal),
        (None, Value::String(_)) => Ok(()),
        (None, Value::Array(items)) if field.kind == FieldKind::Texts => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(position, item)| {
                let item = literal(item).unwrap_or_else(|| json!("an expression"));
                field.check_item(position, &item)
            })
        }
        (None, value) => field.check(value),
    }
}

/// The item, unless it is text with expressions.
fn literal(item: &Value) -> Option<Value> {
    if !item.is_string() {
        return Some(item.clone());
    }
    let template = Template::compile(item).ok()?;
    template.literal().cloned()
}

fn field_schema(field: &Field) -> Value {
    let about = field.description;
    match field.kind {
        FieldKind::Text => schema::text(about),
        FieldKind::Any => {
            let mut value = schema::any(about);
            if let Some(not) = field.schema().get_mut("not") {
                value["not"] = not.take();
            }
            value
        }
        _ => json!({
            "anyOf": [field.schema(), { "type": "string", "pattern": EXPRESSION }],
            "description": about,
            "x-expression": true,
        }),
    }
}
