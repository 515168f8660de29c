//! What other people do to the mailbox and the Drive: they write, edit and delete.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, get, patch},
};
use serde::{Deserialize, Serialize};
use shared::testing::Seen;

use super::{LocalGoogleState, Shared};

/// A mail that comes in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMail {
    from: String,
    subject: String,
    text: String,
}

/// A file that is made.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewFile {
    name: String,
    text: String,
    #[serde(default = "plain")]
    mime_type: String,
}

/// What is changed of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEdit {
    name: Option<String>,
    text: Option<String>,
}

#[derive(Serialize)]
struct Made {
    id: String,
}

/// What people see, by id.
#[derive(Serialize)]
struct Shown {
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    id: String,
    title: String,
    text: String,
}

pub(super) fn routes() -> Router<Arc<LocalGoogleState>> {
    Router::new()
        .route("/_local/mails", get(list_mails).post(deliver_mail))
        .route("/_local/mails/{id}", delete(delete_mail))
        .route("/_local/files", get(list_files).post(create_file))
        .route("/_local/files/{id}", patch(edit_file).delete(delete_file))
}

async fn list_mails(State(state): Shared) -> Json<Shown> {
    shown(state.account().ground_truth().mails)
}

async fn deliver_mail(State(state): Shared, Json(mail): Json<NewMail>) -> (StatusCode, Json<Made>) {
    let NewMail {
        from,
        subject,
        text,
    } = mail;
    let id = state.account().deliver(&from, &subject, &text);
    (StatusCode::CREATED, Json(Made { id }))
}

async fn delete_mail(State(state): Shared, Path(id): Path<String>) -> StatusCode {
    let account = state.account();
    if !account.ground_truth().mails.contains_key(&id) {
        return StatusCode::NOT_FOUND;
    }
    account.delete_mail(&id);
    StatusCode::NO_CONTENT
}

async fn list_files(State(state): Shared) -> Json<Shown> {
    shown(state.account().ground_truth().files)
}

async fn create_file(State(state): Shared, Json(file): Json<NewFile>) -> (StatusCode, Json<Made>) {
    let NewFile {
        name,
        text,
        mime_type,
    } = file;
    let id = state.account().create_file(&name, &mime_type, text);
    (StatusCode::CREATED, Json(Made { id }))
}

async fn edit_file(
    State(state): Shared,
    Path(id): Path<String>,
    Json(edit): Json<FileEdit>,
) -> StatusCode {
    let account = state.account();
    if !account.ground_truth().files.contains_key(&id) {
        return StatusCode::NOT_FOUND;
    }
    if let Some(name) = &edit.name {
        account.rename_file(&id, name);
    }
    if let Some(text) = edit.text {
        account.edit_file(&id, text);
    }
    StatusCode::NO_CONTENT
}

async fn delete_file(State(state): Shared, Path(id): Path<String>) -> StatusCode {
    let account = state.account();
    if !account.ground_truth().files.contains_key(&id) {
        return StatusCode::NOT_FOUND;
    }
    account.delete_file(&id);
    StatusCode::NO_CONTENT
}

fn shown(seen: BTreeMap<String, Seen>) -> Json<Shown> {
    let items = seen
        .into_iter()
        .map(|(id, Seen { title, text })| Item { id, title, text });
    Json(Shown {
        items: items.collect(),
    })
}

fn plain() -> String {
    "text/plain".to_owned()
}
