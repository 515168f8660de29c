//! The list by meaning: vectors that point where the query's does.

use futures::future::try_join_all;

use super::{MAX_PRINCIPALS, Scope};
use crate::{
    models::{KnowledgeChunk, Vector},
    store::{Error, Store, knowledge::ChunkSearch},
};

/// Chunks that are read for each principal at most.
const MAX_NEAR: u32 = 30;

/// What is farther is not found: a cosine below 0.15. It is a first choice, not measured with a
/// model.
const MAX_DISTANCE: f64 = 0.85;

/// Documents that are read at most.
pub(super) const MAX_READS: usize = MAX_PRINCIPALS * MAX_NEAR as usize;

/// The chunks that are near to the vector. Principals are asked for one by one,
/// so that no disjunction stands beside a vector search.
pub(super) async fn find(
    store: &Store,
    scope: &Scope<'_>,
    vector: &Vector,
) -> Result<Vec<KnowledgeChunk>, Error> {
    let searches = scope.principals.iter().map(|principal| ChunkSearch {
        principal,
        embedding_model: scope.embedding_model,
        integration_id: scope.integration_id,
        vector,
        max_distance: MAX_DISTANCE,
    });
    let found = searches.map(|search| async move {
        let found = store.find_nearest_chunks(scope.org_id, &search, MAX_NEAR);
        found.await
    });
    Ok(try_join_all(found).await?.into_iter().flatten().collect())
}

/// The cosine of the angle between two vectors of one length; 0 beside one that points nowhere.
pub(super) fn cosine(one: &Vector, other: &Vector) -> f64 {
    let product = |one: &Vector, other: &Vector| -> f64 {
        let numbers = one.as_slice().iter().zip(other.as_slice());
        let products = numbers.map(|(one, other)| f64::from(*one) * f64::from(*other));
        products.sum()
    };
    let lengths = (product(one, one) * product(other, other)).sqrt();
    if lengths > 0.0 {
        product(one, other) / lengths
    } else {
        0.0
    }
}
