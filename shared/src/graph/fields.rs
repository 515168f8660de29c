use std::{collections::BTreeMap, ops::RangeInclusive};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Problem;
use crate::inputs::{Condition, Template};

const MESSAGE_CHARACTERS: usize = 200;

/// What an expression uses that is not there in every node.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// The field with the expression.
    pub(super) field: String,
    /// What it uses.
    pub(super) used: Used,
}

/// What an expression uses.
#[derive(Clone, Debug)]
pub(super) enum Used {
    /// The output of a node.
    Output(String),
    /// The item or index of a loop by its id.
    Loop(String),
    /// The item or index of the innermost loop.
    Item,
}

/// The `data` of a node, read field by field so that every problem is found.
pub(super) struct Fields<'p> {
    node_id: &'p str,
    path: String,
    values: Map<String, Value>,
    references: Vec<Reference>,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Fields<'p> {
    /// The fields of a node at `path`.
    pub(super) fn new(
        node_id: &'p str,
        path: String,
        values: Map<String, Value>,
        problems: &'p mut Vec<Problem>,
    ) -> Self {
        Self {
            node_id,
            path,
            values,
            references: Vec::new(),
            problems,
        }
    }

    /// The remaining fields are unknown; returns what the expressions use.
    pub(super) fn finish(mut self) -> Vec<Reference> {
        for name in std::mem::take(&mut self.values).keys() {
            self.refuse(name, "unknown field");
        }
        self.references
    }

    /// Reports a problem of a field.
    pub(super) fn refuse(&mut self, name: &str, message: impl Into<String>) {
        let field = self.field(name);
        let message: String = message.into().chars().take(MESSAGE_CHARACTERS).collect();
        self.problems
            .push(Problem::of_node(self.node_id, field, message));
    }

    /// A field that is read later.
    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// A field as it is.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name)
    }

    /// A field that may be absent; `null` counts as absent.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.values.remove(name).filter(|value| !value.is_null())?;
        let parsed = serde_path_to_error::deserialize(value);
        parsed
            .map_err(|error| {
                let path = error.path().to_string();
                let name = match path.as_str() {
                    "." => name.to_owned(),
                    path if path.starts_with('[') => format!("{name}{path}"),
                    path => format!("{name}.{path}"),
                };
                self.refuse(&name, error.inner().to_string());
            })
            .ok()
    }

    /// A field that must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        if self.is_missing(name) {
            return None;
        }
        self.optional(name)
    }

    /// An object that may be absent and whose fields are read one by one.
    pub(super) fn object<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> Option<T> {
        let values = self.optional(name)?;
        Some(self.nested(name, values, read))
    }

    /// A list of objects that must be there, with `count` items; `None` if one cannot be read.
    pub(super) fn objects<T>(
        &mut self,
        name: &str,
        count: RangeInclusive<usize>,
        mut read: impl FnMut(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items: Vec<Map<String, Value>> = self.required(name)?;
        if !count.contains(&items.len()) {
            let (least, most) = count.into_inner();
            self.refuse(name, format!("must have {least} to {most} items"));
            return None;
        }
        let items: Vec<Option<T>> = items
            .into_iter()
            .enumerate()
            .map(|(position, values)| {
                self.nested(&format!("{name}[{position}]"), values, &mut read)
            })
            .collect();
        items.into_iter().collect()
    }

    /// A number in a range.
    pub(super) fn within<T>(&mut self, name: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: DeserializeOwned + PartialOrd + std::fmt::Display,
    {
        let number: T = self.optional(name)?;
        if range.contains(&number) {
            return Some(number);
        }
        let (least, most) = range.into_inner();
        self.refuse(name, format!("must be between {least} and {most}"));
        None
    }

    /// Text that must be there and may have expressions.
    pub(super) fn text(&mut self, name: &str) -> Option<Template> {
        if self.is_missing(name) {
            return None;
        }
        let text = self.optional_text(name);
        let is_empty = |text: &Template| text.literal().is_some_and(|text| *text == "");
        if text.as_ref().is_some_and(is_empty) {
            self.refuse(name, "must not be empty");
        }
        text
    }

    /// Text that may be absent and may have expressions.
    pub(super) fn optional_text(&mut self, name: &str) -> Option<Template> {
        let text: String = self.optional(name)?;
        self.compile(name, &Value::String(text))
    }

    /// Any value with expressions, that must be there.
    pub(super) fn template(&mut self, name: &str) -> Option<Template> {
        if !self.values.contains_key(name) {
            self.refuse(name, "missing field");
        }
        self.optional_template(name)
    }

    /// Any value with expressions.
    pub(super) fn optional_template(&mut self, name: &str) -> Option<Template> {
        let value = self.values.remove(name)?;
        self.compile(name, &value)
    }

    /// An object whose values have expressions.
    pub(super) fn templates(&mut self, name: &str) -> BTreeMap<String, Template> {
        let values: BTreeMap<String, Value> = self.optional(name).unwrap_or_default();
        let compile = |(key, value): (String, Value)| {
            let template = self.compile(&format!("{name}.{key}"), &value)?;
            Some((key, template))
        };
        values.into_iter().filter_map(compile).collect()
    }

    /// A condition that must be there.
    pub(super) fn condition(&mut self, name: &str) -> Option<Condition> {
        let source: String = self.required(name)?;
        match Condition::compile(&source) {
            Ok(condition) => {
                let (outputs, loops) = (condition.references(), condition.loops());
                self.refer(name, outputs, loops, condition.uses_loop());
                Some(condition)
            }
            Err(error) => {
                self.refuse(name, error.to_string());
                None
            }
        }
    }

    fn nested<T>(
        &mut self,
        name: &str,
        values: Map<String, Value>,
        read: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> T {
        let path = self.field(name);
        let mut fields = Fields::new(self.node_id, path, values, self.problems);
        let read = read(&mut fields);
        let references = fields.finish();
        self.references.extend(references);
        read
    }

    fn compile(&mut self, name: &str, value: &Value) -> Option<Template> {
        match Template::compile(value) {
            Ok(template) => {
                let (outputs, loops) = (template.references(), template.loops());
                self.refer(name, outputs, loops, template.uses_loop());
                Some(template)
            }
            Err(error) => {
                self.refuse(name, error.to_string());
                None
            }
        }
    }

    fn refer(&mut self, name: &str, outputs: Vec<String>, loops: Vec<String>, uses_item: bool) {
        let field = self.field(name);
        let loops_are_unnamed = loops.is_empty();
        let outputs = outputs.into_iter().map(Used::Output);
        let used = outputs.chain(loops.into_iter().map(Used::Loop));
        // A loop that is named tells more.
        let uses_item = uses_item && loops_are_unnamed;
        let used = used.chain(uses_item.then_some(Used::Item));
        let references = used.map(|used| Reference {
            field: field.clone(),
            used,
        });
        self.references.extend(references);
    }

    fn is_missing(&mut self, name: &str) -> bool {
        let is_missing = self.values.get(name).is_none_or(Value::is_null);
        if is_missing {
            self.values.remove(name);
            self.refuse(name, "missing field");
        }
        is_missing
    }

    fn field(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }
}
