use async_trait::async_trait;
use bytes::Bytes;
use google_cloud_auth::credentials::Credentials;
use google_cloud_storage::client::{Storage, StorageControl};
use tokio::sync::OnceCell;

use super::{Bucket, Created, Error};

/// A bucket of Cloud Storage (<https://cloud.google.com/storage/docs/json_api>). It connects on
/// first use.
pub struct CloudStorage {
    bucket: String,
    endpoint: Option<(String, Credentials)>,
    client: OnceCell<Storage>,
    control: OnceCell<StorageControl>,
}

impl CloudStorage {
    /// The bucket of this name, used as this service's identity.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            bucket: format!("projects/_/buckets/{name}"),
            endpoint: None,
            client: OnceCell::new(),
            control: OnceCell::new(),
        }
    }

    /// The same at another address, as somebody else.
    #[must_use]
    pub fn at(mut self, url: String, credentials: Credentials) -> Self {
        self.endpoint = Some((url, credentials));
        self
    }

    async fn client(&self) -> Result<&Storage, Error> {
        let connect = || async {
            let builder = Storage::builder();
            let builder = match self.endpoint.clone() {
                Some((url, credentials)) => {
                    builder.with_endpoint(url).with_credentials(credentials)
                }
                None => builder,
            };
            let unavailable = |error| Error::Unavailable(Box::new(error));
            builder.build().await.map_err(unavailable)
        };
        self.client.get_or_try_init(connect).await
    }

    async fn control(&self) -> Result<&StorageControl, Error> {
        let connect = || async {
            let builder = StorageControl::builder();
            let builder = match self.endpoint.clone() {
                Some((url, credentials)) => {
                    builder.with_endpoint(url).with_credentials(credentials)
                }
                None => builder,
            };
            let unavailable = |error| Error::Unavailable(Box::new(error));
            builder.build().await.map_err(unavailable)
        };
        self.control.get_or_try_init(connect).await
    }
}

#[async_trait]
impl Bucket for CloudStorage {
    async fn create(&self, name: &str, content: Bytes) -> Result<Created, Error> {
        let client = self.client().await?;
        let write = client.write_object(&self.bucket, name, content);
        // Generation 0 stands for an object that is not there
        // (https://cloud.google.com/storage/docs/request-preconditions#special-case).
        let write = write.set_if_generation_match(0_i64).send_unbuffered();
        match Box::pin(write).await {
            Ok(_) => Ok(Created::New),
            Err(error) if error.http_status_code() == Some(412) => Ok(Created::Existed),
            Err(error) => Err(from_api(error)),
        }
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let client = self.client().await?;
        let mut response = match client.read_object(&self.bucket, name).send().await {
            Ok(response) => response,
            Err(error) if error.http_status_code() == Some(404) => return Ok(None),
            Err(error) => return Err(from_api(error)),
        };
        let mut content = Vec::new();
        while let Some(chunk) = response.next().await {
            content.extend_from_slice(&chunk.map_err(from_api)?);
        }
        Ok(Some(content.into()))
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        let control = self.control().await?;
        let request = control
            .delete_object()
            .set_bucket(&self.bucket)
            .set_object(name);
        match request.send().await {
            Err(error) if code(&error) == Some("NOT_FOUND") => Ok(()),
            result => result.map_err(from_api),
        }
    }
}

fn from_api(error: google_cloud_storage::Error) -> Error {
    let is_refused = match error.http_status_code() {
        Some(408 | 429) => false,
        Some(400..=499) => true,
        _ => matches!(
            code(&error),
            Some("INVALID_ARGUMENT" | "PERMISSION_DENIED" | "UNAUTHENTICATED")
        ),
    };
    if is_refused {
        Error::Refused(Box::new(error))
    } else {
        Error::Unavailable(Box::new(error))
    }
}

/// The name of the gRPC code (<https://cloud.google.com/apis/design/errors#handling_errors>).
fn code(error: &google_cloud_storage::Error) -> Option<&'static str> {
    error.status().map(|status| status.code.name())
}
