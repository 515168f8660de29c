use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    approvers::Approvers,
    form::{self, FieldType},
};
use crate::{
    graph::{
        Invalid,
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

/// Whether the one who started the run may decide, unless told.
const ALLOW_SELF: bool = false;

/// Settings of an approval.
#[derive(Clone, Debug)]
pub struct ApprovalData {
    /// What is asked.
    pub message: Template,
    /// What an approver has to fill in.
    pub fields: BTreeMap<String, FieldType>,
    /// Who is asked.
    pub approvers: Approvers,
}

impl ApprovalData {
    /// Checks what an approver has filled in.
    ///
    /// # Errors
    /// Returns every field that is missing or has another type.
    pub fn check_form(&self, node_id: &str, form: &Value) -> Result<(), Invalid> {
        form::check(&self.fields, form, node_id, "form")
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let message = fields.text("message");
        let form = fields.optional("fields").unwrap_or_default();
        let approvers = Approvers::read(fields, ALLOW_SELF);
        Some(Self {
            message: message?,
            fields: form,
            approvers,
        })
    }

    pub(super) fn schema() -> Settings {
        let form = form::schema("What an approver has to fill in, with the types.");
        let settings = Settings::new("Approval", "Asks people, and waits for them.")
            .required("message", schema::text("What is asked."))
            .optional("fields", form);
        Approvers::describe(settings, ALLOW_SELF, "the handle `expired` is followed")
    }
}
