//! What is sent.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use shared::{
    graph::{HttpAuth, HttpBody},
    ids::fingerprint,
    inputs::Bindings,
};

use super::{Call, Failure, invalid, render_texts, stored};
use crate::AppState;

/// A body with its expressions resolved.
pub(super) enum Body {
    /// As it is sent.
    Content {
        content_type: &'static str,
        bytes: Vec<u8>,
    },
    /// The reference to an object of this run.
    Stored(Value),
}

impl Body {
    /// Resolves the expressions: a string is sent as it is, a form as one, anything else as JSON.
    pub(super) fn render(body: &HttpBody, bindings: &Bindings) -> Result<Self, Failure> {
        let (content_type, bytes) = match body {
            HttpBody::Stored(reference) => {
                return Ok(Self::Stored(reference.render(bindings)?));
            }
            HttpBody::Form(fields) => {
                let fields = render_texts(fields, bindings)?;
                let form = serde_urlencoded::to_string(fields);
                let form = form.map_err(|_| invalid("`form` cannot be encoded"))?;
                ("application/x-www-form-urlencoded", form.into_bytes())
            }
            HttpBody::Value(body) => match body.render(bindings)? {
                Value::String(text) => ("text/plain; charset=utf-8", text.into_bytes()),
                other => ("application/json", other.to_string().into_bytes()),
            },
        };
        Ok(Self::Content {
            content_type,
            bytes,
        })
    }

    /// The content type and the content.
    pub(super) async fn load(
        &self,
        state: &AppState,
        call: &Call,
    ) -> Result<(String, Vec<u8>), Failure> {
        match self {
            Self::Content {
                content_type,
                bytes,
            } => Ok(((*content_type).to_owned(), bytes.clone())),
            Self::Stored(reference) => stored::open(reference, state, call).await,
        }
    }

    pub(super) fn fingerprint(&self) -> String {
        match self {
            Self::Content {
                content_type,
                bytes,
            } => fingerprint(&[content_type, &String::from_utf8_lossy(bytes)]),
            Self::Stored(reference) => fingerprint(&["stored", &reference.to_string()]),
        }
    }
}

/// The value of the header `Authorization`.
pub(super) fn authorization(auth: &HttpAuth, bindings: &Bindings) -> Result<String, Failure> {
    match auth {
        HttpAuth::Bearer { token } => Ok(format!("Bearer {}", token.render_text(bindings)?)),
        HttpAuth::Basic { username, password } => {
            let username = username.render_text(bindings)?;
            if username.contains(':') {
                return Err(invalid("`auth.username` must not contain a colon"));
            }
            let password = password.render_text(bindings)?;
            let credentials = STANDARD.encode(format!("{username}:{password}"));
            Ok(format!("Basic {credentials}"))
        }
    }
}
