//! Which admissions a test runs on.

use std::sync::{Arc, Mutex, PoisonError};

use shared::{
    clock::SharedClock,
    models::{Metering, UsageEntry, UsageState},
    quota::{
        SharedAdmissions,
        admissions::{FirestoreAdmissions, LeasedAdmissions, RedisLeases},
    },
    store::Store,
    testing::{FixedClock, RedisServer},
};

/// The adapters of the port to admissions.
#[derive(Clone)]
pub(crate) enum Adapter {
    Firestore,
    Redis(Arc<Mutex<RedisServer>>),
}

impl Adapter {
    /// Leases on a server of their own.
    pub(crate) fn redis() -> Self {
        let server = RedisServer::start().unwrap();
        Self::Redis(Arc::new(Mutex::new(server)))
    }

    pub(crate) fn admissions(&self, store: &Store, clock: &FixedClock) -> SharedAdmissions {
        let (store, clock): (Store, SharedClock) = (store.clone(), clock.shared());
        match self {
            Self::Firestore => Arc::new(FirestoreAdmissions::new(store, clock)),
            Self::Redis(_) => Arc::new(LeasedAdmissions::new(self.leases(), store, clock)),
        }
    }

    pub(crate) fn leases(&self) -> RedisLeases {
        RedisLeases::new(&self.server(|server| server.url()).into()).unwrap()
    }

    pub(crate) fn server<T>(&self, act: impl FnOnce(&mut RedisServer) -> T) -> T {
        match self {
            Self::Firestore => unreachable!("there is no server"),
            Self::Redis(server) => act(&mut server.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

/// What is settled is to be metered, and nothing else is.
pub(crate) fn assert_to_be_metered(entry: &UsageEntry) {
    let is_settled = entry.state == UsageState::Settled;
    assert_eq!(
        entry.meter,
        is_settled.then_some(Metering::Pending),
        "{entry:?}"
    );
}

/// One suite, twice: the tests take the adapter.
macro_rules! on_each_adapter {
    ($($test:ident),* $(,)?) => {
        mod firestore {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&$crate::quota::adapter::Adapter::Firestore).await;
            })*
        }

        mod redis {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&$crate::quota::adapter::Adapter::redis()).await;
            })*
        }
    };
}

pub(crate) use on_each_adapter;
