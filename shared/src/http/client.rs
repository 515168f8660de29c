use std::time::Duration;

/// The client for outside systems cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built")]
pub struct ClientError(#[source] reqwest::Error);

/// The client for outside systems, one a function: no redirects, 5 s to connect, 60 s in all.
///
/// # Errors
/// Returns [`ClientError`] when TLS cannot be set up.
pub fn client() -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .user_agent(concat!("infinity-x/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(60))
        .build()
        .map_err(ClientError)
}
