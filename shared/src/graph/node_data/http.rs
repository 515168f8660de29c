mod pagination;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use pagination::{NextPage, Pagination, ResponseExpression};

use crate::{
    graph::{
        fields::Fields,
        http_request::{parse_header_name, parse_url},
        schema::{self, Settings},
    },
    inputs::Template,
};

const AUTHORIZATION: &str = "authorization";

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

/// Who asks.
#[derive(Clone, Debug)]
pub enum HttpAuth {
    /// <https://www.rfc-editor.org/rfc/rfc7617>
    Basic {
        /// Without a colon.
        username: Template,
        /// Any text.
        password: Template,
    },
    /// <https://www.rfc-editor.org/rfc/rfc6750>
    Bearer {
        /// The token.
        token: Template,
    },
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

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuthType {
    Basic,
    Bearer,
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
}

impl HttpData {
    pub(super) fn schema() -> Settings {
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
        let values = || schema::any("Text, or a value that becomes text.");
        Settings::new("HTTP request", "Calls a URL.")
            .required("method", schema::choice(&methods, "The method."))
            .required("url", schema::text("The URL."))
            .optional(
                "headers",
                schema::record(values(), "Header values by name."),
            )
            .optional("query", schema::record(values(), "Query values by name."))
            .optional("body", schema::any("Text as it is, anything else as JSON."))
    }
}

impl HttpBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
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
        let stored = fields.optional_template("bodyFrom").map(Self::Stored);
        match first?.0 {
            "form" => Some(Self::Form(form)),
            "bodyFrom" => stored,
            _ => body,
        }
    }
}

impl HttpAuth {
    fn read(fields: &mut Fields<'_>, headers: &BTreeMap<String, Template>) -> Option<Self> {
        let auth = fields.object("auth", |fields| match fields.required("type")? {
            AuthType::Basic => {
                let username = fields.text("username");
                let password = fields.optional_text("password");
                if password.is_none() {
                    fields.refuse("password", "missing field");
                }
                Some(Self::Basic {
                    username: username?,
                    password: password?,
                })
            }
            AuthType::Bearer => Some(Self::Bearer {
                token: fields.text("token")?,
            }),
        });
        let mut names = headers.keys();
        let authorization = names.find(|name| name.eq_ignore_ascii_case(AUTHORIZATION));
        if let (Some(_), Some(name)) = (&auth, authorization) {
            fields.refuse(&format!("headers.{name}"), "`auth` sets this header");
        }
        auth.flatten()
    }
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
