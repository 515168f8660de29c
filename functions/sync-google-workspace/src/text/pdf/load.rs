//! Loading a PDF within a limit of memory, which `lopdf` does not have: it makes about 120 bytes of an
//! object, be it a single byte of the file, and reads the same bytes for each entry that points to them.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use lopdf::{Dictionary, Document, LoadOptions, Object, ObjectId, Stream};

use super::{MAX_STREAM_BYTES, objects, unreadable};
use crate::text::{Kind, Unreadable};

/// What an object takes in memory at least, in bytes.
const OBJECT_BYTES: usize = 128;
/// What an entry of a dictionary takes besides its name and its value.
const ENTRY_BYTES: usize = 64;
/// What all objects of a file may take.
const MAX_LOADED_BYTES: usize = 192 << 20;

/// It would take more memory than a file may.
pub(super) struct TooLarge;

thread_local! {
    /// What the objects of the file that this thread loads may still take: the filter of `lopdf` is a
    /// plain function.
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn load(bytes: &[u8]) -> Result<Document, Unreadable> {
    objects::check(bytes).map_err(|TooLarge| TOO_LARGE)?;
    let loaded = load_with(bytes, false)?;
    // With a filter, `lopdf` does not mend what has lost its pages by itself.
    match loaded.get_pages().is_empty() {
        true => {
            drop(loaded);
            load_with(bytes, true)
        }
        false => Ok(loaded),
    }
}

fn load_with(bytes: &[u8], force_reconstruct: bool) -> Result<Document, Unreadable> {
    let options = LoadOptions {
        filter: Some(admit),
        max_decompressed_size: Some(MAX_STREAM_BYTES),
        force_reconstruct,
        ..LoadOptions::default()
    };
    LEFT.set(MAX_LOADED_BYTES);
    let load = || Document::load_mem_with_options(bytes, options);
    catch_unwind(AssertUnwindSafe(load))
        .map_err(|payload| broken_off(payload.as_ref()))?
        .map_err(|error| unreadable(&error))
}

fn broken_off(payload: &(dyn Any + Send)) -> Unreadable {
    match payload.is::<TooLarge>() {
        true => TOO_LARGE,
        false => Unreadable::Damaged { kind: Kind::Pdf },
    }
}

const TOO_LARGE: Unreadable = Unreadable::TooMuchUnpacked {
    kind: Kind::Pdf,
    limit_bytes: MAX_LOADED_BYTES,
};

/// Lets an object in, as long as there is memory for it. It is called once for each that is read; those
/// of a stream of objects come when all of them are read, so that these are weighed before.
fn admit(id: ObjectId, object: &mut Object) -> Option<(ObjectId, Object)> {
    charge(weight(object));
    let Object::Stream(stream) = object else {
        return Some((id, object.clone()));
    };
    if stream.dict.has_type(b"ObjStm") {
        require(weight_of_stream(stream));
    }
    // Nobody looks at it: a stream of objects has no streams.
    Some((id, Object::Null))
}

fn charge(bytes: usize) {
    require(bytes);
    LEFT.set(LEFT.get() - bytes);
}

/// Unwinds when there is not so much left: `lopdf` has no other way to be stopped.
fn require(bytes: usize) {
    if bytes > LEFT.get() {
        resume_unwind(Box::new(TooLarge));
    }
}

fn weight(object: &Object) -> usize {
    let own = match object {
        Object::Name(bytes) | Object::String(bytes, _) => bytes.len(),
        Object::Array(items) => items.iter().map(weight).sum(),
        Object::Dictionary(dictionary) => weight_of_entries(dictionary),
        Object::Stream(stream) => stream.content.len() + weight_of_entries(&stream.dict),
        _ => 0,
    };
    OBJECT_BYTES + own
}

fn weight_of_entries(dictionary: &Dictionary) -> usize {
    let entries = dictionary.iter();
    entries
        .map(|(name, value)| ENTRY_BYTES + name.len() + weight(value))
        .sum()
}

/// What the objects of a stream (7.5.7) will take, each from where it begins to where it ends.
fn weight_of_stream(stream: &Stream) -> usize {
    let Ok(content) = stream.get_plain_content_with_limit(MAX_STREAM_BYTES) else {
        return 0;
    };
    let first = stream
        .dict
        .get(b"First")
        .and_then(Object::as_i64)
        .unwrap_or(0);
    let first = usize::try_from(first).unwrap_or(usize::MAX);
    let Some((index, members)) = content.split_at_checked(first) else {
        return 0;
    };
    let index = str::from_utf8(index).unwrap_or_default();
    let index = index.split(['\r', '\n']).flat_map(|line| {
        let numbers = line.split('%').next().unwrap_or_default();
        numbers.split_whitespace()
    });
    let offsets = index.skip(1).step_by(2);
    let offsets = offsets.filter_map(|offset| offset.parse::<usize>().ok());
    let mut weight = 0_usize;
    for offset in offsets {
        let member = members.get(offset..).unwrap_or_default();
        let member = objects::first(member);
        weight += OBJECT_BYTES * (1 + objects::count(member)) + member.len();
        if weight > MAX_LOADED_BYTES {
            break;
        }
    }
    weight
}

#[cfg(test)]
mod tests;
