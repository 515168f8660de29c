//! Google's published discovery documents: what a request may look like, who may send it, and what
//! an answer looks like (<https://developers.google.com/discovery/v1/reference/apis>).

#![expect(
    clippy::unwrap_used,
    reason = "a document that is not as expected fails the test"
)]

mod call;

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use regex::Regex;
use serde_json::{Map, Value, json};

pub use call::{Call, RawRequest};

const CLOUD_RUN: &str = include_str!("../../tests/contracts/google/run.v2.json");

const RESTORE: [&str; 4] = [
    include_str!("../../tests/contracts/google/eventarc.v1.json"),
    include_str!("../../tests/contracts/google/firebaserules.v1.json"),
    include_str!("../../tests/contracts/google/firestore.v1.json"),
    include_str!("../../tests/contracts/google/storage.v1.json"),
];

const DOCUMENTS: [&str; 5] = [
    include_str!("../../tests/contracts/google/calendar.v3.json"),
    include_str!("../../tests/contracts/google/drive.v3.json"),
    include_str!("../../tests/contracts/google/gmail.v1.json"),
    include_str!("../../tests/contracts/google/oauth2.v2.json"),
    include_str!("../../tests/contracts/google/sheets.v4.json"),
];

/// The documents of some of Google's services.
pub struct Discovery(Vec<Value>);

/// A method of one of them.
#[derive(Clone, Copy)]
pub struct Method<'a> {
    document: &'a Value,
    spec: &'a Value,
}

/// A method that a request is for.
pub struct Route<'a> {
    /// The method.
    pub method: Method<'a>,
    /// Parameters in the path, decoded.
    pub path: BTreeMap<String, String>,
    /// Whether it is the method's path for uploads.
    pub is_upload: bool,
}

impl Discovery {
    /// Those of Calendar, Drive, Gmail, Sheets and of the account.
    ///
    /// # Panics
    /// Panics when they are no JSON.
    #[must_use]
    pub fn load() -> Self {
        Self(
            DOCUMENTS
                .map(|text| serde_json::from_str(text).unwrap())
                .into(),
        )
    }

    /// The one of Cloud Run.
    ///
    /// # Panics
    /// Panics when it is no JSON.
    #[must_use]
    pub fn cloud_run() -> Self {
        Self(vec![serde_json::from_str(CLOUD_RUN).unwrap()])
    }

    /// Those of what a restore needs: databases, buckets, triggers and rules.
    ///
    /// # Panics
    /// Panics when they are no JSON.
    #[must_use]
    pub fn restore() -> Self {
        Self(
            RESTORE
                .map(|text| serde_json::from_str(text).unwrap())
                .into(),
        )
    }

    fn methods(&self) -> impl Iterator<Item = Method<'_>> {
        self.0.iter().flat_map(|document| {
            let specs = document["methods"].as_array().unwrap().iter();
            specs.map(move |spec| Method { document, spec })
        })
    }

    /// The method of that id: `gmail.users.messages.get`.
    ///
    /// # Panics
    /// Panics when there is none.
    #[must_use]
    pub fn find(&self, id: &str) -> Method<'_> {
        self.methods().find(|method| method.id() == id).unwrap()
    }

    /// The method that a request is for.
    #[must_use]
    pub fn route(&self, verb: &str, path: &str) -> Option<Route<'_>> {
        let with_verb = self
            .methods()
            .filter(|method| method.spec["httpMethod"] == verb);
        let mut routes = with_verb.flat_map(|method| {
            method
                .templates()
                .into_iter()
                .filter_map(move |(template, is_upload)| {
                    let path = match template.contains("{+") {
                        true => method.reserved_parameter(&template, path)?,
                        false => parameters(&template, path)?,
                    };
                    Some(Route {
                        method,
                        path,
                        is_upload,
                    })
                })
        });
        routes.next()
    }
}

