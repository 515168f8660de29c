//! Text files of repositories (<https://docs.github.com/en/rest/repos/contents>).

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Session, repository};
use crate::connectors::{Error, http::path_segment, input};

/// GitHub gives the content of larger files by other ways only.
const MAX_CONTENT_BYTES: usize = 1024 * 1024;

#[derive(Deserialize)]
pub(super) struct GetInput {
    owner: String,
    repo: String,
    path: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
}

pub(super) async fn get(session: &Session<'_>, input: &GetInput) -> Result<Value, Error> {
    let path = contents(&input.owner, &input.repo, &input.path)?;
    let query = input
        .reference
        .iter()
        .map(|reference| ("ref", reference.as_str()));
    let found: Contents = session.get(&path, &query.collect::<Vec<_>>()).await?;
    let file = found.into_file()?;
    let content =
        String::from_utf8(file.decode()?).map_err(|_| input::refused("path", "is no text file"))?;
    Ok(json!({
        "path": input.path,
        "content": content,
        "sha": file.sha,
        "url": file.html_url,
    }))
}

#[derive(Deserialize)]
pub(super) struct PutInput {
    owner: String,
    repo: String,
    path: String,
    content: String,
    message: String,
    branch: Option<String>,
}

/// Reads first: what is there names the version that is replaced, and the same content needs no
/// commit. A repeat would read anew, and replace what somebody has committed in between.
pub(super) async fn put(session: &Session<'_>, input: &PutInput) -> Result<Value, Error> {
    if input.content.len() > MAX_CONTENT_BYTES {
        return Err(input::refused("content", "has more than 1 MiB"));
    }
    let path = contents(&input.owner, &input.repo, &input.path)?;
    let query = input.branch.iter().map(|branch| ("ref", branch.as_str()));
    let query: Vec<_> = query.collect();
    let there: Option<Contents> = session.find(&path, &query).await?;
    let there = there.map(Contents::into_file).transpose()?;
    let is_same = |file: &File| {
        file.decode()
            .is_ok_and(|text| text == input.content.as_bytes())
    };
    if let Some(file) = there.as_ref().filter(|file| is_same(file)) {
        return Ok(json!({ "path": input.path, "sha": file.sha, "committed": false }));
    }
    let mut body = json!({
        "message": input.message,
        "content": BASE64_STANDARD.encode(&input.content),
    });
    if let Some(file) = &there {
        body["sha"] = json!(file.sha);
    }
    if let Some(branch) = &input.branch {
        body["branch"] = json!(branch);
    }
    let done: Committed = session.write(Method::PUT, &path, &body).await?;
    Ok(json!({
        "path": input.path,
        "sha": done.content.map(|content| content.sha),
        "committed": true,
        "commit": done.commit.sha,
        "url": done.commit.html_url,
    }))
}

/// A directory is answered as a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Contents {
    File(File),
    Directory(Vec<serde::de::IgnoredAny>),
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: String,
    sha: String,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct Committed {
    #[serde(default)]
    content: Option<Blob>,
    commit: Commit,
}

#[derive(Deserialize)]
struct Blob {
    sha: String,
}

#[derive(Deserialize)]
struct Commit {
    #[serde(default)]
    sha: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
}

impl Contents {
    fn into_file(self) -> Result<File, Error> {
        match self {
            Self::File(file) if file.kind == "file" => Ok(file),
            Self::File(_) => Err(input::refused("path", "is a link or a submodule")),
            Self::Directory(entries) => {
                let message = format!("is a directory of {} entries", entries.len());
                Err(input::refused("path", &message))
            }
        }
    }
}

impl File {
    /// The content comes in lines of base64; that of large files does not come.
    fn decode(&self) -> Result<Vec<u8>, Error> {
        if self.encoding.as_deref() != Some("base64") {
            return Err(input::refused("path", "has more than 1 MB"));
        }
        let content = self.content.as_deref().unwrap_or_default();
        let content: String = content.split_ascii_whitespace().collect();
        BASE64_STANDARD
            .decode(content)
            .map_err(|_| Error::Malformed)
    }
}

/// Where a file is, each part of its path encoded.
fn contents(owner: &str, repo: &str, path: &str) -> Result<String, Error> {
    let repository = repository(owner, repo)?;
    let segments: Vec<_> = path.split('/').collect();
    if segments.iter().any(|part| ["", ".", ".."].contains(part)) {
        return Err(input::refused("path", "is no path of a file, from the top"));
    }
    let segments: Vec<_> = segments.into_iter().map(path_segment).collect();
    Ok(format!("{repository}/contents/{}", segments.join("/")))
}
