//! Tokens, good and bad, against whatever accepts them.

mod door;
mod firebase;
mod firebase_rows;
mod forge;
mod service;
mod verifier;
