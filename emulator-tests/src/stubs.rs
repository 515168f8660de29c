//! Stand-ins for outside services, which answer from data in `emulator-tests/stubs`.

pub mod cloud_run;
pub mod collector;
pub mod google;
pub mod local_google;
pub mod local_stripe;
pub mod openai;
pub mod pub_sub;
pub mod sendgrid;
pub mod tasks;
pub mod vendors;
pub mod web;

mod contract;
mod echo;
