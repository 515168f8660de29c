use serde_json::{Value, json};

use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

/// Settings of a search of what was synced.
#[derive(Clone, Debug)]
pub struct KnowledgeData {
    /// What is looked for.
    pub query: Template,
    /// How many hits at most; see [`KnowledgeData::hits`].
    pub limit: Option<Template>,
}

impl KnowledgeData {
    /// Hits of one search at most.
    pub const MAX_HITS: u32 = 20;

    /// The number that a rendered `limit` stands for, from 1 to 20.
    pub fn hits(limit: &Value) -> Option<u32> {
        let number = u32::try_from(limit.as_u64()?).ok()?;
        (1..=Self::MAX_HITS).contains(&number).then_some(number)
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let query = fields.text("query");
        let limit = read_limit(fields);
        Some(Self {
            query: query?,
            limit,
        })
    }

    pub(super) fn schema() -> Settings {
        let limit = json!({
            "type": ["integer", "string"],
            "minimum": 1,
            "maximum": Self::MAX_HITS,
            "pattern": r"\$\{",
            "description": "Hits at most, or an expression for them.",
            "x-expression": true,
        });
        let about = "What is looked for; what has the words in quotes as they are comes first.";
        Settings::new("Knowledge", "Searches mails and files that were synced.")
            .required("query", schema::text(about))
            .optional("limit", limit)
    }
}

fn read_limit(fields: &mut Fields<'_>) -> Option<Template> {
    if fields.peek("limit").is_none_or(Value::is_null) {
        fields.take("limit");
        return None;
    }
    let is_text = fields.peek("limit").is_some_and(Value::is_string);
    let limit = fields.template("limit")?;
    let is_sound = match limit.literal() {
        Some(value) => KnowledgeData::hits(value).is_some(),
        None => is_text,
    };
    if !is_sound {
        fields.refuse("limit", "must be a whole number from 1 to 20");
        return None;
    }
    Some(limit)
}
