use std::sync::Mutex;

use async_trait::async_trait;

use super::lock;
use crate::{
    identity::{Accounts, Error},
    ids::Uid,
};

/// What was asked of [`RecordingAccounts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountCall {
    /// Sessions that began before the second were ended.
    Revoked(Uid, i64),
    /// The account was deleted.
    Deleted(Uid),
}

/// Accounts that only remember what was done to them.
#[derive(Debug, Default)]
pub struct RecordingAccounts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<AccountCall>,
    is_unavailable: bool,
}

impl RecordingAccounts {
    /// Accounts to which nothing was done.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has every call fail, until it is switched off.
    pub fn fail_all(&self, unavailable: bool) {
        lock(&self.state).is_unavailable = unavailable;
    }

    /// What was done, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<AccountCall> {
        lock(&self.state).calls.clone()
    }

    fn record(&self, call: AccountCall) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if state.is_unavailable {
            return Err(Error::Unavailable("switched off".into()));
        }
        state.calls.push(call);
        Ok(())
    }
}

#[async_trait]
impl Accounts for RecordingAccounts {
    async fn revoke_sessions(&self, uid: &Uid, valid_since: jiff::Timestamp) -> Result<(), Error> {
        self.record(AccountCall::Revoked(uid.clone(), valid_since.as_second()))
    }

    async fn delete(&self, uid: &Uid) -> Result<(), Error> {
        self.record(AccountCall::Deleted(uid.clone()))
    }
}
