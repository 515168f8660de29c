//! Issues and their comments (<https://docs.github.com/en/rest/issues>).

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Session, repository};
use crate::connectors::{
    Error,
    http::{Answer, Nature},
    input,
};

/// How many issues a list has unless told.
const DEFAULT_LIMIT: usize = 100;

/// GitHub lists pull requests as issues: a list of them alone ends here.
const MAX_PAGES: usize = 30;

/// A list ends with the page that goes beyond this.
const MAX_LIST_BYTES: usize = 10 * 1024 * 1024;

#[derive(Deserialize)]
pub(super) struct ListInput {
    owner: String,
    repo: String,
    state: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
    limit: Option<usize>,
}

/// Page by page, the newest first, without pull requests.
pub(super) async fn list(session: &Session<'_>, input: &ListInput) -> Result<Value, Error> {
    let path = format!("{}/issues", repository(&input.owner, &input.repo)?);
    if let Some(index) = input.labels.iter().position(|label| label.contains(',')) {
        let field = format!("labels[{index}]");
        return Err(input::refused(&field, "has a comma, which parts labels"));
    }
    let labels = input.labels.join(",");
    let mut query = vec![
        ("state", input.state.as_deref().unwrap_or("open")),
        ("per_page", "100"),
    ];
    if !labels.is_empty() {
        query.push(("labels", &labels));
    }
    let mut request = session.request(Method::GET, &path)?.query(&query);
    let limit = input.limit.unwrap_or(DEFAULT_LIMIT);
    let mut issues: Vec<Issue> = Vec::new();
    let (mut pages, mut bytes) = (0, 0);
    loop {
        let answer = session.answer(request, Nature::Read).await?;
        let page: Vec<Issue> = answer.json()?;
        issues.extend(page.into_iter().filter(|issue| !issue.is_pull_request()));
        (pages, bytes) = (pages + 1, bytes + answer.body.len());
        let next = next_page(session, &answer)?;
        let is_full = issues.len() >= limit || pages == MAX_PAGES || bytes > MAX_LIST_BYTES;
        match next {
            Some(next) if !is_full => request = session.request_url(Method::GET, &next)?,
            next => {
                let has_more = next.is_some() || issues.len() > limit;
                issues.truncate(limit);
                let issues: Vec<_> = issues.into_iter().map(IssueOutput::from).collect();
                return Ok(json!({ "issues": issues, "hasMore": has_more }));
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct CreateInput {
    owner: String,
    repo: String,
    title: String,
    body: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    assignees: Vec<String>,
}

pub(super) async fn create(session: &Session<'_>, input: &CreateInput) -> Result<Value, Error> {
    let path = format!("{}/issues", repository(&input.owner, &input.repo)?);
    let mut body = json!({ "title": input.title });
    if let Some(text) = &input.body {
        body["body"] = json!(text);
    }
    for (name, texts) in [("labels", &input.labels), ("assignees", &input.assignees)] {
        if !texts.is_empty() {
            body[name] = json!(texts);
        }
    }
    let issue: Issue = session.write(Method::POST, &path, &body).await?;
    Ok(json!(IssueOutput::from(issue)))
}

#[derive(Deserialize)]
pub(super) struct CommentInput {
    owner: String,
    repo: String,
    number: u64,
    body: String,
}

pub(super) async fn comment(session: &Session<'_>, input: &CommentInput) -> Result<Value, Error> {
    let repository = repository(&input.owner, &input.repo)?;
    let path = format!("{repository}/issues/{}/comments", input.number);
    let body = json!({ "body": input.body });
    let comment: Comment = session.write(Method::POST, &path, &body).await?;
    Ok(json!({ "id": comment.id, "url": comment.html_url }))
}

/// <https://docs.github.com/en/rest/issues/issues#list-repository-issues>.
#[derive(Deserialize)]
struct Issue {
    number: u64,
    title: String,
    state: String,
    html_url: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
    #[serde(default)]
    pull_request: Option<Value>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Label {
    Name(String),
    Object { name: Option<String> },
}

#[derive(Deserialize)]
struct Comment {
    id: u64,
    html_url: String,
}

/// An issue as nodes get it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IssueOutput {
    number: u64,
    title: String,
    state: String,
    url: String,
    body: Option<String>,
    author: Option<String>,
    labels: Vec<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl Issue {
    fn is_pull_request(&self) -> bool {
        self.pull_request.is_some()
    }
}

impl From<Issue> for IssueOutput {
    fn from(issue: Issue) -> Self {
        let name = |label| match label {
            Label::Name(name) => Some(name),
            Label::Object { name } => name,
        };
        Self {
            number: issue.number,
            title: issue.title,
            state: issue.state,
            url: issue.html_url,
            body: issue.body,
            author: issue.user.map(|user| user.login),
            labels: issue.labels.into_iter().filter_map(name).collect(),
            created_at: issue.created_at,
            updated_at: issue.updated_at,
        }
    }
}

/// Where `Link` says that the list goes on
/// (<https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api>). The
/// token goes nowhere but to GitHub.
fn next_page(session: &Session<'_>, answer: &Answer) -> Result<Option<String>, Error> {
    let links = answer.header("link").unwrap_or_default();
    let mut links = links.split(',').filter_map(|link| link.split_once(';'));
    let next = links.find(|(_, parameters)| parameters.contains("rel=\"next\""));
    let Some((url, _)) = next else {
        return Ok(None);
    };
    let url = url.trim().trim_start_matches('<').trim_end_matches('>');
    if url.starts_with(&session.url("/")) {
        Ok(Some(url.to_owned()))
    } else {
        Err(Error::Malformed)
    }
}
