//! Codes that a real service would send by e-mail; here they can be listed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::accounts::random_text;

const CODE_CHARACTERS: usize = 54;

/// What a code is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum RequestType {
    VerifyEmail,
    PasswordReset,
}

/// One code that was not used yet.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Code {
    pub(super) email: String,
    pub(super) request_type: RequestType,
    pub(super) oob_code: String,
}

/// The unused codes; they do not survive a restart.
#[derive(Debug, Default)]
pub(super) struct Codes {
    codes: Mutex<BTreeMap<String, Code>>,
}

impl Codes {
    pub(super) fn create(&self, email: &str, request_type: RequestType) {
        let code = Code {
            email: email.to_owned(),
            request_type,
            oob_code: random_text(CODE_CHARACTERS),
        };
        self.codes().insert(code.oob_code.clone(), code);
    }

    pub(super) fn list(&self) -> Vec<Code> {
        self.codes().values().cloned().collect()
    }

    pub(super) fn find(&self, oob_code: &str, request_type: RequestType) -> Option<Code> {
        let found = self.codes().get(oob_code).cloned();
        found.filter(|code| code.request_type == request_type)
    }

    pub(super) fn remove(&self, oob_code: &str) {
        self.codes().remove(oob_code);
    }

    fn codes(&self) -> MutexGuard<'_, BTreeMap<String, Code>> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
