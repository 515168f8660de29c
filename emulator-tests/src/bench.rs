//! Load programs for `cargo xtask bench`. Each prints its table; figures of one run are compared
//! with each other, not with those of another machine.

mod database;
pub mod engine;
mod engine_under_load;
mod process;
pub mod router;
pub mod sync;
mod tenant;