impl<'a> Method<'a> {
    /// As `gmail.users.messages.get`.
    ///
    /// # Panics
    /// Panics when its document has none.
    #[must_use]
    pub fn id(self) -> &'a str {
        self.spec["id"].as_str().unwrap()
    }

    /// Its paths, the one for uploads last.
    fn templates(self) -> Vec<(String, bool)> {
        let service = self.document["servicePath"]
            .as_str()
            .unwrap()
            .trim_start_matches('/');
        let path = format!("/{service}{}", self.spec["path"].as_str().unwrap());
        let upload = &self.spec["mediaUpload"]["protocols"]["simple"]["path"];
        let upload = upload.as_str().map(|path| (path.to_owned(), true));
        [(path, false)].into_iter().chain(upload).collect()
    }

    /// The parameter of a template with one that holds slashes: `v2/{+parent}/services`.
    fn reserved_parameter(self, template: &str, path: &str) -> Option<BTreeMap<String, String>> {
        let (before, rest) = template.split_once("{+")?;
        let (name, after) = rest.split_once('}')?;
        let value = path.strip_prefix(before)?.strip_suffix(after)?;
        let pattern = self.spec["parameters"][name]["pattern"].as_str().unwrap();
        let is_value = Regex::new(pattern).unwrap().is_match(value);
        is_value.then(|| BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    /// Whether a token with these scopes may call it.
    ///
    /// # Panics
    /// Panics when its document tells no scopes.
    #[must_use]
    pub fn allows(self, scopes: &[&str]) -> bool {
        let mut allowed = self.spec["scopes"].as_array().unwrap().iter();
        allowed.any(|scope| scopes.contains(&scope.as_str().unwrap()))
    }

    /// What is wrong with the parameters of a request.
    #[must_use]
    pub fn check_parameters(
        self,
        path: &BTreeMap<String, String>,
        query: &[(String, String)],
    ) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value) in query {
            let own = &self.spec["parameters"][name];
            let spec = if own.is_null() {
                &self.document["parameters"][name]
            } else {
                own
            };
            if spec["location"] != "query" {
                problems.push(format!("unknown parameter `{name}`"));
            } else if !fits(spec, value) {
                problems.push(format!("parameter `{name}` cannot be `{value}`"));
            }
            if name == "fields" {
                problems.extend(self.check_fields(value));
            }
            let given = query.iter().filter(|(other, _)| other == name).count();
            if given > 1 && spec["repeated"] != true {
                problems.push(format!("parameter `{name}` is given {given} times"));
            }
        }
        for (name, spec) in self.spec["parameters"].as_object().into_iter().flatten() {
            let is_given = path.contains_key(name) || query.iter().any(|(other, _)| other == name);
            if spec["required"] == true && !is_given {
                problems.push(format!("parameter `{name}` is missing"));
            }
        }
        problems
    }

    /// What is wrong with the body of a request.
    #[must_use]
    pub fn check_request(self, body: &Value) -> Vec<String> {
        match self.spec["request"]["$ref"].as_str() {
            Some(name) => self.check(name, body, true),
            None if body.is_null() => Vec::new(),
            None => vec!["a body where there is none".to_owned()],
        }
    }

    /// What is wrong with an answer.
    ///
    /// # Panics
    /// Panics when the method answers nothing.
    #[must_use]
    pub fn check_response(self, body: &Value) -> Vec<String> {
        let name = self.spec["response"]["$ref"].as_str().unwrap();
        self.check(name, body, false)
    }

    fn check(self, name: &str, instance: &Value, is_request: bool) -> Vec<String> {
        let schemas = self.document["schemas"].as_object().unwrap();
        let definitions: Map<String, Value> = schemas
            .iter()
            .map(|(name, spec)| (name.clone(), self.to_schema(spec, is_request)))
            .collect();
        let schema = json!({ "$ref": format!("#/$defs/{name}"), "$defs": definitions });
        let validator = jsonschema::validator_for(&schema).unwrap();
        let problems = validator.iter_errors(instance);
        problems
            .map(|problem| format!("{}: {problem}", problem.instance_path()))
            .collect()
    }

    /// A schema of discovery as JSON Schema. Unknown fields are refused, and requests without what
    /// their method requires.
    fn to_schema(self, spec: &Value, is_request: bool) -> Value {
        if let Some(name) = spec["$ref"].as_str() {
            return json!({ "$ref": format!("#/$defs/{name}") });
        }
        let mut schema = match spec["type"].as_str() {
            Some("any") | None => return json!({}),
            Some(kind) => json!({ "type": kind }),
        };
        let pattern = match spec["format"].as_str() {
            Some("byte") => Some("^[A-Za-z0-9+/_-]*={0,2}$"),
            Some("int64" | "uint64") => Some("^-?[0-9]+$"),
            Some("date-time") => {
                Some("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$")
            }
            _ => None,
        };
        if let Some(pattern) = pattern {
            schema["pattern"] = json!(pattern);
        }
        if spec["enum"].is_array() {
            schema["enum"] = spec["enum"].clone();
        }
        if spec["items"].is_object() {
            schema["items"] = self.to_schema(&spec["items"], is_request);
        }
        if let Some(properties) = spec["properties"].as_object() {
            let of =
                |(name, spec): (&String, &Value)| (name.clone(), self.to_schema(spec, is_request));
            schema["properties"] = Value::Object(properties.iter().map(of).collect());
            let is_required = |spec: &&Value| {
                let methods = spec["annotations"]["required"].as_array();
                is_request && methods.is_some_and(|methods| methods.contains(&self.spec["id"]))
            };
            let required = properties.iter().filter(|(_, spec)| is_required(spec));
            schema["required"] = required.map(|(name, _)| name.as_str()).collect();
            schema["additionalProperties"] = json!(false);
        }
        if spec["additionalProperties"].is_object() {
            schema["additionalProperties"] =
                self.to_schema(&spec["additionalProperties"], is_request);
        }
        schema
    }

    /// `a,b(c,d)`: each name is a field of the answer.
    fn check_fields(self, mask: &str) -> Vec<String> {
        let mut stack = vec![&self.spec["response"]];
        let mut last = stack[0];
        let mut problems = Vec::new();
        for token in mask.split_inclusive([',', '(', ')']) {
            let name = token.trim_end_matches([',', '(', ')']);
            if !name.is_empty() {
                let parent = self.resolve(stack.last().unwrap());
                last = &parent["properties"][name];
                if last.is_null() {
                    problems.push(format!("`fields` has no `{name}`"));
                }
            }
            match token.chars().last() {
                Some('(') => stack.push(last),
                Some(')') => drop(stack.pop()),
                _ => {}
            }
        }
        problems
    }

    fn resolve(self, spec: &'a Value) -> &'a Value {
        let spec = if spec["type"] == "array" {
            &spec["items"]
        } else {
            spec
        };
        match spec["$ref"].as_str() {
            Some(name) => &self.document["schemas"][name],
            None => spec,
        }
    }
}

