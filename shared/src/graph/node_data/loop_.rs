use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

const MAX_ITEMS: u32 = 1000;
const DEFAULT_MAX_ITEMS: u32 = 100;
const MAX_PARALLELISM: u32 = 20;

/// Settings of a loop.
///
/// Its body, the nodes after the handle `each`, runs once for every item. Its output is the list
/// of the items' results: each is the output of the node that leads back to the handle `next`, or
/// of the body's last nodes if none does.
#[derive(Clone, Debug)]
pub struct LoopData {
    /// The list to go through.
    pub items: Template,
    /// A longer list fails the node.
    pub max_items: u32,
    /// Items that are under way at the same time.
    pub parallelism: u32,
    /// What happens when the body fails for an item.
    pub on_item_error: ItemError,
}

/// What happens to a loop when its body fails for an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemError {
    /// The loop fails.
    #[default]
    Fail,
    /// The item has no result and the loop goes on.
    Continue,
}

impl LoopData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let items = read_items(fields);
        let max_items = fields.within("maxItems", 1..=MAX_ITEMS);
        let parallelism = fields.within("parallelism", 1..=MAX_PARALLELISM);
        let on_item_error = fields.optional("onItemError");
        Some(Self {
            items: items?,
            max_items: max_items.unwrap_or(DEFAULT_MAX_ITEMS),
            parallelism: parallelism.unwrap_or(1),
            on_item_error: on_item_error.unwrap_or_default(),
        })
    }

    pub(super) fn schema() -> Settings {
        let items = json!({
            "type": ["array", "string"],
            "pattern": r"\$\{",
            "description": "The list to go through, or text with an expression for it.",
            "x-expression": true,
        });
        let max_items = schema::integer(1..=MAX_ITEMS, "A longer list fails the node.");
        let about = "Items that are under way at the same time.";
        let parallelism = schema::integer(1..=MAX_PARALLELISM, about);
        let about = "What happens when the body fails for an item: the loop fails, or goes on.";
        let on_item_error = schema::choice(&["fail", "continue"], about);
        Settings::new(
            "Loop",
            "Runs the nodes after `each` once for every item of a list.",
        )
        .required("items", items)
        .optional(
            "maxItems",
            schema::with_default(max_items, DEFAULT_MAX_ITEMS),
        )
        .optional("parallelism", schema::with_default(parallelism, 1))
        .optional("onItemError", schema::with_default(on_item_error, "fail"))
    }
}

fn read_items(fields: &mut Fields<'_>) -> Option<Template> {
    let is_list = fields.peek("items").is_some_and(Value::is_array);
    let is_text = fields.peek("items").is_some_and(Value::is_string);
    let items = fields.template("items")?;
    if !is_list && (!is_text || items.literal().is_some()) {
        fields.refuse(
            "items",
            "must be a list, or text with an expression for one",
        );
        return None;
    }
    Some(items)
}
