//! Load programs for `cargo xtask bench`. Each prints its table; figures of one run are compared
//! with each other, not with those of another machine.

mod api;
mod caller;
mod contender;
mod database;
pub mod edge;
pub mod engine;
mod engine_under_load;
mod load;
mod process;
mod rounds;
pub mod router;
pub mod sync;
mod tenant;

pub use self::api::serve_api;
