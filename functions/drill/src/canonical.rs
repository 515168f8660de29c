//! A document as bytes that equal documents give, and no others.

use sha2::{Digest, Sha256};
use shared::store::document_db::{Document, DocumentPath, Fields, Value, ValueType};

/// A SHA-256 hash.
pub(crate) type Hash = [u8; 32];

/// What stands before a document, and never before a node of the tree (RFC 6962 section 2.1).
const LEAF: u8 = 0;

/// The hash of a document's path and fields. Its version is not part of it: a restored document was
/// written anew.
pub(crate) fn hash(document: &Document) -> Hash {
    let mut bytes = vec![LEAF];
    put(&mut bytes, document.path.as_str().as_bytes());
    put_fields(&mut bytes, &document.fields);
    Sha256::digest(&bytes).into()
}

/// Each part after its length, so that no part runs into the next.
fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u64).to_be_bytes());
    bytes.extend(part);
}

fn put_fields(bytes: &mut Vec<u8>, fields: &Fields) {
    let mut names: Vec<&String> = fields.keys().collect();
    names.sort_unstable();
    bytes.extend((names.len() as u64).to_be_bytes());
    for name in names {
        put(bytes, name.as_bytes());
        put_value(bytes, &fields[name]);
    }
}

/// A tag of its own for each type: the integer 1 is not the double 1.0.
fn put_value(bytes: &mut Vec<u8>, value: &Value) {
    match &value.value_type {
        None | Some(ValueType::NullValue(_)) => bytes.push(b'n'),
        Some(ValueType::BooleanValue(flag)) => bytes.extend([b'b', u8::from(*flag)]),
        Some(ValueType::IntegerValue(number)) => {
            bytes.push(b'i');
            bytes.extend(number.to_be_bytes());
        }
        Some(ValueType::DoubleValue(number)) => {
            bytes.push(b'd');
            bytes.extend(bits(*number));
        }
        Some(ValueType::TimestampValue(time)) => {
            bytes.push(b't');
            bytes.extend(time.seconds.to_be_bytes());
            bytes.extend(time.nanos.to_be_bytes());
        }
        Some(ValueType::StringValue(text)) => {
            bytes.push(b's');
            put(bytes, text.as_bytes());
        }
        Some(ValueType::BytesValue(content)) => {
            bytes.push(b'y');
            put(bytes, content);
        }
        Some(ValueType::ReferenceValue(name)) => {
            // The name begins with the database's, which is another one after a restore.
            let path = DocumentPath::from_resource_name(name);
            let path = path.as_ref().map_or(name.as_str(), DocumentPath::as_str);
            bytes.push(b'r');
            put(bytes, path.as_bytes());
        }
        Some(ValueType::GeoPointValue(point)) => {
            bytes.push(b'g');
            bytes.extend(bits(point.latitude));
            bytes.extend(bits(point.longitude));
        }
        Some(ValueType::ArrayValue(array)) => {
            bytes.push(b'a');
            bytes.extend((array.values.len() as u64).to_be_bytes());
            for value in &array.values {
                put_value(bytes, value);
            }
        }
        Some(ValueType::MapValue(map)) => {
            bytes.push(b'm');
            put_fields(bytes, &map.fields);
        }
        // Parts of pipelines, which no document holds.
        Some(other) => put(bytes, format!("?{other:?}").as_bytes()),
    }
}

/// Every NaN is the same one.
fn bits(number: f64) -> [u8; 8] {
    let number = if number.is_nan() { f64::NAN } else { number };
    number.to_bits().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use shared::{
        models::Timestamp,
        store::document_db::{ArrayValue, MapValue, value},
    };

    use super::*;

    fn document(path: &str, fields: Vec<(&str, ValueType)>) -> Document {
        let fields = fields.into_iter();
        let fields = fields.map(|(name, field)| (name.to_owned(), value(field)));
        let (collection, id) = path.rsplit_once('/').unwrap();
        Document {
            path: DocumentPath::new(collection, id),
            fields: fields.collect(),
            version: Timestamp::from(jiff::Timestamp::UNIX_EPOCH),
        }
    }

    fn text(text: &str) -> ValueType {
        ValueType::StringValue(text.to_owned())
    }

    fn of(field: ValueType) -> Hash {
        hash(&document("a/1", vec![("x", field)]))
    }

    #[test]
    fn every_type_and_place_has_a_hash_of_its_own() {
        let array = |values: Vec<ValueType>| {
            let values = values.into_iter().map(value).collect();
            ValueType::ArrayValue(ArrayValue { values })
        };
        let map = |name: &str| {
            let fields = [(name.to_owned(), value(text("y")))].into();
            ValueType::MapValue(MapValue { fields })
        };
        let values = [
            ValueType::NullValue(0),
            ValueType::BooleanValue(true),
            ValueType::IntegerValue(1),
            ValueType::DoubleValue(1.0),
            ValueType::DoubleValue(-0.0),
            ValueType::DoubleValue(0.0),
            ValueType::BytesValue(b"1".to_vec()),
            text("1"),
            text(""),
            array(vec![]),
            array(vec![text("ab"), text("c")]),
            array(vec![text("a"), text("bc")]),
            array(vec![array(vec![text("a")]), text("bc")]),
            map("a"),
            map("b"),
        ];
        let mut hashes: Vec<Hash> = values.into_iter().map(of).collect();
        hashes.push(hash(&document("a/2", vec![("x", text("1"))])));
        hashes.push(hash(&document("a/1", vec![("y", text("1"))])));
        hashes.push(hash(&document("a/1", vec![])));
        let count = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
    }

    #[test]
    fn neither_the_order_of_fields_nor_the_version_counts() {
        let fields: Vec<_> = (0..20).map(|n| format!("f{n}")).collect();
        let forth = fields.iter().map(|name| (name.as_str(), text(name)));
        let back = fields.iter().rev().map(|name| (name.as_str(), text(name)));
        let forth = document("a/1", forth.collect());
        let mut back = document("a/1", back.collect());
        back.version = back.version.plus_seconds(1);
        assert_eq!(hash(&forth), hash(&back));
    }

    #[test]
    fn a_reference_is_the_same_in_another_database() {
        let of_project = |project: &str| {
            of(ValueType::ReferenceValue(format!(
                "projects/{project}/databases/(default)/documents/a/b"
            )))
        };
        assert_eq!(of_project("one"), of_project("other"));
    }
}
