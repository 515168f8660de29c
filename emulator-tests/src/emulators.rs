//! Local stand-ins for the platform: Firestore and sign-in, each on a loopback port of its own.

pub mod firestore;
pub mod journal;
pub mod sign_in;

mod files;
mod server;

pub(crate) use server::{LocalPort, LocalServer};

/// A client that reaches loopback whatever proxy the machine has.
#[cfg(test)]
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
}
