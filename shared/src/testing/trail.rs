use std::sync::Arc;

use crate::{audit::Trail, crypto::LocalMac, store::Store};

/// Audit trails in this store, under a key that every test knows.
#[must_use]
pub fn trail(store: &Store) -> Trail {
    Trail::new(store.clone(), Arc::new(LocalMac::new("test".into())))
}
