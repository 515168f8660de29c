//! The vendors, one file each, and the set of those that a service is configured for.

pub mod anthropic;
mod calls;
pub mod gemini;
pub mod google_speech;
mod http;
pub mod openai;
mod set;
mod speakers;
mod sse;
pub mod vertex;

pub use crate::models::ProviderName;
pub use set::{Providers, ProvidersConfig};
pub use speakers::Speakers;
