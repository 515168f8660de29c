use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use cel::common::{
    types::{CelBool, CelList, CelString},
    value::Val,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{super::MAX_RESULT_BYTES, Call, MAX_PARTS, Made};

/// What RFC 3986 calls unreserved stays as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

pub(super) fn lower<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    Ok(text(call.text(0)?.to_lowercase()))
}

pub(super) fn upper<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    Ok(text(call.text(0)?.to_uppercase()))
}

pub(super) fn trim<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    Ok(text(call.text(0)?.trim().to_owned()))
}

/// Counts characters, as `size` does.
pub(super) fn substring<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let source = call.text(0)?;
    let part = call.part(1, source.chars().count())?;
    let characters = source.chars().skip(part.start).take(part.len());
    Ok(text(characters.collect()))
}

pub(super) fn pad_start<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let (source, fill) = (call.text(0)?, call.text(2)?);
    let wanted = usize::try_from(call.integer(1)?).unwrap_or(0);
    if wanted > MAX_PARTS {
        return Err(call.error("more than 10,000 characters"));
    }
    let missing = wanted.saturating_sub(source.chars().count());
    let padding: String = fill.chars().cycle().take(missing).collect();
    call.result(padding + source)
}

pub(super) fn matches<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let session = call.session;
    let patterns = &session.patterns;
    let is_match = patterns.is_match(call.text(0)?, call.text(1)?, &session.meter)?;
    is_match
        .map(|is_match| Box::new(CelBool::from(is_match)) as Box<dyn Val + 'v>)
        .map_err(|problem| call.error(problem))
}

pub(super) fn split<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let separator = call.text(1)?;
    if separator.is_empty() {
        return Err(call.error("the separator is empty"));
    }
    let parts: Vec<&str> = call.text(0)?.split(separator).take(MAX_PARTS + 1).collect();
    if parts.len() > MAX_PARTS {
        return Err(call.error("more than 10,000 parts"));
    }
    let parts: Vec<Box<dyn Val + 'v>> = parts
        .into_iter()
        .map(|part| text(part.to_owned()))
        .collect();
    Ok(Box::new(CelList::from(parts)))
}

pub(super) fn join<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let separator = call.text(1)?;
    let mut joined = String::new();
    for (position, item) in call.list(0)?.iter().enumerate() {
        let Some(item) = item.downcast_ref::<CelString>() else {
            return Err(call.error("needs a list of texts"));
        };
        if position > 0 {
            joined.push_str(separator);
        }
        joined.push_str(item.inner());
        if joined.len() > MAX_RESULT_BYTES {
            return Err(call.error("the result is too long"));
        }
    }
    Ok(text(joined))
}

pub(super) fn replace<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let (source, wanted, replacement) = (call.text(0)?, call.text(1)?, call.text(2)?);
    if wanted.is_empty() {
        return Err(call.error("the text to replace is empty"));
    }
    let added = source
        .matches(wanted)
        .count()
        .saturating_mul(replacement.len());
    if source.len().saturating_add(added) > MAX_RESULT_BYTES {
        return Err(call.error("the result is too long"));
    }
    Ok(text(source.replace(wanted, replacement)))
}

pub(super) fn url_encode<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    call.result(utf8_percent_encode(call.text(0)?, RESERVED).to_string())
}

pub(super) fn base64_encode<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    call.result(general_purpose::STANDARD.encode(call.text(0)?))
}

/// Reads both alphabets, padded or not: Google's APIs answer with the one for URLs.
pub(super) fn base64_decode<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let source = call.text(0)?;
    let is_for_urls = source.contains(['-', '_']);
    let alphabet = if is_for_urls {
        alphabet::URL_SAFE
    } else {
        alphabet::STANDARD
    };
    let bytes = GeneralPurpose::new(&alphabet, ANY_PADDING).decode(source);
    let bytes = bytes.map_err(|_| call.error("the text is not base64"))?;
    let decoded = String::from_utf8(bytes).map_err(|_| call.error("the content is not text"))?;
    Ok(text(decoded))
}

pub(super) fn sha256<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    Ok(text(hex::encode(Sha256::digest(call.text(0)?))))
}

fn text<'v>(text: String) -> Box<dyn Val + 'v> {
    Box::new(CelString::from(text))
}
