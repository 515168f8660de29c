use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

/// Any JSON value, kept in a document as text.
///
/// Firestore cannot hold an array directly in an array, reserves some map keys and indexes every
/// nested field, so data of unknown shape (payloads, outputs) would not come back as it went in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonText(pub Value);

impl JsonText {
    /// The items of a list; none of anything else.
    #[must_use]
    pub fn into_items(self) -> Vec<Value> {
        match self.0 {
            Value::Array(items) => items,
            _ => Vec::new(),
        }
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

/// A list of models, kept as text.
pub(super) mod list {
    use serde::{
        Deserialize, Deserializer, Serialize, Serializer,
        de::{DeserializeOwned, Error as _},
        ser::Error as _,
    };

    pub(in super::super) fn serialize<T, S>(items: &[T], serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Serialize,
        S: Serializer,
    {
        let text = serde_json::to_string(items).map_err(S::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(in super::super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        T: DeserializeOwned,
        D: Deserializer<'de>,
    {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the bits of a random number generator
    /// (<https://en.wikipedia.org/wiki/Linear_congruential_generator>).
    fn floats() -> impl Iterator<Item = f64> {
        let next = |bits: &u64| {
            let factor = 6_364_136_223_846_793_005;
            Some(bits.wrapping_mul(factor).wrapping_add(1))
        };
        let bits = std::iter::successors(Some(1), next).take(10_000);
        bits.map(f64::from_bits).filter(|float| float.is_finite())
    }

    #[test]
    fn a_float_with_all_its_digits_comes_back_equal() {
        for float in floats() {
            let before = JsonText(Value::from(float));
            let stored = serde_json::to_value(&before).unwrap();
            let after: JsonText = serde_json::from_value(stored).unwrap();
            assert_eq!(after, before);
        }
    }
}
