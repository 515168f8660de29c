//! How large a JSON value is.

use std::fmt::{self, Write};

use serde_json::{Number, Value};

/// Depth and size of a JSON value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Levels of arrays and objects.
    pub depth: usize,
    /// Bytes as text, a few more.
    pub bytes: usize,
}

impl Extent {
    /// Measures a value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null | Value::Bool(_) => Self { depth: 0, bytes: 5 },
            Value::Number(number) => Self {
                depth: 0,
                bytes: number_len(number),
            },
            Value::String(text) => Self {
                depth: 0,
                bytes: text_len(text) + 1,
            },
            Value::Array(items) => Self::around(items.iter().map(Self::of)),
            Value::Object(fields) => Self::around(fields.iter().map(|(name, value)| {
                let Self { depth, bytes } = Self::of(value);
                Self {
                    depth,
                    bytes: bytes + text_len(name) + 2,
                }
            })),
        }
    }

    fn around(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self { depth: 1, bytes: 2 }, |whole, part| Self {
            depth: whole.depth.max(part.depth + 1),
            bytes: whole.bytes + part.bytes,
        })
    }
}

/// The length of a number, written without being kept.
fn number_len(number: &Number) -> usize {
    struct Length(usize);
    impl Write for Length {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut length = Length(1);
    // Counting does not fail.
    let _ = write!(length, "{number}");
    length.0
}

/// The length of text in quotes, as `serde_json` escapes it.
fn text_len(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    });
    text.len() + 2 + escapes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn depth_counts_the_deepest_branch() {
        for (value, depth) in [(json!(1), 0), (json!([]), 1), (json!({ "a": [1, [2]] }), 3)] {
            assert_eq!(Extent::of(&value).depth, depth, "{value}");
        }
    }

    #[test]
    fn bytes_are_near_those_of_the_text() {
        let value = json!({ "name": "x".repeat(1_000), "list": [1, 2, null, true] });
        let (bytes, text) = (Extent::of(&value).bytes, value.to_string().len());
        assert!(bytes.abs_diff(text) < 50, "{bytes} for {text}");
    }

    #[test]
    fn numbers_count_as_they_are_written() {
        let value = json!([0.1234567890123456, -1e-300, 1, u64::MAX]);
        let (bytes, text) = (Extent::of(&value).bytes, value.to_string().len());
        assert!((text..text + 10).contains(&bytes), "{bytes} for {text}");
    }

    #[test]
    fn escapes_count() {
        let value = json!({ "\"\n": "\u{1}\\\u{8}ä" });
        let (bytes, text) = (Extent::of(&value).bytes, value.to_string().len());
        assert!((text..text + 10).contains(&bytes), "{bytes} for {text}");
    }
}
