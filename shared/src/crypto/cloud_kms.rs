use std::time::Duration;

use async_trait::async_trait;
use google_cloud_auth::credentials::Credentials;
use google_cloud_kms_v1::{
    client::KeyManagementService,
    model::{
        DecryptResponse, EncryptResponse, MacSignResponse,
        crypto_key_version::CryptoKeyVersionState,
    },
};
use secrecy::{ExposeSecret, SecretBox};
use tokio::{sync::OnceCell, time::timeout};
use zeroize::Zeroize;

use super::{
    EncryptionKey, Error, MacKey, SecretTag,
    encryption_key::{DataKey, UnwrappedKey, WrappedKey, data_key_of},
};

/// How long an answer may take; one of Cloud KMS takes some 50 ms.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A key in Cloud KMS with the purpose `MAC` and the algorithm `HMAC_SHA256`
/// (<https://cloud.google.com/kms/docs/create-validate-signatures>). It connects on first use.
pub struct CloudKmsMac {
    key_version: String,
    kms: Kms,
}

impl CloudKmsMac {
    /// The key version `projects/…/cryptoKeys/…/cryptoKeyVersions/…`, used as this service's
    /// identity.
    #[must_use]
    pub fn new(key_version: String) -> Self {
        let kms = Kms::default();
        Self { key_version, kms }
    }

    /// The same at another address, as somebody else.
    #[must_use]
    pub fn at(mut self, url: String, credentials: Credentials) -> Self {
        self.kms.endpoint = Some((url, credentials));
        self
    }
}

#[async_trait]
impl MacKey for CloudKmsMac {
    fn version(&self) -> &str {
        &self.key_version
    }

    async fn sign(&self, message: &[u8]) -> Result<SecretTag, Error> {
        let request = self.kms.client().await?.mac_sign();
        let request = request
            .set_name(&self.key_version)
            .set_data(message.to_vec())
            .set_data_crc32c(checksum(message));
        let response = answer(request.send()).await?;
        tag_of(&self.key_version, &response)
    }
}

/// A key in Cloud KMS with the purpose `ENCRYPT_DECRYPT`
/// (<https://cloud.google.com/kms/docs/encrypt-decrypt>). It connects on first use.
pub struct CloudKmsEncryption {
    key: String,
    kms: Kms,
}

impl CloudKmsEncryption {
    /// The key `projects/…/cryptoKeys/…`, used as this service's identity.
    #[must_use]
    pub fn new(key: String) -> Self {
        let kms = Kms::default();
        Self { key, kms }
    }

    /// The same at another address, as somebody else.
    #[must_use]
    pub fn at(mut self, url: String, credentials: Credentials) -> Self {
        self.kms.endpoint = Some((url, credentials));
        self
    }

    /// Cloud KMS is not asked about another key's versions.
    fn check_version(&self, version: &str) -> Result<(), Error> {
        match is_version_of(&self.key, version) {
            true => Ok(()),
            false => Err(Error::Refused("the version is not one of this key".into())),
        }
    }
}

#[async_trait]
impl EncryptionKey for CloudKmsEncryption {
    async fn wrap_key(
        &self,
        data_key: &DataKey,
        associated_data: &[u8],
    ) -> Result<WrappedKey, Error> {
        let data_key = data_key.expose_secret();
        let request = self.kms.client().await?.encrypt();
        let request = request
            .set_name(&self.key)
            .set_plaintext(data_key.to_vec())
            .set_plaintext_crc32c(checksum(data_key))
            .set_additional_authenticated_data(associated_data.to_vec())
            .set_additional_authenticated_data_crc32c(checksum(associated_data));
        wrapped_of(&self.key, answer(request.send()).await?)
    }

