//! The port to the document database.

use std::{collections::HashMap, fmt};

use async_trait::async_trait;
pub use gcloud_sdk::google::firestore::v1::{ArrayValue, MapValue, Value, value::ValueType};

use crate::{
    models::{Timestamp, Vector},
    retry::Transient,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A document that must not exist does.
    #[error("the document already exists")]
    AlreadyExists,
    /// A document that must exist does not.
    #[error("the document does not exist")]
    NotFound,
    /// A document is not at the expected version any more.
    #[error("the document has changed")]
    Conflict,
    /// The database cannot be reached or is overloaded; a write may have happened all the same.
    #[error("the database is unavailable")]
    Unavailable(#[source] BoxError),
    /// The database refuses the request for good.
    #[error("the database refused the request")]
    Rejected(#[source] BoxError),
    /// A document does not have the shape that the models tell.
    #[error("the document at `{path}` is malformed")]
    Malformed {
        /// Where it is.
        path: String,
        /// What does not fit.
        #[source]
        source: BoxError,
    },
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl Error {
    /// Whether a preconditioned write lost a race: read again and decide anew.
    #[must_use]
    pub fn is_lost_race(&self) -> bool {
        matches!(self, Self::AlreadyExists | Self::NotFound | Self::Conflict)
    }
}

/// The fields of a document, as Firestore's own protobuf values.
pub type Fields = HashMap<String, Value>;

/// The path of a document below the database's root: `agents/a1`, `executions/e1/steps/n1#0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentPath(String);

impl DocumentPath {
    /// The document `id` in a root collection.
    #[must_use]
    pub fn new(collection: &str, id: &str) -> Self {
        Self(format!("{collection}/{id}"))
    }

    /// The document `id` in a collection below this document.
    #[must_use]
    pub fn child(&self, collection: &str, id: &str) -> Self {
        Self(format!("{}/{collection}/{id}", self.0))
    }

    /// The path of a collection below this document, for a [`Query`].
    #[must_use]
    pub fn collection(&self, collection: &str) -> String {
        format!("{}/{collection}", self.0)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path from a document's resource name
    /// (`projects/p/databases/d/documents/agents/a1`), if it is one.
    #[must_use]
    pub fn from_resource_name(name: &str) -> Option<Self> {
        name.split_once("/documents/")
            .map(|(_, path)| Self(path.to_owned()))
    }

    /// The last segment: the document's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A document as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it is.
    pub path: DocumentPath,
    /// What it holds.
    pub fields: Fields,
    /// When it was last written: its version.
    pub version: Timestamp,
}

/// What must hold for a write, and with it for the whole commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Anything.
    None,
    /// The document exists.
    Exists,
    /// The document does not exist.
    Absent,
    /// The document was last written at this time.
    Version(Timestamp),
}

/// What a write does.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Replaces all fields.
    Replace(Fields),
    /// Sets some fields and adds to others, making the document if need be. A dot in a name leads
    /// into a map.
    Merge {
        /// Fields to set.
        fields: Fields,
        /// Integer fields to add to; absent ones count as 0.
        increments: Vec<(&'static str, i64)>,
    },
    /// Removes the document.
    Delete,
}

/// One write of a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The document.
    pub path: DocumentPath,
    /// What to do.
    pub operation: Operation,
    /// What must hold.
    pub precondition: Precondition,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Less than or equal.
    LessOrEqual,
    /// Greater than or equal.
    GreaterOrEqual,
    /// Equal to one of the values of an array.
    In,
    /// An array with the value in it; a query has one such condition at most.
    ArrayContains,
}

/// A condition on one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// A field, or a path into a map with dots.
    pub field: &'static str,
    /// How to compare.
    pub comparison: Comparison,
    /// With what.
    pub value: Value,
}

/// The order of a listing; the document id breaks ties in the same direction, the path does in a
/// group of collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By document id; by path in a group of collections.
    ById,
    /// By a field, smallest first.
    Ascending(&'static str),
    /// By a field, largest first.
    Descending(&'static str),
}

/// What a search is for: vectors that point where another one does.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// The field with the vectors; those of another length are left out.
    pub field: &'static str,
    /// What they are compared with.
    pub vector: Vector,
    /// Those that are farther are left out: one minus the cosine of the angle, from 0 to 2.
    pub max_distance: f64,
}

/// A question to one collection, or to all of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Path of the collection; its name in a group.
    pub collection: String,
    /// Whether all collections of this name are asked, wherever they are.
    pub is_group: bool,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// In which order.
    pub order: Order,
    /// Only what follows this position: the ordered field's value, if any, and the document id,
    /// or its path in a group.
    pub after: Option<(Option<Value>, String)>,
    /// At most so many documents.
    pub limit: u32,
    /// Only what is near, nearest first, in place of the order; there is no position then.
    pub nearest: Option<Nearest>,
}

