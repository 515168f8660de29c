//! Stripe's published types: what a form may hold and what an answer looks like.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

const TYPES: &str = include_str!("../../../tests/contracts/stripe-billing.json");
const FIXTURES: &str = include_str!("../../../tests/contracts/stripe-billing-fixtures.json");

/// The types, and the vendor's own objects.
pub(super) struct Contract {
    types: Value,
    resources: Value,
    replies: BTreeMap<String, Validator>,
}

/// What a form has wrong.
#[derive(Debug)]
pub(super) enum Problem {
    /// A parameter that there is not.
    Unknown(String),
    /// A parameter that must be there.
    Missing(String),
    /// A parameter with a value that it cannot have.
    Invalid(String),
}

impl Contract {
    pub(super) fn load() -> Self {
        let types: Value = serde_json::from_str(TYPES).unwrap();
        let mut fixtures: Value = serde_json::from_str(FIXTURES).unwrap();
        let definitions = types["$defs"].as_object().unwrap();
        let replies = definitions.keys().filter(|name| !name.ends_with("Params"));
        let validator = |name: &String| {
            let schema = &definitions[name];
            (name.clone(), jsonschema::validator_for(schema).unwrap())
        };
        Self {
            replies: replies.map(validator).collect(),
            resources: fixtures["resources"].take(),
            types,
        }
    }

    /// Stripe's own example of an object, with some fields of its own.
    pub(super) fn example(&self, name: &str, fields: Value) -> Value {
        let mut example = self.resources[name].clone();
        assert!(example.is_object(), "{name}");
        let Value::Object(fields) = fields else {
            return example;
        };
        example.as_object_mut().unwrap().extend(fields);
        example
    }

    /// A form as its type has it: numbers and flags are texts in it.
    pub(super) fn read(&self, definition: &str, form: &Value) -> Result<Value, Problem> {
        let schema = &self.types["$defs"][definition];
        assert!(schema.is_object(), "{definition}");
        typed(schema, form, "")
    }

    /// What is wrong with an answer.
    pub(super) fn check(&self, definition: &str, answer: &Value) -> Vec<String> {
        let errors = self.replies[definition].iter_errors(answer);
        errors
            .map(|error| format!("{definition}{}: {error}", error.instance_path()))
            .collect()
    }
}

fn typed(schema: &Value, value: &Value, path: &str) -> Result<Value, Problem> {
    let invalid = || Problem::Invalid(path.to_owned());
    if let Some(alternatives) = schema["anyOf"].as_array() {
        return any_of(alternatives, value, path);
    }
    if let Some(allowed) = schema["enum"].as_array() {
        let is_allowed = allowed.contains(value);
        return is_allowed.then(|| value.clone()).ok_or_else(invalid);
    }
    let text = value.as_str();
    match schema["type"].as_str() {
        Some("string") => text.map(|text| json!(text)).ok_or_else(invalid),
        Some("number") => {
            let number = text.and_then(|text| text.parse::<i64>().ok());
            number.map(|number| json!(number)).ok_or_else(invalid)
        }
        Some("boolean") => {
            let flag = text.and_then(|text| text.parse::<bool>().ok());
            flag.map(|flag| json!(flag)).ok_or_else(invalid)
        }
        // An empty text unsets.
        Some("null") => (text == Some(""))
            .then_some(Value::Null)
            .ok_or_else(invalid),
        Some("array") => {
            let items = value.as_object().ok_or_else(invalid)?;
            list(&schema["items"], items, path)
        }
        Some("object") => {
            let fields = value.as_object().ok_or_else(invalid)?;
            object(schema, fields, path)
        }
        _ => Ok(value.clone()),
    }
}

/// What is wrong by the last alternative that is not a bare text is told.
fn any_of(alternatives: &[Value], value: &Value, path: &str) -> Result<Value, Problem> {
    let mut problem = Problem::Invalid(path.to_owned());
    for alternative in alternatives {
        match typed(alternative, value, path) {
            Ok(value) => return Ok(value),
            Err(Problem::Invalid(_)) => {}
            Err(found) => problem = found,
        }
    }
    Err(problem)
}

fn list(schema: &Value, items: &Map<String, Value>, path: &str) -> Result<Value, Problem> {
    let invalid = |_| Problem::Invalid(path.to_owned());
    let mut numbered = BTreeMap::new();
    for (index, item) in items {
        numbered.insert(index.parse::<usize>().map_err(invalid)?, item);
    }
    let items = numbered.into_iter();
    items
        .map(|(index, item)| typed(schema, item, &format!("{path}[{index}]")))
        .collect()
}

fn object(schema: &Value, fields: &Map<String, Value>, path: &str) -> Result<Value, Problem> {
    let inner = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}[{name}]"),
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if !fields.contains_key(name) {
            return Err(Problem::Missing(inner(name)));
        }
    }
    let others = &schema["additionalProperties"];
    let mut read = Map::new();
    for (name, value) in fields {
        let path = inner(name);
        let value = match schema["properties"].get(name) {
            Some(schema) => typed(schema, value, &path)?,
            None if *others == json!(false) => return Err(Problem::Unknown(path)),
            None => typed(others, value, &path)?,
        };
        read.insert(name.clone(), value);
    }
    Ok(Value::Object(read))
}
