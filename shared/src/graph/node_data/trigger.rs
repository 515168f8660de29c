use std::collections::BTreeMap;

use serde_json::Value;

use super::form::{self, FieldType};
use crate::graph::{Invalid, fields::Fields, settings::RunSettings};

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

    /// Checks a payload against the fields.
    pub(in crate::graph) fn check_payload(
        &self,
        node_id: &str,
        payload: &Value,
    ) -> Result<(), Invalid> {
        form::check(&self.fields, payload, node_id, "payload")
    }
}
