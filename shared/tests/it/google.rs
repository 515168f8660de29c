//! Google's adapters against servers on a local port that know Google's contracts.

mod account;
mod calendar;
mod documents;
mod fake;
mod files;
mod golden;
mod mail;
mod oauth;
mod refusals;
mod spreadsheets;
mod strictness;