    /// Which version has wrapped it tells the wrapped key to Cloud KMS, and Cloud KMS only whether
    /// it is the primary one.
    async fn unwrap_key(
        &self,
        wrapped: &WrappedKey,
        associated_data: &[u8],
    ) -> Result<UnwrappedKey, Error> {
        self.check_version(&wrapped.version)?;
        let request = self.kms.client().await?.decrypt();
        let request = request
            .set_name(&self.key)
            .set_ciphertext(wrapped.bytes.clone())
            .set_ciphertext_crc32c(checksum(&wrapped.bytes))
            .set_additional_authenticated_data(associated_data.to_vec())
            .set_additional_authenticated_data_crc32c(checksum(associated_data));
        unwrapped_of(answer(request.send()).await?)
    }

    async fn is_destroyed(&self, version: &str) -> Result<bool, Error> {
        self.check_version(version)?;
        let request = self.kms.client().await?.get_crypto_key_version();
        let version = answer(request.set_name(version).send()).await?;
        Ok(version.state == CryptoKeyVersionState::Destroyed)
    }
}

/// Cloud KMS, as this service's identity unless told otherwise.
#[derive(Default)]
struct Kms {
    endpoint: Option<(String, Credentials)>,
    client: OnceCell<KeyManagementService>,
}

impl Kms {
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

/// What Cloud KMS answers, if it does in time.
async fn answer<T>(
    call: impl Future<Output = Result<T, google_cloud_kms_v1::Error>>,
) -> Result<T, Error> {
    match timeout(TIMEOUT, call).await {
        Ok(answer) => answer.map_err(from_api),
        Err(elapsed) => Err(Error::Unavailable(Box::new(elapsed))),
    }
}

fn checksum(bytes: &[u8]) -> i64 {
    i64::from(crc32c::crc32c(bytes))
}

/// Both ways are checked, as <https://cloud.google.com/kms/docs/data-integrity-guidelines> asks.
fn tag_of(key_version: &str, response: &MacSignResponse) -> Result<SecretTag, Error> {
    let is_whole = response.verified_data_crc32c
        && response.mac_crc32c == Some(checksum(&response.mac))
        && response.name == key_version;
    let tag = <[u8; super::TAG_BYTES]>::try_from(&*response.mac);
    match tag {
        Ok(tag) if is_whole => Ok(SecretBox::new(Box::new(tag))),
        _ => Err(Error::Damaged),
    }
}

fn wrapped_of(key: &str, response: EncryptResponse) -> Result<WrappedKey, Error> {
    let is_whole = response.verified_plaintext_crc32c
        && response.verified_additional_authenticated_data_crc32c
        && response.ciphertext_crc32c == Some(checksum(&response.ciphertext))
        && is_version_of(key, &response.name);
    let wrapped = WrappedKey {
        version: response.name,
        bytes: response.ciphertext.into(),
    };
    is_whole.then_some(wrapped).ok_or(Error::Damaged)
}

fn unwrapped_of(response: DecryptResponse) -> Result<UnwrappedKey, Error> {
    let is_whole = response.plaintext_crc32c == Some(checksum(&response.plaintext));
    let data_key = data_key_of(&response.plaintext);
    // Nobody else holds the answer's bytes: they are wiped in place.
    if let Ok(mut plaintext) = response.plaintext.try_into_mut() {
        plaintext.as_mut().zeroize();
    }
    let data_key = data_key.filter(|_| is_whole).ok_or(Error::Damaged)?;
    Ok(UnwrappedKey {
        data_key,
        is_primary: response.used_primary,
    })
}

fn is_version_of(key: &str, version: &str) -> bool {
    let rest = version.strip_prefix(key);
    let number = rest.and_then(|rest| rest.strip_prefix("/cryptoKeyVersions/"));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A client error says that the key is not there, not ours or not for this; all else may pass.
fn from_api(error: google_cloud_kms_v1::Error) -> Error {
    match error.http_status_code() {
        Some(408 | 429) => Error::Unavailable(Box::new(error)),
        Some(400..=499) => Error::Refused(Box::new(error)),
        _ => Error::Unavailable(Box::new(error)),
    }
}