impl Query {
    /// All documents of a collection by id, at most `limit`.
    #[must_use]
    pub fn new(collection: impl Into<String>, limit: u32) -> Self {
        let collection = collection.into();
        Self {
            collection,
            is_group: false,
            filters: Vec::new(),
            order: Order::ById,
            after: None,
            limit,
            nearest: None,
        }
    }

    /// All documents of all collections with this name by path, at most `limit`. A filter needs
    /// an index whose scope is the collection group.
    #[must_use]
    pub fn group(name: &str, limit: u32) -> Self {
        Self {
            is_group: true,
            ..Self::new(name, limit)
        }
    }

    /// Adds a condition.
    #[must_use]
    pub fn filter(
        mut self,
        field: &'static str,
        comparison: Comparison,
        value: impl Into<QueryValue>,
    ) -> Self {
        let QueryValue(value) = value.into();
        self.filters.push(Filter {
            field,
            comparison,
            value,
        });
        self
    }

    /// Searches among what the conditions leave, which Firestore does for at most 1,000 documents.
    /// It needs an index of the fields of all conditions and of the vectors.
    #[must_use]
    pub fn nearest(mut self, nearest: Nearest) -> Self {
        self.nearest = Some(nearest);
        self
    }

    /// Sets the order.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }
}

/// Sets a field whose name leads into a map where it has a dot.
pub fn set_field(fields: &mut Fields, name: &str, field: Value) {
    let Some((parent, rest)) = name.split_once('.') else {
        fields.insert(name.to_owned(), field);
        return;
    };
    let parent = fields.entry(parent.to_owned()).or_default();
    if !matches!(parent.value_type, Some(ValueType::MapValue(_))) {
        *parent = value(ValueType::MapValue(MapValue::default()));
    }
    if let Some(ValueType::MapValue(map)) = &mut parent.value_type {
        set_field(&mut map.fields, rest, field);
    }
}

/// A value to compare with.
pub struct QueryValue(Value);

impl From<&str> for QueryValue {
    fn from(text: &str) -> Self {
        Self(value(ValueType::StringValue(text.to_owned())))
    }
}

impl From<Vec<&str>> for QueryValue {
    fn from(texts: Vec<&str>) -> Self {
        let values = texts.into_iter().map(|text| Self::from(text).0).collect();
        Self(value(ValueType::ArrayValue(ArrayValue { values })))
    }
}

impl From<bool> for QueryValue {
    fn from(flag: bool) -> Self {
        Self(value(ValueType::BooleanValue(flag)))
    }
}

impl From<Timestamp> for QueryValue {
    fn from(timestamp: Timestamp) -> Self {
        Self(value(ValueType::TimestampValue(to_wire_time(timestamp))))
    }
}

/// A document database. A commit happens as a whole or not at all.
#[async_trait]
pub trait DocumentDb: Send + Sync {
    /// Reads one document.
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error>;

    /// Whether there is such a document. One that knows how leaves its fields where they are.
    async fn exists(&self, path: &DocumentPath) -> Result<bool, Error> {
        Ok(self.get(path).await?.is_some())
    }

    /// Reads the documents that match.
    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error>;

    /// How many documents match, up to the query's limit. One that knows how leaves them where they
    /// are.
    async fn count(&self, query: &Query) -> Result<usize, Error> {
        Ok(self.query(query).await?.len())
    }

    /// Applies all writes, or none when a precondition does not hold.
    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error>;
}

/// Wraps a value type.
#[must_use]
pub fn value(value_type: ValueType) -> Value {
    Value {
        value_type: Some(value_type),
    }
}

/// A vector as Firestore keeps it: a map that says of itself what it is
/// (<https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#value>).
#[must_use]
pub fn to_wire_vector(vector: &Vector) -> Value {
    let numbers = vector.as_slice().iter().copied().map(f64::from);
    let values = numbers.map(|number| value(ValueType::DoubleValue(number)));
    let array = ValueType::ArrayValue(ArrayValue {
        values: values.collect(),
    });
    let kind = ValueType::StringValue("__vector__".to_owned());
    let fields = [("__type__", kind), ("value", array)];
    let fields = fields.map(|(name, field)| (name.to_owned(), value(field)));
    value(ValueType::MapValue(MapValue {
        fields: fields.into(),
    }))
}

/// An instant as a protobuf timestamp.
#[must_use]
pub fn to_wire_time(timestamp: Timestamp) -> gcloud_sdk::prost_types::Timestamp {
    let micros = timestamp.instant().as_microsecond();
    gcloud_sdk::prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        // The remainder is below 10^6, so the nanoseconds fit.
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default(),
    }
}

/// A protobuf timestamp as an instant; the epoch when it is out of range.
#[must_use]
pub fn from_wire_time(wire: &gcloud_sdk::prost_types::Timestamp) -> Timestamp {
    let instant = jiff::Timestamp::new(wire.seconds, wire.nanos).unwrap_or_default();
    Timestamp::from(instant)
}
