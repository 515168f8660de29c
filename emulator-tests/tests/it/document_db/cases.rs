//! What a document database must do.

mod merges;
mod preconditions;
mod queries;
mod races;
mod searches;

pub(super) use self::{merges::*, preconditions::*, queries::*, races::*, searches::*};
