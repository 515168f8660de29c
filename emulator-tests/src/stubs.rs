//! Stand-ins for outside services, which answer from data in `emulator-tests/stubs`.

pub mod openai;
pub mod sendgrid;
pub mod tasks;
pub mod web;

mod contract;
