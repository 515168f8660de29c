use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{HttpMethod, ResponseFormat};
use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::{Bindings, Error, Template},
};

const MAX_PAGES: RangeInclusive<u32> = 1..=50;
const DEFAULT_MAX_PAGES: u32 = 10;
const START: RangeInclusive<u32> = 0..=1_000_000;
const DEFAULT_START: u32 = 1;

/// How an answer goes on in further ones; for `GET` only.
#[derive(Clone, Debug)]
pub struct Pagination {
    /// Where the next page is.
    pub next: NextPage,
    /// `items`: the list in each answer; without it, each answer's body is one item.
    pub items: Option<ResponseExpression>,
    /// `maxPages`: where it ends at the latest, 1 to 50; 10 by default.
    pub max_pages: u32,
}

/// Where the next page is.
#[derive(Clone, Debug)]
pub enum NextPage {
    /// `link_header`: `Link: <url>; rel="next"` (<https://www.rfc-editor.org/rfc/rfc8288>).
    LinkHeader,
    /// `cursor`: where the answer says; the end when it says `null` or nothing.
    Cursor {
        /// `next`: the cursor, or the URL of the next page.
        next: ResponseExpression,
        /// `parameter`: the cursor's name in the query; without it, `next` is a URL.
        parameter: Option<String>,
    },
    /// `page`: by number, until a page has no `items`.
    Page {
        /// `parameter`: the number's name in the query.
        parameter: String,
        /// `start`: the first page's number; 1 by default.
        start: u32,
    },
}

/// An expression over `response`, which is `{ status, headers, body }`.
#[derive(Clone, Debug)]
pub struct ResponseExpression {
    source: String,
    template: Template,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PaginationType {
    LinkHeader,
    Cursor,
    Page,
}

impl Pagination {
    pub(super) fn read(
        fields: &mut Fields<'_>,
        method: Option<HttpMethod>,
        response: ResponseFormat,
    ) -> Option<Self> {
        let pagination = fields.object("pagination", |fields| {
            let kind = fields.required("type");
            let items = read_expression(fields, "items");
            let next = NextPage::read(fields, kind, items.is_some());
            let max_pages = fields.within("maxPages", MAX_PAGES);
            Some(Self {
                next: next?,
                items,
                max_pages: max_pages.unwrap_or(DEFAULT_MAX_PAGES),
            })
        });
        if pagination.is_some() && method.is_some_and(|method| method != HttpMethod::Get) {
            fields.refuse("pagination", "only `GET` requests have pages");
        }
        if pagination.is_some() && response == ResponseFormat::Binary {
            fields.refuse("pagination", "binary answers have no pages");
        }
        pagination.flatten()
    }

