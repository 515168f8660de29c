use std::{fmt, marker::PhantomData};

use garde::{Path, Report, Validate};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A request body that is a JSON object. A derived `Deserialize` would also take an array of the
/// fields' values in order, and `garde` would name fields as Rust does.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

impl<T: Validate> Validate for Object<T> {
    type Context = T::Context;

    fn validate_into(
        &self,
        context: &Self::Context,
        parent: &mut dyn FnMut() -> Path,
        report: &mut Report,
    ) {
        let mut own = Report::new();
        self.0.validate_into(context, parent, &mut own);
        for (path, error) in own.into_inner() {
            report.append(Path::new(camel_case(&path.to_string())), error);
        }
    }
}

/// Reads a field that is a JSON object, for `#[serde(deserialize_with = …)]`.
///
/// # Errors
/// Returns the deserializer's error for anything else.
pub fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// `voice_config.speed` as clients write it.
fn camel_case(path: &str) -> String {
    let mut parts = path.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| {
        let mut characters = part.chars();
        let initial = characters
            .next()
            .map(|initial| initial.to_ascii_uppercase());
        let rest = characters.as_str();
        path + &initial.map(String::from).unwrap_or_default() + rest
    })
}
