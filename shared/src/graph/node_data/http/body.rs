use std::collections::BTreeMap;

use serde_json::json;

use super::given;
use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

/// What is sent.
#[derive(Clone, Debug)]
pub enum HttpBody {
    /// `body`: a string as it is, anything else as JSON.
    Value(Template),
    /// `form`: values by name, as `application/x-www-form-urlencoded`.
    Form(BTreeMap<String, Template>),
    /// `bodyFrom`: the `stored` of another node's output in the same run.
    Stored(Template),
}

impl HttpBody {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let is_given = |fields: &Fields<'_>, name| fields.peek(name).is_some_and(|v| !v.is_null());
        let names = ["body", "form", "bodyFrom"];
        let given = names.map(|name| is_given(fields, name));
        let mut given = names.into_iter().zip(given).filter(|(_, given)| *given);
        let (first, second) = (given.next(), given.next());
        if let Some((name, _)) = second {
            fields.refuse(
                name,
                "only one of `body`, `form` and `bodyFrom` may be given",
            );
        }
        let body = fields.optional_template("body").map(Self::Value);
        let form = fields.templates("form");
        let stored = read_stored(fields).map(Self::Stored);
        match first?.0 {
            "form" => Some(Self::Form(form)),
            "bodyFrom" => stored,
            _ => body,
        }
    }

    /// Adds the fields that say what is sent.
    pub(super) fn describe(settings: Settings) -> Settings {
        let values = schema::any("Text, or a value that becomes text.");
        let mut stored = schema::text("An expression for the `stored` of an output of this run.");
        stored["pattern"] = json!(r"\$\{");
        settings
            .optional("body", schema::any("Text as it is, anything else as JSON."))
            .optional("form", schema::record(values, "Values of a form by name."))
            .optional("bodyFrom", stored)
            .never(given(json!({ "body": null, "form": null })))
            .never(given(json!({ "body": null, "bodyFrom": null })))
            .never(given(json!({ "form": null, "bodyFrom": null })))
    }
}

fn read_stored(fields: &mut Fields<'_>) -> Option<Template> {
    let stored = fields.optional_text("bodyFrom")?;
    if stored.literal().is_some() {
        fields.refuse("bodyFrom", "must be an expression for a stored body");
    }
    Some(stored)
}
