//! What an organization may use: agents, tokens a month, and the metered way to a model.

mod agents;
mod budget;
mod error;
mod metered;
mod tiers;
pub mod usage;

pub use agents::{allows_memory, deploy_agent_slot, release_agent, reserve_agent};
pub use budget::percent_of_limit;
pub use error::{Error, Resource};
pub use metered::{Answer, Call, MeteredLlm, Use};
pub use tiers::Plan;
