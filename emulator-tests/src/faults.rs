//! The fault tests: worker processes that are killed, frozen and lied to, and a checker that reads
//! only the store and the sinks (`docs/fault-tests.md`).

pub mod chance;
pub mod checker;
pub mod events;
pub mod fleet;
pub mod gate;
pub mod killer;
mod pause;
pub mod plan;
pub mod process;
pub mod proxy;
pub mod scenario;
pub mod sinks;
pub mod size;
pub mod witness;
pub mod worker;
pub mod world;
