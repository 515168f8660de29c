//! Who this service is on Google Cloud, for APIs that are called by plain HTTP.

use google_cloud_auth::credentials::{Builder, CacheableResource, Credentials};
use http::{Extensions, HeaderMap};
use tokio::sync::OnceCell;

/// The scope that the discovery documents of the APIs name.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// This service's identity; found out on first use.
#[derive(Default)]
pub struct ServiceIdentity(OnceCell<Credentials>);

impl ServiceIdentity {
    /// An identity that nobody has asked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The headers that prove it.
    ///
    /// # Errors
    /// Returns why no token can be had now.
    pub async fn headers(&self) -> Result<HeaderMap, BoxError> {
        let build = || async { Builder::default().with_scopes([SCOPE]).build() };
        let credentials = self.0.get_or_try_init(build).await?;
        match credentials.headers(Extensions::new()).await? {
            CacheableResource::New { data, .. } => Ok(data),
            // Only said to callers that have an earlier answer.
            CacheableResource::NotModified => Err("no credentials were given".into()),
        }
    }
}
