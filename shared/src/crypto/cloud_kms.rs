use async_trait::async_trait;
use google_cloud_auth::credentials::Credentials;
use google_cloud_kms_v1::{client::KeyManagementService, model::MacSignResponse};
use secrecy::SecretBox;
use tokio::sync::OnceCell;

use super::{Error, MacKey, SecretTag};

/// A key in Cloud KMS with the purpose `MAC` and the algorithm `HMAC_SHA256`
/// (<https://cloud.google.com/kms/docs/create-validate-signatures>). It connects on first use.
pub struct CloudKmsMac {
    key_version: String,
    endpoint: Option<(String, Credentials)>,
    client: OnceCell<KeyManagementService>,
}

impl CloudKmsMac {
    /// The key version `projects/…/cryptoKeys/…/cryptoKeyVersions/…`, used as this service's
    /// identity.
    #[must_use]
    pub fn new(key_version: String) -> Self {
        Self {
            key_version,
            endpoint: None,
            client: OnceCell::new(),
        }
    }

    /// The same at another address, as somebody else.
    #[must_use]
    pub fn at(mut self, url: String, credentials: Credentials) -> Self {
        self.endpoint = Some((url, credentials));
        self
    }

    async fn client(&self) -> Result<&KeyManagementService, Error> {
        let connect = || async {
            let builder = KeyManagementService::builder();
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
}

#[async_trait]
impl MacKey for CloudKmsMac {
    fn version(&self) -> &str {
        &self.key_version
    }

    async fn sign(&self, message: &[u8]) -> Result<SecretTag, Error> {
        let request = self.client().await?.mac_sign();
        let checksum = i64::from(crc32c::crc32c(message));
        let response = request
            .set_name(&self.key_version)
            .set_data(message.to_vec())
            .set_data_crc32c(checksum)
            .send()
            .await
            .map_err(from_api)?;
        tag_of(&self.key_version, &response)
    }
}

/// Both ways are checked, as <https://cloud.google.com/kms/docs/data-integrity-guidelines> asks.
fn tag_of(key_version: &str, response: &MacSignResponse) -> Result<SecretTag, Error> {
    let checksum = i64::from(crc32c::crc32c(&response.mac));
    let is_whole = response.verified_data_crc32c
        && response.mac_crc32c == Some(checksum)
        && response.name == key_version;
    let tag = <[u8; super::TAG_BYTES]>::try_from(&*response.mac);
    match tag {
        Ok(tag) if is_whole => Ok(SecretBox::new(Box::new(tag))),
        _ => Err(Error::Damaged),
    }
}

/// A client error says that the key is not there or not ours; all else may pass.
fn from_api(error: google_cloud_kms_v1::Error) -> Error {
    match error.http_status_code() {
        Some(408 | 429) => Error::Unavailable(Box::new(error)),
        Some(400..=499) => Error::Refused(Box::new(error)),
        _ => Error::Unavailable(Box::new(error)),
    }
}
