use std::collections::BTreeSet;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use url::form_urlencoded::byte_serialize;

/// A form in which a secret may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// As it is.
    Plain,
    /// Within a JSON text, or Rust's `Debug` of one.
    Json,
    /// Within base64 of something, in either alphabet.
    Base64,
    /// In hexadecimal digits, of either case.
    Hex,
    /// In an address or a form.
    Percent,
    /// As Rust's `Debug` writes bytes: `1, 2, 3`.
    Numbers,
}

/// Every form with the bytes that betray it. Of base64 it is what does not depend on the neighbours,
/// for each of the three places in which a secret may begin.
pub(super) fn of(secret: &[u8]) -> Vec<(Form, Vec<u8>)> {
    let hex =
        |digits: fn(u8) -> String| secret.iter().map(|byte| digits(*byte)).collect::<String>();
    let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
    let percent = percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let mut forms = vec![
        (Form::Plain, secret.to_vec()),
        (Form::Hex, hex(|byte| format!("{byte:02x}")).into_bytes()),
        (Form::Hex, hex(|byte| format!("{byte:02X}")).into_bytes()),
        (Form::Numbers, numbers.join(", ").into_bytes()),
        (Form::Numbers, numbers.join(",").into_bytes()),
        (
            Form::Percent,
            byte_serialize(secret).collect::<String>().into_bytes(),
        ),
        (Form::Percent, percent.to_lowercase().into_bytes()),
        (Form::Percent, percent.into_bytes()),
    ];
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = serde_json::Value::from(text).to_string();
        forms.push((Form::Json, json.trim_matches('"').as_bytes().to_vec()));
    }
    for engine in [&STANDARD, &URL_SAFE] {
        let offsets = (0..3).map(|offset| (Form::Base64, base64(engine, secret, offset)));
        forms.extend(offsets);
    }
    let mut known = BTreeSet::new();
    forms.retain(|(_, needle)| known.insert(needle.clone()));
    forms
}

/// The digits in the base64 of `offset` bytes and a secret that the secret alone decides.
fn base64(engine: &impl Engine, secret: &[u8], offset: usize) -> Vec<u8> {
    let all = [&vec![0; offset], secret].concat();
    let encoded = engine.encode(&all);
    let (first, last) = ((offset * 8).div_ceil(6), all.len() * 8 / 6);
    encoded
        .as_bytes()
        .get(first..last)
        .unwrap_or_default()
        .to_vec()
}
