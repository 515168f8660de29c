//! Invitations into an organization: who may still join by one, and the token that only its mail
//! carries.

mod app_url;
mod join;
mod links;
mod token;

pub use app_url::AppUrl;
pub use join::{join, join_newest, stands};
pub use links::Links;
pub use token::{Token, Tokens};

/// How long an invitation stands.
pub const LIFETIME_SECS: i64 = 7 * 24 * 60 * 60;

/// Invitations of an organization that may wait at the same time.
pub const MAX_WAITING: usize = 100;
