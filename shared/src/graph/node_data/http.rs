mod auth;
mod body;
mod pagination;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use auth::HttpAuth;
pub use body::HttpBody;
pub use pagination::{NextPage, Pagination, ResponseExpression};

use crate::{
    graph::{
        fields::Fields,
        http_request::{parse_header_name, parse_url},
        schema::{self, Settings},
    },
    inputs::Template,
};

/// <https://www.rfc-editor.org/rfc/rfc9110#name-status-codes>, the final ones.
const STATUS_CODES: std::ops::RangeInclusive<u16> = 200..=599;

/// Settings of an HTTP call.
#[derive(Clone, Debug)]
pub struct HttpData {
    /// The method.
    pub method: HttpMethod,
    /// The URL.
    pub url: Template,
    /// Header values by name.
    pub headers: BTreeMap<String, Template>,
    /// Query values by name, added to the URL's.
    pub query: BTreeMap<String, Template>,
    /// What is sent, if anything.
    pub body: Option<HttpBody>,
    /// `auth`: makes the header `Authorization`.
    pub auth: Option<HttpAuth>,
    /// `response`: what becomes of the answer's body.
    pub response: ResponseFormat,
    /// `successCodes`: the status codes that do not fail the node; without it, 200 to 399.
    pub success_codes: Option<BTreeSet<u16>>,
    /// `pagination`: how the answer goes on.
    pub pagination: Option<Pagination>,
}

/// <https://www.rfc-editor.org/rfc/rfc9110#name-methods>, those of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Reads.
    Get,
    /// Acts or creates.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
    /// Reads the headers.
    Head,
}

/// What becomes of an answer's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseFormat {
    /// JSON if the server says so, text if it is, and else stored.
    #[default]
    Auto,
    /// Parsed, whatever the server says.
    Json,
    /// Text.
    Text,
    /// Stored.
    Binary,
}

impl HttpMethod {
    /// The method on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }
}

impl HttpData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let method = fields.required("method");
        let url = read_url(fields);
        let headers = read_headers(fields);
        let query = fields.templates("query");
        let body = HttpBody::read(fields);
        let auth = HttpAuth::read(fields, &headers);
        let response = fields.optional("response").unwrap_or_default();
        let success_codes = read_success_codes(fields);
        let pagination = Pagination::read(fields, method, response);
        Some(Self {
            method: method?,
            url: url?,
            headers,
            query,
            body,
            auth,
            response,
            success_codes,
            pagination,
        })
    }

    pub(super) fn schema() -> Settings {
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
        let formats = ["auto", "json", "text", "binary"];
        let values = || schema::any("Text, or a value that becomes text.");
        let about = "JSON by content type and else text or stored, parsed, text, or stored.";
        let response = schema::with_default(schema::choice(&formats, about), "auto");
        let settings = Settings::new("HTTP request", "Calls a URL.")
            .required("method", schema::choice(&methods, "The method."))
            .required("url", schema::text("The URL."))
            .optional(
                "headers",
                schema::record(values(), "Header values by name."),
            )
            .optional("query", schema::record(values(), "Query values by name."));
        HttpBody::describe(settings)
            .optional("auth", HttpAuth::schema())
            .optional("response", response)
            .optional("successCodes", success_codes_schema())
            .optional("pagination", Pagination::schema())
            .never(given(
                json!({ "pagination": null, "method": { "not": { "const": "GET" } } }),
            ))
            .never(given(
                json!({ "pagination": null, "response": { "const": "binary" } }),
            ))
    }
}

/// Fields that are all there and not `null`; of those with a schema, the schema holds.
fn given(fields: Value) -> Value {
    let fields = fields.as_object().cloned().unwrap_or_default();
    let names: Vec<String> = fields.keys().cloned().collect();
    let properties: Map<String, Value> = fields
        .into_iter()
        .map(|(name, schema)| match schema {
            Value::Null => (name, json!({ "not": { "type": "null" } })),
            schema => (name, schema),
        })
        .collect();
    json!({ "required": names, "properties": properties })
}

fn read_url(fields: &mut Fields<'_>) -> Option<Template> {
    let url = fields.text("url");
    let literal = url
        .as_ref()
        .and_then(Template::literal)
        .and_then(Value::as_str);
    if let Some(Err(problem)) = literal.filter(|url| !url.is_empty()).map(parse_url) {
        fields.refuse("url", format!("the URL {problem}"));
    }
    url
}

fn read_headers(fields: &mut Fields<'_>) -> BTreeMap<String, Template> {
    let headers = fields.templates("headers");
    for name in headers.keys() {
        if let Err(problem) = parse_header_name(name) {
            fields.refuse(&format!("headers.{name}"), format!("the header {problem}"));
        }
    }
    headers
}

fn read_success_codes(fields: &mut Fields<'_>) -> Option<BTreeSet<u16>> {
    let codes: BTreeSet<u16> = fields.optional("successCodes")?;
    if codes.is_empty() || !codes.iter().all(|code| STATUS_CODES.contains(code)) {
        fields.refuse("successCodes", "must name status codes from 200 to 599");
    }
    Some(codes)
}

fn success_codes_schema() -> Value {
    json!({
        "type": "array",
        "items": schema::integer(STATUS_CODES, "A status code."),
        "minItems": 1,
        "description": "The status codes that do not fail the node; 200 to 399 without it.",
    })
}
