//! A local sign-in that speaks the e-mail and password calls of the Firebase Auth emulator.
//!
//! Wire: <https://cloud.google.com/identity-platform/docs/reference/rest/v1/accounts>; tokens are
//! unsigned, as the emulator's are, so only a verifier in emulator mode accepts them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::LocalServer;
use accounts::Accounts;
use codes::Codes;

mod accounts;
mod codes;
mod error;
mod password;
mod request;
mod routes;
mod token;

/// What a [`SignIn`] starts with.
#[derive(Debug, Clone)]
pub struct SignInOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Audience of the tokens.
    pub project_id: String,
    /// Keeps the accounts over restarts; without it they live in memory.
    pub data_dir: Option<PathBuf>,
}

/// A new account, for the event `google.firebase.auth.user.v2.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserCreated {
    /// The account's identifier.
    pub uid: String,
    /// In lower case.
    pub email: String,
    /// Whether the address is proven.
    pub email_verified: bool,
    /// The name given at sign-up, if any.
    pub display_name: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// A running sign-in server; dropping it stops it.
#[derive(Debug)]
pub struct SignIn {
    server: LocalServer,
    state: Arc<SignInState>,
}

#[derive(Debug)]
struct SignInState {
    project_id: String,
    accounts: Accounts,
    codes: Codes,
}

impl SignIn {
    /// Reads the accounts and starts to serve.
    ///
    /// # Errors
    /// When the accounts cannot be read or the port is taken.
    pub async fn start(options: SignInOptions) -> anyhow::Result<Self> {
        let accounts =
            Accounts::open(options.data_dir.as_deref()).context("the accounts cannot be used")?;
        let state = Arc::new(SignInState {
            project_id: options.project_id,
            accounts,
            codes: Codes::default(),
        });
        let router = routes::router(Arc::clone(&state));
        let server = LocalServer::start("sign-in", options.port, router).await?;
        Ok(Self { server, state })
    }

    /// The address it answers on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The value for `FIREBASE_AUTH_EMULATOR_HOST`, as `127.0.0.1:9099`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address().to_string()
    }

    /// The address for `connectAuthEmulator`, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Gives every account not yet marked as delivered, then each new one.
    ///
    /// A second call takes the events over from the first receiver.
    #[must_use]
    pub fn take_user_created(&self) -> UnboundedReceiver<UserCreated> {
        self.state.accounts.take_user_created()
    }

    /// Records that `uid`'s event was handled: it is not sent again.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn mark_delivered(&self, uid: &str) -> anyhow::Result<()> {
        self.state.accounts.mark_delivered(uid)
    }

    /// Stops it and waits until its port is closed.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
