//! Sending e-mail.
//!
//! Functions write an [`outbox`](crate::outbox) row in the commit that causes a mail; only the
//! outbox calls a [`Mailer`].

mod address;
mod error;
mod message;
mod sendgrid;
mod template;

use async_trait::async_trait;

pub use address::{Address, InvalidAddress};
pub use error::Error;
pub use message::{Email, InvalidEmail};
pub use sendgrid::{SendGrid, SendGridConfig};
pub use template::{billing_notice, broken_integration, invitation, usage_alert, welcome};

/// Someone who delivers e-mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands one e-mail in. Success means that the provider accepted it, not that it arrived.
    async fn send(&self, email: &Email) -> Result<(), Error>;
}