    pub(super) fn schema() -> Value {
        let items =
            || schema::condition("The list in `response`; without it, each body is one item.");
        let max_pages = || {
            let about = "Where it ends at the latest.";
            schema::with_default(schema::integer(MAX_PAGES, about), DEFAULT_MAX_PAGES)
        };
        let start = schema::integer(START, "The first page's number.");
        let link_header = Settings::new("Links", "The header `Link` leads to the next page.")
            .required("type", schema::words(&["link_header"]))
            .optional("items", items())
            .optional("maxPages", max_pages());
        let next =
            schema::condition("The cursor or URL in `response`; the end when there is none.");
        let about = "The cursor's name in the query; without it, `next` is a URL.";
        let cursor = Settings::new("Cursor", "Each answer says where the next page is.")
            .required("type", schema::words(&["cursor"]))
            .required("next", next)
            .optional("parameter", schema::plain(about))
            .optional("items", items())
            .optional("maxPages", max_pages());
        let page = Settings::new("Numbers", "By number, until a page is empty.")
            .required("type", schema::words(&["page"]))
            .required(
                "parameter",
                schema::plain("The number's name in the query."),
            )
            .optional("start", schema::with_default(start, DEFAULT_START))
            .required("items", items())
            .optional("maxPages", max_pages());
        json!({
            "description": "How the answer goes on; for `GET` only.",
            "anyOf": [link_header.into_field(), cursor.into_field(), page.into_field()],
        })
    }
}

impl NextPage {
    fn read(
        fields: &mut Fields<'_>,
        kind: Option<PaginationType>,
        has_items: bool,
    ) -> Option<Self> {
        match kind? {
            PaginationType::LinkHeader => Some(Self::LinkHeader),
            PaginationType::Cursor => {
                let next = read_expression(fields, "next");
                if next.is_none() {
                    fields.refuse("next", "must be an expression over `response`");
                }
                let parameter = fields.optional("parameter");
                refuse_empty(fields, parameter.as_deref());
                Some(Self::Cursor {
                    next: next?,
                    parameter,
                })
            }
            PaginationType::Page => {
                if !has_items {
                    fields.refuse("items", "must tell when a page is empty");
                }
                let parameter: Option<String> = fields.required("parameter");
                refuse_empty(fields, parameter.as_deref());
                let start = fields.within("start", START);
                Some(Self::Page {
                    parameter: parameter?,
                    start: start.unwrap_or(DEFAULT_START),
                })
            }
        }
    }
}

impl ResponseExpression {
    /// Compiles an expression, with or without `${` and `}` around it.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn compile(source: &str) -> Result<Self, Error> {
        let source = unwrapped(source.trim());
        let refuse = |error| in_words_of(source, error);
        // A path that is not there is the end, no failure; other expressions have no default.
        let template = compile(&format!("default({source}\n, null)"));
        let template = template
            .or_else(|_| compile(&format!("({source}\n)")))
            .map_err(refuse)?;
        if !template.references().is_empty() || template.uses_loop() {
            return Err(Error::Unknown {
                expression: source.to_owned(),
                problem: "only `response` is known here".to_owned(),
            });
        }
        Ok(Self {
            source: source.to_owned(),
            template,
        })
    }

    /// The value for an answer.
    ///
    /// # Errors
    /// Returns why it has none.
    pub fn evaluate(&self, status: u16, headers: Value, body: Value) -> Result<Value, Error> {
        let response = json!({ "status": status, "headers": headers, "body": body });
        let value = self.template.render(&Bindings::new(response));
        value.map_err(|error| in_words_of(&self.source, error))
    }
}

/// Binds `response` as the element of a loop: it is no variable of other expressions.
fn compile(source: &str) -> Result<Template, Error> {
    let text = format!("${{[trigger].map(response, {source})[0]}}");
    Template::compile(&Value::from(text))
}

fn unwrapped(source: &str) -> &str {
    let inner = source.strip_prefix("${");
    inner
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or(source)
}

/// The error without what [`compile`] has put around the expression.
fn in_words_of(source: &str, error: Error) -> Error {
    let expression = source.to_owned();
    match error {
        Error::Syntax { problem, .. } | Error::Unknown { problem, .. } => Error::Unknown {
            expression,
            problem,
        },
        Error::Failed { problem, .. } => Error::Failed {
            expression,
            problem,
        },
        Error::NotJson { problem, .. } => Error::NotJson {
            expression,
            problem,
        },
        Error::TooExpensive { .. } => Error::TooExpensive { expression },
        Error::TooComplex { limit, .. } => Error::TooComplex { expression, limit },
        Error::Template { problem, .. } => Error::Template {
            text: expression,
            problem,
        },
        other => other,
    }
}

fn read_expression(fields: &mut Fields<'_>, name: &str) -> Option<ResponseExpression> {
    let source: String = fields.optional(name)?;
    ResponseExpression::compile(&source)
        .map_err(|error| fields.refuse(name, error.to_string()))
        .ok()
}

fn refuse_empty(fields: &mut Fields<'_>, parameter: Option<&str>) {
    if parameter.is_some_and(str::is_empty) {
        fields.refuse("parameter", "must not be empty");
    }
}
