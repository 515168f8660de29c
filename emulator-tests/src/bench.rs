//! Load programs for `cargo xtask bench`. Each prints its table; figures of one run are compared
//! with each other, not with those of another machine.

pub mod engine;
mod engine_under_load;
mod process;
