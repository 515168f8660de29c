//! Answers that go on in further ones.

use serde_json::{Value, json};
use shared::{
    egress::{EgressResponse, MAX_BODY_BYTES},
    graph::{NextPage, Pagination, ResponseExpression, parse_url},
};

use super::{Call, Failure, HttpCall, Target, answer, stored};
use crate::AppState;

/// `{ status, headers, items, pages, complete }`: the items of all pages, and the status and the
/// headers of the last one. Items that are too large together are stored as one list.
pub(super) async fn collect(
    request: &HttpCall,
    pagination: &Pagination,
    state: &AppState,
    call: &Call,
) -> Result<Value, Failure> {
    let mut items = Vec::new();
    let mut bytes = 0;
    let mut pages = 0;
    let mut target = first(&request.target, &pagination.next);
    loop {
        pages += 1;
        // A page is another request: under the key of the one before it would get its answer.
        let key = format!("{}-{pages}", request.key(call));
        let response = request.ask(state, call, target.clone(), key).await?;
        bytes += response.body.len();
        if bytes > MAX_BODY_BYTES {
            let message = "the pages have more than 10 MB";
            return Err(Failure::permanent("limit_exceeded", message));
        }
        let page = Page::new(request, response)?;
        let found = page.items(pagination.items.as_ref())?;
        let next = page.next(&request.target, pagination, pages, found.is_empty())?;
        items.extend(found);
        match next {
            Some(next) if pages < pagination.max_pages => target = next,
            next => return output(page, items, pages, next.is_none(), state, call).await,
        }
    }
}

struct Page {
    response: EgressResponse,
    headers: Value,
    body: Value,
}

impl Page {
    fn new(request: &HttpCall, response: EgressResponse) -> Result<Self, Failure> {
        let body = answer::page(request.response, &response)?;
        let headers = json!(response.headers);
        Ok(Self {
            response,
            headers,
            body,
        })
    }

    fn items(&self, items: Option<&ResponseExpression>) -> Result<Vec<Value>, Failure> {
        let Some(items) = items else {
            return Ok(vec![self.body.clone()]);
        };
        match self.evaluate(items)? {
            Value::Array(items) => Ok(items),
            Value::Null => Ok(Vec::new()),
            _ => Err(answer::precondition("`pagination.items` is not a list")),
        }
    }

    /// Where the next page is, after so many; `None` at the end.
    fn next(
        &self,
        first: &Target,
        pagination: &Pagination,
        pages: u32,
        is_empty: bool,
    ) -> Result<Option<Target>, Failure> {
        match &pagination.next {
            NextPage::LinkHeader => {
                let links = self.response.headers.get("link");
                let next = links.and_then(|links| next_link(links));
                next.map(|url| self.follow(first, url)).transpose()
            }
            NextPage::Cursor { next, parameter } => {
                let next = match self.evaluate(next)? {
                    Value::Null => return Ok(None),
                    Value::String(text) if text.is_empty() => return Ok(None),
                    Value::String(text) => text,
                    Value::Number(number) => number.to_string(),
                    _ => {
                        return Err(answer::precondition(
                            "`pagination.next` is no text or number",
                        ));
                    }
                };
                match parameter {
                    Some(parameter) => Ok(Some(with_query(first, parameter, next))),
                    None => self.follow(first, &next).map(Some),
                }
            }
            NextPage::Page { .. } if is_empty => Ok(None),
            NextPage::Page { parameter, start } => {
                let number = start.saturating_add(pages);
                Ok(Some(with_query(first, parameter, number.to_string())))
            }
        }
    }

    /// The target of a link. It stays at the origin that was asked: credentials go along.
    fn follow(&self, first: &Target, link: &str) -> Result<Target, Failure> {
        let malformed = |_| answer::precondition("the link to the next page is malformed");
        let here = parse_url(&self.response.url).map_err(|_| malformed(()))?;
        let url = here.join(link).map_err(|_| malformed(()))?;
        let asked = parse_url(&first.url).map_err(|_| malformed(()))?;
        if url.origin() != asked.origin() {
            return Err(answer::precondition("the next page is at another origin"));
        }
        Ok(Target {
            url: url.into(),
            query: Default::default(),
        })
    }

    fn evaluate(&self, expression: &ResponseExpression) -> Result<Value, Failure> {
        let (status, headers) = (self.response.status, self.headers.clone());
        Ok(expression.evaluate(status, headers, self.body.clone())?)
    }
}

fn first(target: &Target, next: &NextPage) -> Target {
    match next {
        NextPage::Page { parameter, start } => with_query(target, parameter, start.to_string()),
        NextPage::LinkHeader | NextPage::Cursor { .. } => target.clone(),
    }
}

fn with_query(target: &Target, parameter: &str, value: String) -> Target {
    let mut target = target.clone();
    target.query.insert(parameter.to_owned(), value);
    target
}

async fn output(
    page: Page,
    items: Vec<Value>,
    pages: u32,
    is_complete: bool,
    state: &AppState,
    call: &Call,
) -> Result<Value, Failure> {
    let items = Value::Array(items);
    let items = if answer::fits(&items, &page.headers) {
        items
    } else {
        let content = items.to_string().into_bytes();
        stored::keep(content, "application/json", state, call).await?
    };
    Ok(json!({
        "status": page.response.status,
        "headers": page.headers,
        "items": items,
        "pages": pages,
        "complete": is_complete,
    }))
}

/// The URL of `rel="next"` in a `Link` header.
fn next_link(links: &str) -> Option<&str> {
    split(links, ',').find_map(|link| {
        let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        split(parameters, ';').any(is_next).then_some(url)
    })
}

/// The parts between separators that stand neither in quotation marks nor in a URL.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_url) = (false, false);
    text.split(move |c| {
        match c {
            '"' if !is_url => is_quoted = !is_quoted,
            '<' if !is_quoted => is_url = true,
            '>' if !is_quoted => is_url = false,
            _ => {}
        }
        c == separator && !is_quoted && !is_url
    })
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|it| it.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let github =
            "<https://a.example/?page=1>; rel=\"prev\", <https://a.example/?page=3>; rel=\"next\"";
        for (links, next) in [
            (github, Some("https://a.example/?page=3")),
            (
                "</b?x=1,2;3>; title=\"<a>, b\"; rel=next",
                Some("/b?x=1,2;3"),
            ),
            ("</b>; title=\"rel=next\"", None),
            ("</b>; REL=\"last Next\"", Some("/b")),
            ("</b>; rel=\"last\"", None),
            ("</b>; rev=\"next\"", None),
            ("</b; rel=\"next\"", None),
            ("next", None),
            ("", None),
        ] {
            assert_eq!(next_link(links), next, "{links}");
        }
    }
}
