use std::collections::BTreeMap;

use serde_json::Value;

use super::form::{self, FieldType};
use crate::graph::{Invalid, fields::Fields, schema::Settings, settings::RunSettings};

/// Settings of a trigger.
#[derive(Clone, Debug, Default)]
pub struct TriggerData {
    /// Fields that the payload must have; it may have more.
    pub fields: BTreeMap<String, FieldType>,
    /// What the runs of the workflow may use, and when they begin.
    pub settings: RunSettings,
}

impl TriggerData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            fields: fields.optional("fields").unwrap_or_default(),
            settings: RunSettings::read(fields, "settings"),
        }
    }

    pub(super) fn schema() -> Settings {
        let about = "Fields that the payload must have, with their types; it may have more.";
        Settings::new("Trigger", "Begins every run; its output is the payload.")
            .optional("fields", form::schema(about))
            .optional("settings", RunSettings::schema().into_field())
    }

    /// Checks a payload against the fields.
    pub(in crate::graph) fn check_payload(
        &self,
        node_id: &str,
        payload: &Value,
    ) -> Result<(), Invalid> {
        form::check(&self.fields, payload, node_id, "payload")
    }
}
