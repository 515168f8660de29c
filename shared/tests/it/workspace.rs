//! What the sync reads, through the hub, of a Google that has a memory.

mod access;
mod faults;
mod files;
mod golden;
mod mail;
mod support;
