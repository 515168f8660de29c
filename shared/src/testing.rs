//! Fakes by behaviour, for tests only (feature `testing`).

mod agent;
mod chunks;
mod deaths;
pub mod discovery;
mod edge;
mod fake_cloud_run;
mod fake_google;
mod fake_openai;
mod fake_service;
mod fake_stripe;
mod fake_workspace;
mod fixed_clock;
mod integration;
mod invitation_links;
mod killed_after;
mod memory_bucket;
mod memory_db;
mod metered_llm;
mod obedient_llm;
mod recording_accounts;
mod recording_actions;
mod recording_mailer;
mod recording_queue;
mod recording_topic;
mod redis_server;
mod scripted_llm;
mod scripted_speaker;
mod start;
mod stripe_signature;
mod test_service_verifier;
mod test_verifier;
mod trail;
mod usage_entry;

pub use agent::agent;
pub use chunks::{chunk, keep_chunks};
pub use edge::{
    assert_no_page_may_call, assert_pages_of_one_origin_may_call, assert_security_headers,
};
pub use fake_cloud_run::FakeCloudRun;
pub use fake_google::{FakeGoogle, FakeGoogleOptions, GOOGLE_CLIENT, UserConsent};
pub use fake_openai::FakeOpenAi;
pub use fake_service::{FakeService, ServiceCall};
pub use fake_stripe::{Counted, FakeStripe, StripeCall, StripeFault};
pub use fake_workspace::{
    FakeAccount, FakeWorkspace, Fault, GroundTruth, Seen, SentMail, Weather, WorkspaceCall,
};
pub use fixed_clock::FixedClock;
pub use integration::integration;
pub use invitation_links::{APP_URL, invitation_links};
pub use killed_after::{KilledAfter, killed_after};
pub use memory_bucket::MemoryBucket;
pub use memory_db::{MemoryDb, memory_store};
pub use metered_llm::{
    metered_llm, provider_of, provider_of_all, provider_with_key, providers, speaker_of,
};
pub use obedient_llm::ObedientLlm;
pub use recording_accounts::{AccountCall, RecordingAccounts};
pub use recording_actions::{ActionCall, RecordingActions};
pub use recording_mailer::RecordingMailer;
pub use recording_queue::RecordingQueue;
pub use recording_topic::RecordingTopic;
pub use redis_server::RedisServer;
pub use scripted_llm::{Said, ScriptedLlm, bag_of_words};
pub use scripted_speaker::ScriptedSpeaker;
pub use start::{assert_callers_must_be_named, assert_emulators_end_the_start};
pub use stripe_signature::stripe_signature;
pub use test_service_verifier::TestServiceVerifier;
pub use test_verifier::{TestVerifier, claims};
pub use trail::trail;
pub use usage_entry::usage_entry;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A failed assertion in one task must not hide behind a poisoned lock in another.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets other tasks run, as a network call would.
#[expect(clippy::disallowed_methods, reason = "what is called takes its time")]
async fn take_time(delay: Duration) {
    if delay.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(delay).await;
    }
}
