use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// A place in a model's space.
///
/// It is a Firestore vector in a document and an array of numbers in JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
// The `firestore` crate's serializer knows a vector by the name of its newtype
// (`FIRESTORE_VECTOR_TYPE_TAG_TYPE` in its source).
#[serde(rename = "FirestoreVector")]
pub struct Vector(Vec<f32>);

impl Vector {
    /// How many numbers it has in the vector indexes of Firestore, which are made for one length.
    pub const INDEXED_DIMENSION: u32 = 768;

    /// Its numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }
}

impl From<Vec<f32>> for Vector {
    fn from(numbers: Vec<f32>) -> Self {
        Self(numbers)
    }
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VectorVisitor)
    }
}

struct VectorVisitor;

impl<'de> Visitor<'de> for VectorVisitor {
    type Value = Vector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vector")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vector, A::Error> {
        let mut vector = Vec::new();
        while let Some(number) = numbers.next_element()? {
            vector.push(number);
        }
        Ok(Vector(vector))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Vector, A::Error> {
        let mut vector = None;
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "value" => vector = Some(Vector(fields.next_value()?)),
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        vector.ok_or_else(|| A::Error::missing_field("value"))
    }
}
