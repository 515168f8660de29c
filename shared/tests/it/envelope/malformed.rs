//! Texts that are damaged, forged or no texts at all: one answer for all of them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use shared::crypto::{Envelope, EnvelopeError};

use super::{PLACE, both_keys, envelope_of};

/// Where the parts of a text begin.
struct Parts {
    bytes: Vec<u8>,
    wrapped_length: usize,
    wrapped: usize,
    nonce: usize,
}

impl Parts {
    fn of(sealed: &str) -> Self {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
        let version_bytes = u16::from_be_bytes([bytes[1], bytes[2]]);
        let wrapped_length = 3 + usize::from(version_bytes);
        let wrapped = wrapped_length + 4;
        let length = bytes[wrapped_length..wrapped].try_into().unwrap();
        let nonce = wrapped + u32::from_be_bytes(length) as usize;
        Self {
            bytes,
            wrapped_length,
            wrapped,
            nonce,
        }
    }

    /// The text with another wrapped key, of a length that is told rightly or wrongly.
    fn with_wrapped(&self, length: u32, wrapped: &[u8]) -> Vec<u8> {
        let before = &self.bytes[..self.wrapped_length];
        let parts = [
            before,
            &length.to_be_bytes(),
            wrapped,
            &self.bytes[self.nonce..],
        ];
        parts.concat()
    }
}

/// Whole texts whose parts are wrong.
fn forged(one: &Parts, other: &Parts) -> Vec<(&'static str, Vec<u8>)> {
    let wrapped = &one.bytes[one.wrapped..one.nonce];
    let length = u32::try_from(wrapped.len()).unwrap();
    let replace = |at: usize, with: &[u8]| {
        let mut bytes = one.bytes.clone();
        bytes.splice(at..at + with.len(), with.iter().copied());
        bytes
    };
    let other_nonce = &other.bytes[other.nonce..other.nonce + 12];
    vec![
        ("format 0", replace(0, &[0])),
        ("format 2", replace(0, &[2])),
        ("no version", replace(1, &[0, 0])),
        ("a version without end", replace(1, &[0xff; 2])),
        ("a version that is no text", replace(3, &[0xff])),
        ("no wrapped key", one.with_wrapped(0, &[])),
        ("a wrapped key of no length", one.with_wrapped(0, wrapped)),
        (
            "a wrapped key cut short",
            one.with_wrapped(length - 1, wrapped),
        ),
        (
            "a wrapped key too long",
            one.with_wrapped(length + 1, wrapped),
        ),
        (
            "a wrapped key of 4096 bytes",
            one.with_wrapped(4_096, &[1; 4_096]),
        ),
        (
            "a wrapped key of 4097 bytes",
            one.with_wrapped(4_097, &[1; 4_097]),
        ),
        (
            "4096 bytes that are not there",
            one.with_wrapped(4_096, wrapped),
        ),
        (
            "4097 bytes that are not there",
            one.with_wrapped(4_097, wrapped),
        ),
        (
            "a wrapped key without end",
            one.with_wrapped(u32::MAX, wrapped),
        ),
        (
            "another text's wrapped key",
            one.with_wrapped(length, &other.bytes[other.wrapped..other.nonce]),
        ),
        ("another text's nonce", replace(one.nonce, other_nonce)),
        (
            "another text's ciphertext",
            replace(one.nonce + 12, &other.bytes[other.nonce + 12..]),
        ),
        ("something after the end", [&one.bytes[..], &[0]].concat()),
    ]
}

/// Everything that is told of a refusal is equal for all.
async fn assert_unopenable(envelope: &Envelope, text: &str, what: &str) {
    for error in [
        envelope.open(text, &PLACE).await.err(),
        envelope.rewrap(text, &PLACE).await.err(),
    ] {
        assert!(error.is_some(), "{what}");
        let error: EnvelopeError = error.unwrap();
        assert_eq!(
            error.to_string(),
            "the sealed text cannot be opened",
            "{what}"
        );
        assert_eq!(format!("{error:?}"), "Unopenable", "{what}");
        assert!(std::error::Error::source(&error).is_none(), "{what}");
    }
}

#[tokio::test]
async fn a_forged_text_is_refused() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let seal = || envelope.seal(b"a token", &PLACE);
        let (one, other) = (seal().await.unwrap(), seal().await.unwrap());
        for (what, bytes) in forged(&Parts::of(&one), &Parts::of(&other)) {
            let text = URL_SAFE_NO_PAD.encode(bytes);
            assert_unopenable(&envelope, &text, what).await;
        }
    }
}

#[tokio::test]
async fn a_wrapped_key_of_an_impossible_length_is_not_even_tried() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let sealed = envelope.seal(b"a token", &PLACE).await.unwrap();
        for (length, tries) in [(0, 0), (4_096, 1), (4_097, 0)] {
            let before = key.unwrapped();
            let wrapped = vec![1; length];
            let length = u32::try_from(length).unwrap();
            let text = Parts::of(&sealed).with_wrapped(length, &wrapped);
            let opened = envelope.open(&URL_SAFE_NO_PAD.encode(text), &PLACE).await;
            assert!(opened.is_err(), "{length}");
            assert_eq!(key.unwrapped() - before, tries, "{length}");
        }
    }
}

#[tokio::test]
async fn a_text_with_any_bit_flipped_or_cut_anywhere_is_refused() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let sealed = envelope.seal(b"a token", &PLACE).await.unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            let cut = URL_SAFE_NO_PAD.encode(&bytes[..at]);
            assert_unopenable(&envelope, &cut, "cut").await;
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let flipped = URL_SAFE_NO_PAD.encode(flipped);
            assert_unopenable(&envelope, &flipped, "flipped").await;
        }
        // Once more with the data key in the cache.
        envelope.open(&sealed, &PLACE).await.unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x80;
            let flipped = URL_SAFE_NO_PAD.encode(flipped);
            assert_unopenable(&envelope, &flipped, "flipped").await;
        }
    }
}

#[tokio::test]
async fn a_version_that_did_not_wrap_the_key_does_not_open_it() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let old = envelope.seal(b"a token", &PLACE).await.unwrap();
        key.rotate();
        let mut parts = Parts::of(&old);
        assert_eq!(parts.bytes[parts.wrapped_length - 1], b'1');
        parts.bytes[parts.wrapped_length - 1] = b'2';
        let text = URL_SAFE_NO_PAD.encode(parts.bytes);
        assert_unopenable(&envelope, &text, "another version").await;
    }
}

#[tokio::test]
async fn what_is_no_text_is_refused() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let sealed = envelope.seal(b"a token", &PLACE).await.unwrap();
        let huge = "A".repeat((1 << 20) + 4);
        let padded = format!("{sealed}=");
        let spaced = format!("{sealed}\n");
        for text in ["", "A", "a token", "+/+/", &padded, &spaced, &huge] {
            assert_unopenable(&envelope, text, &text[..text.len().min(9)]).await;
        }
    }
}
