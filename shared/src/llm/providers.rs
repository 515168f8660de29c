//! The vendors, one file each.

mod name;
pub mod openai;

pub use name::ProviderName;
