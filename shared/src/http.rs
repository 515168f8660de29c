//! The HTTP edge: what every function does the same way with a request and an answer.

mod access;
mod bearer;
mod client;
mod client_address;
mod error;
mod give_up;
mod headers;
mod health;
mod json;
mod layers;
mod object;
mod origins;
mod path;
mod principal;
mod rate_limit;
mod raw_body;
mod serve;
mod service_caller;

pub use access::Callers;
pub use client::{ClientError, client};
pub use error::{ApiError, CallableError, Code, FieldProblem};
pub use give_up::give_up;
pub use json::{Json, parse_json};
pub use layers::{EdgeConfig, edge};
pub use object::object;
pub use origins::cors_origins;
pub use path::{Path, Query};
pub use principal::{Allowed, Authenticator, Permission, SignedIn, Verified, can};
pub use rate_limit::ClientLimit;
pub use raw_body::RawBody;
pub use serve::{serve, serve_until, without_delay};
pub use service_caller::{ServiceCaller, ServiceCallers};
