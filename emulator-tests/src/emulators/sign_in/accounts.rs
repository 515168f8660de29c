//! The accounts, in memory and in one JSON file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use jiff::Timestamp;
use rand::Rng as _;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use shared::clock::{Clock, SystemClock};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::UserCreated;
use super::error::ApiError;
use super::password::PasswordHash;
use crate::emulators::files;

const ACCOUNTS_FILE: &str = "accounts.json";
/// The length of Firebase's own identifiers.
const UID_CHARACTERS: usize = 28;

/// One person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) uid: String,
    pub(super) email: String,
    pub(super) email_verified: bool,
    pub(super) display_name: Option<String>,
    pub(super) photo_url: Option<String>,
    pub(super) disabled: bool,
    /// Custom claims as JSON text.
    pub(super) custom_attributes: Option<String>,
    pub(super) password: Option<PasswordHash>,
    pub(super) password_updated_at: Timestamp,
    pub(super) created_at: Timestamp,
    pub(super) last_login_at: Timestamp,
    pub(super) last_refresh_at: Timestamp,
    /// Seconds since the epoch; tokens issued earlier are expired.
    pub(super) valid_since: i64,
    /// Whether the event about its creation was handled.
    pub(super) delivered: bool,
}

/// What a new account is made of.
#[derive(Debug, Default)]
pub(super) struct NewAccount {
    pub(super) uid: Option<String>,
    pub(super) email: String,
    pub(super) email_verified: bool,
    pub(super) display_name: Option<String>,
    pub(super) photo_url: Option<String>,
    pub(super) disabled: bool,
    pub(super) password: Option<PasswordHash>,
}

/// All accounts of the project.
#[derive(Debug)]
pub(super) struct Accounts {
    inner: Mutex<Inner>,
    path: Option<PathBuf>,
}

#[derive(Debug)]
struct Inner {
    accounts: BTreeMap<String, Account>,
    user_created: Option<UnboundedSender<UserCreated>>,
}

impl Accounts {
    pub(super) fn open(data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let path = data_dir.map(|directory| directory.join(ACCOUNTS_FILE));
        let accounts = match &path {
            Some(path) => read(path).with_context(|| path.display().to_string())?,
            None => Vec::new(),
        };
        let by_uid = |account: Account| (account.uid.clone(), account);
        Ok(Self {
            inner: Mutex::new(Inner {
                accounts: accounts.into_iter().map(by_uid).collect(),
                user_created: None,
            }),
            path,
        })
    }

    pub(super) fn find(&self, uid: &str) -> Option<Account> {
        self.inner().accounts.get(uid).cloned()
    }

    pub(super) fn find_by_email(&self, email: &str) -> Option<Account> {
        by_email(&self.inner().accounts, email).cloned()
    }

    /// Adds an account and tells about it.
    pub(super) fn create(&self, new: NewAccount) -> Result<Account, ApiError> {
        let mut inner = self.inner();
        let account = self.change(&mut inner, |accounts| {
            if by_email(accounts, &new.email).is_some() {
                return Err(ApiError::code("EMAIL_EXISTS"));
            }
            let account = Account::from(new);
            if accounts.contains_key(&account.uid) {
                return Err(ApiError::code("DUPLICATE_LOCAL_ID"));
            }
            accounts.insert(account.uid.clone(), account.clone());
            Ok(account)
        })?;
        if let Some(sender) = &inner.user_created {
            // A receiver that is gone is replaced by `take_user_created`.
            let _ = sender.send(UserCreated::from(&account));
        }
        Ok(account)
    }

    /// Changes one account; its address stays unique.
    pub(super) fn update(
        &self,
        uid: &str,
        edit: impl FnOnce(&mut Account),
    ) -> Result<Account, ApiError> {
        self.change(&mut self.inner(), |accounts| {
            let found = accounts.get(uid).cloned();
            let mut account = found.ok_or_else(|| ApiError::code("USER_NOT_FOUND"))?;
            edit(&mut account);
            if by_email(accounts, &account.email).is_some_and(|other| other.uid != uid) {
                return Err(ApiError::code("EMAIL_EXISTS"));
            }
            accounts.insert(uid.to_owned(), account.clone());
            Ok(account)
        })
    }

    pub(super) fn delete(&self, uid: &str) -> Result<(), ApiError> {
        self.change(&mut self.inner(), |accounts| {
            let removed = accounts.remove(uid).map(drop);
            removed.ok_or_else(|| ApiError::code("USER_NOT_FOUND"))
        })
    }

    pub(super) fn delete_all(&self) -> Result<(), ApiError> {
        self.change(&mut self.inner(), |accounts| {
            accounts.clear();
            Ok(())
        })
    }

    pub(super) fn take_user_created(&self) -> UnboundedReceiver<UserCreated> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut inner = self.inner();
        let mut waiting: Vec<&Account> = inner.accounts.values().collect();
        waiting.retain(|account| !account.delivered);
        waiting.sort_by_key(|account| account.created_at);
        for account in waiting {
            // The receiver is still in this function.
            let _ = sender.send(UserCreated::from(account));
        }
        inner.user_created = Some(sender);
        receiver
    }

    /// An account that is deleted by now has nothing left to deliver.
    pub(super) fn mark_delivered(&self, uid: &str) -> anyhow::Result<()> {
        let mut inner = self.inner();
        let mut accounts = inner.accounts.clone();
        if let Some(account) = accounts.get_mut(uid) {
            account.delivered = true;
            self.save(&accounts)?;
            inner.accounts = accounts;
        }
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Either the file and the memory have the change, or neither.
    fn change<T>(
        &self,
        inner: &mut Inner,
        apply: impl FnOnce(&mut BTreeMap<String, Account>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut accounts = inner.accounts.clone();
        let result = apply(&mut accounts)?;
        self.save(&accounts)
            .map_err(|error| ApiError::internal(&error))?;
        inner.accounts = accounts;
        Ok(result)
    }

    fn save(&self, accounts: &BTreeMap<String, Account>) -> anyhow::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let accounts: Vec<&Account> = accounts.values().collect();
        let text = serde_json::to_vec_pretty(&accounts)?;
        files::replace(path, &text).with_context(|| path.display().to_string())?;
        Ok(())
    }
}

impl From<NewAccount> for Account {
    fn from(new: NewAccount) -> Self {
        let now = SystemClock.now();
        Self {
            uid: new.uid.unwrap_or_else(|| random_text(UID_CHARACTERS)),
            email: new.email,
            email_verified: new.email_verified,
            display_name: new.display_name,
            photo_url: new.photo_url,
            disabled: new.disabled,
            custom_attributes: None,
            password: new.password,
            password_updated_at: now,
            created_at: now,
            last_login_at: now,
            last_refresh_at: now,
            valid_since: now.as_second(),
            delivered: false,
        }
    }
}

impl From<&Account> for UserCreated {
    fn from(account: &Account) -> Self {
        Self {
            uid: account.uid.clone(),
            email: account.email.clone(),
            email_verified: account.email_verified,
            display_name: account.display_name.clone(),
            created_at: account.created_at.to_string(),
        }
    }
}

/// Letters and digits nobody can guess.
pub(super) fn random_text(characters: usize) -> String {
    let letters = rand::rng().sample_iter(Alphanumeric);
    letters.take(characters).map(char::from).collect()
}

fn by_email<'a>(accounts: &'a BTreeMap<String, Account>, email: &str) -> Option<&'a Account> {
    accounts.values().find(|account| account.email == email)
}

fn read(path: &Path) -> anyhow::Result<Vec<Account>> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if !path.try_exists()? {
        return Ok(Vec::new());
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}
