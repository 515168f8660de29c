//! A call that outlasts the account of who has caused it does not bring the uid back.

use std::sync::Arc;

use shared::{
    erasure::{self, Erasure},
    ids::Uid,
    models::ErasureState,
    testing::{RecordingAccounts, trail},
};

use super::*;
use crate::support::CALLER;

on_each_adapter! {
    a_call_that_is_booked_after_an_erasure_names_nobody,
    a_call_that_is_given_back_after_an_erasure_names_nobody,
    a_call_that_is_booked_too_late_names_nobody,
    a_repeat_that_pays_above_an_estimate_names_nobody,
    a_call_that_is_admitted_after_an_erasure_names_nobody,
    a_call_of_who_stays_is_named,
}

fn uid() -> Uid {
    Uid::parse("u1").unwrap()
}

impl Fixture {
    fn caused(&self, key: &str, is_stream: bool) -> UsageEntry {
        UsageEntry {
            uid: Some(uid()),
            is_stream,
            ..self.entry(key)
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// Deletes the user, and has all that it left be erased.
    async fn erase_user(&self) {
        let begin = erasure::begin(&uid(), self.now()).unwrap();
        self.store.commit(vec![begin]).await.unwrap();
        self.clock.advance(Duration::from_secs(121));
        let accounts = Arc::new(RecordingAccounts::new());
        let erasure = Erasure::new(self.store.clone(), trail(&self.store), accounts);
        let state = erasure.finish(&CALLER, &uid(), self.now()).await;
        assert_eq!(state.unwrap(), ErasureState::Done);
    }

    /// Whom the entries of the ledger name.
    fn named(&self) -> Vec<Option<Uid>> {
        let entries = self.db.documents("usage_ledger/");
        let entries = entries.iter().map(shared::store::decode);
        entries
            .map(|entry: Result<UsageEntry, _>| entry.unwrap().uid)
            .collect()
    }
}

async fn a_call_that_is_booked_after_an_erasure_names_nobody(adapter: &Adapter) {
    for is_stream in [false, true] {
        let fixture = Fixture::new(adapter, 2).await;
        let entry = fixture.caused("c1", is_stream);
        let admission = fixture.admissions.reserve(&entry).await.unwrap();
        fixture.erase_user().await;
        fixture.clock.advance(Duration::from_secs(600));
        fixture.settle(&admission).await;
        assert_eq!(fixture.named(), [None], "{is_stream}");
        assert_eq!(fixture.settled().await.len(), 1, "{is_stream}");
    }
}

async fn a_call_that_is_given_back_after_an_erasure_names_nobody(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 2).await;
    let entry = fixture.caused("c1", true);
    let admission = fixture.admissions.reserve(&entry).await.unwrap();
    fixture.erase_user().await;
    fixture.admissions.release(&admission).await.unwrap();
    assert_eq!(fixture.named(), [None]);
}

async fn a_call_that_is_booked_too_late_names_nobody(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 2).await;
    let entry = fixture.caused("c1", true);
    let admission = fixture.admissions.reserve(&entry).await.unwrap();
    fixture.erase_user().await;
    fixture.clock.advance(LEASE);
    fixture.sweep().await;
    fixture.settle(&admission).await;
    assert!(fixture.named().iter().all(Option::is_none));
}

async fn a_repeat_that_pays_above_an_estimate_names_nobody(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 4).await;
    let entry = fixture.caused("c1", false);
    let admission = fixture.admissions.reserve(&entry).await.unwrap();
    let estimate = Usage {
        is_estimated: true,
        ..USED
    };
    let booked = admission.book(&estimate, COST);
    fixture
        .admissions
        .settle(&admission, &booked)
        .await
        .unwrap();
    let repeat = fixture.admissions.reserve(&entry).await.unwrap();
    fixture.erase_user().await;
    fixture.settle_most(&repeat).await;
    assert_eq!(fixture.named(), [None, None]);
}

async fn a_call_that_is_admitted_after_an_erasure_names_nobody(adapter: &Adapter) {
    for is_stream in [false, true] {
        let fixture = Fixture::new(adapter, 2).await;
        fixture.erase_user().await;
        let entry = fixture.caused("c1", is_stream);
        let admission = fixture.admissions.reserve(&entry).await.unwrap();
        assert!(fixture.named().iter().all(Option::is_none), "{is_stream}");
        fixture.settle(&admission).await;
        assert_eq!(fixture.named(), [None], "{is_stream}");
    }
}

async fn a_call_of_who_stays_is_named(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 2).await;
    let entry = fixture.caused("c1", true);
    let admission = fixture.admissions.reserve(&entry).await.unwrap();
    fixture.settle(&admission).await;
    assert_eq!(fixture.named(), [Some(uid())]);
}
