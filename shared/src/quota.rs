//! What an organization may use: agents, tokens and money a month, and the metered way to a model.

pub mod admissions;
mod agents;
mod alerts;
mod budget;
mod cache;
mod error;
pub mod ledger;
mod metered;
pub mod prices;
mod routing;
mod sheet;
mod switch;
mod tiers;
mod training;
pub mod usage;

pub use admissions::{AdmissionConfig, Admissions, SharedAdmissions};
pub use agents::{
    AgentPlaces, Place, allows_knowledge, allows_memory, allows_workspace, release_agent,
    release_agent_slot, reserve_agent,
};
pub use budget::{held, percent_of_limit};
pub use error::{Error, Resource};
pub use metered::{Answer, Call, MeteredLlm, MeteredStream};
pub use routing::{MAX_ROUTES, MAX_TUNED_MODELS, Routing};
pub use tiers::Plan;
pub use training::{Trained, allows_tuning, reserve_training, settle_training};

pub use crate::models::Use;