/// The parameters of a path, if it is one of the template: `v4/{id}/values/{range}:append`.
fn parameters(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (templates, segments): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    if templates.len() != segments.len() {
        return None;
    }
    let mut found = BTreeMap::new();
    for (template, segment) in templates.into_iter().zip(segments) {
        let Some((name, verb)) = template
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
        else {
            if template != segment {
                return None;
            }
            continue;
        };
        // A colon of a value is encoded, so the first one begins a verb.
        let value = segment.strip_suffix(verb)?;
        if value.is_empty() || value.contains(':') {
            return None;
        }
        let value = percent_decode_str(value).decode_utf8().unwrap();
        found.insert(name.to_owned(), value.into_owned());
    }
    Some(found)
}

fn fits(spec: &Value, value: &str) -> bool {
    let number = |limit: &Value| limit.as_str().map(|text| text.parse::<i64>().unwrap());
    let is_among = spec["enum"]
        .as_array()
        .is_none_or(|values| values.contains(&json!(value)));
    is_among
        && match spec["type"].as_str().unwrap() {
            "boolean" => ["true", "false"].contains(&value),
            "integer" => value.parse::<i64>().is_ok_and(|value| {
                number(&spec["minimum"]).is_none_or(|least| least <= value)
                    && number(&spec["maximum"]).is_none_or(|most| value <= most)
            }),
            _ => true,
        }
}
