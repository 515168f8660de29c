use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

const AUTHORIZATION: &str = "authorization";

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

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuthType {
    Basic,
    Bearer,
}

impl HttpAuth {
    pub(super) fn read(
        fields: &mut Fields<'_>,
        headers: &BTreeMap<String, Template>,
    ) -> Option<Self> {
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

    pub(super) fn schema() -> Value {
        let mut password = schema::any("The password.");
        password["type"] = json!("string");
        let basic = Settings::new("Basic", "A user name and a password.")
            .required("type", schema::words(&["basic"]))
            .required("username", schema::text("The user name, without a colon."))
            .required("password", password);
        let bearer = Settings::new("Bearer", "A token.")
            .required("type", schema::words(&["bearer"]))
            .required("token", schema::text("The token."));
        json!({
            "description": "Who asks: makes the header `Authorization`.",
            "anyOf": [basic.into_field(), bearer.into_field()],
        })
    }
}
