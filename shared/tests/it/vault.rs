//! The integration hub, on fakes of the services and of Google's OAuth.

mod calls;
mod connections;
mod crashes;
mod owners;
mod renewals;
mod support;
